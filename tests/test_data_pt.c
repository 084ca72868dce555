/* test_data_pt.c: files of torch.save: by PyTorch 2.13 and 1.13.1, bit by bit against what the safetensors
 * package wrote of the same tensors; and archives that lie, are damaged or are something else.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>

#include "data/zip.h"
#include "tests/failing_memory.h"
#include "tests/run_program.h"
#include "tests/tensor_files.h"
#include "tests/zip_fixture.h"

static char *folder, path[256];
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
    snprintf(path, sizeof path, "%s/m.pt", folder);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(pt, .init = begin, .fini = end);

/* ---- what torch wrote ---- */

static void expect_same(const struct sr_tensors *t, size_t i, const struct sr_tensor *wanted) {
    const struct sr_tensor_info *info = sr_tensors_at(t, i);
    cr_assert_not_null(info, "%s is missing", wanted->name);
    cr_expect_eq(info->dtype, wanted->dtype, "%s", info->name);
    cr_assert_eq(info->rank, wanted->rank, "%s", info->name);
    cr_assert(memcmp(info->shape, wanted->shape, (size_t)info->rank * sizeof *info->shape) == 0, "%s",
              info->name);
}

/* All values of tensor i, read `step` items at a time. */
static void expect_values(struct sr_tensors *t, size_t i, const struct sr_tensor *wanted, size_t step) {
    const size_t items = (size_t)sr_tensor_items(wanted), size = sr_dtype_size(wanted->dtype);
    unsigned char out[256];
    for (size_t at = 0; at < items; at += step) {
        const size_t n = items - at < step ? items - at : step;
        cr_assert_eq(sr_tensors_read(t, i, at, out, n, &err), SR_OK, "%s", err.text);
        cr_expect_arr_eq(out, (const unsigned char *)wanted->data + at * size, n * size, "%s", wanted->name);
    }
}

static void compare(const char *name, const char *expected) {
    char file[256];
    struct sr_tensors *t = open_tensors(vector_path(file, name));
    struct sr_safetensors *s = open_expected(expected);
    cr_expect_str_eq(sr_tensors_format(t), "torch.save");
    cr_expect_eq(sr_tensors_count(t), sr_safetensors_count(s), "%s", name);
    for (size_t k = 0; k < sr_safetensors_count(s); k++) {
        const struct sr_tensor *wanted = sr_safetensors_at(s, k);
        /* safetensors has no way to give a bare tensor no name */
        const size_t i = sr_tensors_find(t, strcmp(wanted->name, "tensor") == 0 ? "" : wanted->name);
        expect_same(t, i, wanted);
        expect_values(t, i, wanted, 24);
        expect_values(t, i, wanted, 1);
        expect_values(t, i, wanted, 5);
    }
    sr_safetensors_close(s);
    sr_tensors_close(t);
}

Test(pt, every_file_holds_what_torch_saved) {
    static const char *const names[] = {"checkpoint", "state_dict", "half", "bfloat16", "double",
                                        "module",     "compiled",   "two",  "views",    "bare"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        char pt[64], expected[64];
        snprintf(pt, sizeof pt, "%s.pt", names[i]);
        snprintf(expected, sizeof expected, "%s.safetensors", names[i]);
        compare(pt, expected);
    }
}

Test(pt, so_do_those_of_pytorch_1_13) {
    compare("torch1_checkpoint.pt", "checkpoint.safetensors");
    compare("torch1_state_dict.pt", "state_dict.safetensors");
}

Test(pt, plain_values_are_metadata) {
    static const struct sr_pair of_checkpoint[] = {{"layer_idx", "23"}, {"auprc", "0.8125"},
                                                   {"name", "router"},  {"done", "true"},
                                                   {"none", NULL},      {"state_dict", NULL}};
    static const struct sr_pair of_views[] = {{"big", "1099511627776"}, {"huge", NULL},  {"negative", "-5"},
                                              {"size.0", "2"},          {"size.1", "3"}, {"device", NULL},
                                              {"dtype", NULL}};
    char file[256];
    size_t n;
    struct sr_tensors *t = open_tensors(vector_path(file, "checkpoint.pt"));
    for (size_t i = 0; i < SR_COUNT(of_checkpoint); i++) {
        const char *value = sr_tensors_metadata(t, of_checkpoint[i].key);
        cr_expect(of_checkpoint[i].value ? value && strcmp(value, of_checkpoint[i].value) == 0 : !value, "%s",
                  of_checkpoint[i].key);
    }
    sr_tensors_pairs(t, &n);
    cr_expect_eq(n, 4);
    sr_tensors_close(t);
    t = open_tensors(vector_path(file, "views.pt"));
    for (size_t i = 0; i < SR_COUNT(of_views); i++) {
        const char *value = sr_tensors_metadata(t, of_views[i].key);
        cr_expect(of_views[i].value ? value && strcmp(value, of_views[i].value) == 0 : !value, "%s",
                  of_views[i].key);
    }
    sr_tensors_close(t);
}

Test(pt, tensors_are_read_in_any_order) {
    char file[256];
    struct sr_tensors *t = open_tensors(vector_path(file, "views.pt"));
    const size_t whole = sr_tensors_find(t, "whole"), part = sr_tensors_find(t, "part");
    for (int k = 23; k >= 0; k--) {
        float a, b;
        cr_assert_eq(sr_tensors_read(t, whole, (uint64_t)k, &a, 1, &err), SR_OK, "%s", err.text);
        cr_assert_eq(sr_tensors_read(t, part, (uint64_t)k / 2, &b, 1, &err), SR_OK, "%s", err.text);
        cr_expect_eq(a, (float)k);
        cr_expect_eq(b, (float)(6 + k / 2));
    }
    sr_tensors_close(t);
}

/* ---- damage ---- */

/* Opens the file at path and reads every tensor whole into out [1024]; the status of the first failure. */
static int read_whole(unsigned char *out, size_t *used) {
    struct sr_tensors *t;
    *used = 0;
    int status = sr_tensors_open(&t, path, &err);
    for (size_t i = 0; status == SR_OK && i < sr_tensors_count(t); i++) {
        const struct sr_tensor_info *info = sr_tensors_at(t, i);
        const size_t items = (size_t)sr_tensor_info_items(info);
        cr_assert_leq(*used + items * sr_dtype_size(info->dtype), 1024);
        status = sr_tensors_read(t, i, 0, out + *used, items, &err);
        *used += items * sr_dtype_size(info->dtype);
    }
    sr_tensors_close(t);
    return status;
}

/* A copy of bare.pt at path, open for changes: writing it anew for each would take its time on some disks. */
static int small_file(size_t *size) {
    char file[256];
    void *bytes;
    cr_assert_eq(sr_file_read(&bytes, size, vector_path(file, "bare.pt"), 1 << 20, &err), SR_OK);
    cr_assert_eq(sr_atomic_file_write(path, bytes, *size, &err), SR_OK);
    sr_free(bytes);
    const int fd = open(path, O_RDWR);
    cr_assert_geq(fd, 0);
    return fd;
}

static void flip(int fd, size_t bit) {
    unsigned char byte;
    cr_assert_eq(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
    byte = (unsigned char)(byte ^ 1 << bit % 8);
    cr_assert_eq(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
}

/* A bit of the archive's own tables may mean nothing; one that changes a number does not pass. */
Test(pt, no_flipped_bit_changes_a_number) {
    size_t size, used, wanted, refused = 0;
    unsigned char good[1024], out[1024];
    const int fd = small_file(&size);
    cr_assert_eq(read_whole(good, &wanted), SR_OK);
    cr_assert_eq(wanted, 12);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        flip(fd, bit);
        if (read_whole(out, &used) == SR_OK)
            cr_expect(used == wanted && memcmp(out, good, used) == 0, "bit %zu", bit);
        else
            refused++;
        flip(fd, bit);
    }
    cr_expect_eq(read_whole(out, &used), SR_OK);
    cr_expect_gt(refused, size, "of %zu bits", 8 * size); /* the pickle, the numbers, most of the tables */
    close(fd);
}

Test(pt, a_file_that_is_cut_anywhere_is_refused) {
    size_t size, used;
    unsigned char out[1024];
    const int fd = small_file(&size);
    for (size_t n = size; n-- > 0;) {
        cr_assert_eq(ftruncate(fd, (off_t)n), 0);
        cr_expect_eq(read_whole(out, &used), SR_DATA, "%zu of %zu bytes", n, size);
        if (n > 22 && n < size - 22) /* what ends an archive was there in part */
            expect_in(err.text, "cut off");
    }
    close(fd);
}

/* ---- archives that lie ---- */

/* {"x": float32 [2, 3] of the record data/0} */
static const char pickle[] = "\x80\x02}X\x01\x00\x00\x00xctorch._utils\n_rebuild_tensor_v2\n"
                             "((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"
                             "0X\x03\x00\x00\x00"
                             "cpuK\x06tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89"
                             "ccollections\nOrderedDict\n)RtRs.";
static const float six[6] = {1, -2, 3.5f, 0, 1e-30f, 6};

static void write_zip(const struct zip_entry *entries, size_t n) {
    struct zip_bytes z;
    zip_make(&z, entries, n);
    cr_assert_eq(sr_atomic_file_write(path, z.at, z.size, &err), SR_OK);
}

static void refuses(const struct zip_entry *entries, size_t n, const char *word) {
    struct sr_tensors *t;
    write_zip(entries, n);
    err = (struct sr_error){0};
    cr_expect_eq(sr_tensors_open(&t, path, &err), SR_DATA, "%s", word);
    cr_expect_null(t);
    expect_in(err.text, word);
    expect_in(err.text, path);
}

/* clang-format off */
#define ENTRY(n, bytes, ...) {.name = (n), .data = (bytes), .size = __VA_ARGS__}
/* clang-format on */
#define PICKLE  ENTRY("m/data.pkl", pickle, sizeof pickle - 1)
#define NUMBERS ENTRY("m/data/0", six, sizeof six)
#define VERSION ENTRY("m/version", "3\n", 2)
#define REFUSES(word, ...)                                                                                   \
    do {                                                                                                     \
        const struct zip_entry entries[] = {__VA_ARGS__};                                                    \
        refuses(entries, SR_COUNT(entries), word);                                                           \
    } while (0)

Test(pt, the_archive_made_here_is_a_good_one) {
    const struct zip_entry good[] = {PICKLE, NUMBERS, ENTRY("m/byteorder", "little", 6), VERSION};
    float out[6];
    write_zip(good, SR_COUNT(good));
    struct sr_tensors *t = open_tensors(path);
    cr_assert_eq(sr_tensors_count(t), 1);
    cr_expect_str_eq(sr_tensors_at(t, 0)->name, "x");
    cr_expect_eq(sr_tensors_read(t, 0, 0, out, 6, &err), SR_OK);
    cr_expect_arr_eq(out, six, sizeof six);
    sr_tensors_close(t);
}

/* torch.save names the folder after the file. */
Test(pt, a_folder_may_be_called_by_a_time) {
    const struct zip_entry good[] = {ENTRY("run-12:30/data.pkl", pickle, sizeof pickle - 1),
                                     ENTRY("run-12:30/data/0", six, sizeof six),
                                     ENTRY("run-12:30/version", "3\n", 2)};
    write_zip(good, SR_COUNT(good));
    sr_tensors_close(open_tensors(path));
}

/* An archive in an archive whose entries are entries of both: bytes count as often as they are pointed to. */
Test(pt, entries_in_entries_are_refused) {
    static char numbers[400] = "numbers";
    const struct zip_entry inner = ENTRY("m/x", numbers, sizeof numbers);
    struct zip_bytes z;
    zip_make(&z, &inner, 1);
    memmove(z.at + 4, z.at, z.size);
    REFUSES("they overlap", PICKLE, NUMBERS, ENTRY("m/y", z.at, z.size + 4),
            ENTRY("m/x", numbers, sizeof numbers, .inside = 4));
}

Test(pt, entries_that_torch_does_not_write_are_refused) {
    REFUSES("'m/data/0' is compressed", PICKLE, ENTRY("m/data/0", six, sizeof six, .method = 8));
    REFUSES("'m/data/0' is encrypted", PICKLE, ENTRY("m/data/0", six, sizeof six, .flags = 1));
    REFUSES("leads out", PICKLE, NUMBERS, ENTRY("m/../../etc/passwd", "x", 1));
    REFUSES("leads out", PICKLE, NUMBERS, ENTRY("../x", "x", 1));
    REFUSES("leads out", PICKLE, NUMBERS, ENTRY("/etc/passwd", "x", 1));
    REFUSES("leads out", PICKLE, NUMBERS, ENTRY("m/..", "x", 1));
    REFUSES("leads out", PICKLE, NUMBERS, ENTRY("m\\..\\x", "x", 1));
    REFUSES("is there twice", PICKLE, NUMBERS, NUMBERS);
    REFUSES("they overlap", PICKLE, NUMBERS, ENTRY("m/data/1", six, sizeof six, .overlaps = true));
    REFUSES("checksum", ENTRY("m/data.pkl", pickle, sizeof pickle - 1, .bad_crc = true), VERSION, NUMBERS);
}

Test(pt, records_must_be_what_the_pickle_says) {
    REFUSES("data/0 has 20 bytes, but its pickle says 6 items of F32", PICKLE, VERSION,
            ENTRY("m/data/0", six, 20));
    REFUSES("data/0 has 0 bytes", PICKLE, VERSION, ENTRY("m/data/0", NULL, 0));
    REFUSES("data/0, which is not there", PICKLE, VERSION);
    REFUSES("big-endian", PICKLE, VERSION, NUMBERS, ENTRY("m/byteorder", "big", 3));
    REFUSES("protocol", ENTRY("m/data.pkl", NULL, 0), VERSION, NUMBERS);
}

/* torch finds records whatever their case: two of a name would be one to it, and it would heed a BYTEORDER.
 */
Test(pt, records_in_another_case_are_refused) {
    REFUSES("'m/data/0A' is there twice, in other capitals", PICKLE, VERSION,
            ENTRY("m/data/0a", six, sizeof six), ENTRY("m/data/0A", six, sizeof six));
    REFUSES("is there twice, in other capitals", PICKLE, VERSION, NUMBERS,
            ENTRY("m/DATA/0", six, sizeof six));
    REFUSES("its record data/0 is spelt in other capitals", PICKLE, VERSION,
            ENTRY("m/Data/0", six, sizeof six));
    REFUSES("its record data.pkl is spelt in other capitals", VERSION, NUMBERS,
            ENTRY("m/data.PKL", pickle, sizeof pickle - 1));
    REFUSES("its record byteorder is spelt in other capitals", PICKLE, VERSION, NUMBERS,
            ENTRY("m/BYTEORDER", "little", 6));
    REFUSES("its record version is spelt in other capitals", PICKLE, NUMBERS, ENTRY("m/Version", "3", 1));
}

/* [ and {, ` and @ lie on either side of the letters, 32 apart as these are. */
Test(pt, only_letters_have_a_case) {
    const struct zip_entry good[] = {PICKLE,
                                     NUMBERS,
                                     VERSION,
                                     ENTRY("m/[", "", 0),
                                     ENTRY("m/{", "", 0),
                                     ENTRY("m/@", "", 0),
                                     ENTRY("m/`", "", 0),
                                     ENTRY("m/\xc3\x89", "", 0),
                                     ENTRY("m/\xc3\xa9", "", 0)};
    write_zip(good, SR_COUNT(good));
    sr_tensors_close(open_tensors(path));
}

Test(pt, a_version_that_torch_knows_is_there) {
    REFUSES("no record version", PICKLE, NUMBERS);
    REFUSES("record version is not a number from 1 to 10", PICKLE, NUMBERS, ENTRY("m/version", "11", 2));
    REFUSES("record .data/version is not a number from 1 to 10", PICKLE, NUMBERS, VERSION,
            ENTRY("m/.data/version", "99", 2));
    REFUSES("record .data/version is not a number from 1 to 10", PICKLE, NUMBERS, VERSION,
            ENTRY("m/.data/version", "abc", 3));
    const struct zip_entry good[] = {PICKLE, NUMBERS, ENTRY("m/.data/version", "3\n", 2)};
    write_zip(good, SR_COUNT(good));
    sr_tensors_close(open_tensors(path));
}

/* The folder is that of the first entry. */
Test(pt, all_entries_lie_in_one_folder) {
    REFUSES("'n/data/0' is not in the folder of the first", PICKLE, VERSION,
            ENTRY("n/data/0", six, sizeof six));
    REFUSES("is not in the folder of the first", ENTRY("x/y", "", 0), PICKLE, VERSION, NUMBERS);
    REFUSES("is not in the folder of the first", PICKLE, VERSION, NUMBERS, ENTRY("readme", "", 0));
    REFUSES("is not in the folder of the first", PICKLE, VERSION, NUMBERS, ENTRY("M/data/1", "", 0));
    REFUSES("'m/x/' is marked as a folder, but has bytes", PICKLE, VERSION, NUMBERS, ENTRY("m/x/", "x", 1));
    const struct zip_entry good[] = {ENTRY("m/", "", 0), PICKLE, VERSION, ENTRY("m/data/", "", 0), NUMBERS};
    write_zip(good, SR_COUNT(good));
    sr_tensors_close(open_tensors(path));
}

/* Before the first number of the record is given out, however it is read. */
Test(pt, a_damaged_number_is_found_when_it_is_read) {
    const struct zip_entry entries[] = {PICKLE, VERSION, ENTRY("m/data/0", six, sizeof six, .bad_crc = true)};
    float out[6];
    write_zip(entries, SR_COUNT(entries));
    for (uint64_t at = 0; at < 6; at++) {
        struct sr_tensors *t = open_tensors(path);
        cr_expect_eq(sr_tensors_read(t, 0, at, out, 1, &err), SR_DATA, "%d", (int)at);
        expect_in(err.text, "damaged");
        expect_in(err.text, "set_crc32_options(False)");
        cr_expect_eq(sr_tensors_read(t, 0, 0, out, 6, &err), SR_DATA);
        sr_tensors_close(t);
    }
}

/* As labels and features are, band by band. */
Test(pt, damage_is_found_when_two_tensors_are_read_by_turns) {
    struct sr_tensor list[2] = {{"a", SR_F32, 1, {1024}, NULL}, {"b", SR_F32, 1, {1024}, NULL}};
    float zeros[1024] = {0}, out[256];
    int status = SR_OK;
    list[0].data = list[1].data = zeros;
    cr_assert_eq(sr_tensors_write_pt(path, list, 2, NULL, 0, &err), SR_OK, "%s", err.text);
    struct sr_tensors *t = open_tensors(path);
    for (int whole = 1; whole >= 0; whole--) {
        for (size_t k = 0; k < 8; k++)
            status |= sr_tensors_read(t, k % 2, k / 2 * 256, out, 256, &err);
        sr_tensors_close(t);
        cr_expect((status == SR_OK) == (whole == 1), "%s", err.text);
        const int fd = open(path, O_RDWR);
        flip(fd, 8 * 2048); /* in the zeros of a */
        close(fd);
        t = open_tensors(path);
    }
    sr_tensors_close(t);
}

Test(pt, other_archives_are_named) {
    REFUSES("TorchScript", PICKLE, NUMBERS, ENTRY("m/constants.pkl", "x", 1));
    REFUSES("TorchScript", PICKLE, NUMBERS, {.name = "m/code/x.py", .data = "x", .size = 1, .method = 8});
    REFUSES("TorchScript", ENTRY("m/code/__torch__.py", "x", 1), PICKLE, NUMBERS);
    REFUSES("NumPy archive", ENTRY("x.npy", "x", 1));
    REFUSES("without data.pkl", ENTRY("readme.txt", "x", 1));
    REFUSES("without data.pkl", ENTRY("data.pkl", pickle, sizeof pickle - 1));
    REFUSES("without data.pkl", VERSION, NUMBERS);
}

/* ---- trees that lie ---- */

static void refuses_pickle(const char *bytes, size_t size, const char *word) {
    REFUSES(word, ENTRY("m/data.pkl", bytes, size), VERSION, NUMBERS);
}

Test(pt, lists_that_never_end_are_refused) {
    char bytes[400] = "\x80\x02]q\x01h\x01"
                      "a.";
    refuses_pickle(bytes, 9, "in themselves");
    size_t n = 2; /* each list holds the one before twice: 2^40 values in 200 bytes */
    bytes[n++] = ']';
    for (int i = 0; i < 40; i++, n += 5)
        memcpy(bytes + n, "q\x01h\x01\x86", 5);
    bytes[n++] = '.';
    refuses_pickle(bytes, n, "in its pickle");
}

/* Shared text and shared tensors: a few bytes stand for many, each with a name of its own. */
static size_t share(char *bytes, size_t n) {
    for (int i = 0; i < 16; i++, n += 5)
        memcpy(bytes + n, "q\x01h\x01\x86", 5);
    bytes[n++] = '.';
    return n;
}

#define TENSOR                                                                                               \
    "ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"   \
    "0X\x03\x00\x00\x00"                                                                                     \
    "cpuK\x06tQK\x00K\x06\x85K\x01\x85\x89"                                                                  \
    "ccollections\nOrderedDict\n)RtR"

Test(pt, what_is_shared_is_limited_by_what_the_file_has) {
    static char bytes[4500] = "\x80\x02X\xa0\x0f\0";
    memset(bytes + 7, 't', 4000);
    refuses_pickle(bytes, share(bytes, 4007), "make more than");
    memcpy(bytes + 2, TENSOR, sizeof TENSOR - 1);
    refuses_pickle(bytes, share(bytes, sizeof TENSOR + 1), "values in its pickle");
}

/* A list of 2^17 short texts, as an honest file may have: each is two bytes of pickle. */
Test(pt, a_long_list_of_shared_words_is_read) {
    const size_t words = (size_t)1 << 17, size = 2 * words + 20;
    char *bytes = sr_alloc(size, 1, NULL);
    memcpy(bytes, "\x80\x02](X\4\0\0\0safeq\1", 15);
    for (size_t i = 0; i < words; i++)
        memcpy(bytes + 15 + 2 * i, "h\1", 2);
    memcpy(bytes + 15 + 2 * words, "e.", 2);
    const struct sr_zip_part part[] = {{"m/data.pkl", bytes, 17 + 2 * words}, {"m/version", "3", 1}};
    cr_assert_eq(sr_zip_write(path, part, 2, &err), SR_OK, "%s", err.text);
    struct sr_tensors *t = open_tensors(path);
    cr_expect_str_eq(sr_tensors_metadata(t, "131072"), "safe");
    sr_tensors_close(t);
    sr_free(bytes);
}

Test(pt, names_are_unique_short_and_printable) {
    static const char twice[] = "\x80\x02}(X\x03\x00\x00\x00"
                                "a.b" TENSOR "X\x01\x00\x00\x00"
                                "a}X\x01\x00\x00\x00"
                                "b" TENSOR "su.";
    static const char escape[] = "\x80\x02}X\x03\x00\x00\x00"
                                 "a\x1b[" TENSOR "s.";
    static const char values[] = "\x80\x02}(X\x03\x00\x00\x00"
                                 "a.bK\x01X\x01\x00\x00\x00"
                                 "a}X\x01\x00\x00\x00"
                                 "bK\x02su.";
    static const char below[] = "\x80\x02}X\x01\x00\x00\x00"
                                "o}N" TENSOR "ss.";
    static const char nothing[] = "\x80\x02}N" TENSOR "s.";
    char name[400] = "\x80\x02}X\x80\x00\x00\x00";
    memset(name + 8, 'n', 128);
    memcpy(name + 136, TENSOR "s.", sizeof TENSOR + 1);
    refuses_pickle(name, 136 + sizeof TENSOR + 1, "127 bytes");
    refuses_pickle(twice, sizeof twice - 1, "two tensors are called 'a.b'");
    refuses_pickle(escape, sizeof escape - 1, "does not print");
    refuses_pickle(values, sizeof values - 1, "two values are called 'a.b'");
    refuses_pickle(below, sizeof below - 1, "under 'o' the name of a tensor");
    refuses_pickle(nothing, sizeof nothing - 1, "neither text nor a whole number");
}

/* A dict by floats or tuples, a schedule say, beside a tensor. */
Test(pt, odd_keys_without_tensors_are_passed_over) {
    static const char odd[] = "\x80\x02}(X\x01\x00\x00\x00x" TENSOR "X\x01\x00\x00\x00"
                              "o}(K\x01\x85K\x02NK\x03uu.";
    const struct zip_entry entries[] = {ENTRY("m/data.pkl", odd, sizeof odd - 1), VERSION, NUMBERS};
    size_t n;
    write_zip(entries, SR_COUNT(entries));
    struct sr_tensors *t = open_tensors(path);
    cr_expect_eq(sr_tensors_count(t), 1);
    sr_tensors_pairs(t, &n);
    cr_expect_eq(n, 0);
    sr_tensors_close(t);
}

Test(pt, a_program_inside_is_refused_by_name) {
    static const char program[] = "\x80\x02}X\x01\x00\x00\x00"
                                  "acposix\nsystem\nX\x0d\x00\x00\x00touch /tmp/no\x85Rs.";
    refuses_pickle(program, sizeof program - 1,
                   "asks for posix.system, a class or function that is no part of a tensor");
}

/* ---- archives that change, or are large ---- */

/* A part of an entry is wanted, so that the whole is read for its checksum first. */
Test(pt, an_entry_that_cannot_be_read_through) {
    enum { SIZE = 200000 };
    char *numbers = sr_alloc(SIZE, 1, NULL), out[8];
    const struct sr_zip_part part = {"m/data/0", numbers, SIZE};
    struct sr_zip *z;
    cr_assert_eq(sr_zip_write(path, &part, 1, &err), SR_OK, "%s", err.text);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    const off_t size = lseek(fd, 0, SEEK_END);
    cr_assert_eq(sr_zip_open(&z, fd, (uint64_t)size, path, &err), SR_OK, "%s", err.text);
    memory_begin(1);
    const int status = sr_zip_read(z, 0, 0, out, sizeof out, &err);
    cr_expect(memory_end().failed);
    cr_expect_eq(status, SR_NOMEM);
    cr_assert_eq(ftruncate(fd, 100000), 0);
    cr_expect_eq(sr_zip_read(z, 0, 0, out, sizeof out, &err), SR_DATA);
    expect_in(err.text, "became shorter while it was read");
    sr_zip_close(z);
    close(fd);
    sr_free(numbers);
}

/* A table of 2^28 bytes and one more, with the end record behind it. */
Test(pt, a_table_that_is_too_large) {
    enum { MOST = 1 << 28 };
    struct zip_bytes end = {.size = 0};
    struct sr_zip *z;
    zip_put_bytes(&end, "PK\5\6\0\0\0\0\0\0\0", 12);
    zip_put(&end, MOST + 1, 4);
    zip_put_bytes(&end, "\0\0\0\0\0", 6);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(pwrite(fd, end.at, end.size, MOST + 1), (ssize_t)end.size);
    cr_expect_eq(sr_zip_open(&z, fd, MOST + 1 + end.size, path, &err), SR_DATA);
    expect_in(err.text, "or is too large");
    close(fd);
}
