/* test_data_convert.c: dumps from tensors: .pt, .npy, .safetensors, types, and what is left
 * when a conversion fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include <float.h>

#include "data/table.h"
#include "tests/convert_sample.h"

TestSuite(convert, .init = convert_begin, .fini = convert_end);

/* ---- tensors ---- */

Test(convert, features_and_labels_of_pytorch) {
    struct sr_data *d =
        convert_open("--features " CONVERT_VECTORS "features.pt --label " CONVERT_VECTORS "labels.pt");
    expect_features(d, 1, 0);
    expect_type("features", "float16");
    expect_type("label", "uint8");
    for (size_t i = 0; i < d->rows; i++)
        cr_expect_eq(d->label[i], i % 3 == 0, "row %zu", i);
    cr_expect_eq(d->contract_count, 0);
    sr_data_close(d);
}

/* "--labels FILE" is what people write who have train_labels.pt. */
Test(convert, labels_may_be_a_file) {
    struct sr_data *d =
        convert_open("--features " CONVERT_VECTORS "features.pt --labels " CONVERT_VECTORS "labels.pt");
    cr_expect_eq(d->label[3], 1);
    cr_expect_eq(d->label[4], 0);
    sr_data_close(d);
    convert_refuses(2, "which file has the labels?", "--features a.npy --label b.npy --labels c.npy");
    convert_refuses(2, "leaves labels out", "--features a.npy --label b.npy --labels derived");
}

Test(convert, one_file_with_everything) {
    struct sr_data *d = convert_open(CONVERT_VECTORS "bundle.pt --dtype keep");
    expect_features(d, 1, 0);
    expect_type("features", "bfloat16");
    cr_expect_eq(d->label[9], 1);
    cr_expect_str_eq(contract_of(d, "feature_layer"), "23"); /* its layer_idx */
    sr_data_close(d);
}

Test(convert, a_tensor_by_its_name) {
    struct sr_data *d =
        convert_open("--features " CONVERT_VECTORS "two.pt:b --label " CONVERT_VECTORS "two.pt");
    expect_features(d, 2, 0);
    cr_expect_eq(d->label[6], 1);
    sr_data_close(d);
    convert_refuses(65,
                    "more than one tensor could be the features; say which with --features FILE:NAME; "
                    "the file holds: a [12, 8] F32, b [12, 8] F32, label [12, 1] F32",
                    "--features " CONVERT_VECTORS "two.pt");
    convert_refuses(65, "no tensor c; the file holds: a [12, 8] F32",
                    "--features " CONVERT_VECTORS "two.pt:c");
    convert_refuses(65, "two.pt: no tensor could be the id",
                    "--features " CONVERT_VECTORS "two.pt:a --id " CONVERT_VECTORS "two.pt");
}

/* A dict in a dict has other names than those of a dump. */
Test(convert, tensors_that_were_not_taken_are_named) {
    struct sr_error err = {0};
    float x[2] = {1, 2};
    int64_t y[2] = {0, 1};
    const struct sr_tensor tensors[] = {{"train.features", SR_F32, 2, {2, 1}, x},
                                        {"train.label", SR_I64, 1, {2}, y}};
    cr_assert_eq(sr_safetensors_write("t.safetensors", tensors, 2, NULL, 0, &err), 0, "%s", err.text);
    struct run r = convert_fine("t.safetensors");
    expect_in(r.out, "not taken of t.safetensors: train.label [2] I64\n");
    run_end(&r);
    r = convert_fine("t.safetensors --label t.safetensors:train.label");
    cr_expect_null(strstr(r.out, "not taken"), "%s", r.out);
    run_end(&r);
}

Test(convert, one_of_several_layers) {
    const char *const layers = "--features " CONVERT_VECTORS "layers.pt";
    char arguments[512];
    convert_refuses(65, "is [12, 3, 8] F32: three axes, but features have two; --layer K", layers);
    snprintf(arguments, sizeof arguments, "%s --layer 1", layers);
    struct sr_data *d = convert_open(arguments);
    expect_features(d, 1, 100);
    sr_data_close(d);
    snprintf(arguments, sizeof arguments, "%s --layer=-1", layers);
    d = convert_open(arguments);
    expect_features(d, 1, -100);
    sr_data_close(d);
    snprintf(arguments, sizeof arguments, "%s --layer 3", layers);
    convert_refuses(2, "there is no --layer 3", arguments);
    snprintf(arguments, sizeof arguments, "%s --layer=-4", layers);
    convert_refuses(2, "there is no --layer -4", arguments);
}

Test(convert, tensors_of_a_safetensors_file) {
    struct sr_error err = {0};
    float x[2 * 3] = {1, 2, 3, 4, 5, 6}, prob[2] = {.25f, .5f};
    int64_t group[2] = {7, -8}, id[2] = {100, INT64_MAX};
    uint8_t gold[2] = {1, 0};
    const struct sr_tensor tensors[] = {
        {"X", SR_F32, 2, {2, 3}, x},          {"gold", SR_BOOL, 1, {2}, gold},
        {"small_prob", SR_F32, 1, {2}, prob}, {"large_prob", SR_F32, 2, {2, 1}, prob},
        {"group", SR_I64, 1, {2}, group},     {"id", SR_I64, 1, {2}, id},
    };
    const struct sr_pair metadata[] = {{"feature_model", "guard"}, {"feature_norm", "post"}, {"other", "x"}};
    cr_assert_eq(sr_safetensors_write("t.safetensors", tensors, SR_COUNT(tensors), metadata, 3, &err), 0);
    struct sr_data *d = convert_open("t.safetensors --dtype float32");
    cr_expect_eq(d->group[0], 7);
    cr_expect_eq(d->group[1], -8);
    cr_expect_str_eq(d->id[0], "100");
    cr_expect_str_eq(d->id[1], "9223372036854775807");
    cr_expect_eq(d->gold[0], 1);
    cr_expect_eq(d->small_prob[1], .5f);
    cr_expect_eq(d->small_pred[1], 1);
    cr_expect_eq(d->large_pred[0], 0);
    cr_expect(d->label_derived);
    cr_expect_str_eq(contract_of(d, "feature_model"), "guard");
    cr_expect_str_eq(contract_of(d, "feature_norm"), "post");
    float *features = all_features(d);
    cr_expect_arr_eq(features, x, sizeof x);
    sr_free(features);
    sr_data_close(d);
    expect_type("features", "float32");
    expect_type("group", "int64");
    expect_type("small_prob", "float32");
}

/* ---- types ---- */

static uint16_t half_at(size_t i) {
    uint16_t raw[8];
    struct sr_error err = {0};
    struct sr_h5 *f;
    struct sr_h5_matrix *m;
    cr_assert_eq(sr_h5_open(&f, "out.h5", &err), 0);
    cr_assert_eq(sr_h5_matrix_open(&m, f, "features", SR_FEATURE_HALF, &err), 0);
    cr_assert_eq(sr_h5_matrix_read(m, raw, 0, 1, SR_FEATURE_HALF, &err), 0);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
    return raw[i];
}

/* 1 + 2^-11 is the tie between 1 and the next half, and goes to even, 1. What lies above it by less than a
 * float can tell is no tie: rounded to float on the way it would become one. */
Test(convert, doubles_are_rounded_once) {
    const double x[8] = {1 + 0x1p-11,
                         1 + 0x1p-11 + 0x1p-40,
                         1 + 0x1p-11 - 0x1p-40,
                         -1 - 0x1p-11 - 0x1p-40,
                         0x1p-25,
                         0x1p-25 + 0x1p-60,
                         65504,
                         1 + 3 * 0x1p-11};
    const uint16_t wanted[8] = {0x3c00, 0x3c01, 0x3c00, 0xbc01, 0, 1, 0x7bff, 0x3c02};
    write_npy("x.npy", "<f8", "(1, 8)", x, sizeof x);
    struct run r = convert_fine("--features x.npy");
    run_end(&r);
    for (size_t i = 0; i < 8; i++)
        cr_expect_eq(half_at(i), wanted[i], "value %zu is %#x, not %#x", i, half_at(i), wanted[i]);
}

Test(convert, bfloat16_rounds_to_even) {
    const float x[6] = {1, 1 + 0x1p-8f, 1 + 0x1p-8f + 0x1p-20f, 1 + 3 * 0x1p-8f, -0x1p-130f, 3e38f};
    const float wanted[6] = {1, 1, 1 + 0x1p-7f, 1 + 0x1p-6f, -0x1p-130f, 0x1.c4p+127f};
    write_npy("x.npy", "<f4", "(1, 6)", x, sizeof x);
    struct sr_data *d = convert_open("--features x.npy --dtype bfloat16");
    float *read = all_features(d);
    for (size_t i = 0; i < 6; i++)
        cr_expect_eq(read[i], wanted[i], "value %zu is %a, not %a", i, (double)read[i], (double)wanted[i]);
    sr_free(read);
    sr_data_close(d);
    expect_type("features", "bfloat16");
}

Test(convert, float16_passes_bit_by_bit) {
    const uint16_t x[8] = {0x8000, 0x0001, 0x7bff, 0xfbff, 0x3c00, 0x8001, 0x03ff, 0x0400};
    write_npy("x.npy", "<f2", "(1, 8)", x, sizeof x);
    struct run r = convert_fine("--features x.npy");
    run_end(&r);
    for (size_t i = 0; i < 8; i++)
        cr_expect_eq(half_at(i), x[i], "value %zu", i);
}

/* Half of 2^-24, the smallest half, is 2.98e-8; what is not above it becomes 0. */
Test(convert, what_float16_makes_zero_is_counted) {
    const float x[6] = {1e-9f, -1e-9f, 1, 0, 4e-8f, 1};
    write_npy("x.npy", "<f4", "(2, 3)", x, sizeof x);
    struct run r = convert_fine("--features x.npy");
    expect_in(r.err, "2 feature values are so small that float16 made them 0, the first in row 0");
    run_end(&r);
    r = convert_fine("--features x.npy --dtype bfloat16");
    cr_expect_null(strstr(r.err, "made them 0"));
    run_end(&r);
    const float gone[6] = {1, 2, 3, 1e-9f, 0, -1e-9f};
    write_npy("y.npy", "<f4", "(2, 3)", gone, sizeof gone);
    convert_refuses(65,
                    "y.npy: 1 row would have no feature but 0, since float16 holds none of the values, "
                    "first row 1; use --dtype float32",
                    "--features y.npy");
}

/* 65519.99 still rounds to 65504, the largest half; 65520 does not. */
Test(convert, what_float16_cannot_hold_is_counted_and_refused) {
    const float x[6] = {65519.99f, 1, 1, 65520, -1e30f, FLT_MAX};
    write_npy("x.npy", "<f4", "(2, 3)", x, sizeof x);
    convert_refuses(65,
                    "x.npy: 3 feature values are beyond what float16 holds, first 65520 in row 1; use "
                    "--dtype float32",
                    "--features x.npy");
    const char *const held[] = {"float32", "keep"};
    for (size_t i = 0; i < SR_COUNT(held); i++) {
        struct run r = convert_fine("--features x.npy --dtype %s", held[i]);
        run_end(&r);
    }
    const double large[2] = {1e39, 1};
    write_npy("y.npy", "<f8", "(1, 2)", large, sizeof large);
    convert_refuses(65, "1 feature value is beyond what float32 holds, first 1e+39",
                    "--features y.npy --dtype float32");
    const double both[2] = {70000, 1e300};
    write_npy("z.npy", "<f8", "(1, 2)", both, sizeof both);
    convert_refuses(
        65,
        "z.npy: 2 feature values are beyond what float16 holds, first 70000 in row 0; float32 does "
        "not hold all of them either",
        "--features z.npy");
}

Test(convert, bad_rows_are_kept_and_counted) {
    const float x[6] = {1, 2, (float)NAN, 3, 4, (float)-INFINITY};
    write_npy("x.npy", "<f4", "(3, 2)", x, sizeof x);
    struct run r = convert_fine("--features x.npy");
    expect_in(r.err, "2 of 3 rows have a NaN or an infinity among their features, the first is row 1");
    run_end(&r);
    const struct sr_data_options how = {.features_only = true};
    struct sr_data *d = open_paths("out.h5", &how);
    float *read = all_features(d);
    cr_expect(isnan(read[2]) && read[3] == 3 && read[5] == (float)-INFINITY);
    sr_free(read);
    sr_data_close(d);
    write_npy("y.npy", "<f4", "(1, 2)", x + 2, 8);
    convert_refuses(65, "y.npy: every row has a NaN or an infinity", "--features y.npy");
}

/* Widened, the float16 .1 would be below a threshold of .1; narrowed, the double would be .5. */
Test(convert, probabilities_keep_their_type) {
    const uint16_t half[2] = {0x2e66, 0x3800};
    const double wide[2] = {0.49999999, 1};
    const uint8_t gold[2] = {0, 1};
    const float x[2] = {1, 2};
    write_npy("x.npy", "<f4", "(2, 1)", x, sizeof x);
    write_npy("gold.npy", "|u1", "(2,)", gold, sizeof gold);
    write_npy("half.npy", "<f2", "(2,)", half, sizeof half);
    write_npy("wide.npy", "<f8", "(2,)", wide, sizeof wide);
    struct sr_data *d = convert_open("--features x.npy --gold gold.npy --small-prob half.npy --large-prob "
                                     "wide.npy --small-threshold .1");
    cr_expect_eq(d->small_pred[0], 1);
    cr_expect_eq(d->large_pred[0], 0);
    cr_expect_str_eq(contract_of(d, "small_threshold"), "0.1");
    sr_data_close(d);
    expect_type("small_prob", "float16");
    expect_type("large_prob", "float64");
}

Test(convert, compressed_features_are_the_same) {
    write_features();
    const char *const levels[] = {"1", "9"};
    for (size_t i = 0; i < SR_COUNT(levels); i++) {
        char arguments[64];
        snprintf(arguments, sizeof arguments, "--features features.npy --gzip %s", levels[i]);
        struct sr_data *d = convert_open(arguments);
        expect_features(d, 1, 0);
        sr_data_close(d);
    }
}

/* More than one band, and a last one that is not full. */
Test(convert, rows_past_a_band_are_in_their_place) {
    enum { ROWS = 1000, WIDTH = 3 };
    static float x[ROWS * WIDTH];
    static int32_t label[ROWS];
    for (size_t i = 0; i < ROWS * WIDTH; i++)
        x[i] = (float)i / 4;
    for (size_t i = 0; i < ROWS; i++)
        label[i] = i % 7 == 0;
    write_npy("x.npy", "<f4", "(1000, 3)", x, sizeof x);
    write_npy("y.npy", "<i4", "(1000, 1)", label, sizeof label);
    const char *const ways[] = {"--dtype float32", "--dtype float32 --gzip 3"};
    for (size_t k = 0; k < SR_COUNT(ways); k++) {
        char arguments[128];
        snprintf(arguments, sizeof arguments, "--features x.npy --label y.npy %s", ways[k]);
        struct sr_data *d = convert_open(arguments);
        float *read = all_features(d);
        cr_expect_arr_eq(read, x, sizeof x);
        for (size_t i = 0; i < ROWS; i++)
            cr_expect_eq(d->label[i], label[i], "row %zu", i);
        sr_free(read);
        sr_data_close(d);
    }
}

Test(convert, ids_of_every_integer_type) {
    static const int8_t i8[] = {-128, 127};
    static const uint8_t u8[] = {0, 255};
    static const int16_t i16[] = {-32768, 32767};
    static const uint16_t u16[] = {0, 65535};
    static const int32_t i32[] = {INT32_MIN, INT32_MAX};
    static const uint32_t u32[] = {0, UINT32_MAX};
    static const int64_t i64[] = {INT64_MIN, INT64_MAX};
    static const uint64_t u64[] = {0, UINT64_MAX};
    static const struct {
        enum sr_dtype dtype;
        const void *ids;
        const char *wanted[2];
    } type[] = {{SR_I8, i8, {"-128", "127"}},
                {SR_U8, u8, {"0", "255"}},
                {SR_I16, i16, {"-32768", "32767"}},
                {SR_U16, u16, {"0", "65535"}},
                {SR_I32, i32, {"-2147483648", "2147483647"}},
                {SR_U32, u32, {"0", "4294967295"}},
                {SR_I64, i64, {"-9223372036854775808", "9223372036854775807"}},
                {SR_U64, u64, {"0", "18446744073709551615"}}};
    for (size_t i = 0; i < SR_COUNT(type); i++) {
        float x[4] = {1, 2, 3, 4};
        uint64_t ids[2];
        struct sr_error err = {0};
        memcpy(ids, type[i].ids, 2 * sr_dtype_size(type[i].dtype));
        const struct sr_tensor rows[] = {{"features", SR_F32, 2, {2, 2}, x},
                                         {"id", type[i].dtype, 1, {2}, ids}};
        cr_assert_eq(sr_safetensors_write("rows.safetensors", rows, 2, NULL, 0, &err), 0, "%s", err.text);
        struct sr_data *d = convert_open("rows.safetensors");
        for (size_t r = 0; r < 2; r++)
            cr_expect_str_eq(d->id[r], type[i].wanted[r], "of %s", sr_dtype_name(type[i].dtype));
        sr_data_close(d);
    }
}

/* ---- what is refused ---- */

Test(convert, row_counts_must_agree) {
    const uint8_t eleven[11] = {0};
    write_features();
    write_npy("gold.npy", "|u1", "(11,)", eleven, sizeof eleven);
    write_text("ids.txt", "a\nb\nc\n");
    convert_refuses(65, "row counts differ: features (features.npy) 12, gold (gold.npy) 11; they must be",
                    "--features features.npy --gold gold.npy");
    convert_refuses(65, "row counts differ: features (features.npy) 12, gold (gold.npy) 11, id (ids.txt) 3",
                    "--features features.npy --gold gold.npy --id ids.txt");
    convert_refuses(65, "row counts differ: features (features.npy) 12, id (ids.txt) 3",
                    "--features features.npy --id ids.txt");
}

Test(convert, shapes_and_types_that_are_no_columns) {
    const double x[24] = {0};
    write_features();
    write_npy("wide.npy", "<f8", "(12, 2)", x, sizeof x);
    write_npy("one.npy", "<f8", "(12,)", x, 96);
    write_npy("whole.npy", "<i8", "(12, 2)", x, sizeof x);
    convert_refuses(65, "label is [12, 2] F64, but a column has one value a row",
                    "--features features.npy --label wide.npy");
    convert_refuses(65, "features is [12] F64, but features have two axes", "--features one.npy");
    convert_refuses(65, "features is [12, 2] I64, but features are float16", "--features whole.npy");
    convert_refuses(65, "id is [12] F64, but integers are needed", "--features features.npy --id one.npy");
    write_npy("flags.npy", "|b1", "(12,)", x, 12);
    convert_refuses(65, "id is [12] BOOL, but integers are needed", "--features features.npy --id flags.npy");
    write_npy("deep.npy", "<f8", "(12, 1, 1)", x, 96);
    convert_refuses(65, "label is [12, 1, 1] F64, but a column has one value a row",
                    "--features features.npy --label deep.npy");
    write_npy("upright.npy", "<f8", "(12, 1)", x, 96);
    struct sr_data *d = convert_open("--features features.npy --label upright.npy");
    cr_expect_eq(d->label[11], 0);
    sr_data_close(d);
    convert_refuses(65, "small_prob is [12, 2] I64, but probabilities are floats",
                    "--features features.npy --small-prob whole.npy");
    convert_refuses(66, "none.npy", "--features none.npy");
    write_text("text.npy", "no tensors here, but enough text to look at, and then some more of it ......");
    convert_refuses(65, "text.npy", "--features text.npy");
    convert_refuses(2, "no file has the features", "--label one.npy");
    convert_refuses(2, "no file has the features", "");
    expect_failure(run_program(convert_folder, "data convert --features features.npy"), 2,
                   "--out is missing");
    const float empty[1] = {0};
    write_npy("empty.npy", "<f4", "(0, 3)", empty, 0);
    convert_refuses(65, "empty.npy", "--features empty.npy");
    struct sr_error err = {0};
    float values[2] = {1, 2};
    const struct sr_tensor both[] = {{"X", SR_F32, 2, {1, 2}, values},
                                     {"embeddings", SR_F32, 2, {1, 2}, values}};
    cr_assert_eq(sr_safetensors_write("both.safetensors", both, 2, NULL, 0, &err), 0);
    const struct sr_tensor uneven[] = {{"X", SR_F32, 2, {1, 2}, values}, {"gold", SR_F32, 1, {2}, values}};
    cr_assert_eq(sr_safetensors_write("uneven.safetensors", uneven, 2, NULL, 0, &err), 0);
    convert_refuses(65, "uneven.safetensors: gold has 2 rows, but X has 1; they must be the same rows",
                    "uneven.safetensors");
    const struct sr_tensor nameless[] = {{"hidden_states", SR_F32, 2, {1, 2}, values}};
    cr_assert_eq(sr_safetensors_write("nameless.safetensors", nameless, 1, NULL, 0, &err), 0);
    struct run r = convert_fine("nameless.safetensors"); /* one row, whatever the tensor is called */
    run_end(&r);
    cr_assert_eq(unlink("out.h5"), 0);
    convert_refuses(65, "both X and embeddings could be the features; say which with --features FILE:NAME",
                    "both.safetensors");
}

Test(convert, values_that_a_column_may_not_hold) {
    double x[12] = {0};
    write_features();
    x[7] = 2;
    write_npy("c.npy", "<f8", "(12,)", x, sizeof x);
    convert_refuses(65, "c.npy: row 7: label is \"2\", but it must be 0 or 1",
                    "--features features.npy --label c.npy");
    convert_refuses(65, "c.npy: row 7: small_prob is \"2\", but a probability",
                    "--features features.npy --small-prob c.npy");
    x[7] = -1;
    write_npy("c.npy", "<f8", "(12,)", x, sizeof x);
    convert_refuses(65, "c.npy: row 7: weight is \"-1\", but a weight is finite",
                    "--features features.npy --weight c.npy");
    struct sr_data *d = convert_open("--features features.npy --label c.npy");
    cr_expect_eq(d->label[7], SR_UNKNOWN);
    cr_expect_eq(d->label[6], 0);
    sr_data_close(d);
    expect_type("label", "int8");
}

/* A file's kind is that of its name's end, in any of its spellings. */
Test(convert, endings_have_other_spellings) {
    write_text("rows.ndjson", "{\"X\":[1,2]}\n{\"X\":[3,4]}\n");
    struct sr_data *d = convert_open("rows.ndjson");
    cr_expect_eq(d->rows, 2);
    sr_data_close(d);
    cr_assert_eq(rename("out.h5", "rows.hdf5"), 0);
    d = convert_open("rows.hdf5");
    cr_expect_eq(d->rows, 2);
    sr_data_close(d);
}

/* Two names of one file are one. */
Test(convert, files_are_the_same_by_what_they_are) {
    write_text("a", "");
    cr_assert_eq(link("a", "b"), 0);
    cr_expect(sr_table_same_file("a", "./b"));
    write_text("b", "");
    cr_expect_not(sr_table_same_file("a", "b"));
    cr_expect_not(sr_table_same_file("a", "c"));
    cr_expect_not(sr_table_same_file("c", "a"));
    cr_expect_not(sr_table_same_file("a", "/proc/version"), "on another file system");
}

/* A failure leaves an older dump as it was, and no source is ever written over. */
Test(convert, nothing_is_replaced_by_half) {
    const float x[2] = {1, 1e9f};
    write_features();
    struct run r = convert_fine("--features features.npy");
    run_end(&r);
    write_npy("x.npy", "<f4", "(2, 1)", x, sizeof x);
    r = run_program(convert_folder, "data convert --features x.npy --out out.h5");
    expect_failure(r, 65, "beyond what float16 holds");
    const struct sr_data_options how = {.features_only = true};
    struct sr_data *d = open_paths("out.h5", &how);
    expect_features(d, 1, 0);
    sr_data_close(d);
    cr_assert_eq(symlink("x.npy", "link.npy"), 0);
    expect_failure(run_program(convert_folder, "data convert --features x.npy --out ./link.npy"), 2,
                   "is one of the files that are read");
    write_text("c.json", "{\"feature_model\": \"guard\"}");
    expect_failure(
        run_program(convert_folder, "data convert --features features.npy --contract c.json --out ./c.json"),
        2, "is one of the files that are read");
    write_requests();
    expect_failure(
        run_program(convert_folder, "data convert hidden --layer 0 --out hidden/cmpl-b.safetensors"), 2,
        "is one of the files that are read");
    cr_expect_eq(system("test -z \"$(ls -A | grep tmp)\""), 0, "a temporary file was left");
}

/* What training would refuse is refused here, under the dump's name, while the old file is still there. */
Test(convert, labels_must_agree_with_the_verdicts) {
    write_text("rows.csv", "f0,label,gold,small_pred,large_prob\n1,1,1,0,0.9\n2,0,1,0,0.4\n");
    const char *const word = "none.h5: 1 of 2 stored labels disagree with gold and the verdicts";
    struct sr_data *d = convert_open("rows.csv");
    sr_data_close(d);
    convert_refuses(65, word, "rows.csv --large-threshold .3");
    struct run r = convert_fine("rows.csv --large-threshold .3 --labels stored");
    run_end(&r);
    d = convert_open("rows.csv --large-threshold .3 --labels derived");
    cr_expect(d->label_derived);
    cr_expect_eq(d->label[1], 1);
    sr_data_close(d);
}
