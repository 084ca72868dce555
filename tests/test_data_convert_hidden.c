/* test_data_convert_hidden.c: dumps from files of hidden states, and the contract that goes into a dump.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/convert_sample.h"

TestSuite(convert_hidden, .init = convert_begin, .fini = convert_end);

/* ---- hidden states ---- */

static void expect_hidden(const char *arguments, const float *wanted, const char *pooling) {
    struct sr_data *d = convert_open(arguments);
    float *x = all_features(d);
    cr_assert_eq(d->rows, 2);
    cr_assert_eq(d->width, 2);
    for (size_t i = 0; i < 4; i++)
        cr_expect_eq(x[i], wanted[i], "%s: value %zu is %g, not %g", arguments, i, (double)x[i],
                     (double)wanted[i]);
    cr_expect_str_eq(d->id[0], "cmpl-a");
    cr_expect_str_eq(d->id[1], "cmpl-b");
    cr_expect_str_eq(contract_of(d, "feature_norm"), "pre");
    cr_expect_str_eq(contract_of(d, "feature_pooling"), pooling);
    sr_free(x);
    sr_data_close(d);
}

Test(convert_hidden, a_row_a_file_of_hidden_states) {
    const float last[] = {320, 321, 1120, 1121}, first_mean[] = {150, 151, 1050, 1051};
    write_requests();
    expect_hidden("--features 'hidden/*.safetensors' --layer=-1", last, "last");
    expect_hidden("'hidden/*.safetensors' --layer 2 --gold gold.csv", last, "last");
    expect_hidden("--features hidden --layer 2 --gold gold.csv", last, "last");
    expect_hidden("hidden --layer 0 --pooling mean", first_mean, "mean");
    convert_refuses(65, "cmpl-a.safetensors: hidden_states has 3 layers; --layer K", "hidden");
    convert_refuses(2, "there is no --layer 3", "hidden --layer 3");
    convert_refuses(65, "files of hidden states hold hidden_states and, as their names, ids; no gold",
                    "--features hidden --layer 0 --gold hidden");
}

/* The name of a folder that is there is no pattern. */
Test(convert_hidden, a_folder_may_be_called_like_a_pattern) {
    static const char *const names[] = {"run[1]", "a*", "b?", "c\\d"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        char file[64];
        cr_assert_eq(mkdir(names[i], 0700), 0);
        snprintf(file, sizeof file, "%s/x.safetensors", names[i]);
        write_hidden(file, 1, 1, 0);
        struct run r = convert_fine("--features '%s'", names[i]);
        expect_in(r.out, "1 rows of 2");
        run_end(&r);
    }
}

Test(convert_hidden, one_file_of_hidden_states_is_a_row) {
    const float wanted[] = {200, 201};
    write_hidden("one.safetensors", 3, 1, 0);
    struct sr_data *d = convert_open("one.safetensors");
    float *x = all_features(d);
    cr_expect_eq(d->rows, 1);
    cr_expect_arr_eq(x, wanted, sizeof wanted);
    cr_expect_str_eq(d->id[0], "one");
    sr_free(x);
    sr_data_close(d);
}

/* Two axes are one layer; names of other endings are ids as they are. */
Test(convert_hidden, states_of_one_layer) {
    struct sr_error err = {0};
    float x[] = {1, 2, 3, 4};
    int64_t ids[2] = {0};
    const struct sr_tensor tensors[] = {{"hidden_states", SR_F32, 2, {2, 2}, x},
                                        {"token_ids", SR_I64, 1, {2}, ids}};
    cr_assert_eq(mkdir("flat", 0700), 0);
    cr_assert_eq(sr_safetensors_write("flat/.safetensors", tensors, 2, NULL, 0, &err), 0);
    cr_assert_eq(sr_safetensors_write("flat/row_of_states.st", tensors, 2, NULL, 0, &err), 0);
    struct sr_data *d = convert_open("--features 'flat/row_of_states.st*:hidden_states'");
    float *y = all_features(d);
    cr_expect(d->rows == 1 && d->width == 2 && y[0] == 3 && y[1] == 4);
    cr_expect_str_eq(d->id[0], "row_of_states.st");
    sr_free(y);
    sr_data_close(d);
    d = convert_open("--features 'flat/.safetensor?' --pooling mean");
    cr_expect_str_eq(d->id[0], ".safetensors");
    sr_data_close(d);
    convert_refuses(65, "files of hidden states hold hidden_states and, as their names, ids; no other",
                    "--features 'flat/row*:other'");
}

Test(convert_hidden, hidden_states_that_do_not_belong_together) {
    struct sr_error err = {0};
    float x[8] = {0};
    int64_t ids[3] = {0};
    write_requests();
    const struct sr_tensor other[] = {{"hidden_states", SR_F32, 3, {1, 3, 1}, x},
                                      {"token_ids", SR_I64, 1, {1}, ids}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", other, 2, NULL, 0, &err), 0);
    convert_refuses(65,
                    "cmpl-c.safetensors: vectors of 1 F32, but those of hidden/cmpl-a.safetensors are of 2",
                    "hidden --layer 0");
    const struct sr_tensor torn[] = {{"hidden_states", SR_F32, 3, {1, 3, 2}, x},
                                     {"token_ids", SR_I64, 1, {3}, ids}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", torn, 2, NULL, 0, &err), 0);
    convert_refuses(65, "cmpl-c.safetensors: hidden_states has 1 tokens, but token_ids says otherwise",
                    "hidden --layer 0");
    const struct sr_tensor none[] = {{"hidden_states", SR_F32, 3, {0, 3, 2}, x},
                                     {"token_ids", SR_I64, 1, {0}, ids}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", none, 2, NULL, 0, &err), 0);
    convert_refuses(65, "cmpl-c.safetensors: hidden_states has no token", "hidden --layer 0");
    const struct sr_tensor square[] = {{"hidden_states", SR_F32, 3, {1, 3, 2}, x},
                                       {"token_ids", SR_I64, 2, {1, 1}, ids}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", square, 2, NULL, 0, &err), 0);
    convert_refuses(65, "cmpl-c.safetensors: hidden_states has 1 tokens, but token_ids says otherwise",
                    "hidden --layer 0");
    const struct sr_tensor flat[] = {{"hidden_states", SR_F32, 1, {4}, x}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", flat, 1, NULL, 0, &err), 0);
    convert_refuses(65, "cmpl-c.safetensors: hidden_states has 1 axes of F32", "hidden --layer 0");
    const struct sr_tensor deep[] = {{"hidden_states", SR_F32, 4, {1, 1, 3, 2}, x}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", deep, 1, NULL, 0, &err), 0);
    convert_refuses(65, "cmpl-c.safetensors: hidden_states has 4 axes of F32", "hidden --layer 0");
    const struct sr_tensor whole[] = {{"hidden_states", SR_I64, 3, {1, 3, 1}, ids}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", whole, 1, NULL, 0, &err), 0);
    convert_refuses(65, "cmpl-c.safetensors: hidden_states has 3 axes of I64; [tokens, layers, D] of floats",
                    "hidden --layer 0");
    const struct sr_tensor twice[] = {{"hidden_states", SR_F64, 3, {1, 2, 2}, x}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", twice, 1, NULL, 0, &err), 0);
    convert_refuses(
        65, "cmpl-c.safetensors: vectors of 2 F64, but those of hidden/cmpl-a.safetensors are of 2 F32",
        "hidden --layer 0");
    const struct sr_tensor shard[] = {{"features", SR_F32, 2, {1, 2}, x}};
    cr_assert_eq(sr_safetensors_write("hidden/cmpl-c.safetensors", shard, 1, NULL, 0, &err), 0);
    convert_refuses(65, "cmpl-c.safetensors: no tensor hidden_states: a pattern or a folder stands for",
                    "hidden --layer 0");
    convert_refuses(66, "no file matches", "'nothing/*.safetensors'");
}

/* A pattern's files may be called anything; the id is the whole name where it has no such end. */
Test(convert_hidden, files_of_other_names) {
    write_requests();
    cr_assert_eq(rename("hidden/cmpl-a.safetensors", "hidden/cmpl-x"), 0);
    cr_assert_eq(rename("hidden/cmpl-b.safetensors", "hidden/.safetensors"), 0);
    struct sr_data *d = convert_open("'hidden/cmpl-?' --layer 0");
    cr_expect_str_eq(d->id[0], "cmpl-x");
    sr_data_close(d);
    d = convert_open("'hidden/.safetensor?' --layer 0");
    cr_expect_str_eq(d->id[0], ".safetensors");
    sr_data_close(d);
}

/* ---- contract ---- */

Test(convert_hidden, the_contract_goes_into_the_dump) {
    write_features();
    write_text("c.json",
               "{\"feature_model\": \"DynaGuard-1.7B\", \"feature_layer\": 28, \"feature_norm\": \"post\", "
               "\"small_threshold\": 0.3, \"large_model\": null, \"threshold\": 0.6}");
    struct run r = convert_fine("--features features.npy --contract c.json --small-threshold .4");
    expect_in(r.out, "feature_model     DynaGuard-1.7B\n");
    expect_in(r.out, "feature_revision  unknown\n");
    expect_in(r.out, "to be scored by infer, not to train on");
    expect_in(r.out, "next: saferoute infer --model W --data out.h5");
    run_end(&r);
    const struct sr_data_options how = {.features_only = true};
    struct sr_data *d = open_paths("out.h5", &how);
    cr_expect_str_eq(contract_of(d, "feature_layer"), "28");
    cr_expect_str_eq(contract_of(d, "feature_norm"), "post");
    cr_expect_str_eq(contract_of(d, "small_threshold"), "0.4");
    cr_expect_str_eq(contract_of(d, "large_model"), "");
    sr_data_close(d);
}

Test(convert_hidden, a_contract_is_printed_without_orders_to_the_terminal) {
    write_features();
    write_text("c.json", "{\"feature_model\": \"a\\u001b[31mb\", \"feature_template\": \""
                         "0123456789012345678901234567890123456789012345678901234567890123456789"
                         "0123456789012345678901234567890123456789012345678901234567890123456789z\"}");
    struct run r = convert_fine("--features features.npy --contract c.json");
    expect_in(r.out, "feature_model     a?[31mb\n");
    expect_in(r.out, "0123456789z\n"); /* whole */
    run_end(&r);
}

Test(convert_hidden, a_contract_that_contradicts_the_file_is_taken_with_a_warning) {
    write_hidden("one.safetensors", 3, 1, 0);
    write_text("c.json", "{\"feature_norm\": \"post\", \"feature_pooling\": \"last\"}");
    struct run r = convert_fine("one.safetensors --contract c.json");
    expect_in(r.err, "feature_norm is \"post\" by --contract, but \"pre\" by the features' file");
    cr_expect_null(strstr(r.err, "feature_pooling"), "%s", r.err);
    run_end(&r);
    const struct sr_data_options how = {.features_only = true};
    struct sr_data *d = open_paths("out.h5", &how);
    cr_expect_str_eq(contract_of(d, "feature_norm"), "post");
    sr_data_close(d);
}

static void contract_refused(int status, const char *word, const char *text) {
    write_text("c.json", text);
    convert_refuses(status, word, "--features features.npy --contract c.json");
}

Test(convert_hidden, contracts_that_are_none) {
    write_features();
    contract_refused(2, "unknown key 'feature_nrom'; did you mean feature_norm?",
                     "{\"feature_nrom\": \"pre\"}");
    contract_refused(2, "it is pre or post (taken before or after the final norm)",
                     "{\"feature_norm\": \"none\"}");
    contract_refused(2, "large_threshold is '1.5'", "{\"large_threshold\": 1.5}");
    contract_refused(2, "threshold is '2', not a number", "{\"threshold\": 2}"); /* a router's, but wrong */
    contract_refused(2, "neither text nor a number", "{\"feature_model\": [1]}");
    contract_refused(2, "not a JSON object", "[]");
    contract_refused(2, "c.json: line 1, column 2: not JSON", "{");
    convert_refuses(66, "no.json", "--features features.npy --contract no.json");
}
