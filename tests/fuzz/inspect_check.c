/* inspect_check.c: `inspect` on a file of any kind (train/inspect*.c): what it says prints, and is JSON. HDF5
 * is left to fuzz_h5.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/fuzz/parsers.h"
#include "train/inspect.h"

static void check_facts(const struct sr_inspection *i) {
    struct sr_error err = {0};
    struct sr_facts same = {0};
    struct sr_json *o = sr_json_object();
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    FUZZ_CHECK(to && i->title && i->facts.status == 0, "no title");
    sr_facts_print(to, &i->facts);
    fclose(to);
    fuzz_check_printable(text, "what inspect prints");
    free(text);
    sr_facts_json(o, &i->facts);
    char *json = sr_json_text(o, 0, &err);
    FUZZ_CHECK(json, "%s", err.text);
    sr_free(json);
    sr_json_free(o);
    sr_facts_differ(&same, &i->facts, &i->facts);
    FUZZ_CHECK(same.n == 0, "%s differs from itself", same.fact[0].key);
    sr_facts_free(&same);
}

void fuzz_inspect(const uint8_t *data, size_t size) {
    static const struct sr_data_options how = {.one_file = true};
    struct sr_error err = {0};
    struct sr_inspection i = {0};
    if (memmem(data, size, SR_HDF5_MAGIC, 8))
        return;
    if (fuzz_accepted(sr_inspect(&i, fuzz_file(0, data, size), &how, &err), &err))
        check_facts(&i);
    sr_inspection_free(&i);
}
