/* test_infer_export_pt.c: an exported checkpoint holds the bits of the weights, is the same bytes every time,
 * and is refused when it is read back and anything of it is another; config.json beside it spares somebody
 * else's. That PyTorch reads it is seen by tests/consumers/test_pt.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include "data/data.h"
#include "infer/export.h"

#define WEIGHTS SR_SOURCE_DIR "/tests/vectors/router_weights.safetensors"
#define EXPORT  "export --to pt --model " WEIGHTS " --threshold .5 --out "

static void export_fine(const char *folder, const char *weights) {
    struct run r =
        run_program(folder, "export --to pt --model '%s' --threshold .5 --out %s/r.pt", weights, folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "config.json");
    run_end(&r);
}

static struct sr_tensors *open_pt(const char *folder) {
    struct sr_tensors *t;
    struct sr_error err;
    char path[128];
    snprintf(path, sizeof path, "%s/r.pt", folder);
    cr_assert_eq(sr_tensors_open(&t, path, &err), 0, "%s", err.text);
    cr_expect_str_eq(sr_tensors_format(t), "torch.save");
    return t;
}

static void expect_same_tensor(struct sr_tensors *t, const struct sr_tensor *want) {
    char name[256], bytes[4096];
    struct sr_error err;
    snprintf(name, sizeof name, "state_dict.%s", want->name);
    const size_t i = sr_tensors_find(t, name), items = (size_t)sr_tensor_items(want),
                 size = items * sr_dtype_size(want->dtype);
    const struct sr_tensor_info *info = sr_tensors_at(t, i);
    cr_assert_not_null(info, "%s is missing", name);
    cr_assert_leq(size, sizeof bytes);
    cr_expect_eq(info->dtype, want->dtype, "%s", name);
    cr_assert_eq(info->rank, want->rank, "%s", name);
    for (int k = 0; k < want->rank; k++)
        cr_expect_eq(info->shape[k], want->shape[k], "%s", name);
    cr_assert_eq(sr_tensors_read(t, i, 0, bytes, items, &err), 0, "%s", err.text);
    cr_expect_eq(memcmp(bytes, want->data, size), 0, "%s", name);
}

Test(infer_export_pt, holds_the_bits_of_the_weights) {
    char *folder = folder_begin();
    struct sr_safetensors *file;
    struct sr_error err;
    export_fine(folder, WEIGHTS);
    struct sr_tensors *t = open_pt(folder);
    cr_assert_eq(sr_safetensors_open(&file, WEIGHTS, &err), 0, "%s", err.text);
    cr_expect_eq(sr_tensors_count(t), 23);
    for (size_t i = 0; i < sr_safetensors_count(file); i++)
        expect_same_tensor(t, sr_safetensors_at(file, i));
    cr_expect_str_eq(sr_tensors_at(t, 0)->name, "state_dict.cls.0.weight");
    cr_expect_str_eq(sr_tensors_at(t, 22)->name, "state_dict.cls.12.bias", "not in the order of the modules");
    cr_expect_null(sr_tensors_metadata(t, "layer_idx"));
    sr_safetensors_close(file);
    sr_tensors_close(t);
    folder_end(folder);
}

/* ---- weights that lack something, or hold more ---- */

/* WEIGHTS without their counters, with a tensor of an optimiser and this feature_layer, as
 * folder/w.safetensors. */
static void write_changed(const char *folder, const char *layer) {
    struct sr_safetensors *file;
    struct sr_tensor tensor[64];
    struct sr_error err;
    char path[128];
    float mean[2] = {1, 2};
    const struct sr_pair pair = {"feature_layer", layer};
    size_t n = 0;
    cr_assert_eq(sr_safetensors_open(&file, WEIGHTS, &err), 0, "%s", err.text);
    for (size_t i = 0; i < sr_safetensors_count(file); i++)
        if (!strstr(sr_safetensors_at(file, i)->name, "num_batches_tracked"))
            tensor[n++] = *sr_safetensors_at(file, i);
    cr_assert_eq(n, 20);
    tensor[n++] =
        (struct sr_tensor){.name = "optim.mean", .dtype = SR_F32, .rank = 1, .shape = {2}, .data = mean};
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    cr_assert_eq(sr_safetensors_write(path, tensor, n, &pair, 1, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
}

/* What the pickle says layer_idx is: the bytes behind the key. */
static bool pickled_as(const char *folder, const char *bytes, size_t n) {
    char path[128];
    void *text;
    size_t size;
    snprintf(path, sizeof path, "%s/r.pt", folder);
    cr_assert_eq(sr_file_read(&text, &size, path, 1 << 24, NULL), 0);
    const char *at = memmem(text, size, "layer_idx", strlen("layer_idx"));
    const bool same = at && memcmp(at + strlen("layer_idx"), bytes, n) == 0;
    sr_free(text);
    return same;
}

Test(infer_export_pt, the_layer_is_a_number_where_it_is_one) {
    static const struct {
        const char *layer, *pickled;
        size_t n;
    } cases[] = {{"23", "J\x17\0\0\0u.", 7},
                 {"-1", "J\xff\xff\xff\xffu.", 7},
                 {"last", "X\4\0\0\0lastu.", 11},
                 {"007",
                  "X\3\0\0\0"
                  "007u.",
                  10},
                 {"9999999999", "\x8a\x08\xff\xe3\x0b\x54\x02\0\0\0u.", 12},
                 {NULL, "Nu.", 3}};
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        char *folder = folder_begin(), path[128];
        write_changed(folder, cases[i].layer);
        snprintf(path, sizeof path, "%s/w.safetensors", folder);
        export_fine(folder, path);
        struct sr_tensors *t = open_pt(folder);
        const char *layer = sr_tensors_metadata(t, "layer_idx");
        cr_expect(cases[i].layer ? layer && strcmp(layer, cases[i].layer) == 0 : !layer, "%s is %s",
                  cases[i].layer, layer);
        cr_expect(pickled_as(folder, cases[i].pickled, cases[i].n), "%s", cases[i].layer);
        sr_tensors_close(t);
        folder_end(folder);
    }
}

/* load_state_dict(strict=True) wants the counters and nothing else. */
Test(infer_export_pt, only_the_state_dict_is_written_and_all_of_it) {
    char *folder = folder_begin(), path[128];
    int64_t counter = 1;
    struct sr_error err;
    write_changed(folder, NULL);
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    export_fine(folder, path);
    struct sr_tensors *t = open_pt(folder);
    cr_expect_eq(sr_tensors_count(t), 23);
    const size_t i = sr_tensors_find(t, "state_dict.cls.5.num_batches_tracked");
    cr_assert_eq(sr_tensors_read(t, i, 0, &counter, 1, &err), 0, "%s", err.text);
    cr_expect_eq(counter, 0);
    sr_tensors_close(t);
    folder_end(folder);
}

/* Folded and rounded weights are not what PyTorch or the exported C would compute. */
Test(infer_export_pt, rounded_weights_are_refused) {
    char *folder = folder_begin(), path[128];
    const struct saferoute_options options = {.precision = SAFEROUTE_COMPUTE_INT8};
    const struct sr_pair pairs[] = {{SR_FOLDED_KEY, "int8"}, {SR_FOLDED_INPUTS, "raw"}};
    struct sr_tensor list[SR_FOLDED_TENSORS];
    struct sr_router *router;
    struct sr_error err;
    cr_assert_eq(sr_router_open_with(&router, WEIGHTS, &options, &err), 0, "%s", err.text);
    snprintf(path, sizeof path, "%s/int8.safetensors", folder);
    cr_assert_eq(sr_router_unpack(router, &err), 0, "%s", err.text);
    const size_t n = sr_folded_tensors(list, router);
    cr_assert_eq(sr_safetensors_write(path, list, n, pairs, SR_COUNT(pairs), &err), 0, "%s", err.text);
    sr_router_close(router);
    expect_failure(
        run_program(folder, "export --to pt --model %s --threshold .5 --out %s/r.pt", path, folder), 65,
        "rounded to int8");
    expect_failure(run_program(folder, "export --to c --model %s --threshold .5 --out %s/r.c", path, folder),
                   65, "rounded to int8");
    folder_end(folder);
}

/* ---- files ---- */

Test(infer_export_pt, two_exports_are_the_same_bytes) {
    char *folder = folder_begin(), command[512];
    export_fine(folder, WEIGHTS);
    snprintf(command, sizeof command, "cd %s && mkdir one && mv r.pt config.json one", folder);
    cr_assert_eq(system(command), 0);
    cr_assert_eq(setenv("TZ", "Asia/Tokyo", 1), 0); /* zip archives have local times */
    struct run r = run_program(folder, EXPORT "%s/r.pt", folder);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    snprintf(command, sizeof command, "cd %s && cmp r.pt one/r.pt && cmp config.json one/config.json",
             folder);
    cr_expect_eq(system(command), 0);
    folder_end(folder);
}

/* One config.json cannot tell the threshold of two. */
Test(infer_export_pt, a_second_router_in_one_folder_is_refused) {
    char *folder = folder_begin(), path[128];
    export_fine(folder, WEIGHTS);
    expect_failure(run_program(folder, EXPORT "%s/other.pt", folder), 2, "config.json is there already");
    snprintf(path, sizeof path, "%s/other.pt", folder);
    cr_expect_neq(access(path, F_OK), 0);
    folder_end(folder);
}

/* Only the .pt was asked for by name. */
Test(infer_export_pt, a_config_of_somebody_else_is_spared) {
    static const char *const theirs[] = {"{\"format\": \"theirs\"}", "{}", "not JSON", ""};
    for (size_t i = 0; i < SR_COUNT(theirs); i++) {
        char *folder = folder_begin(), path[128];
        snprintf(path, sizeof path, "%s/config.json", folder);
        cr_assert_eq(sr_atomic_file_write(path, theirs[i], strlen(theirs[i]), NULL), 0);
        expect_failure(run_program(folder, EXPORT "%s/r.pt", folder), 2, "config.json is there already");
        char *text = slurp(path);
        cr_expect_str_eq(text, theirs[i]);
        sr_free(text);
        snprintf(path, sizeof path, "%s/r.pt", folder);
        cr_expect_neq(access(path, F_OK), 0, "a r.pt without its config.json");
        folder_end(folder);
    }
    char *folder = folder_begin();
    export_fine(folder, WEIGHTS);
    export_fine(folder, WEIGHTS); /* over our own */
    folder_end(folder);
}

/* ---- what was written wrongly is found before it has its name ---- */

struct exported {
    char *folder, path[128];
    struct sr_safetensors *file;
    struct sr_router *router;
    struct sr_export e;
    struct sr_tensor tensor[32]; /* as they were written */
    size_t n;
};

static void exported_begin(struct exported *x) {
    struct sr_error err;
    *x = (struct exported){.folder = folder_begin()};
    snprintf(x->path, sizeof x->path, "%s/r.pt", x->folder);
    cr_assert_eq(sr_safetensors_open(&x->file, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_router_open(&x->router, WEIGHTS, &err), 0, "%s", err.text);
    x->e = (struct sr_export){.file = x->file,
                              .router = x->router,
                              .has_threshold = true,
                              .threshold = .5f,
                              .threshold_rule = "given",
                              .name = "r.pt"};
    cr_assert_eq(sr_export_pt_write(&x->e, x->folder, &err), 0, "%s", err.text);
    cr_assert_eq(sr_export_pt_check(&x->e, x->folder, &err), 0, "%s", err.text);
    x->n = sr_safetensors_count(x->file);
    for (size_t i = 0; i < x->n; i++)
        x->tensor[i] = *sr_safetensors_at(x->file, i);
}

static void exported_end(struct exported *x) {
    sr_router_close(x->router);
    sr_safetensors_close(x->file);
    folder_end(x->folder);
}

static struct sr_tensor *tensor_find(struct exported *x, const char *name) {
    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->tensor[i].name, name) == 0)
            return &x->tensor[i];
    cr_assert_fail("no tensor %s", name);
    return NULL;
}

/* A whole file of x->tensor and that layer, which is not the export. */
static void expect_refused(struct exported *x, const char *layer, const char *word) {
    const struct sr_pair pair = {"layer_idx", layer};
    struct sr_error err = {0};
    cr_assert_eq(sr_tensors_write_pt(x->path, x->tensor, x->n, &pair, 1, &err), 0, "%s", err.text);
    cr_expect_eq(sr_export_pt_check(&x->e, x->folder, &err), SR_BUG, "taken in spite of: %s", word);
    cr_expect(strstr(err.text, word), "\"%s\" is not in: %s", word, err.text);
    exported_end(x);
}

Test(infer_export_pt, the_check_sees_one_bit_of_one_tensor) {
    static const char *const names[] = {"cls.0.weight", "cls.5.running_var", "cls.9.num_batches_tracked",
                                        "cls.12.bias"};
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        struct exported x;
        unsigned char bytes[4096];
        exported_begin(&x);
        struct sr_tensor *t = tensor_find(&x, names[i]);
        const size_t size = (size_t)sr_tensor_items(t) * sr_dtype_size(t->dtype);
        cr_assert_leq(size, sizeof bytes);
        memcpy(bytes, t->data, size);
        bytes[size - 1] ^= 1;
        t->data = bytes;
        expect_refused(&x, NULL, "has other bits");
    }
}

Test(infer_export_pt, the_check_sees_another_set_of_tensors) {
    struct exported x;
    exported_begin(&x);
    x.n--;
    expect_refused(&x, NULL, "another length");
    exported_begin(&x);
    snprintf(tensor_find(&x, "cls.4.bias")->name, SR_TENSOR_NAME, "cls.4.bios");
    expect_refused(&x, NULL, "cls.4.bias is missing");
    exported_begin(&x);
    tensor_find(&x, "cls.0.weight")->shape[0] = 16; /* (12, 16) becomes (16, 12) */
    tensor_find(&x, "cls.0.weight")->shape[1] = 12;
    expect_refused(&x, NULL, "cls.0.weight has another type or shape");
    exported_begin(&x);
    expect_refused(&x, "23", "layer_idx");
}

Test(infer_export_pt, the_check_sees_a_damaged_file) {
    struct exported x;
    void *bytes;
    size_t size;
    exported_begin(&x);
    cr_assert_eq(sr_file_read(&bytes, &size, x.path, 1 << 24, NULL), 0);
    unsigned char *byte = bytes;
    unsigned char *weight = memmem(bytes, size, x.tensor[3].data, 16);
    cr_assert_not_null(weight);
    *weight ^= 1;
    struct sr_error err = {0};
    cr_assert_eq(sr_atomic_file_write(x.path, byte, size, NULL), 0);
    cr_expect_lt(sr_export_pt_check(&x.e, x.folder, &err), 0);
    cr_expect(strstr(err.text, "checksum"), "%s", err.text);
    for (size_t n = 0; n < size; n += 97) {
        cr_assert_eq(sr_atomic_file_write(x.path, byte, n, NULL), 0);
        cr_expect_lt(sr_export_pt_check(&x.e, x.folder, &err), 0, "the first %zu bytes were taken", n);
    }
    sr_free(bytes);
    exported_end(&x);
}

Test(infer_export_pt, the_check_sees_another_threshold_in_the_config) {
    struct exported x;
    struct sr_error err = {0};
    exported_begin(&x);
    x.e.threshold = .25f;
    cr_expect_eq(sr_export_pt_check(&x.e, x.folder, &err), SR_BUG);
    cr_expect(strstr(err.text, "threshold"), "%s", err.text);
    exported_end(&x);
}

/* ---- the writer ---- */

Test(infer_export_pt, other_types_are_refused_and_leave_nothing) {
    char *folder = folder_begin(), path[128];
    uint16_t half[2] = {0};
    const struct sr_tensor t = {.name = "x", .dtype = SR_F16, .rank = 1, .shape = {2}, .data = half};
    struct sr_error err = {0};
    snprintf(path, sizeof path, "%s/x.pt", folder);
    cr_expect_eq(sr_tensors_write_pt(path, &t, 1, NULL, 0, &err), SR_BUG);
    cr_expect(strstr(err.text, "F16"), "%s", err.text);
    cr_expect_neq(access(path, F_OK), 0);
    folder_end(folder);
}
