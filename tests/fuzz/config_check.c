/* config_check.c: see config_check.h; and a configuration file (nn/base/option_file.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/config_check.h"

#include <string.h>

#include "tests/fuzz/parsers.h"

static void check_values(const struct sr_options *a, const struct sr_options *b, const char *what) {
    static char of_a[SR_LIST_TEXT], of_b[SR_LIST_TEXT];
    for (size_t i = 0; i < a->count; i++) {
        if (a->table[i].flag_only)
            continue;
        sr_options_text(a, i, of_a, sizeof of_a);
        sr_options_text(b, i, of_b, sizeof of_b);
        FUZZ_CHECK(strcmp(of_a, of_b) == 0, "%s: %s was '%s' and is '%s'", what, a->table[i].key, of_a, of_b);
    }
    FUZZ_CHECK(sr_config_differs(a, b) == a->count, "%s: %s differs", what,
               a->table[sr_config_differs(a, b)].key);
}

static void check_text(const struct sr_options *o) {
    struct sr_config c;
    struct sr_options again;
    struct sr_error err = {0};
    char hash[65], other[65];
    char *text = sr_config_text(o, &err);
    FUZZ_CHECK(text, "%s", err.text);
    FUZZ_CHECK(sr_options_begin(&again, sr_config_table, sr_config_count, &c, &err) == 0, "%s", err.text);
    FUZZ_CHECK(sr_option_file_parse(&again, text, strlen(text), "again.yaml", false, &err) == 0, "%s\n%s",
               err.text, text);
    check_values(o, &again, "config.yaml");
    sr_config_hash(o, 1, hash);
    sr_config_hash(&again, 1, other);
    FUZZ_CHECK(strcmp(hash, other) == 0, "another hash of the settings");
    sr_options_end(&again);
    sr_free(text);
}

/* What a setting says, set as text, is that setting. Its origin says nothing of that: of derived values, and
 * of those of a run's folder, it may be the default. */
static void check_set(const struct sr_options *o) {
    static char text[SR_LIST_TEXT], of_again[SR_LIST_TEXT];
    struct sr_config c;
    struct sr_options again;
    struct sr_error err = {0};
    FUZZ_CHECK(sr_options_begin(&again, sr_config_table, sr_config_count, &c, &err) == 0, "%s", err.text);
    for (size_t i = 0; i < o->count; i++) {
        const char *key = o->table[i].key;
        if (o->table[i].flag_only || o->table[i].type == SR_OPTION_TEXT)
            continue;
        sr_options_text(o, i, text, sizeof text);
        FUZZ_CHECK(sr_options_set(&again, key, text, SR_ORIGIN_SET, &err) == 0, "%s", err.text);
        sr_options_text(&again, i, of_again, sizeof of_again);
        FUZZ_CHECK(strcmp(text, of_again) == 0, "%s: '%s' set is '%s'", key, text, of_again);
    }
    sr_options_end(&again);
}

/* Of what goes into config.yaml. */
static bool is_utf8(const struct sr_options *o) {
    for (size_t i = 0; i < o->count; i++) {
        const char *text = NULL;
        if (o->table[i].type == SR_OPTION_TEXT && !o->table[i].flag_only)
            memcpy(&text, (const char *)o->values + o->table[i].offset, sizeof text);
        for (; text && *text; text += sr_utf8_length(text))
            if (sr_utf8_length(text) == 0)
                return false;
    }
    return true;
}

void fuzz_config_check(const struct sr_options *o) {
    char remark[256];
    struct sr_error err = {0};
    const struct sr_config *c = o->values;
    check_set(o);
    if (!is_utf8(o)) {
        FUZZ_CHECK(sr_config_check(c, &err) == SR_USAGE, "a text is not UTF-8");
        return;
    }
    check_text(o);
    for (size_t i = 0; sr_config_remark(o, i, remark); i++)
        fuzz_check_printable(remark, "a remark");
    if (fuzz_accepted(sr_config_check(c, &err), &err)) {
        const struct sr_model_spec spec = sr_config_model(c, 8);
        FUZZ_CHECK(spec.n_hidden <= SR_HIDDEN_MAX, "%zu hidden layers", spec.n_hidden);
    }
}

void fuzz_config(const uint8_t *data, size_t size) {
    struct sr_config c;
    struct sr_options o;
    struct sr_error err = {0};
    FUZZ_CHECK(sr_options_begin(&o, sr_config_table, sr_config_count, &c, &err) == 0, "%s", err.text);
    const bool others = size > 0 && data[size - 1] == ' ';
    if (fuzz_accepted(sr_option_file_parse(&o, (const char *)data, size, "f.yaml", others, &err), &err))
        fuzz_config_check(&o);
    sr_options_end(&o);
}
