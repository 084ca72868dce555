/* folded.c: weights files with the folded layers of a bfloat16 or int8 router, which `export --dtype` writes.
 *
 * Metadata "precision" is "bfloat16" or "int8". Layer l is folded.l.weight (outputs, inputs) in BF16 or I8,
 * folded.l.scale (outputs) for I8, folded.l.bias (outputs); the last layer's weight is F32. The first layer
 * of an int8 router with stats.* reads standardised features (precision.c). A file like this opens as the
 * router that was exported, to the bit.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "infer/router.h"

static const char *const names[] = {
    [SAFEROUTE_AS_STORED] = "as stored",
    [SAFEROUTE_COMPUTE_FLOAT32] = "float32",
    [SAFEROUTE_COMPUTE_BFLOAT16] = "bfloat16",
    [SAFEROUTE_COMPUTE_INT8] = "int8",
};

const char *sr_precision_name(int precision) {
    return precision >= 0 && (size_t)precision < SR_COUNT(names) ? names[precision] : "unknown";
}

int sr_folded_precision(const struct sr_safetensors *file) {
    const char *text = sr_safetensors_metadata(file, SR_FOLDED_KEY);
    for (int p = SAFEROUTE_COMPUTE_BFLOAT16; text && p <= SAFEROUTE_COMPUTE_INT8; p++)
        if (strcmp(text, names[p]) == 0)
            return p;
    return SAFEROUTE_AS_STORED;
}

const char *sr_folded_inputs(const struct sr_router *r) {
    return r->standardised ? "standardised" : "raw";
}

int sr_folded_check_inputs(const struct sr_router *r, const struct sr_safetensors *file, const char *path,
                           struct sr_error *err) {
    const char *said = sr_safetensors_metadata(file, SR_FOLDED_INPUTS);
    if (said && strcmp(said, sr_folded_inputs(r)) == 0)
        return 0;
    return sr_fail(
        err, SR_DATA,
        "%s: its first layer reads %.40s features, but tensors stats.* are %s: something else than "
        "saferoute has rewritten the file; export it again",
        path, said ? said : "unknown", r->range.known ? "there" : "missing");
}

static const char *key_of(char key[SR_TENSOR_NAME], size_t l, const char *what) {
    snprintf(key, SR_TENSOR_NAME, "folded.%zu.%s", l, what);
    return key;
}

int sr_folded_widths(size_t width[SR_ROUTER_DEEPEST + 2], size_t *layers, const struct sr_safetensors *file,
                     const char *path, struct sr_error *err) {
    char key[SR_TENSOR_NAME];
    for (*layers = 0; *layers <= SR_ROUTER_DEEPEST; ++*layers) {
        const struct sr_tensor *w = sr_safetensors_find(file, key_of(key, *layers, "weight"));
        if (!w)
            break;
        if (w->rank != 2 || w->shape[0] == 0 || w->shape[1] == 0 || w->shape[0] > SR_ROUTER_WIDEST ||
            w->shape[1] > SR_SCRATCH || (*layers > 0 && w->shape[1] != width[*layers]))
            return sr_fail(
                err, SR_DATA,
                "%s: tensor %s is no matrix (outputs, inputs) that reads what the layer before gives", path,
                key);
        width[*layers] = (size_t)w->shape[1];
        width[*layers + 1] = (size_t)w->shape[0];
    }
    if (*layers == 0 || width[*layers] != 1)
        return sr_fail(err, SR_DATA, "%s: no layers folded.0.weight, ... that end in one logit", path);
    return 0;
}

/* The items of a tensor; NULL with err if it is not there in that type and shape, or holds no finite floats.
 */
static const void *need(const struct sr_safetensors *file, const char *path, const char *key,
                        enum sr_dtype dtype, size_t outputs, size_t inputs, struct sr_error *err) {
    const uint64_t shape[2] = {outputs, inputs};
    const size_t items = outputs * (inputs ? inputs : 1);
    const struct sr_tensor *t = sr_safetensors_need(file, key, dtype, inputs ? 2 : 1, shape, err);
    if (!t)
        return NULL;
    bool finite = dtype != SR_F32 || sr_vec()->all_finite(t->data, items);
    for (size_t i = 0; dtype == SR_BF16 && i < items; i++)
        finite = finite && (((const uint16_t *)t->data)[i] & 0x7f80) != 0x7f80;
    if (!finite)
        sr_fail(err, SR_DATA, "%s: tensor %s holds a NaN or an infinity", path, key);
    return finite ? t->data : NULL;
}

static int read_weight(struct sr_router_layer *layer, const char *key, const struct sr_safetensors *file,
                       const char *path, struct sr_error *err) {
    const size_t inputs = layer->inputs, outputs = layer->outputs;
    const enum sr_dtype dtype = layer->precision == SAFEROUTE_COMPUTE_INT8       ? SR_I8
                                : layer->precision == SAFEROUTE_COMPUTE_BFLOAT16 ? SR_BF16
                                                                                 : SR_F32;
    const void *w = need(file, path, key, dtype, outputs, inputs, err);
    if (!w)
        return SR_DATA;
    if (dtype == SR_I8)
        sr_panels_pack_int8(layer->panels, w, inputs, outputs);
    else if (dtype == SR_BF16)
        sr_panels_pack_bfloat16(layer->panels, w, inputs, outputs);
    else
        sr_panels_pack(layer->panels, w, inputs, outputs);
    return 0;
}

static int read_vector(float *to, const char *key, const struct sr_safetensors *file, const char *path,
                       size_t n, struct sr_error *err) {
    const float *from = need(file, path, key, SR_F32, n, 0, err);
    if (!from)
        return SR_DATA;
    memcpy(to, from, n * sizeof *to);
    return 0;
}

static int read_layer(struct sr_router_layer *layer, size_t l, const struct sr_safetensors *file,
                      const char *path, struct sr_error *err) {
    char key[SR_TENSOR_NAME];
    int status = read_weight(layer, key_of(key, l, "weight"), file, path, err);
    if (status == 0 && layer->scale)
        status = read_vector(layer->scale, key_of(key, l, "scale"), file, path, layer->outputs, err);
    return status < 0 ? status
                      : read_vector(layer->bias, key_of(key, l, "bias"), file, path, layer->outputs, err);
}

int sr_folded_read(struct sr_router *r, const struct sr_safetensors *file, const char *path,
                   struct sr_error *err) {
    int status = 0;
    for (size_t l = 0; status == 0 && l < r->layers; l++)
        status = read_layer(&r->layer[l], l, file, path, err);
    return status;
}

size_t sr_folded_tensors(struct sr_tensor list[SR_FOLDED_TENSORS], const struct sr_router *r) {
    size_t n = 0;
    for (size_t l = 0; l < r->layers; l++) {
        const struct sr_router_layer *layer = &r->layer[l];
        struct sr_tensor weight = {.rank = 2, .shape = {layer->outputs, layer->inputs}},
                         vector = {.dtype = SR_F32, .rank = 1, .shape = {layer->outputs}};
        weight.dtype = layer->w ? SR_F32 : layer->w_bfloat16 ? SR_BF16 : SR_I8;
        weight.data = layer->w            ? (void *)layer->w
                      : layer->w_bfloat16 ? (void *)layer->w_bfloat16
                                          : (void *)layer->w_int8;
        key_of(weight.name, l, "weight");
        list[n++] = weight;
        vector.data = layer->bias;
        key_of(vector.name, l, "bias");
        list[n++] = vector;
        vector.data = layer->scale;
        key_of(vector.name, l, "scale");
        if (layer->scale)
            list[n++] = vector;
    }
    return n;
}
