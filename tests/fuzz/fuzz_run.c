/* fuzz_run.c: `inspect` on a run folder (train/inspect_folder.c) whose config.yaml and data.json are the
 * input, cut at its first line of "---".
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/check.h"
#include "train/inspect.h"

static const char *run_folder(const char *config, const char *data) {
    static char path[160], file[200];
    if (path[0])
        return path;
    snprintf(path, sizeof path, "%s/run", fuzz_folder());
    FUZZ_CHECK(mkdir(path, 0700) == 0, "%s cannot be made", path);
    snprintf(file, sizeof file, "%s/config.yaml", path);
    FUZZ_CHECK(symlink(config, file) == 0, "%s cannot be made", file);
    snprintf(file, sizeof file, "%s/data.json", path);
    FUZZ_CHECK(symlink(data, file) == 0, "%s cannot be made", file);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct sr_data_options how = {.one_file = true};
    const uint8_t *cut = memmem(data, size, "---\n", 4);
    const size_t first = cut ? (size_t)(cut - data) : size, rest = cut ? size - first - 4 : 0;
    const char *config = fuzz_file(0, data, first), *json = fuzz_file(1, cut ? cut + 4 : data, rest);
    struct sr_error err = {0};
    struct sr_inspection i = {0};
    if (fuzz_accepted(sr_inspect(&i, run_folder(config, json), &how, &err), &err)) {
        char *text = NULL;
        size_t length;
        FILE *to = open_memstream(&text, &length);
        FUZZ_CHECK(to, "out of memory");
        sr_facts_print(to, &i.facts);
        fclose(to);
        fuzz_check_printable(text, "what inspect prints");
        free(text);
    }
    sr_inspection_free(&i);
    return 0;
}
