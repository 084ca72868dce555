/* run_check.c: a run folder whose config.yaml and data.json are the input, cut at its first line of "---":
 * `inspect` on it (train/inspect_folder.c), and what --resume reads of it (train/settings.c, identity.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/config_check.h"
#include "tests/fuzz/parsers.h"
#include "train/identity.h"
#include "train/inspect.h"
#include "train/settings.h"

static char *run_folder(const char *config, const char *data) {
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

static void inspect(const char *folder) {
    static const struct sr_data_options how = {.one_file = true};
    struct sr_error err = {0};
    struct sr_inspection i = {0};
    if (fuzz_accepted(sr_inspect(&i, folder, &how, &err), &err)) {
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
}

static void resume(char *folder) {
    char flag[] = "--resume";
    char *argv[] = {flag, folder, NULL};
    struct sr_config c;
    struct sr_options o;
    struct sr_run run = {.lock = -1};
    struct sr_error err = {0};
    FUZZ_CHECK(sr_options_begin(&o, sr_config_table, sr_config_count, &c, &err) == 0 &&
                   sr_options_arguments(&o, 2, argv, &err) == 0,
               "%s", err.text);
    if (fuzz_accepted(sr_settings_complete(&c, &o, &run, 2, argv, &err), &err))
        fuzz_config_check(&o);
    sr_run_close(&run);
    sr_options_end(&o);
}

void fuzz_run(const uint8_t *data, size_t size) {
    static const struct sr_identity id = {
        .config = "a", .train_id = "b", .val_id = "c", .rows = "d", .products = "e"};
    const uint8_t *cut = memmem(data, size, "---\n", 4), *json = cut ? cut + 4 : data + size;
    const size_t first = cut ? (size_t)(cut - data) : size, rest = (size_t)(data + size - json);
    struct sr_error err = {0};
    char *folder = run_folder(fuzz_file(0, data, first), fuzz_file(1, json, rest));
    inspect(folder);
    resume(folder);
    fuzz_accepted(sr_identity_check_json(&id, (const char *)json, rest, "data.json", &err), &err);
}
