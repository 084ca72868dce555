/* export_c_read.c: exported C read back, without a compiler.
 *
 * Follows what a compiler would see, from the table of layers to the tables of weights that it names, takes
 * every word from the text, and computes logits with loops of its own, in double and with libm's erf. That
 * the code around the tables is right is not looked at here: tests compile and run it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/export_c.h"

#define SOURCE_MAX ((size_t)4 << 30)

/* Against the router, which sums up to thousands of float32 products a number: its rounding is a few units of
 * 1e-7 a layer, of numbers of order 1; a word or an order that is wrong shows in the words themselves. */
#define TOLERANCE 1e-5f

struct read_layer {
    size_t inputs, outputs;
    uint32_t *w, *bias; /* w: as panels.h says */
};

struct reader {
    const struct sr_export *e;
    struct sr_export_c_names names;
    char path[SR_EXPORT_PATH], header_path[SR_EXPORT_PATH];
    char *code, *header; /* the texts */
    size_t layers;
    struct read_layer layer[SR_ROUTER_DEEPEST + 1];
};

static int damaged(const struct reader *r, const char *what, struct sr_error *err) {
    return sr_fail(err, SR_BUG, "%s: read back, %s; nothing was kept of it: please report this", r->path,
                   what);
}

/* ---- the text ---- */

/* Behind the first "PREFIXwhat" of the code, where PREFIX is the file's own; NULL. */
static const char *find(const struct reader *r, const char *before, const char *what) {
    char text[SR_EXPORT_PATH];
    snprintf(text, sizeof text, "%s%s%s", before, r->names.lower, what);
    const char *at = strstr(r->code, text);
    return at ? at + strlen(text) : NULL;
}

/* A number as C writes it, with what must follow it; NULL if it is not there. */
static const char *take_number(const char *at, uint64_t *value, const char *then) {
    char *end;
    if (!at)
        return NULL;
    *value = strtoull(at, &end, 0);
    return end != at && strncmp(end, then, strlen(then)) == 0 ? end + strlen(then) : NULL;
}

/* The n words between the braces of the table PREFIXname, which has just these; free with sr_free. */
static int take_table(uint32_t **out, const struct reader *r, const char *name, size_t n,
                      struct sr_error *err) {
    const char *at = find(r, "static const uint32_t ", name);
    uint32_t *words = sr_alloc(n, sizeof *words, err);
    if (!(*out = words))
        return SR_NOMEM;
    at = at ? strchr(at, '{') : NULL;
    at = at ? at + 1 : NULL;
    for (size_t i = 0; at && i < n; i++) {
        uint64_t value = UINT64_MAX;
        at = take_number(at, &value, "");
        at = at && value <= UINT32_MAX ? at + (*at == ',') : NULL;
        words[i] = (uint32_t)value;
    }
    if (at)
        at += strspn(at, "\n");
    return at && strncmp(at, "};", 2) == 0 ? 0 : damaged(r, "a table of numbers is not whole", err);
}

static int take_layer(struct reader *r, size_t l, struct sr_error *err) {
    struct read_layer *layer = &r->layer[l];
    char name[32];
    snprintf(name, sizeof name, "w%zu[", l);
    const int status = take_table(&layer->w, r, name, sr_panels_items(layer->inputs, layer->outputs), err);
    snprintf(name, sizeof name, "b%zu[", l);
    return status < 0 ? status : take_table(&layer->bias, r, name, layer->outputs, err);
}

/* The lines {inputs, outputs, PREFIXwL, PREFIXbL}, of the shapes that the router has. */
static int take_layers(struct reader *r, struct sr_error *err) {
    const struct sr_router *router = r->e->router;
    const char *at = find(r, "} ", "layers[] = {");
    for (size_t l = 0; at && l < router->layers; l++) {
        uint64_t inputs = 0, outputs = 0;
        char tables[2 * sizeof r->names.lower + 64];
        at = strstr(at, "{");
        at = take_number(at ? at + 1 : NULL, &inputs, ", ");
        at = take_number(at, &outputs, ", ");
        snprintf(tables, sizeof tables, "%sw%zu, %sb%zu},\n", r->names.lower, l, r->names.lower, l);
        if (!at || strncmp(at, tables, strlen(tables)) != 0 || inputs != router->layer[l].inputs ||
            outputs != router->layer[l].outputs)
            return damaged(r, "its layers are not those of the router", err);
        at += strlen(tables);
        r->layer[l] = (struct read_layer){.inputs = (size_t)inputs, .outputs = (size_t)outputs};
    }
    if (!at || strncmp(at, "};", 2) != 0)
        return damaged(r, "the table of layers is not whole", err);
    r->layers = router->layers;
    return 0;
}

/* ---- against the router ---- */

static int compare_words(const struct reader *r, const uint32_t *words, const float *value, size_t n,
                         struct sr_error *err) {
    return memcmp(words, value, n * sizeof *words) == 0 ? 0 : damaged(r, "a weight has other bits", err);
}

static int compare_layers(const struct reader *r, struct sr_error *err) {
    int status = 0;
    for (size_t l = 0; status == 0 && l < r->layers; l++) {
        const struct sr_router_layer *want = &r->e->router->layer[l];
        status =
            compare_words(r, r->layer[l].w, want->panels, sr_panels_items(want->inputs, want->outputs), err);
        if (status == 0)
            status = compare_words(r, r->layer[l].bias, want->bias, want->outputs, err);
    }
    return status;
}

/* The self-test would compare with these. */
static int compare_expected(const struct reader *r, struct sr_error *err) {
    const size_t width = sr_router_width(r->e->router);
    float want[SR_EXPORT_C_ROWS], *x = sr_alloc(SR_EXPORT_C_ROWS * width, sizeof *x, err);
    uint32_t *words = NULL;
    int status = x ? take_table(&words, r, "expected[", SR_EXPORT_C_ROWS, err) : SR_NOMEM;
    if (status == 0) {
        sr_export_c_rows(x, width);
        sr_router_logits(r->e->router, want, x, SR_EXPORT_C_ROWS);
        status = compare_words(r, words, want, SR_EXPORT_C_ROWS, err);
    }
    sr_free(words);
    sr_free(x);
    return status;
}

static int compare_threshold(const struct reader *r, struct sr_error *err) {
    const char *at = find(r, "float ", "threshold(void) {");
    uint64_t bits = UINT64_MAX;
    at = at ? strstr(at, "(0x") : NULL;
    if (take_number(at ? at + 1 : NULL, &bits, ");") && bits <= UINT32_MAX) {
        const uint32_t word = (uint32_t)bits;
        return compare_words(r, &word, &r->e->threshold, 1, err);
    }
    return damaged(r, "it has no threshold", err);
}

static uint32_t hash_layer(uint32_t hash, const uint32_t *word, size_t n) {
    while (n-- > 0)
        hash = (hash ^ *word++) * 16777619u;
    return hash;
}

/* Header and code both name the checksum of the words that were read. */
static int compare_checksum(const struct reader *r, struct sr_error *err) {
    uint32_t hash = 2166136261u;
    char text[2 * sizeof r->names.upper];
    for (size_t l = 0; l < r->layers; l++) {
        hash = hash_layer(hash, r->layer[l].w, sr_panels_items(r->layer[l].inputs, r->layer[l].outputs));
        hash = hash_layer(hash, r->layer[l].bias, r->layer[l].outputs);
    }
    snprintf(text, sizeof text, "#define %sCHECKSUM        0x%08" PRIx32 "u", r->names.upper, hash);
    const bool header = strstr(r->header, text) != NULL;
    snprintf(text, sizeof text, "#if %sCHECKSUM != 0x%08" PRIx32 "\n", r->names.upper, hash);
    return header && strstr(r->code, text) ? 0 : damaged(r, "the checksum is not that of its weights", err);
}

/* ---- the network, once more ---- */

static double word_value(uint32_t word) {
    float value;
    memcpy(&value, &word, sizeof value);
    return (double)value;
}

static void layer_forward(double *out, const double *x, const struct read_layer *layer, bool last) {
    for (size_t o = 0; o < layer->outputs; o++) {
        const size_t first = o / SR_PANEL * SR_PANEL, wide = sr_panels_wide(layer->outputs, first);
        const uint32_t *w = layer->w + first * layer->inputs + (o - first);
        double sum = word_value(layer->bias[o]);
        for (size_t i = 0; i < layer->inputs; i++)
            sum += x[i] * word_value(w[i * wide]);
        out[o] = last ? sum : sum * .5 * (1 + erf(sum * 0.70710678118654752440));
    }
}

static int logits(void *user, float *logit, const float *x, size_t rows, struct sr_error *err) {
    const struct reader *r = user;
    const size_t width = r->layer[0].inputs,
                 widest = r->e->router->widest > width ? r->e->router->widest : width;
    double *block = sr_alloc(2 * widest, sizeof *block, err);
    if (!block)
        return SR_NOMEM;
    for (size_t i = 0; i < rows; i++) {
        double *in = block, *out = block + widest, *swap;
        for (size_t k = 0; k < width; k++)
            in[k] = (double)x[i * width + k];
        for (size_t l = 0; l < r->layers; l++, swap = in, in = out, out = swap)
            layer_forward(out, in, &r->layer[l], l + 1 == r->layers);
        logit[i] = (float)in[0];
    }
    sr_free(block);
    return 0;
}

/* ---- all of it ---- */

static int read_texts(struct reader *r, const char *folder, struct sr_error *err) {
    void *code = NULL, *header = NULL;
    size_t size;
    if (!sr_export_path(r->path, folder, r->e->name, err) ||
        !sr_export_path(r->header_path, folder, r->names.header, err))
        return SR_DATA;
    int status = sr_file_read(&code, &size, r->path, SOURCE_MAX, err);
    if (status == 0)
        status = sr_file_read(&header, &size, r->header_path, SOURCE_MAX, err);
    r->code = code;
    r->header = header;
    return status;
}

static int compare_all(struct reader *r, struct sr_error *err) {
    int status = take_layers(r, err);
    for (size_t l = 0; status == 0 && l < r->layers; l++)
        status = take_layer(r, l, err);
    if (status < 0 || (status = compare_layers(r, err)) < 0 || (status = compare_expected(r, err)) < 0 ||
        (status = compare_threshold(r, err)) < 0 || (status = compare_checksum(r, err)) < 0)
        return status;
    return sr_export_compare(r->e, r->path, TOLERANCE, logits, r, err);
}

int sr_export_c_check(const struct sr_export *e, const char *folder, struct sr_error *err) {
    struct reader r = {.e = e};
    int status = sr_export_c_names(&r.names, e->name, err);
    if (status == 0)
        status = read_texts(&r, folder, err);
    if (status == 0)
        status = compare_all(&r, err);
    for (size_t l = 0; l < r.layers; l++) {
        sr_free(r.layer[l].w);
        sr_free(r.layer[l].bias);
    }
    sr_free(r.code);
    sr_free(r.header);
    return status;
}
