/* test_infer_export_onnx.c: an ONNX file is the same bytes every time, says what the weights say, and is
 * refused when it is read back and anything of it is damaged. That other programs read it is seen by
 * tests/consumers/test_onnx.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run_program.h"

#include <dirent.h>

#include "infer/export.h"

#define WEIGHTS SR_SOURCE_DIR "/tests/vectors/router_weights.safetensors"
#define EXPORT  "export --to onnx --model " WEIGHTS " --threshold 0.5 --out "

/* A router written to folder/r.onnx, and what the file holds. */
struct exported {
    char *folder, path[64];
    struct sr_safetensors *file;
    struct sr_router *router;
    struct sr_export e;
    unsigned char *bytes;
    size_t size;
};

static void exported_begin(struct exported *x, const char *weights) {
    struct sr_error err;
    void *bytes;
    *x = (struct exported){.folder = folder_begin()};
    snprintf(x->path, sizeof x->path, "%s/r.onnx", x->folder);
    cr_assert_eq(sr_safetensors_open(&x->file, weights, &err), 0, "%s", err.text);
    cr_assert_eq(sr_router_open(&x->router, weights, &err), 0, "%s", err.text);
    cr_assert_eq(sr_router_unpack(x->router, &err), 0, "%s", err.text);
    x->e = (struct sr_export){.file = x->file,
                              .router = x->router,
                              .has_threshold = true,
                              .threshold = 0.5f,
                              .threshold_rule = "given",
                              .name = "r.onnx"};
    cr_assert_eq(sr_export_onnx_write(&x->e, x->folder, &err), 0, "%s", err.text);
    cr_assert_eq(sr_file_read(&bytes, &x->size, x->path, 1 << 24, &err), 0, "%s", err.text);
    x->bytes = bytes;
}

static void exported_end(struct exported *x) {
    sr_free(x->bytes);
    sr_router_close(x->router);
    sr_safetensors_close(x->file);
    folder_end(x->folder);
}

/* The check's status of the first `size` bytes as they are now. */
static int check(const struct exported *x, size_t size, struct sr_error *err) {
    FILE *f = fopen(x->path, "wb"); /* thousands of times: an atomic write each would take minutes */
    cr_assert(f && fwrite(x->bytes, 1, size, f) == size && fclose(f) == 0);
    *err = (struct sr_error){0};
    return sr_export_onnx_check(&x->e, x->folder, err);
}

static void expect_refused(const struct exported *x, const char *what, const char *word) {
    struct sr_error err;
    cr_expect_eq(check(x, x->size, &err), SR_BUG, "%s: taken (%s)", what, err.text);
    cr_expect(strstr(err.text, word), "%s: \"%s\" is not in: %s", what, word, err.text);
}

static void expect_taken(const struct exported *x) {
    struct sr_error err;
    cr_expect_eq(check(x, x->size, &err), 0, "%s", err.text);
}

static unsigned char *find_bytes(const struct exported *x, const void *what, size_t size) {
    unsigned char *at = memmem(x->bytes, x->size, what, size);
    cr_assert_not_null(at, "not in the file: %.*s", (int)size, (const char *)what);
    return at;
}

/* ---- through the program ---- */

static size_t count_files(const char *folder) {
    size_t n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *each; (each = readdir(d));)
        n += strcmp(each->d_name, ".") != 0 && strcmp(each->d_name, "..") != 0;
    closedir(d);
    return n;
}

Test(export_onnx, the_same_weights_are_the_same_bytes) {
    char *folder = folder_begin(), path[2][64];
    void *bytes[2];
    size_t size[2];
    for (int i = 0; i < 2; i++) {
        struct run r = run_program(folder, EXPORT "%s/%d.onnx", folder, i);
        cr_assert_eq(r.status, 0, "%s", r.err);
        cr_expect_str_empty(r.err);
        expect_in(r.out, "written as onnx, read back, the same router; threshold 0.5, rule given");
        run_end(&r);
        snprintf(path[i], sizeof path[i], "%s/%d.onnx", folder, i);
        cr_assert_eq(sr_file_read(&bytes[i], &size[i], path[i], 1 << 24, NULL), 0);
    }
    cr_expect(size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0);
    cr_expect_eq(count_files(folder), 4, "two files, stdout and stderr, and nothing left over");
    for (int i = 0; i < 2; i++)
        sr_free(bytes[i]);
    folder_end(folder);
}

/* ---- what it says ---- */

/* protobuf's entry of two short strings. */
static bool has_entry(const struct exported *x, const char *key, const char *value) {
    char entry[256];
    const int n = snprintf(entry, sizeof entry, "%c%c%s%c%c%s", 1 << 3 | 2, (int)strlen(key), key, 2 << 3 | 2,
                           (int)strlen(value), value);
    return memmem(x->bytes, x->size, entry, (size_t)n) != NULL;
}

static void exported_with(struct exported *x, const char *path, const struct sr_pair *pairs, size_t n) {
    struct sr_safetensors *plain;
    struct sr_error err;
    cr_assert_eq(sr_safetensors_open(&plain, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(path, plain, pairs, n, &err), 0, "%s", err.text);
    sr_safetensors_close(plain);
    exported_begin(x, path);
}

Test(export_onnx, says_what_the_weights_say) {
    static const struct sr_pair pairs[] = {{"format", "pt"},
                                           {"threshold", "0.25"},
                                           {"threshold_rule", "budget=0.2"},
                                           {"feature_norm", "post"},
                                           {"large_model", "Large"},
                                           {"small_threshold", "0.5"},
                                           {"parent", "abc"},
                                           {"threshold_metrics", "{}"},
                                           {"rows_trained", "012345"},
                                           {"anything", "else"},
                                           {"calibration", "{\"method\":\"temperature\",\"temperature\":1}"},
                                           {"rows_calibrated", "0123"}};
    struct exported x;
    char *folder = folder_begin(), path[64];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    exported_with(&x, path, pairs, SR_COUNT(pairs));
    expect_taken(&x);
    for (size_t i = 3; i < SR_COUNT(pairs); i++)
        cr_expect_eq(has_entry(&x, pairs[i].key, pairs[i].value),
                     strncmp(pairs[i].key, "rows_", 5) != 0 && strncmp(pairs[i].key, "threshold_", 10) != 0,
                     "%s: sketches stay behind, and the metrics of another threshold", pairs[i].key);
    cr_expect(has_entry(&x, "format", "saferoute"));
    cr_expect(has_entry(&x, "format_version", "1"));
    cr_expect(has_entry(&x, "threshold", "0.5"));
    cr_expect(has_entry(&x, "threshold_rule", "given"));
    cr_expect(has_entry(&x, "decision", "large if prob > threshold, or if logit is not finite"));
    cr_expect(has_entry(&x, "sha256", sr_safetensors_hash(x.file)));
    cr_expect_not(has_entry(&x, "format", "pt") || has_entry(&x, "threshold", "0.25"), "one value a key");
    exported_end(&x);
    folder_end(folder);
}

Test(export_onnx, metrics_of_its_threshold_go_along) {
    static const struct sr_pair pairs[] = {{"threshold", "0.5"}, {"threshold_metrics", "{}"}};
    struct exported x;
    char *folder = folder_begin(), path[64];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    exported_with(&x, path, pairs, SR_COUNT(pairs));
    cr_expect(has_entry(&x, "threshold_metrics", "{}"));
    exported_end(&x);
    folder_end(folder);
}

/* Weights of `hidden` layers of two units, whose BatchNorm is not the identity. */
static void write_router(const char *path, size_t hidden) {
    static float value[2][4] = {{0.5f, -1, 0.25f, 2}, {1.5f, 0.5f}};
    static const char *const names[] = {"weight", "bias", "running_mean", "running_var"};
    static struct sr_tensor tensor[6 * SR_ROUTER_DEEPEST + 2];
    struct sr_error err;
    size_t n = 0;
    for (size_t l = 0; l <= hidden; l++) {
        const uint64_t outputs = l < hidden ? 2 : 1;
        for (size_t i = 0; i < (l < hidden ? 6 : 2); i++) {
            struct sr_tensor *t = &tensor[n++];
            *t = (struct sr_tensor){
                .dtype = SR_F32, .rank = i == 0 ? 2 : 1, .shape = {outputs, 2}, .data = value[i > 0]};
            snprintf(t->name, sizeof t->name, "cls.%zu.%s", 4 * l + (i > 1), names[i > 1 ? i - 2 : i]);
        }
    }
    cr_assert_eq(sr_safetensors_write(path, tensor, n, NULL, 0, &err), 0, "%s", err.text);
}

static size_t count_bytes(const struct exported *x, const char *what) {
    size_t n = 0;
    for (const unsigned char *at = x->bytes;
         (at = memmem(at, x->size - (size_t)(at - x->bytes), what, strlen(what))); at++)
        n++;
    return n;
}

/* Without a hidden layer there is no GELU and none of its constants. */
Test(export_onnx, any_depth_is_written) {
    static const size_t depths[] = {0, 1, SR_ROUTER_DEEPEST};
    char *folder = folder_begin(), path[64];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    for (size_t i = 0; i < SR_COUNT(depths); i++) {
        struct exported x;
        write_router(path, depths[i]);
        exported_begin(&x, path);
        expect_taken(&x);
        cr_expect_eq(count_bytes(&x, "\042\003Erf"), depths[i]);
        cr_expect_eq(count_bytes(&x, "\042\004Gemm"), depths[i] + 1);
        cr_expect_eq(count_bytes(&x, "sqrt_two"), depths[i] ? depths[i] + 1 : 0);
        exported_end(&x);
    }
    folder_end(folder);
}

/* ---- what is damaged is refused ---- */

Test(export_onnx, the_last_bit_of_a_weight_is_seen) {
    struct exported x;
    exported_begin(&x, WEIGHTS);
    expect_taken(&x);
    for (size_t l = 0; l < x.router->layers; l++) {
        const struct sr_router_layer *layer = &x.router->layer[l];
        const size_t items = layer->outputs * layer->inputs;
        unsigned char *w = find_bytes(&x, layer->w, items * sizeof(float)) + (items - 1) * sizeof(float);
        unsigned char *bias = find_bytes(&x, layer->bias, layer->outputs * sizeof(float));
        *w ^= 1;
        expect_refused(&x, "weight", "has not the weights of the router's layer");
        *w ^= 1;
        *bias ^= 1;
        expect_refused(&x, "bias", "has not the weights of the router's layer");
        *bias ^= 1;
    }
    expect_taken(&x);
    exported_end(&x);
}

/* Each changes the first place where `from` stands. Octal: tags and lengths of protobuf. */
static const struct {
    const char *from, *to, *word;
} damages[] = {
    {"Erf", "Tan", "node hidden.0.erf is a Tan"},
    {"Sigmoid", "Softmax", "node prob is a Softmax"},
    {"\042\007Sigmoid", "\042\003Erf\172\002xx", "it gives the prob"}, /* and a field that nobody knows */
    {"Div", "Mul", "it gives the logit"},
    {"Add", "Mul", "it gives the logit"},
    {"\363\004\265\077", "\363\024\265\077", "it gives the logit"}, /* sqrt(2): 1.00035 times as much */
    {"transB", "transA", "node hidden.0.linear is no x w' + bias"},
    {"hidden.0.scaled", "hidden.1.scaled", "reads hidden.0.scaled, which nothing before it makes"},
    {"\012\010features", "\012\010Features", "reads Features"},
    {"sha256\022", "sha255\022", "the sha256 of its metadata"},
    {"threshold\022\0030.5", "threshold\022\0030.6", "the threshold of its metadata is 0.6"},
    {"threshold\022", "Threshold\022", "the threshold of its metadata is (no name)"},
    {"\012\005logit", "\012\005Logit", "node prob reads Logit"},
    {"\004prob\022", "\004Prob\022", "inputs and outputs"},
    {"\005batch", "\005Batch", "inputs and outputs"},
    {"second_axis", "second_axle", "which nothing before it makes"},
};

Test(export_onnx, a_changed_graph_is_seen) {
    struct exported x;
    exported_begin(&x, WEIGHTS);
    for (size_t i = 0; i < SR_COUNT(damages); i++) {
        const size_t n = strlen(damages[i].from);
        unsigned char *at = find_bytes(&x, damages[i].from, n);
        memcpy(at, damages[i].to, n);
        expect_refused(&x, damages[i].to, damages[i].word);
        memcpy(at, damages[i].from, n);
    }
    expect_taken(&x);
    exported_end(&x);
}

Test(export_onnx, a_cut_file_is_refused) {
    struct exported x;
    struct sr_error err;
    exported_begin(&x, WEIGHTS);
    for (size_t size = 0; size < x.size; size++)
        cr_assert_eq(check(&x, size, &err), SR_BUG, "%zu of %zu bytes: taken (%s)", size, x.size, err.text);
    exported_end(&x);
}

/* A changed bit may be in what nobody computes with, a name or a doc string; but the check ends, and the
 * sanitizers see where it reads. */
Test(export_onnx, no_bit_leads_the_check_astray) {
    struct exported x;
    struct sr_error err;
    size_t refused = 0;
    exported_begin(&x, WEIGHTS);
    for (size_t i = 0; i < x.size; i++) {
        const unsigned char bit = (unsigned char)(1 << i % 8);
        x.bytes[i] ^= bit;
        const int status = check(&x, x.size, &err);
        x.bytes[i] ^= bit;
        cr_assert(status == 0 || status == SR_BUG, "byte %zu: %d, %s", i, status, err.text);
        refused += status == SR_BUG;
    }
    cr_expect_gt(refused, x.size / 2);
    expect_taken(&x);
    exported_end(&x);
}
