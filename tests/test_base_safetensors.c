/* test_base_safetensors.c: weights files: written and read back, and every rule of the format broken one by
 * one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "tests/run_program.h"

static char *folder, path[256];
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
}

static void end(void) {
    folder_end(folder);
}

/* The read of that number is at the end of the file. */
static int ending;

size_t fread(void *to, size_t size, size_t n, FILE *from) {
    static size_t (*next)(void *, size_t, size_t, FILE *);
    if (!next)
        next = (size_t(*)(void *, size_t, size_t, FILE *))(uintptr_t)dlsym(RTLD_NEXT, "fread");
    return ending > 0 && --ending == 0 ? 0 : next(to, size, n, from);
}

TestSuite(safetensors, .init = begin, .fini = end);

/* ---- round trip ---- */

static float weight[6] = {1, -2, 3.5f, 0, 1e-30f, 6};
static int64_t batches[1] = {-7};
static unsigned char bytes[3] = {1, 2, 255};

static const struct sr_tensor tensors[] = {
    {"cls.0.weight", SR_F32, 2, {2, 3}, weight},
    {"bytes", SR_U8, 1, {3}, bytes},
    {"empty", SR_F16, 2, {0, 5}, NULL},
    {"cls.1.num_batches_tracked", SR_I64, 0, {0}, batches},
};
static const struct sr_pair metadata[] = {{"format", "saferoute"},
                                          {"note", "two\nlines, \"quotes\", é"},
                                          {"absent", NULL},
                                          {"sha256", "somebody else's"}};

static void write_sample(void) {
    cr_assert_eq(sr_safetensors_write(path, tensors, SR_COUNT(tensors), metadata, SR_COUNT(metadata), &err),
                 SR_OK, "%s", err.text);
}

static struct sr_safetensors *open_good(void) {
    struct sr_safetensors *s;
    cr_assert_eq(sr_safetensors_open(&s, path, &err), SR_OK, "%s", err.text);
    return s;
}

Test(safetensors, what_is_written_is_read) {
    write_sample();
    struct sr_safetensors *s = open_good();
    cr_assert_eq(sr_safetensors_count(s), SR_COUNT(tensors));
    for (size_t i = 0; i < SR_COUNT(tensors); i++) {
        const struct sr_tensor *t = sr_safetensors_at(s, i), *wrote = &tensors[i];
        cr_expect_str_eq(t->name, wrote->name);
        cr_expect_eq(t->dtype, wrote->dtype);
        cr_expect_eq(t->rank, wrote->rank);
        cr_expect_arr_eq(t->shape, wrote->shape, (size_t)t->rank * sizeof *t->shape);
        cr_expect_eq((uintptr_t)t->data % 8, 0, "%s lies at an odd place", t->name);
        cr_expect_eq(memcmp(t->data, wrote->data ? wrote->data : "",
                            (size_t)sr_tensor_items(t) * sr_dtype_size(t->dtype)),
                     0, "%s", t->name);
        cr_expect_eq(sr_safetensors_find(s, wrote->name), t);
    }
    cr_expect_eq(sr_tensor_items(sr_safetensors_find(s, "cls.1.num_batches_tracked")), 1);
    cr_expect_null(sr_safetensors_find(s, "cls.0.bias"));
    cr_expect_null(sr_safetensors_at(s, SR_COUNT(tensors)));
    sr_safetensors_close(s);
}

Test(safetensors, metadata_is_kept_in_order_and_hashed) {
    write_sample();
    struct sr_safetensors *s = open_good();
    struct sr_sha256 hash;
    char hex[65];
    size_t n;
    sr_sha256_begin(&hash);
    for (size_t i = 0; i < SR_COUNT(tensors); i++)
        sr_sha256_add(&hash, tensors[i].data,
                      (size_t)sr_tensor_items(&tensors[i]) * sr_dtype_size(tensors[i].dtype));
    sr_sha256_end(&hash, hex);
    const struct sr_pair *pairs = sr_safetensors_pairs(s, &n);
    cr_assert_eq(n, 3);
    cr_expect_str_eq(pairs[0].key, "format");
    cr_expect_str_eq(pairs[1].value, metadata[1].value);
    cr_expect_str_eq(pairs[2].key, "sha256");
    cr_expect_str_eq(pairs[2].value, hex);
    cr_expect_str_eq(sr_safetensors_metadata(s, "format"), "saferoute");
    cr_expect_null(sr_safetensors_metadata(s, "absent"));
    sr_safetensors_close(s);
}

/* Readers that map the file (PyTorch's, for one) want the data section at a multiple of 8. */
Test(safetensors, header_is_padded_and_metadata_comes_first) {
    write_sample();
    char *file = slurp(path), value[] = "xxxxxxxx";
    cr_expect(memcmp(file + 8, "{\"__metadata__\":{\"format\":", 26) == 0);
    sr_free(file);
    for (size_t cut = 0; cut < 8; cut++) { /* headers of every length modulo 8 */
        const struct sr_pair pair = {"key", value + cut};
        cr_assert_eq(sr_safetensors_write(path, tensors, 1, &pair, 1, &err), SR_OK);
        file = slurp(path);
        cr_expect_eq(file[0] % 8, 0);
        sr_free(file);
    }
}

Test(safetensors, same_content_gives_the_same_bytes) {
    write_sample();
    char *first = slurp(path);
    const uint64_t length = *(uint64_t *)(void *)first;
    cr_assert_eq(remove(path), 0);
    write_sample();
    char *second = slurp(path);
    cr_expect_arr_eq(first, second, 8 + length + 24 + 3 + 8);
    sr_free(first);
    sr_free(second);
}

Test(safetensors, no_tensors_is_a_file_too) {
    cr_assert_eq(sr_safetensors_write(path, NULL, 0, NULL, 0, &err), SR_OK);
    struct sr_safetensors *s = open_good();
    cr_expect_eq(sr_safetensors_count(s), 0);
    sr_safetensors_close(s);
}

Test(safetensors, need_checks_type_and_shape) {
    write_sample();
    struct sr_safetensors *s = open_good();
    const uint64_t shape[] = {2, 3}, other[] = {3, 2};
    cr_expect_not_null(sr_safetensors_need(s, "cls.0.weight", SR_F32, 2, shape, &err));
    cr_expect_not_null(sr_safetensors_need(s, "cls.1.num_batches_tracked", SR_I64, 0, NULL, &err));
    cr_expect_null(sr_safetensors_need(s, "cls.0.weight", SR_F32, 2, other, &err));
    cr_expect(strstr(err.text, path), "%s", err.text);
    cr_expect(strstr(err.text, ": tensor 'cls.0.weight' is F32 [2, 3] where F32 [3, 2] is needed"), "%s",
              err.text);
    cr_expect_null(sr_safetensors_need(s, "cls.0.weight", SR_F32, 1, shape, &err));
    cr_expect_null(sr_safetensors_need(s, "cls.0.weight", SR_F16, 2, shape, &err));
    cr_expect_null(sr_safetensors_need(s, "cls.0.bias", SR_F32, 2, shape, &err));
    cr_expect(strstr(err.text, path), "%s", err.text);
    cr_expect(strstr(err.text, ": tensor 'cls.0.bias' F32 [2, 3] is missing"), "%s", err.text);
    cr_expect_eq(err.status, SR_DATA);
    sr_safetensors_close(s);
}

Test(safetensors, copy_fills_a_list_by_name) {
    write_sample();
    struct sr_safetensors *s = open_good();
    float w[6] = {0};
    unsigned char b[3] = {0};
    struct sr_tensor list[] = {{"bytes", SR_U8, 1, {3}, b},
                               {"empty", SR_F16, 2, {0, 5}, NULL},
                               {"cls.0.weight", SR_F32, 2, {2, 3}, w}};
    cr_expect_eq(sr_safetensors_copy(s, list, SR_COUNT(list), &err), SR_OK, "%s", err.text);
    cr_expect_arr_eq(w, weight, sizeof w);
    cr_expect_arr_eq(b, bytes, sizeof b);
    list[2].shape[0] = 3;
    cr_expect_eq(sr_safetensors_copy(s, list, SR_COUNT(list), &err), SR_DATA);
    cr_expect(strstr(err.text, path) && strstr(err.text, "'cls.0.weight'"), "%s", err.text);
    sr_safetensors_close(s);
}

/* ---- written anew ---- */

/* The file at `to` is a sample with these pairs and the sample's data section, byte by byte. */
static void expect_sample(const char *to, const struct sr_pair *pairs, size_t n) {
    char *before = slurp(path), *after = slurp(to);
    const uint64_t old = *(uint64_t *)(void *)before, new = *(uint64_t *)(void *)after;
    cr_expect_arr_eq(before + 8 + old, after + 8 + new, 24 + 3 + 8);
    sr_free(before);
    sr_free(after);
    struct sr_safetensors *s;
    size_t found;
    cr_assert_eq(sr_safetensors_open(&s, to, &err), SR_OK, "%s", err.text);
    cr_expect_eq(sr_safetensors_count(s), SR_COUNT(tensors));
    for (size_t i = 0; i < SR_COUNT(tensors); i++)
        cr_expect_str_eq(sr_safetensors_at(s, i)->name, tensors[i].name);
    const struct sr_pair *got = sr_safetensors_pairs(s, &found);
    cr_assert_eq(found, n + 1);
    for (size_t i = 0; i < n; i++) {
        cr_expect_str_eq(got[i].key, pairs[i].key);
        cr_expect_str_eq(got[i].value, pairs[i].value);
    }
    cr_expect_str_eq(got[n].key, "sha256");
    cr_expect_str_eq(got[n].value, sr_safetensors_hash(s));
    sr_safetensors_close(s);
}

Test(safetensors, rewriting_changes_metadata_and_nothing_else) {
    const struct sr_pair add[] = {{"threshold", ".5"}, {"format", "other"}, {"not there", NULL}},
                         added[] = {{"format", "other"}, metadata[1], {"threshold", ".5"}},
                         take[] = {{"note", NULL}, {"threshold", NULL}, {"sha256", "a lie"}};
    char other[300];
    snprintf(other, sizeof other, "%s/w2.safetensors", folder);
    write_sample();
    struct sr_safetensors *s = open_good();
    cr_assert_eq(sr_safetensors_rewrite(other, s, add, SR_COUNT(add), &err), SR_OK, "%s", err.text);
    sr_safetensors_close(s);
    expect_sample(other, added, SR_COUNT(added));
    cr_assert_eq(sr_safetensors_open(&s, other, &err), SR_OK, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(other, s, take, SR_COUNT(take), &err), SR_OK, "%s", err.text);
    sr_safetensors_close(s);
    expect_sample(other, added, 1);
}

Test(safetensors, rewriting_nothing_gives_the_same_bytes) {
    write_sample();
    char *before = slurp(path);
    struct sr_safetensors *s = open_good();
    cr_assert_eq(sr_safetensors_rewrite(path, s, NULL, 0, &err), SR_OK, "%s", err.text);
    sr_safetensors_close(s);
    char *after = slurp(path);
    cr_expect_arr_eq(before, after, 8 + *(uint64_t *)(void *)before + 24 + 3 + 8);
    sr_free(before);
    sr_free(after);
}

Test(safetensors, writing_a_name_twice_is_our_bug) {
    const struct sr_tensor twice[] = {tensors[0], tensors[0]},
                           reserved = {"__metadata__", SR_F32, 2, {2, 3}, weight};
    const struct sr_pair keys[] = {{"a", "1"}, {"a", "2"}};
    cr_expect_eq(sr_safetensors_write(path, twice, 2, NULL, 0, &err), SR_BUG);
    cr_expect_eq(sr_safetensors_write(path, &reserved, 1, NULL, 0, &err), SR_BUG);
    cr_expect_eq(sr_safetensors_write(path, tensors, 1, keys, 2, &err), SR_BUG);
    cr_expect_eq(access(path, F_OK), -1);
}

/* Those that the writer makes itself are not taken over. */
Test(safetensors, checksums_of_metadata_are_those_of_the_file) {
    static const struct sr_pair old[] = {{"header_sha256", "somebody's"}, {"a", "b"}};
    cr_assert_eq(sr_safetensors_write(path, tensors, SR_COUNT(tensors), old, SR_COUNT(old), &err), SR_OK);
    struct sr_safetensors *s = open_good();
    cr_expect_str_eq(sr_safetensors_metadata(s, "a"), "b");
    sr_safetensors_close(s);
}

/* Each read in turn (of the length, the header and two tensors) finds nothing more. */
Test(safetensors, a_file_that_becomes_shorter) {
    write_sample();
    for (int nth = 1; nth <= 4; nth++) {
        struct sr_safetensors *s;
        ending = nth;
        cr_expect_eq(sr_safetensors_open(&s, path, &err), SR_DATA, "%d", nth);
        cr_expect(strstr(err.text, "became shorter while it was read"), "%d: %s", nth, err.text);
        cr_expect_null(s);
    }
    ending = 0;
}

Test(safetensors, any_flipped_bit_of_the_data_is_found) {
    write_sample();
    char *file = slurp(path);
    const size_t header = 8 + (size_t) * (uint64_t *)(void *)file, size = header + 24 + 3 + 8;
    for (size_t bit = 0; bit < 8 * (size - header); bit += 5) {
        struct sr_safetensors *s;
        file[header + bit / 8] ^= (char)(1 << bit % 8);
        cr_assert_eq(sr_atomic_file_write(path, file, size, &err), SR_OK);
        cr_expect_eq(sr_safetensors_open(&s, path, &err), SR_DATA);
        cr_expect(strstr(err.text, "damaged"), "%s", err.text);
        file[header + bit / 8] ^= (char)(1 << bit % 8);
    }
    sr_free(file);
}

Test(safetensors, a_file_cut_anywhere_is_refused) {
    write_sample();
    char *file = slurp(path);
    const size_t size = 8 + (size_t) * (uint64_t *)(void *)file + 24 + 3 + 8;
    for (size_t cut = 0; cut < size; cut++) {
        struct sr_safetensors *s;
        cr_assert_eq(sr_atomic_file_write(path, file, cut, &err), SR_OK);
        cr_expect_eq(sr_safetensors_open(&s, path, &err), SR_DATA, "cut to %zu of %zu bytes", cut, size);
        cr_expect_null(s);
    }
    sr_free(file);
}

/* ---- files made by others ---- */

static void write_raw(uint64_t announced, const char *header, size_t data) {
    FILE *to = fopen(path, "wb");
    for (int i = 0; i < 8; i++)
        putc((int)(announced >> 8 * i & 255), to);
    fputs(header, to);
    for (size_t i = 0; i < data; i++)
        putc((int)i, to);
    cr_assert_eq(fclose(to), 0);
}

static void expect_refused(const char *header, size_t data, const char *word) {
    struct sr_safetensors *s;
    write_raw(strlen(header), header, data);
    const int status = sr_safetensors_open(&s, path, &err);
    cr_expect_eq(status, SR_DATA, "%s: status %d", header, status);
    cr_expect(strstr(err.text, word) && strstr(err.text, path), "%s: \"%s\" is not in: %s", header, word,
              err.text);
    if (status == SR_OK)
        sr_safetensors_close(s);
}

#define T(dtype, shape, begin, end)                                                                          \
    "{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"

Test(safetensors, header_order_need_not_be_file_order) {
    static const char header[] = "{\"b\":" T("U8", "3", "4", "7") ",\"a\":" T("F32", "1", "0", "4") //
        ",\"none\":" T("F32", "0", "4", "4") ",\"c\":" T("F64", "1", "7", "15") "}   ";
    write_raw(sizeof header - 1, header, 15);
    struct sr_safetensors *s = open_good();
    static const char *const order[] = {"a", "none", "b", "c"};
    for (size_t i = 0; i < 4; i++)
        cr_expect_str_eq(sr_safetensors_at(s, i)->name, order[i]);
    const unsigned char *b = sr_safetensors_find(s, "b")->data, *c = sr_safetensors_find(s, "c")->data;
    cr_expect(b[0] == 4 && b[2] == 6 && c[0] == 7 && c[7] == 14);
    cr_expect_eq((uintptr_t)c % 8, 0); /* at byte 7 of the data */
    sr_safetensors_close(s);
}

/* Dumps and checkpoints of PyTorch, given for weights. */
Test(safetensors, other_kinds_of_files_are_named) {
    static const struct {
        uint64_t begins;
        const char *what;
    } kind[] = {{0x0a1a0a0d46444889, "is no safetensors file but HDF5, as feature dumps are"},
                {0x0000000804034b50, "as torch.save writes; saferoute import makes weights of it"}};
    struct sr_safetensors *s;
    for (size_t i = 0; i < SR_COUNT(kind); i++) {
        write_raw(kind[i].begins, "", 8);
        cr_expect_eq(sr_safetensors_open(&s, path, &err), SR_DATA);
        cr_expect(strstr(err.text, kind[i].what) && strstr(err.text, path), "%s", err.text);
    }
}

Test(safetensors, every_dtype_has_its_size) {
    char header[200];
    for (int d = 0; d < SR_DTYPE_COUNT; d++) {
        const size_t size = sr_dtype_size((enum sr_dtype)d);
        snprintf(header, sizeof header, "{\"x\":{\"dtype\":\"%s\",\"shape\":[5],\"data_offsets\":[0,%zu]}}",
                 sr_dtype_name((enum sr_dtype)d), 5 * size);
        write_raw(strlen(header), header, 5 * size);
        struct sr_safetensors *s = open_good();
        cr_expect_eq(sr_safetensors_at(s, 0)->dtype, (enum sr_dtype)d);
        sr_safetensors_close(s);
        expect_refused(header, 5 * size + 1, "trailing");
    }
}

Test(safetensors, what_is_not_a_file_is_no_input) {
    struct sr_safetensors *s;
    cr_expect_eq(sr_safetensors_open(&s, path, &err), SR_NOINPUT);
    cr_expect_eq(sr_safetensors_open(&s, folder, &err), SR_NOINPUT);
    cr_expect_eq(sr_safetensors_open(&s, "/dev/zero", &err), SR_NOINPUT);
    cr_expect_null(s);
}

Test(safetensors, header_length_is_not_believed) {
    struct sr_safetensors *s;
    static const uint64_t lengths[] = {3, 100, 100000001, 1ull << 40, 1ull << 63, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < SR_COUNT(lengths); i++) {
        write_raw(lengths[i], "{}", 0);
        cr_expect_eq(sr_safetensors_open(&s, path, &err), SR_DATA);
        cr_expect(strstr(err.text, "header"), "%s", err.text);
    }
}

/* A sparse file that long would otherwise be read whole. */
Test(safetensors, header_over_the_limit_is_refused_even_if_it_is_there) {
    struct sr_safetensors *s;
    write_raw(10000001, "{}", 0);
    cr_assert_eq(truncate(path, 20000000), 0);
    cr_expect_eq(sr_safetensors_open(&s, path, &err), SR_DATA);
    cr_expect(strstr(err.text, "at most 10000000 are read"), "%s", err.text);
}

Test(safetensors, header_must_be_a_json_object) {
    expect_refused("", 0, "'{'");
    expect_refused(" {}", 0, "'{'");
    expect_refused("[]", 0, "'{'");
    expect_refused("{\"a\":", 0, "not JSON");
    expect_refused("{} x", 0, "not JSON");
    expect_refused("{\"a\":" T("U8", "1", "0", "1") ",\"a\":" T("U8", "1", "1", "2") "}", 2, "uplicate");
    expect_refused("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
                   "uplicate");
    expect_refused("{\"\xff\":" T("U8", "1", "0", "1") "}", 1, "not JSON");
}

Test(safetensors, metadata_must_be_strings) {
    expect_refused("{\"__metadata__\":[]}", 0, "__metadata__");
    expect_refused("{\"__metadata__\":{\"a\":1}}", 0, "'a'");
    expect_refused("{\"__metadata__\":{\"a\":null}}", 0, "'a'");
}

Test(safetensors, entry_must_be_complete_and_sensible) {
    expect_refused("{\"x\":7}", 0, "dtype");
    expect_refused("{\"x\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype");
    expect_refused("{\"x\":" T("F8", "1", "0", "1") "}", 1, "dtype");
    expect_refused("{\"x\":" T("u8", "1", "0", "1") "}", 1, "dtype");
    expect_refused("{\"x\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "shape");
    expect_refused("{\"x\":" T("U8", "-1", "0", "1") "}", 1, "shape is not");
    expect_refused("{\"x\":" T("U8", "-1,0", "0", "0") "}", 0, "shape is not");
    expect_refused("{\"x\":" T("U8", "1.0", "0", "1") "}", 1, "shape");
    expect_refused("{\"x\":" T("U8", "\"1\"", "0", "1") "}", 1, "shape");
    expect_refused("{\"x\":" T("U8", "1,1,1,1,1,1,1,1,1", "0", "1") "}", 1, "shape");
    expect_refused("{\"x\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets");
    expect_refused("{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "data_offsets");
    expect_refused("{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "data_offsets");
    expect_refused("{\"x\":" T("U8", "1", "-1", "0") "}", 1, "data_offsets");
    expect_refused("{\"x\":" T("U8", "1", "1", "0") "}", 1, "ascending");
}

Test(safetensors, shape_must_agree_with_offsets) {
    expect_refused("{\"x\":" T("F32", "2", "0", "4") "}", 4, "8 bytes");
    expect_refused("{\"x\":" T("F32", "", "0", "8") "}", 8, "4 bytes");
    /* products that wrap around to the right number of bytes */
    expect_refused("{\"x\":" T("F32", "4611686018427387905", "0", "4") "}", 4, "shape");
    expect_refused("{\"x\":" T("U8", "4294967296,4294967296", "0", "0") "}", 0, "shape");
    expect_refused("{\"x\":" T("U8", "9223372036854775807,9223372036854775807,0", "0", "0") "}", 0, "shape");
}

Test(safetensors, data_must_be_tiled_exactly) {
    expect_refused("{\"a\":" T("U8", "4", "0", "4") ",\"b\":" T("U8", "4", "2", "6") "}", 6,
                   "inside another");
    expect_refused("{\"a\":" T("U8", "4", "0", "4") ",\"b\":" T("U8", "4", "0", "4") "}", 4,
                   "inside another");
    expect_refused("{\"a\":" T("U8", "2", "0", "2") ",\"b\":" T("U8", "4", "4", "8") "}", 8, "hole");
    expect_refused("{\"a\":" T("U8", "2", "1", "3") "}", 3, "hole");
    expect_refused("{\"a\":" T("U8", "2", "0", "2") "}", 3, "trailing");
    expect_refused("{}", 1, "trailing");
    expect_refused("{\"a\":" T("U8", "2", "0", "2") "}", 1, "cut off");
    /* must not be believed and allocated */
    expect_refused("{\"a\":" T("U8", "4611686018427387904", "0", "4611686018427387904") "}", 1, "cut off");
    expect_refused("{\"a\":" T("U8", "0", "9000000000000000000", "9000000000000000000") "}", 0, "hole");
}

Test(safetensors, names_have_a_length) {
    char header[400], name[129];
    memset(name, 'n', sizeof name);
    name[128] = '\0';
    snprintf(header, sizeof header, "{\"%s\":" T("U8", "1", "0", "1") "}", name);
    expect_refused(header, 1, "longer than 127");
    snprintf(header, sizeof header, "{\"%s\":" T("U8", "1", "0", "1") "}", name + 1);
    write_raw(strlen(header), header, 1);
    sr_safetensors_close(open_good());
}

Test(safetensors, a_wrong_hash_is_refused) {
    expect_refused("{\"__metadata__\":{\"sha256\":\"00\"},\"a\":" T("U8", "1", "0", "1") "}", 1, "damaged");
    /* SHA-256 of one zero byte */
    static const char header[] = "{\"__metadata__\":{\"sha256\":"
                                 "\"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d\"},"
                                 "\"a\":" T("U8", "1", "0", "1") "}";
    write_raw(sizeof header - 1, header, 1);
    sr_safetensors_close(open_good());
}

/* Nobody writes to the pipe; a reader that waits for one is ended by the alarm. */
Test(safetensors, a_pipe_is_refused_without_waiting) {
    struct sr_safetensors *s;
    cr_assert_eq(mkfifo(path, 0600), 0);
    alarm(10);
    cr_expect_eq(sr_safetensors_open(&s, path, &err), SR_NOINPUT);
    expect_in(err.text, "not a regular file");
}
