/* nn.h: the door of nn: layers, loss and model, forward and backward, handwritten.
 *
 * A model is a chain of layers over three blocks of numbers: params, grads (same layout) and state (running
 * statistics). Everything is planned and allocated once, by sr_model_create; a step allocates nothing. One
 * training step:
 *
 *     sr_model_forward(m, &(struct sr_pass){.training = true, .seed = seed, .step = step}, x, rows);
 *     loss = sr_focal_mean(dlogit, sr_model_logits(m), y, NULL, rows, &focal);
 *     sr_model_backward(m, dlogit, rows);
 *     sr_adamw_step(...);                                          // train/
 *
 * A pass runs on one team of OpenMP threads, over blocks of columns (matmul.h): the same bits for any number
 * of threads. A model belongs to one thread at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_NN_H
#define SR_NN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"
#include "nn/matmul.h"

/* ---- layers ---- */

/* What the whole chain is told about a pass. */
struct sr_pass {
    bool training;    /* batch statistics and dropout; else running statistics and no dropout */
    uint64_t seed;    /* of the dropout masks */
    uint64_t step;    /* names the masks of this step */
    bool masks_given; /* the dropout layers' masks were filled by the caller: keep them */
};

enum sr_tensor_role {
    SR_ROLE_PARAM,  /* trained; has a gradient */
    SR_ROLE_STATE,  /* running statistics */
    SR_ROLE_COUNTER /* one int64: num_batches_tracked */
};

#define SR_LAYER_TENSORS 5

/* One named tensor of a layer, PyTorch's name and shape. */
struct sr_layer_tensor {
    const char *name; /* "weight", "running_mean", ... */
    enum sr_tensor_role role;
    int rank;
    size_t shape[2];
    real *data;       /* PARAM and STATE */
    real *grad;       /* PARAM */
    int64_t *counter; /* COUNTER */
};

struct sr_layer {
    const struct sr_layer_kind *kind;
    size_t in, out; /* widths */
    double p;       /* dropout probability, 0 <= p < 1 */
    size_t index;   /* position in the chain: the key's number, and the dropout stream */
    size_t n_tensors;
    struct sr_layer_tensor tensor[SR_LAYER_TENSORS]; /* the kind's order */
    void *saved; /* kind's notes from forward to backward, saved_bytes long */
    size_t saved_bytes;
};

/* What a kind of layer is. x, dx [rows, in] and y, dy [rows, out] lie in blocks of columns (matmul.h); rows
 * <= the max_rows planned. Each function works on one block and is called by one thread; the blocks of a pass
 * may be worked on at the same time, in any order. Functions return void: shapes are proved when the model is
 * planned. Gradients are overwritten. */
struct sr_layer_kind {
    const char *name;
    /* Column j of y follows from column j of x alone, so that a block goes from layer to layer without
     * waiting for the others; out equals in, and dx may be dy. */
    bool columnwise;
    /* Forward may put y where x is: neither this kind's backward nor that of what is below reads it again. */
    bool in_place;
    /* Fills tensor[].{name, role, rank, shape} and n_tensors; NULL: no tensors. */
    void (*describe)(struct sr_layer *l);
    /* Bytes of `saved` for at most max_rows rows; NULL: none. */
    size_t (*saved_size)(const struct sr_layer *l, size_t max_rows);
    /* First values of params and state. NULL: nothing to set. */
    void (*init)(struct sr_layer *l, uint64_t seed);
    /* Block b of y. Reads all of x, or the same block if columnwise. */
    void (*forward)(struct sr_layer *l, const struct sr_pass *pass, real *y, const real *x, size_t rows,
                    size_t b);
    /* After a training forward of the same x and rows. Gradients of the parameters that belong to block b of
     * dy. NULL: no parameters. */
    void (*gradient)(struct sr_layer *l, const real *dy, const real *x, size_t rows, size_t b);
    /* After gradient. Block b of dx. Reads all of dy, or the same block if columnwise. */
    void (*backward)(struct sr_layer *l, real *dx, const real *dy, const real *x, size_t rows, size_t b);
};

#define SR_LAYER(name) extern const struct sr_layer_kind sr_layer_##name;
#include "nn/layers.def"
#undef SR_LAYER

/* Every kind of layers.def, ended by NULL. */
extern const struct sr_layer_kind *const sr_layer_kinds[];

#define SR_BATCHNORM_MOMENTUM 0.1

/* ---- loss, on the logit ---- */

/* One family: focal loss, which with gamma 0 is cross-entropy, with a weight for each class. The published
 * router has positive .75, negative .25, gamma 2; PyTorch's BCEWithLogitsLoss positive pos_weight, negative
 * 1, gamma 0. */
struct sr_focal {
    double positive, negative; /* weights of the classes, >= 0 */
    double gamma;              /* >= 0 */
    double smoothing;          /* 0..1: a label y counts as y (1 - smoothing) + smoothing / 2 */
};
/* Loss of one row and, if dlogit is not NULL, its derivative. Lin et al., "Focal loss for dense object
 * detection", ICCV 2017, eq. 5: -alpha_t (1 - p_t)^gamma log(p_t). Smoothing (Szegedy et al., "Rethinking the
 * Inception architecture", CVPR 2016, section 7) mixes the losses of both labels. Finite for every finite
 * logit. */
double sr_focal(double logit, int label, const struct sr_focal *f, double *dlogit);

/* Mean over rows of weight times loss; weight [rows] may be NULL (1 each). dlogit [rows] (may be NULL) gets
 * the derivative of that mean. */
double sr_focal_mean(real *dlogit, const real *logit, const uint8_t *label, const float *weight, size_t rows,
                     const struct sr_focal *f);

/* Binary cross-entropy of one row: log(1 + exp(-+logit)). */
double sr_bce(double logit, int label);

/* ---- model ---- */

#define SR_ROWS_MAX   (1u << 20)
#define SR_HIDDEN_MAX 16
#define SR_WIDTH_MAX  65536

/* Hidden layer i: Linear, BatchNorm, GELU, Dropout(dropout[i]); then Linear to one logit. */
struct sr_model_spec {
    size_t in;       /* features a row, D */
    size_t n_hidden; /* 0..SR_HIDDEN_MAX */
    size_t hidden[SR_HIDDEN_MAX];
    double dropout[SR_HIDDEN_MAX];
};

/* The seed's: D-1024-512-256-1 with dropout .3, .3, .2. */
struct sr_model_spec sr_model_spec_seed(size_t in);

struct sr_model {
    struct sr_model_spec spec;
    size_t max_rows;
    size_t n_layers;
    struct sr_layer *layer;
    size_t n_params, n_state; /* numbers in the blocks */
    real *params, *grads;     /* [n_params], tensors in layer order */
    real *state;              /* [n_state] */
    real *input;              /* the features of the last forward; this and the next two lie in blocks */
    real **activation;        /* [n_layers] outputs, each [max_rows, layer.out] */
    real *dactivation[2];     /* each [max_rows, widest layer] */
    real *logits;             /* [max_rows] of the last forward */
    struct sr_arena arena;
};

/* Allocates everything for batches of at most max_rows. SR_USAGE if the spec is not possible, SR_NOMEM.
 * Numbers are zero until sr_model_init. */
int sr_model_create(struct sr_model **out, const struct sr_model_spec *spec, size_t max_rows,
                    struct sr_error *err);
void sr_model_free(struct sr_model *m); /* NULL is fine */

/* Kaiming normal weights (fan-in, gain sqrt 2; He et al. 2015, eq. 10), biases 0, BatchNorm 1 and 0, running
 * statistics 0 and 1. A pure function of the seed. */
void sr_model_init(struct sr_model *m, uint64_t seed);

/* x [rows, in], 1 <= rows <= max_rows (at least 2 when training: BatchNorm needs a variance). */
void sr_model_forward(struct sr_model *m, const struct sr_pass *pass, const real *x, size_t rows);
const real *sr_model_logits(const struct sr_model *m); /* [rows] of the last forward */
/* After a training forward of as many rows: fills grads from dlogit [rows]. */
void sr_model_backward(struct sr_model *m, const real *dlogit, size_t rows);

/* "cls.4.weight": key of tensor t of layer l. Returns key. */
const char *sr_model_key(const struct sr_layer *l, const struct sr_layer_tensor *t, char key[SR_TENSOR_NAME]);

/* The model as tensors of a weights file: F32 (F64 in the double build), counters I64. list has room for
 * sr_model_tensor_count(m). The entries point into the model; nothing is copied. */
size_t sr_model_tensor_count(const struct sr_model *m);
void sr_model_tensors(const struct sr_model *m, struct sr_tensor *list);
/* Copies a weights file's tensors in. SR_DATA if one is missing or of another shape. */
int sr_model_load(struct sr_model *m, const struct sr_safetensors *file, struct sr_error *err);

/* ---- BLAS ---- */

/* C = beta*C + op(A) op(B), row-major; op transposes if the flag is set. m x n result, k inner. Serial,
 * once sr_cpu_threads has set the number of threads. Leading dimensions are row strides. */
void sr_gemm(bool trans_a, bool trans_b, size_t m, size_t n, size_t k, const real *a, size_t lda,
             const real *b, size_t ldb, real beta, real *c, size_t ldc);

/* Once, first thing in a program that trains: keeps BLAS serial under our own threads and, where OpenBLAS
 * chose a core weaker than the CPU, makes it choose again. What was found and done: */
struct sr_blas {
    const char *config;      /* "OpenBLAS 0.3.21 ..." */
    const char *core;        /* in use now */
    const char *core_before; /* chosen by the library at load */
    const char *parallel;    /* "serial", "pthread", "openmp" */
    const char *action;      /* one phrase on what was done about the core */
    bool weak;               /* the core in use is weaker than the CPU all the same */
};
const struct sr_blas *sr_blas_begin(void);

#endif
