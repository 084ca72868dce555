/* router.h: what a router is made of; private to infer/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ROUTER_H
#define SR_ROUTER_H

#include <stdatomic.h>

#include "infer/infer.h"
#include "infer/kernels.h"

/* forward.c's scratch on the stack: floats that layers read from and write to by turns, and bytes that a
 * layer's inputs are quantised to. Below 64 KiB with what else it keeps there; a call of more rows than go
 * into that (7 of the recipe's network, 3 of 16 bits, 5 in int8) takes the larger one, below 400 KiB, for 48
 * rows of float32 or in int8, or 24 of 16 bits. */
#define SR_SCRATCH           11264
#define SR_SCRATCH_INT8      11264
#define SR_SCRATCH_MANY      73728
#define SR_SCRATCH_MANY_INT8 98304
#define SR_BLOCK_MOST        64   /* rows that go through the network together */
#define SR_ROUTER_WIDEST     8192 /* outputs of a hidden layer */
#define SR_ROUTER_DEEPEST    64   /* hidden layers; the recipe has three */

/* out = w x + bias; GELU behind every layer but the last. */
struct sr_router_layer {
    size_t inputs, outputs;
    int precision; /* enum saferoute_precision, never AS_STORED */
    void *panels;  /* w, float, bfloat16 or int8, in the order of panels.h */
    float *scale;  /* [outputs], of INT8: w is scale * int8 */
    float *bias;
    /* w again as rows (outputs, inputs), for those who write files: NULL before sr_router_unpack, which fills
     * the one of `precision`. */
    float *w;
    uint16_t *w_bfloat16;
    int8_t *w_int8;
};

/* Where training's features lie; see range.c. */
struct sr_router_range {
    bool known;
    float *mean, *inverse;        /* [width]; inverse of the standard deviation */
    struct sr_router_layer basis; /* its outputs are a row's coordinates in the main directions of training's
                                     rows, scaled by inverse; it reads what layer 0 reads */
    float low, high;              /* of the mean of ((x - mean) * inverse)^2 */
    float share; /* least share of the sum of (x * inverse)^2 that lies in those directions */
    float limit; /* a row's range above it is out of range */
};

struct sr_router {
    atomic_size_t users; /* closed when the last one gives it back */
    struct sr_router_layer layer[SR_ROUTER_DEEPEST + 1];
    size_t layers;     /* hidden ones and the last, whose one output is the logit */
    size_t widest;     /* outputs of the widest layer, at most SR_ROUTER_WIDEST */
    bool standardised; /* layer 0 reads (x - mean) * inverse instead of x */
    int precision;     /* enum saferoute_precision, never AS_STORED */
    struct sr_router_range range;
    struct saferoute_options options;
    const struct sr_kernels *kernels;
    const struct sr_vec *vec;
    bool has_threshold;               /* given or stored */
    float threshold;                  /* SR_THRESHOLD_UNSET where there is none */
    struct sr_calibrator *calibrator; /* or NULL */
    unsigned char artefact[32];       /* SHA-256 of the whole file, and in hex */
    char artefact_text[65];
    struct sr_pair *metadata;
    size_t n_metadata;
    void *block; /* what the pointers above point to, but for calibrator and the rows of weights */
    void *rows;  /* these; NULL before sr_router_unpack */
};

/* One Linear and the BatchNorm behind it, as they lie in the weights file: w (outputs, inputs), the rest
 * (outputs). */
struct sr_fold {
    const float *w, *bias, *gamma, *beta, *mean, *variance;
};
/* Fills layer->w and layer->bias. SR_DATA if a result is no finite float. */
int sr_fold_layer(struct sr_router_layer *layer, const struct sr_fold *from, const char *name,
                  struct sr_error *err);

/* ---- open.c ---- */

/* A few rows by this CPU's kernels and by the plain ones. SR_BUG: not the same bits. SR_DATA: no finite
 * logit. */
int sr_router_self_test(struct sr_router *r, const char *path, struct sr_error *err);

/* ---- precision.c ---- */

/* Takes the layer's panels of its precision, scale and bias from the arena. */
void sr_precision_carve(struct sr_arena *arena, struct sr_router_layer *layer);
/* Fills w, w_bfloat16 or w_int8 of every layer from its panels. For a router that is not in use yet; once. */
int sr_router_unpack(struct sr_router *r, struct sr_error *err);

/* Fills a layer of any precision from rows of float32 weights: rounds to bfloat16 (ties to even), or to int8
 * with a scale for each output, max|w| / 127. SR_NOMEM. */
int sr_precision_convert(struct sr_router_layer *to, const float *w, const float *bias, struct sr_error *err);

/* Before that: w * deviation and bias + w mean, so that the layer reads standardised inputs. In place. */
void sr_precision_standardise(const struct sr_router_range *range, float *w, float *bias, size_t inputs,
                              size_t outputs);

/* ---- folded.c ---- */

#define SR_FOLDED_KEY     "precision"     /* metadata: "bfloat16" or "int8" */
#define SR_FOLDED_INPUTS  "folded_inputs" /* metadata: "raw" or "standardised", what layer 0 reads */
#define SR_FOLDED_TENSORS (3 * (SR_ROUTER_DEEPEST + 1))

/* The precision of a file of folded layers; AS_STORED where it is none. */
int sr_folded_precision(const struct sr_safetensors *file);
/* width[l] numbers go into layer l, width[l+1] come out. SR_DATA: they do not chain. */
int sr_folded_widths(size_t width[SR_ROUTER_DEEPEST + 2], size_t *layers, const struct sr_safetensors *file,
                     const char *path, struct sr_error *err);
/* SR_DATA where the file says that its first layer reads other inputs than r->standardised says, as one that
 * has lost its stats.* does. */
int sr_folded_check_inputs(const struct sr_router *r, const struct sr_safetensors *file, const char *path,
                           struct sr_error *err);
/* "raw" or "standardised" */
const char *sr_folded_inputs(const struct sr_router *r);
/* Fills the layers of r, which are carved. SR_DATA: a tensor is missing or of another type or shape. */
int sr_folded_read(struct sr_router *r, const struct sr_safetensors *file, const char *path,
                   struct sr_error *err);
/* The layers of a bfloat16 or int8 router that is unpacked as tensors, which borrow from it; returns how
 * many.
 */
size_t sr_folded_tensors(struct sr_tensor list[SR_FOLDED_TENSORS], const struct sr_router *r);

/* ---- forward.c ---- */

/* What the network says of a row. */
struct sr_scored {
    float logit;    /* NaN where reason is not SCORE */
    float range;    /* 0 where it was not looked at */
    uint8_t reason; /* SCORE, NOT_FINITE or OVERFLOW */
};

/* Rows first..first+n, n at most SR_BLOCK_MOST and sr_forward_most(r, rows). rows are of the router's width.
 */
void sr_forward(const struct sr_router *r, struct sr_scored *out, const struct saferoute_rows *rows,
                size_t first, size_t n);
size_t sr_forward_most(const struct sr_router *r, const struct saferoute_rows *rows);

/* ---- range.c ---- */

/* Tensors of a weights file that say where training's rows lie. */
#define SR_STATS_MEAN  "stats.mean"  /* [D] */
#define SR_STATS_VAR   "stats.var"   /* [D], population variance */
#define SR_STATS_BASIS "stats.basis" /* [k, D], orthonormal rows, of x / deviation */
#define SR_STATS_RANGE "stats.range" /* [3]: low, high, share */

/* Reads them; range->known is false where the file has none of them. SR_DATA where some are missing, or are
 * not finite. */
int sr_range_read(struct sr_router_range *range, const struct sr_safetensors *file, const char *path,
                  size_t width, struct sr_error *err);
/* The inverse of a deviation, of a variance that may be 0. mean_variance: over all features. */
float sr_range_inverse(double variance, double mean_variance);
/* How far out a row is: sums of sr_kernels.range_sums, coordinate [basis outputs]. */
float sr_range_of(const struct sr_router_range *range, const float sums[2], const float *coordinate,
                  size_t width);

#endif
