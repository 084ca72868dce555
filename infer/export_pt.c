/* export_pt.c: the checkpoint {"state_dict": ..., "layer_idx": ...} as torch.save writes it, and config.json.
 *
 * The tensors are the bits of the weights file under the same names, in the order of the modules; layer_idx
 * is the feature_layer of the contract, None where it is not known. A checkpoint of this shape has no place
 * for threshold and contract: config.json beside it has them. Read back, every tensor's bits are compared,
 * and the network is run with its BatchNorm unfolded, in double: what PyTorch will do.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/data.h"
#include "infer/export_config.h"

#define PREFIX "state_dict."

/* Against the router, which sums up to thousands of float32 products a number: its rounding is a few units of
 * 1e-7 a layer, of numbers of order 1; a wrong bit shows where bits are compared. */
#define TOLERANCE 1e-5f

#define TENSORS_MAX (7 * SR_ROUTER_DEEPEST + 2)

/* ---- the tensors, in the order of the modules ---- */

struct state {
    size_t n;
    struct sr_tensor tensor[TENSORS_MAX];
    int64_t zero; /* num_batches_tracked where the weights have none */
};

static void add(struct state *s, const struct sr_safetensors *file, size_t module, const char *what) {
    struct sr_tensor *t = &s->tensor[s->n++];
    char name[SR_TENSOR_NAME];
    snprintf(name, sizeof name, "cls.%zu.%s", module, what);
    const struct sr_tensor *stored = sr_safetensors_find(file, name);
    *t = stored ? *stored : (struct sr_tensor){.dtype = SR_I64, .data = &s->zero};
    memcpy(t->name, name, sizeof name);
}

/* All that sr_router_open saw to be there. */
static struct state *state_create(const struct sr_export *e, struct sr_error *err) {
    static const char *const linear[] = {"weight", "bias"};
    static const char *const norm[] = {"weight", "bias", "running_mean", "running_var",
                                       "num_batches_tracked"};
    struct state *s = sr_alloc(1, sizeof *s, err);
    for (size_t l = 0; s && l < e->router->layers; l++) {
        for (size_t i = 0; i < SR_COUNT(linear); i++)
            add(s, e->file, 4 * l, linear[i]);
        for (size_t i = 0; l + 1 < e->router->layers && i < SR_COUNT(norm); i++)
            add(s, e->file, 4 * l + 1, norm[i]);
    }
    return s;
}

int sr_export_pt_write(const struct sr_export *e, const char *folder, struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    const struct sr_pair layer = {"layer_idx", sr_export_metadata(e, "feature_layer")};
    int status = sr_export_unrounded(e, err);
    if (status < 0 || (status = sr_export_spare(e, SR_EXPORT_CONFIG_NAME, sr_export_config_is_ours, err)) < 0)
        return status;
    if (!sr_export_path(path, folder, e->name, err))
        return SR_DATA;
    struct state *s = state_create(e, err);
    status = s ? sr_tensors_write_pt(path, s->tensor, s->n, &layer, 1, err) : SR_NOMEM;
    sr_free(s);
    return status == 0 ? sr_export_config_write(e, folder, SR_EXPORT_CONFIG_NAME, err) : status;
}

/* ---- read back ---- */

struct reader {
    const struct sr_export *e;
    char path[SR_EXPORT_PATH];
    struct sr_tensors *file;
    size_t n;
    void *data[TENSORS_MAX]; /* the bytes of each tensor of the state, in its order */
};

static int damaged(const struct reader *r, const char *tensor, const char *what, struct sr_error *err) {
    return sr_fail(err, SR_BUG, "%s: read back, tensor %s %s; nothing was kept of it: please report this",
                   r->path, tensor, what);
}

static int read_tensor(struct reader *r, const struct sr_tensor *want, struct sr_error *err) {
    char name[SR_TENSOR_NAME + sizeof PREFIX];
    const size_t items = (size_t)sr_tensor_items(want), size = sr_dtype_size(want->dtype);
    snprintf(name, sizeof name, PREFIX "%s", want->name);
    const size_t i = sr_tensors_find(r->file, name);
    const struct sr_tensor_info *info = sr_tensors_at(r->file, i);
    if (!info)
        return damaged(r, want->name, "is missing", err);
    if (info->dtype != want->dtype || info->rank != want->rank ||
        memcmp(info->shape, want->shape, (size_t)want->rank * sizeof *want->shape) != 0)
        return damaged(r, want->name, "has another type or shape", err);
    if (!(r->data[r->n] = sr_alloc(items, size, err)))
        return SR_NOMEM;
    const int status = sr_tensors_read(r->file, i, 0, r->data[r->n], items, err);
    if (status < 0)
        return status;
    return memcmp(r->data[r->n++], want->data, items * size) == 0
               ? 0
               : damaged(r, want->name, "has other bits", err);
}

static int read_all(struct reader *r, const struct state *s, struct sr_error *err) {
    const char *layer = sr_export_metadata(r->e, "feature_layer");
    const char *written = sr_tensors_metadata(r->file, "layer_idx");
    int status = 0;
    if (sr_tensors_count(r->file) != s->n)
        return damaged(r, "list", "is of another length", err);
    for (size_t i = 0; status == 0 && i < s->n; i++)
        status = read_tensor(r, &s->tensor[i], err);
    if (status == 0 && (layer ? !written || strcmp(layer, written) != 0 : written != NULL))
        status = sr_fail(err, SR_BUG, "%s: read back, layer_idx is %.40s; please report this", r->path,
                         written ? written : "None");
    return status;
}

/* ---- the network, once more: Linear, BatchNorm, GELU, unfolded ---- */

/* Tensors of a hidden layer in the order of the state: Linear weight, bias; BatchNorm weight, bias, mean,
 * variance, counter. */
enum { PER_LAYER = 7 };

static double batchnorm(double x, const float *const p[PER_LAYER], size_t o) {
    return (x - (double)p[4][o]) / sqrt((double)p[5][o] + SR_BATCHNORM_EPS) * (double)p[2][o] +
           (double)p[3][o];
}

static void layer_forward(double *out, const double *x, const float *const p[PER_LAYER], size_t inputs,
                          size_t outputs, bool last) {
    for (size_t o = 0; o < outputs; o++) {
        double sum = (double)p[1][o];
        for (size_t i = 0; i < inputs; i++)
            sum += x[i] * (double)p[0][o * inputs + i];
        const double y = last ? sum : batchnorm(sum, p, o);
        out[o] = last ? y : y * .5 * (1 + erf(y * 0.70710678118654752440));
    }
}

static int logits(void *user, float *logit, const float *x, size_t rows, struct sr_error *err) {
    const struct reader *r = user;
    const struct sr_router *shape = r->e->router; /* checked against the file's */
    const size_t width = sr_router_width(shape), widest = shape->widest > width ? shape->widest : width;
    double *block = sr_alloc(2 * widest, sizeof *block, err);
    if (!block)
        return SR_NOMEM;
    for (size_t i = 0; i < rows; i++) {
        double *in = block, *out = block + widest, *swap;
        for (size_t k = 0; k < width; k++)
            in[k] = (double)x[i * width + k];
        for (size_t l = 0; l < shape->layers; l++, swap = in, in = out, out = swap) {
            const float *const *p = (const float *const *)&r->data[PER_LAYER * l];
            layer_forward(out, in, p, shape->layer[l].inputs, shape->layer[l].outputs,
                          l + 1 == shape->layers);
        }
        logit[i] = (float)in[0];
    }
    sr_free(block);
    return 0;
}

static int check_file(struct reader *r, struct sr_error *err) {
    struct state *s = state_create(r->e, err);
    int status = s ? sr_tensors_open(&r->file, r->path, err) : SR_NOMEM;
    if (status == 0)
        status = read_all(r, s, err);
    if (status == 0)
        status = sr_export_compare(r->e, r->path, TOLERANCE, logits, r, err);
    for (size_t i = 0; i < TENSORS_MAX; i++)
        sr_free(r->data[i]);
    sr_tensors_close(r->file);
    sr_free(s);
    return status;
}

int sr_export_pt_check(const struct sr_export *e, const char *folder, struct sr_error *err) {
    struct reader r = {.e = e};
    if (!sr_export_path(r.path, folder, e->name, err))
        return SR_DATA;
    const int status = check_file(&r, err);
    return status == 0 ? sr_export_config_check(e, folder, SR_EXPORT_CONFIG_NAME, err) : status;
}
