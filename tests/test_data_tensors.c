/* test_data_tensors.c: tensors from .npy and safetensors: values by parts, and every way a header can lie.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>

#include "data/data.h"
#include "tests/run_program.h"

static char *folder, path[256];
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
    snprintf(path, sizeof path, "%s/t.bin", folder);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(tensors, .init = begin, .fini = end);

static struct sr_tensors *open_good(void) {
    struct sr_tensors *t;
    cr_assert_eq(sr_tensors_open(&t, path, &err), SR_OK, "%s", err.text);
    return t;
}

static void refuses(const char *word) {
    struct sr_tensors *t;
    err = (struct sr_error){0};
    cr_expect_eq(sr_tensors_open(&t, path, &err), SR_DATA, "%s", word);
    cr_expect_null(t);
    expect_in(err.text, word);
    expect_in(err.text, path);
}

/* ---- .npy ---- */

/* Writes a .npy of that version with this dict and bytes of data. */
static void write_npy(int version, const char *dict, const void *data, size_t bytes) {
    const size_t n = strlen(dict);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    fprintf(f, "\x93NUMPY%c%c%c%c", version, 0, (int)(n % 256), (int)(n / 256));
    if (version > 1)
        fwrite("\0", 1, 2, f);
    fwrite(dict, 1, n, f);
    fwrite(data, 1, bytes, f);
    cr_assert_eq(fclose(f), 0);
}

static void overwrite(long at, int byte) {
    FILE *f = fopen(path, "r+b");
    cr_assert_not_null(f);
    cr_assert_eq(fseek(f, at, SEEK_SET), 0);
    fputc(byte, f);
    cr_assert_eq(fclose(f), 0);
}

static const float six[6] = {1, -2, 3.5f, 0, 1e-30f, 6};

Test(tensors, npy_of_every_version_is_read_by_parts) {
    for (int version = 1; version <= 3; version++) {
        write_npy(version, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }         \n", six, 24);
        struct sr_tensors *t = open_good();
        const struct sr_tensor_info *info = sr_tensors_at(t, 0);
        float out[4];
        cr_expect_str_eq(sr_tensors_format(t), ".npy");
        cr_expect_eq(sr_tensors_count(t), 1);
        cr_expect_null(sr_tensors_at(t, 1));
        cr_expect_str_empty(info->name);
        cr_expect_eq(info->dtype, SR_F32);
        cr_expect(info->rank == 2 && info->shape[0] == 2 && info->shape[1] == 3);
        cr_expect_eq(sr_tensor_info_items(info), 6);
        cr_expect_eq(sr_tensors_read(t, 0, 2, out, 4, &err), SR_OK);
        cr_expect_arr_eq(out, six + 2, sizeof out);
        cr_expect_eq(sr_tensors_read(t, 0, 0, out, 1, &err), SR_OK);
        cr_expect_arr_eq(out, six, sizeof *out);
        cr_expect_eq(sr_tensors_read(t, 0, 6, out, 0, &err), SR_OK);
        cr_expect_eq(sr_tensors_read(t, 0, 3, out, 4, &err), SR_BUG);
        cr_expect_eq(sr_tensors_read(t, 0, UINT64_MAX, out, 4, &err), SR_BUG);
        cr_expect_eq(sr_tensors_read(t, 1, 0, out, 1, &err), SR_BUG);
        cr_expect_null(sr_tensors_metadata(t, "descr"));
        sr_tensors_close(t);
    }
}

Test(tensors, floats_are_read_of_floats) {
    static const int32_t numbers[] = {1, 2};
    float out[2];
    write_npy(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", numbers, sizeof numbers);
    struct sr_tensors *t = open_good();
    for (size_t i = 0; i < 2; i++) {
        cr_expect_eq(sr_tensors_read_float(t, i, 0, out, 2, &err), SR_BUG);
        expect_in(err.text, "is none of floats");
    }
    sr_tensors_close(t);
}

Test(tensors, npy_types_are_known) {
    static const struct {
        const char *descr;
        enum sr_dtype dtype;
    } cases[] = {{"<f2", SR_F16}, {"<f4", SR_F32}, {"<f8", SR_F64}, {"|b1", SR_BOOL},
                 {"|u1", SR_U8},  {"|i1", SR_I8},  {"<i2", SR_I16}, {"<u2", SR_U16},
                 {"<i4", SR_I32}, {"<u4", SR_U32}, {"<i8", SR_I64}, {"<u8", SR_U64}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        char dict[128];
        snprintf(dict, sizeof dict, "{'descr': '%s', 'fortran_order': False, 'shape': (3,)}", cases[i].descr);
        write_npy(1, dict, six, 3 * sr_dtype_size(cases[i].dtype));
        struct sr_tensors *t = open_good();
        cr_expect_eq(sr_tensors_at(t, 0)->dtype, cases[i].dtype, "%s", cases[i].descr);
        sr_tensors_close(t);
    }
}

/* NumPy takes any byte but 0 for true; here 2 would be the number 2. */
Test(tensors, booleans_are_0_or_1) {
    unsigned char bools[6] = {0, 1, 1, 0, 2, 255};
    const struct sr_tensor same = {"b", SR_BOOL, 1, {6}, bools};
    unsigned char out[6];
    for (int npy = 0; npy <= 1; npy++) {
        if (npy)
            write_npy(1, "{'descr': '|b1', 'fortran_order': False, 'shape': (6,)}", bools, 6);
        else
            cr_assert_eq(sr_safetensors_write(path, &same, 1, NULL, 0, &err), SR_OK, "%s", err.text);
        struct sr_tensors *t = open_good();
        cr_expect_eq(sr_tensors_read(t, 0, 0, out, 4, &err), SR_OK, "%s", err.text);
        cr_expect_arr_eq(out, bools, 4);
        cr_expect_eq(sr_tensors_read(t, 0, 3, out, 3, &err), SR_DATA);
        expect_in(err.text, "item 4 of the booleans");
        expect_in(err.text, "is the byte 2, neither 0 nor 1");
        sr_tensors_close(t);
    }
}

Test(tensors, npy_of_other_shapes) {
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': ()}", six, 4);
    struct sr_tensors *t = open_good();
    cr_expect_eq(sr_tensors_at(t, 0)->rank, 0);
    sr_tensors_close(t);
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4)}", six, 0);
    sr_tensors_close(open_good());
    /* one dimension is the same in both orders, and NumPy says True then */
    write_npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (6, 1)}", six, 24);
    sr_tensors_close(open_good());
}

Test(tensors, npy_that_is_not_read_is_refused_with_a_way_out) {
    static const struct {
        const char *dict, *word;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", "np.ascontiguousarray"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (6,)}", "big-endian"},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (6,)}", "Python objects"},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}", "'<c8'"},
        {"{'descr': '|V2', 'fortran_order': False, 'shape': (12,)}", "bfloat16"},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", "structured"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}", "cut off"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}", "more than one array"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "more than 2^64"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616,)}", "not one that"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}", "more than 8 dimensions"},
        {"{'descr': '<f4', 'fortran_order': False}", "not one that"},
        {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", "not one that"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'x': 1}", "not one that"},
        {"{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}", "not one that"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-6,)}", "not one that"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} x", "not one that"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (6)}", "not one that"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (02,3)}", "not one that"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L)}", "Python 2"},
        {"{'descr': '<f4", "not one that"},
        {"", "not one that"},
    };
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        write_npy(1, cases[i].dict, six, sizeof six);
        refuses(cases[i].word);
    }
    write_npy(4, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", six, 24);
    refuses("version 4.0");
    /* where the dict ends, and the minor version, are overwritten */
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}#x", six, 24);
    overwrite(10 + 55, 0);
    refuses("not one that");
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", six, 24);
    overwrite(7, 7);
    refuses("version 1.7");
}

Test(tensors, npy_cut_anywhere_is_refused) {
    write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", six, 24);
    char *whole = slurp(path);
    const size_t size = 10 + 55 + 24;
    for (size_t n = 0; n < size; n++) {
        cr_assert_eq(sr_atomic_file_write(path, whole, n, &err), SR_OK);
        refuses("");
    }
    sr_free(whole);
}

/* ---- safetensors ---- */

static int64_t counter[1] = {-7};
static float weight[6] = {1, -2, 3.5f, 0, 1e-30f, 6};
static unsigned char bytes[3] = {1, 2, 255};

static void write_safetensors(void) {
    const struct sr_tensor list[] = {
        {"a.bytes", SR_U8, 1, {3}, bytes}, {"b", SR_F32, 2, {2, 3}, weight}, {"n", SR_I64, 0, {0}, counter}};
    const struct sr_pair pairs[] = {{"format", "pt"}, {"layer_idx", "23"}};
    cr_assert_eq(sr_safetensors_write(path, list, SR_COUNT(list), pairs, SR_COUNT(pairs), &err), SR_OK);
}

Test(tensors, safetensors_are_read_by_parts) {
    write_safetensors();
    struct sr_tensors *t = open_good();
    float out[2];
    int64_t n = 0;
    size_t pairs;
    cr_expect_str_eq(sr_tensors_format(t), "safetensors");
    cr_assert_eq(sr_tensors_count(t), 3);
    cr_expect_eq(sr_tensors_find(t, "b"), 1);
    cr_expect_eq(sr_tensors_find(t, "c"), 3);
    cr_expect_eq(sr_tensors_at(t, 1)->dtype, SR_F32);
    cr_expect_eq(sr_tensors_read(t, 1, 4, out, 2, &err), SR_OK);
    cr_expect_arr_eq(out, weight + 4, sizeof out);
    cr_expect_eq(sr_tensors_read(t, 2, 0, &n, 1, &err), SR_OK);
    cr_expect_eq(n, -7);
    cr_expect_str_eq(sr_tensors_metadata(t, "layer_idx"), "23");
    cr_expect_null(sr_tensors_metadata(t, "layer"));
    sr_tensors_pairs(t, &pairs);
    cr_expect_eq(pairs, 3); /* with sha256 */
    sr_tensors_close(t);
}

Test(tensors, safetensors_with_a_hash_are_held_to_it) {
    write_safetensors();
    FILE *f = fopen(path, "r+b");
    cr_assert_eq(fseek(f, -1, SEEK_END), 0);
    fputc(1, f);
    cr_assert_eq(fclose(f), 0);
    refuses("damaged");
}

Test(tensors, safetensors_of_others_need_no_hash) {
    static const char text[] = "{\"x\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}  ";
    char file[80] = {(char)(sizeof text - 1)};
    uint16_t out[2];
    memcpy(file + 8, text, sizeof text - 1);
    memcpy(file + 8 + sizeof text - 1, "\x80\x3f\x00\xc0", 4);
    cr_assert_eq(sr_atomic_file_write(path, file, 8 + sizeof text - 1 + 4, &err), SR_OK);
    struct sr_tensors *t = open_good();
    cr_expect_eq(sr_tensors_read(t, 0, 0, out, 2, &err), SR_OK);
    cr_expect(out[0] == 0x3f80 && out[1] == 0xc000);
    cr_expect_null(sr_tensors_metadata(t, "format"));
    sr_tensors_close(t);
    cr_assert_eq(sr_atomic_file_write(path, file, 8 + sizeof text - 1 + 3, &err), SR_OK);
    refuses("cut off");
}

/* ---- other files ---- */

Test(tensors, strangers_are_named) {
    static const struct {
        size_t at;
        const char *bytes, *word;
    } cases[] = {{0, "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", "before 1.6"},
                 {0, "\x80\x04\x95", "bare pickle"},
                 {257, "ustar", "tar"},
                 {0, "\x89HDF\r\n\x1a\n", "HDF5"},
                 {0, "\x1f\x8b", "gzip"},
                 {0, "hello", "neither"}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        char file[300] = {0};
        memcpy(file + cases[i].at, cases[i].bytes, strlen(cases[i].bytes));
        cr_assert_eq(sr_atomic_file_write(path, file, sizeof file, &err), SR_OK);
        refuses(cases[i].word);
    }
    cr_assert_eq(sr_atomic_file_write(path, "", 0, &err), SR_OK);
    refuses("neither");
}

Test(tensors, no_file_is_no_input) {
    struct sr_tensors *t;
    cr_expect_eq(sr_tensors_open(&t, path, &err), SR_NOINPUT);
    expect_in(err.text, "no such file");
    cr_expect_eq(sr_tensors_open(&t, folder, &err), SR_NOINPUT);
    expect_in(err.text, "folder");
    sr_tensors_close(NULL);
}

/* Nobody writes to the pipe; a reader that waits for one is ended by the alarm. */
Test(tensors, a_pipe_is_refused_without_waiting) {
    struct sr_tensors *t;
    cr_assert_eq(mkfifo(path, 0600), 0);
    alarm(10);
    cr_expect_eq(sr_tensors_open(&t, path, &err), SR_NOINPUT);
    expect_in(err.text, "not a regular file");
}
