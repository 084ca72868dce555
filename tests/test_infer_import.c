/* test_infer_import.c: `saferoute import`: PyTorch's routers bit by bit, what is refused and how, and what
 * the new file says of itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tests/import_sample.h"
#include "tests/zip_fixture.h"

TestSuite(import, .init = begin, .fini = end);

static struct sr_safetensors *open_out(void) {
    struct sr_safetensors *s;
    cr_assert_eq(sr_safetensors_open(&s, out, &err), SR_OK, "%s", err.text);
    return s;
}

static void expect_meta(const struct sr_safetensors *s, const char *key, const char *value) {
    const char *got = sr_safetensors_metadata(s, key);
    cr_expect(value ? got && strcmp(got, value) == 0 : !got, "%s is %s, not %s", key, got ? got : "absent",
              value ? value : "absent");
}

/* ---- what PyTorch saved ---- */

/* The file just written has the tensors of that one, bit by bit, and no others. */
static void expect_tensors(const char *expected) {
    struct sr_safetensors *s = open_out(), *wanted = open_expected(expected);
    cr_expect_eq(sr_safetensors_count(s), sr_safetensors_count(wanted));
    for (size_t i = 0; i < sr_safetensors_count(wanted); i++) {
        const struct sr_tensor *w = sr_safetensors_at(wanted, i);
        const struct sr_tensor *t = sr_safetensors_need(s, w->name, w->dtype, w->rank, w->shape, &err);
        cr_assert_not_null(t, "%s", err.text);
        cr_expect_eq(memcmp(t->data, w->data, (size_t)sr_tensor_items(w) * sr_dtype_size(w->dtype)), 0, "%s",
                     w->name);
    }
    sr_safetensors_close(s);
    sr_safetensors_close(wanted);
}

Test(import, routers_of_every_type_prefix_and_pytorch) {
    static const struct {
        const char *file, *expected;
    } cases[] = {
        {"checkpoint.pt", "as_float.checkpoint.safetensors"},
        {"state_dict.pt", "as_float.checkpoint.safetensors"},
        {"module.pt", "as_float.checkpoint.safetensors"},
        {"compiled.pt", "as_float.checkpoint.safetensors"},
        {"half.pt", "as_float.half.safetensors"},
        {"bfloat16.pt", "as_float.bfloat16.safetensors"},
        {"double.pt", "as_float.double.safetensors"},
        {"torch1_checkpoint.pt", "as_float.checkpoint.safetensors"},
        {"torch1_state_dict.pt", "as_float.checkpoint.safetensors"},
        {"module.safetensors", "as_float.checkpoint.safetensors"},
        {"bfloat16.safetensors", "as_float.bfloat16.safetensors"},
    };
    char file[256];
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        import_fine(vector_path(file, cases[i].file), "");
        expect_tensors(cases[i].expected);
        cr_assert_eq(unlink(out), 0);
    }
}

/* The router gives the logits that PyTorch gives in double: float32 rounds each of its few products by 6e-8.
 */
Test(import, the_router_says_what_pytorch_says) {
    struct sr_router *r;
    char file[256];
    float got[8];
    struct sr_safetensors *s = open_expected("logits.safetensors");
    const float *x = sr_safetensors_find(s, "x")->data;
    const double *logit = sr_safetensors_find(s, "logit")->data;
    import_fine(vector_path(file, "checkpoint.pt"), "");
    cr_assert_eq(sr_router_open(&r, out, &err), SR_OK, "%s", err.text);
    cr_assert_eq(sr_router_width(r), 5);
    sr_router_logits(r, got, x, 8);
    for (size_t i = 0; i < 8; i++)
        cr_expect_lt(fabs((double)got[i] - logit[i]), 1e-5, "row %zu: %g and %g", i, (double)got[i],
                     logit[i]);
    sr_router_close(r);
    sr_safetensors_close(s);
}

Test(import, what_is_known_is_kept_and_the_rest_is_unknown) {
    char file[256];
    struct run r = run_program(folder, "import '%s' --out '%s'", vector_path(file, "checkpoint.pt"), out);
    struct sr_safetensors *s = open_out();
    expect_meta(s, "format", "saferoute");
    expect_meta(s, "format_version", "1");
    expect_meta(s, "feature_layer", "23");
    expect_meta(s, "feature_model", NULL);
    expect_meta(s, "threshold", NULL);
    expect_meta(s, "threshold_rule", NULL);
    expect_meta(s, "auprc", NULL);
    expect_in(r.out, "5 -> 4 -> 3 -> 2 -> 1 (68 trainable numbers)");
    expect_in(r.out, "23 under 'state_dict.cls.', float32\n");
    expect_in(r.out, "feature_layer    23\n");
    expect_in(r.out, "feature_model    unknown\n");
    expect_in(r.out, "unset: 0.6 will be used");
    expect_in(r.out, sr_safetensors_hash(s));
    expect_in(r.out, "next: saferoute sweep");
    sr_safetensors_close(s);
    run_end(&r);
    cr_assert_eq(unlink(out), 0);
    r = run_program(folder, "import '%s' --out '%s'", vector_path(file, "half.pt"), out);
    expect_in(r.out, "float16, converted to float32");
    expect_in(r.out, "feature_layer    unknown\n");
    run_end(&r);
}

/* ---- threshold and contract ---- */

static const char *write_contract(const char *text) {
    static char path[256];
    snprintf(path, sizeof path, "%s/contract.json", folder);
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), &err), SR_OK);
    return path;
}

Test(import, the_user_says_threshold_and_contract) {
    char file[256], flags[512];
    snprintf(
        flags, sizeof flags, "--contract '%s' --threshold .7",
        write_contract("{\"feature_model\": \"guard\", \"feature_layer\": 23, \"feature_norm\": \"post\", "
                       "\"feature_pooling\": null, \"small_threshold\": 0.50, \"threshold\": 0.4, "
                       "\"threshold_rule\": \"f1\"}"));
    import_fine(vector_path(file, "checkpoint.pt"), flags);
    struct sr_safetensors *s = open_out();
    expect_meta(s, "feature_model", "guard");
    expect_meta(s, "feature_layer", "23");
    expect_meta(s, "feature_norm", "post");
    expect_meta(s, "feature_pooling", NULL);
    expect_meta(s, "small_threshold", "0.5");
    expect_meta(s, "threshold", "0.7"); /* the flag wins, and with it its rule */
    expect_meta(s, "threshold_rule", "given");
    sr_safetensors_close(s);
    cr_assert_eq(unlink(out), 0);
    *strstr(flags, " --threshold") = '\0';
    import_fine(file, flags);
    s = open_out();
    expect_meta(s, "threshold", "0.4");
    expect_meta(s, "threshold_rule", "f1");
    sr_safetensors_close(s);
}

Test(import, a_contract_that_is_wrong_is_refused) {
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"{\"feature_modle\": \"guard\"}", "unknown key 'feature_modle'; did you mean feature_model?"},
        {"{\"feature_norm\": \"before\"}", "pre or post"},
        {"{\"threshold\": 1.5}", "not a number from 0 to 1"},
        {"{\"threshold\": \"high\"}", "not a number from 0 to 1"},
        {"{\"small_threshold\": 0}", "not a number above 0 and at most 1"},
        {"{\"threshold_rule\": \"f1\"}", "without a threshold"},
        {"{\"feature_model\": [1]}", "neither text nor a number"},
        {"{\"feature_model\": \"\"}", "feature_model is empty"},
        {"{\"feature_layer\": 22}", "layer_idx"},
        {"{\"feature_layer\": -1}", "layer_idx"},
        {"[1]", "not a JSON object"},
        {"{\"feature_model\": \"a\", \"feature_model\": \"b\"}", "duplicate"},
        {"{", "line 1"},
    };
    char file[256], flags[512];
    vector_path(file, "checkpoint.pt");
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        snprintf(flags, sizeof flags, "--contract '%s'", write_contract(cases[i].text));
        import_fails(file, flags, 2, cases[i].word);
    }
    import_fails(file, "--contract /nowhere.json", 66, "nowhere");
    import_fails(file, "--threshold 1.5", 2, "threshold");
}

Test(import, features_are_no_router) {
    char file[256];
    import_fails(vector_path(file, "bare.pt"), "", 65, "saferoute data convert makes a dump of it");
}

/* ---- networks that are made here ---- */

Test(import, what_is_missing_too_much_or_of_another_shape_is_named) {
    take_original();
    drop("cls.4.bias");
    refuses("'cls.4' has no bias, which a Linear of a router has");
    drop("cls.5.running_mean");
    refuses("'cls.5' has no running_mean");
    drop("cls.5.weight");
    refuses("'cls.5' has no weight");
    drop("cls.12.weight");
    refuses("'cls.12' has no weight");
    rename_to("cls.1.weight", "cls.1.scale");
    refuses("'cls.1.scale'");
    list[count++] = *tensor("cls.0.bias");
    rename_to("cls.0.bias", "cls.2.weight");
    refuses("LayerNorm");
    tensor("cls.5.bias")->shape[0] = 2;
    refuses("'cls.5.bias', F32 [2], is to be 3 numbers");
    tensor("cls.8.weight")->shape[0] = 3;
    tensor("cls.8.weight")->shape[1] = 2;
    refuses("'cls.8.weight', F32 [3, 2], does not read the 3 numbers");
    drop("cls.9.running_mean");
    drop("cls.9.running_var");
    refuses("'cls.9' has a weight of one dimension and no running_mean: a LayerNorm");
    rename_to("cls.1.num_batches_tracked", "cls.0.num_batches_tracked");
    refuses("'cls.0.num_batches_tracked'");
    tensor("cls.1.num_batches_tracked")->dtype = SR_F64;
    refuses("one int64");
    static int64_t two[2];
    tensor("cls.1.num_batches_tracked")->rank = 1;
    tensor("cls.1.num_batches_tracked")->shape[0] = 2;
    tensor("cls.1.num_batches_tracked")->data = two;
    refuses("one int64");
    drop("cls.5.running_var");
    refuses("'cls.5' has no running_var");
    tensor("cls.5.bias")->rank = 2;
    tensor("cls.5.bias")->shape[1] = 1;
    refuses("'cls.5.bias', F32 [3, 1]");
    count = 0;
    refuses("no Linear layer (a weight of two dimensions) among its 0 tensors");
}

Test(import, networks_that_are_no_router_are_refused_by_what_they_are) {
    static const char *const norm[] = {"weight", "bias", "running_mean", "running_var",
                                       "num_batches_tracked"};
    char name[64], other[64];
    take_original();
    for (size_t i = 0; i < SR_COUNT(norm); i++) { /* one BatchNorm less */
        snprintf(name, sizeof name, "cls.5.%s", norm[i]);
        drop(name);
    }
    refuses("4 Linear and 2 BatchNorm");
    for (size_t i = 0; i < SR_COUNT(norm); i++) { /* in front of its Linear */
        snprintf(name, sizeof name, "cls.5.%s", norm[i]);
        snprintf(other, sizeof other, "cls.3.%s", norm[i]);
        rename_to(name, other);
    }
    refuses("'cls.3' is a BatchNorm that stands behind no Linear of its own");
    drop("cls.12.weight");
    list[count++] = *tensor("cls.8.weight");
    memset(list[count - 1].name, 0, sizeof list->name);
    strcpy(list[count - 1].name, "cls.12.weight");
    list[count - 1].shape[0] = 3;
    list[count - 1].shape[1] = 2;
    tensor("cls.12.bias")->shape[0] = 3;
    tensor("cls.12.bias")->data = tensor("cls.5.bias")->data;
    refuses("'cls.12.weight', F32 [3, 2], the last, has not one output");
    for (size_t i = 0; i < count; i++)
        if (list[i].rank == 2)
            list[i].rank = 1, list[i].shape[0] *= list[i].shape[1];
    refuses("no Linear layer");
    tensor("cls.4.weight")->rank = 4; /* a convolution's */
    tensor("cls.4.weight")->shape[2] = tensor("cls.4.weight")->shape[3] = 1;
    refuses("'cls.4.weight', F32 [3, 4, 1, 1], has no place in a router (Linear and BatchNorm layers only)");
}

Test(import, values_must_be_numbers) {
    float bad[3] = {1, NAN, 1};
    take_original();
    tensor("cls.5.bias")->data = bad;
    refuses("'cls.5.bias' is nan at item 1");
    bad[1] = -1;
    tensor("cls.5.running_var")->data = bad;
    refuses("'cls.5.running_var' is -1 at item 1; a variance is not below 0");
    double huge[3] = {1, 1e300, 1};
    tensor("cls.5.bias")->data = huge;
    tensor("cls.5.bias")->dtype = SR_F64;
    refuses("'cls.5.bias' is inf at item 1");
    tensor("cls.5.bias")->dtype = SR_I8;
    refuses("quantised");
}

Test(import, a_counter_may_be_missing) {
    take_original();
    drop("cls.1.num_batches_tracked");
    write_list(NULL, 0);
    import_fine(source, "");
    struct sr_safetensors *s = open_out();
    const struct sr_tensor *t = sr_safetensors_need(s, "cls.1.num_batches_tracked", SR_I64, 0, NULL, &err);
    cr_assert_not_null(t, "%s", err.text);
    cr_expect_eq(*(const int64_t *)t->data, 0);
    sr_safetensors_close(s);
}

/* ---- several networks ---- */

Test(import, one_of_several_networks_is_chosen_by_prefix) {
    char file[256], ema[256];
    vector_path(file, "two.pt");
    import_fails(file, "", 65,
                 "more than one network that could be the router: 'ema.cls', 'model.cls'; give --prefix");
    import_fails(file, "--prefix nope", 2, "no Linear layer under that name");
    import_fails(file, "--prefix mode", 2, "no Linear layer under that name");
    import_fine(file, "--prefix model");
    expect_tensors("as_float.checkpoint.safetensors");
    cr_assert_eq(unlink(out), 0);
    import_fine(file, "--prefix ema.cls.");
    struct sr_safetensors *s = open_out(), *two = open_expected("two.safetensors");
    for (size_t i = 0; i < sr_safetensors_count(s); i++) {
        const struct sr_tensor *t = sr_safetensors_at(s, i);
        snprintf(ema, sizeof ema, "ema.%s", t->name);
        const struct sr_tensor *w = sr_safetensors_find(two, ema);
        cr_assert_not_null(w, "%s", ema);
        cr_expect_eq(memcmp(t->data, w->data, (size_t)sr_tensor_items(w) * sr_dtype_size(w->dtype)), 0, "%s",
                     ema);
    }
    sr_safetensors_close(s);
    sr_safetensors_close(two);
}

/* ---- weights of ours ---- */

Test(import, weights_of_ours_keep_what_they_say) {
    static const struct sr_pair pairs[] = {{"format", "saferoute"},   {"format_version", "1"},
                                           {"threshold", "0.3"},      {"threshold_rule", "f1"},
                                           {"threshold_data", "abc"}, {"feature_model", "guard"},
                                           {"metrics", "{\"f1\":1}"}};
    static float mean[5] = {1, 2, 3, 4, 5}, variance[5] = {1, 1, 1, 1, 1}, basis[5] = {1},
                 range[3] = {.1f, 9, .01f};
    const struct sr_tensor stats[] = {{"stats.mean", SR_F32, 1, {5}, mean},
                                      {"stats.var", SR_F32, 1, {5}, variance},
                                      {"stats.basis", SR_F32, 2, {1, 5}, basis},
                                      {"stats.range", SR_F32, 1, {3}, range},
                                      {"calibration.note", SR_F32, 1, {3}, range}};
    take_original();
    memcpy(list + count, stats, sizeof stats);
    count += SR_COUNT(stats);
    write_list(pairs, SR_COUNT(pairs));
    import_fine(source, "");
    struct sr_safetensors *s = open_out();
    for (size_t i = 0; i < SR_COUNT(pairs); i++)
        expect_meta(s, pairs[i].key, pairs[i].value);
    for (size_t i = 0; i < SR_COUNT(stats); i++) {
        const struct sr_tensor *t = sr_safetensors_find(s, stats[i].name);
        cr_assert_not_null(t, "%s", stats[i].name);
        cr_expect_arr_eq(t->data, stats[i].data, (size_t)sr_tensor_items(t) * sizeof(float));
    }
    sr_safetensors_close(s);
    cr_assert_eq(unlink(out), 0);
    import_fine(source, "--threshold .8");
    s = open_out();
    expect_meta(s, "threshold", "0.8");
    expect_meta(s, "threshold_rule", "given");
    expect_meta(s, "threshold_data", NULL);
    expect_meta(s, "metrics", "{\"f1\":1}");
    sr_safetensors_close(s);
}

Test(import, importing_twice_changes_nothing) {
    char file[256], again[300];
    import_fine(vector_path(file, "checkpoint.pt"), "");
    snprintf(again, sizeof again, "%s/again.safetensors", folder);
    struct run r = run_program(folder, "import '%s' --out '%s'", out, again);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    struct sr_safetensors *a = open_out(), *b;
    void *x, *y;
    size_t nx, ny;
    cr_assert_eq(sr_safetensors_open(&b, again, &err), SR_OK);
    cr_expect_str_eq(sr_safetensors_hash(a), sr_safetensors_hash(b));
    cr_assert_eq(sr_file_read(&x, &nx, out, 1 << 20, &err), SR_OK);
    cr_assert_eq(sr_file_read(&y, &ny, again, 1 << 20, &err), SR_OK);
    cr_expect(nx == ny && memcmp(x, y, nx) == 0);
    sr_free(x);
    sr_free(y);
    sr_safetensors_close(a);
    sr_safetensors_close(b);
}

Test(import, a_checkpoint_of_a_run_is_none) {
    static const struct sr_pair pairs[] = {{"format", "saferoute-checkpoint"}};
    take_original();
    write_list(pairs, 1);
    import_fails(source, "", 65, "best.safetensors");
}

Test(import, a_folded_router_is_none) {
    static const struct sr_pair pairs[] = {{"format", "saferoute"}, {"precision", "int8"}};
    take_original();
    write_list(pairs, 2);
    import_fails(source, "", 65, "a folded router");
}

/* ---- files ---- */

/* What is written is opened as a router before it gets its name, and not under a name that nobody knows. */
Test(import, what_would_not_open_is_not_left) {
    static const struct sr_pair pairs[] = {
        {"format", "saferoute"}, {"format_version", "1"}, {"threshold", "high"}};
    char name[300];
    take_original();
    write_list(pairs, SR_COUNT(pairs));
    snprintf(name, sizeof name, "error: %s: ", out);
    import_fails(source, "", 65, name);
    snprintf(name, sizeof name, "ls -A '%s' | grep -q tmp", folder);
    cr_expect_neq(system(name), 0, "the file under its passing name was left");
}

Test(import, no_file_is_overwritten) {
    char file[256];
    vector_path(file, "checkpoint.pt");
    expect_failure(run_program(folder, "import --out '%s'", out), 2, "FILE is missing");
    expect_failure(run_program(folder, "import '%s'", file), 2, "--out is missing");
    import_fails("/nowhere.pt", "", 66, "no such file");
    cr_assert_eq(sr_atomic_file_write(out, "old", 3, &err), SR_OK);
    expect_failure(run_program(folder, "import '%s' --out '%s'", file, out), 2, "never overwritten");
    char *old = slurp(out);
    cr_expect_str_eq(old, "old");
    sr_free(old);
    take_original();
    write_list(NULL, 0);
    expect_failure(run_program(folder, "import '%s' --out '%s'", source, source), 2,
                   "which it would destroy");
}

/* The program inside would leave a file; it is refused, by name, and not run. */
Test(import, a_program_is_not_run) {
    char program[256], path[128];
    struct zip_bytes z;
    snprintf(path, sizeof path, "%s/ran", folder);
    const size_t text = 6 + strlen(path);
    size_t n = 0;
    n += (size_t)sprintf(program, "%s", "\x80\x02}X\x01");
    memcpy(program + n, "\0\0\0acposix\nsystem\nX", 19);
    n += 19;
    program[n++] = (char)text;
    memcpy(program + n, "\0\0\0", 3);
    n += 3;
    n += (size_t)sprintf(program + n, "touch %s\x85Rs.", path);
    const struct zip_entry entries[] = {{.name = "m/data.pkl", .data = program, .size = n},
                                        {.name = "m/version", .data = "3", .size = 1}};
    zip_make(&z, entries, SR_COUNT(entries));
    cr_assert_eq(sr_atomic_file_write(source, z.at, z.size, &err), SR_OK);
    import_fails(source, "", 65, "asks for posix.system, a class or function that is no part of a tensor");
    cr_expect_neq(access(path, F_OK), 0);
}
