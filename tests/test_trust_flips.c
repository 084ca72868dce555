/* test_trust_flips.c: files with one bit changed: weights, checkpoints, .pt, .npy, CSV, JSONL, YAML.
 *
 * Weights and checkpoints of ours and .pt carry checksums: a changed file is refused with a reason, or means
 * exactly what it did. The others have none: there a change is only not to crash, hang or take what is not
 * there. What a flip costs is CPU time, which a busy machine does not change. Which bits: flips.h.
 *
 * A failure names the bit; files are made anew by the same calls, so that it can be flipped again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/flips.h"
#include "tests/hostile_parsers.h"
#include "tests/router_fixture.h"

static char *folder;
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
}

static void end(void) {
    folder_end(folder);
}

TestSuite(flips, .init = begin, .fini = end);

/* ---- what a file means ---- */

/* A hash over all that a reader learns from a file. */
struct meaning {
    struct sr_sha256 hash;
    char hex[65];
};

static void add_text(struct meaning *m, const char *text) {
    sr_sha256_add(&m->hash, text, strlen(text) + 1);
}

static void add_pairs(struct meaning *m, const struct sr_pair *pair, size_t n) {
    for (size_t i = 0; i < n; i++) {
        add_text(m, pair[i].key);
        add_text(m, pair[i].value);
    }
}

/* Names, types, shapes, numbers and metadata. */
static int tensors_mean(struct meaning *m, const char *path) {
    struct sr_tensors *t;
    size_t n;
    int status = sr_tensors_open(&t, path, &err);
    if (status < 0)
        return status;
    for (size_t i = 0; status == 0 && i < sr_tensors_count(t); i++) {
        const struct sr_tensor_info *info = sr_tensors_at(t, i);
        const size_t items = (size_t)sr_tensor_info_items(info), size = sr_dtype_size(info->dtype);
        void *out = sr_alloc(items + 1, size, &err);
        status = out ? sr_tensors_read(t, i, 0, out, items, &err) : SR_NOMEM;
        add_text(m, info->name);
        sr_sha256_add(&m->hash, &info->dtype, sizeof info->dtype);
        sr_sha256_add(&m->hash, info->shape, (size_t)info->rank * sizeof *info->shape);
        if (status == 0)
            sr_sha256_add(&m->hash, out, items * size);
        sr_free(out);
    }
    const struct sr_pair *pair = sr_tensors_pairs(t, &n);
    add_pairs(m, pair, n);
    sr_tensors_close(t);
    return status;
}

static int weights_mean(struct meaning *m, const char *path) {
    struct sr_error why = {0};
    const int status = tensors_mean(m, path), opened = hostile_safetensors(path, &why);
    if (status == 0 && opened < 0)
        err = why;
    return status < 0 ? status : opened;
}

/* Formats without checksums: only the status counts. */
#define MEANS_NOTHING(name, parse)                                                                           \
    static int name(struct meaning *m, const char *path) {                                                   \
        (void)m;                                                                                             \
        return parse(path, &err);                                                                            \
    }
MEANS_NOTHING(npy_parses, hostile_tensors)
MEANS_NOTHING(table_parses, hostile_table)
MEANS_NOTHING(yaml_parses, hostile_yaml)

/* ---- flipping ---- */

struct subject {
    const char *name; /* of the file, in folder */
    int (*mean)(struct meaning *m, const char *path);
    bool checked; /* it has checksums */
    size_t least; /* of 100 flips, so many are refused at least */
};

static int meaning_of(struct meaning *m, const struct subject *s, const char *path) {
    err = (struct sr_error){0};
    sr_sha256_begin(&m->hash);
    const int status = s->mean(m, path);
    sr_sha256_end(&m->hash, m->hex);
    return status;
}

struct trial {
    const struct subject *s;
    char good[65]; /* what the whole file means */
    size_t refused;
};

static void expect_flip(const char *path, size_t bit, void *context) {
    struct trial *t = context;
    const struct subject *s = t->s;
    struct meaning m;
    const double start = hostile_cpu();
    const int status = meaning_of(&m, s, path);
    const double seconds = hostile_cpu() - start;
    cr_expect_lt(seconds, trust_seconds(), "%s, bit %zu: %g s", s->name, bit, seconds);
    t->refused += status < 0;
    cr_expect(status == 0 || err.text[0], "%s, bit %zu: refused without a reason", s->name, bit);
    cr_expect(status != SR_BUG && status != SR_NOMEM && status != SR_IO, "%s, bit %zu: status %d: %s",
              s->name, bit, status, err.text);
    if (s->checked && status == 0)
        cr_expect_str_eq(m.hex, t->good, "%s, bit %zu: read, and not the same", s->name, bit);
}

static void flip_bits(const struct subject *s) {
    char path[300];
    struct meaning good;
    struct trial t = {.s = s};
    snprintf(path, sizeof path, "%s/%s", folder, s->name);
    cr_assert_eq(meaning_of(&good, s, path), 0, "%s: %s", s->name, err.text);
    memcpy(t.good, good.hex, sizeof t.good);
    const size_t n = flips_each(path, 600, expect_flip, &t);
    cr_expect_geq(100 * t.refused, s->least * n, "%s: of %zu flips %zu were refused", s->name, n, t.refused);
    cr_log_info("%s: %zu flips, %zu refused", s->name, n, t.refused);
}

/* ---- files ---- */

static void write_text(const char *name, const char *line, size_t lines) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *to = fopen(path, "w");
    cr_assert_not_null(to);
    for (size_t i = 0; i < lines; i++)
        fputs(line, to);
    cr_assert_eq(fclose(to), 0);
}

static void copy_file(const char *from, const char *name) {
    char command[700];
    snprintf(command, sizeof command, "cp '%s/tests/%s' '%s/%s'", SR_SOURCE_DIR, from, folder, name);
    cr_assert_eq(system(command), 0);
}

/* Somebody else's file as our writer writes it, with both checksums. */
static void rewrite(const char *name) {
    char path[300];
    struct sr_safetensors *s;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(sr_safetensors_open(&s, path, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(path, s, NULL, 0, &err), 0, "%s", err.text);
    sr_safetensors_close(s);
}

Test(flips, weights) {
    static const struct subject s = {"w.safetensors", weights_mean, true, 100};
    static const struct subject small = {"s.safetensors", weights_mean, true, 100};
    char path[300];
    struct network n;
    network_begin(&n, SMALL, DIRECTIONS);
    network_says(&n, "format", "saferoute");
    network_says(&n, "format_version", "1");
    network_says(&n, "threshold", "0.6");
    snprintf(path, sizeof path, "%s/%s", folder, s.name);
    network_write(&n, path);
    network_end(&n);
    flip_bits(&s);
    copy_file("hostile/safetensors/weights_good.safetensors", small.name);
    rewrite(small.name);
    flip_bits(&small);
}

Test(flips, checkpoints) {
    static const struct subject s = {"checkpoint_x.safetensors", weights_mean, true, 100};
    copy_file("hostile/safetensors/checkpoint_good.safetensors", s.name);
    rewrite(s.name);
    flip_bits(&s);
}

Test(flips, torch_save) {
    static const char *const names[] = {"checkpoint.pt", "views.pt", "torch1_state_dict.pt"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        char from[128];
        const struct subject s = {names[i], tensors_mean, true, 50};
        snprintf(from, sizeof from, "vectors/pt/%s", names[i]);
        copy_file(from, names[i]);
        flip_bits(&s);
    }
}

Test(flips, npy) {
    static const struct subject s = {"good.npy", npy_parses, false, 50};
    copy_file("hostile/npy/good.npy", s.name);
    flip_bits(&s);
}

Test(flips, yaml) {
    static const struct subject s = {"c.yaml", yaml_parses, false, 20};
    write_text(s.name, "epochs: 30\nhidden: [64, 32]\ndropout: [0.1, 0.2]\nlr: 5e-4\nseed: 7\n# remark\n", 1);
    flip_bits(&s);
}

Test(flips, csv) {
    static const struct subject s = {"d.csv", table_parses, false, 5};
    write_text(s.name, "label,f0,f1\n", 1);
    copy_file("hostile/csv/good.csv", s.name);
    flip_bits(&s);
}

Test(flips, jsonl) {
    static const struct subject s = {"d.jsonl", table_parses, false, 30};
    write_text(s.name, "{\"features\": [0.5, 2, -1e-3], \"label\": 1, \"id\": \"a\\u0041\"}\n", 6);
    flip_bits(&s);
}

/* ---- long inputs ---- */

/* A list of two million items in a file of 4 MB: what is read is not measured anew for each. */
Test(flips, a_long_list_of_settings_is_read_in_its_length) {
    const size_t size = (size_t)4 << 20;
    struct sr_config config;
    struct sr_options o;
    char *text = sr_alloc(size, 1, &err);
    cr_assert_not_null(text);
    memcpy(text, "hidden: [", 9);
    for (size_t i = 9; i < size; i++)
        text[i] = i % 2 ? '8' : ',';
    text[size - 1] = ']';
    cr_assert_eq(sr_options_begin(&o, sr_config_table, sr_config_count, &config, &err), 0);
    const double start = hostile_cpu();
    const int status = sr_option_file_parse(&o, text, size, "x.yaml", false, &err);
    const double seconds = hostile_cpu() - start;
    cr_expect_eq(status, SR_USAGE, "%d: %s", status, err.text);
    cr_expect_lt(seconds, trust_seconds(), "%g s", seconds);
    sr_options_end(&o);
    sr_free(text);
}
