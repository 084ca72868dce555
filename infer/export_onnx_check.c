/* export_onnx_check.c: an ONNX file read back and run.
 *
 * The graph is walked as any runtime would, node by node, through the names that stand in the file, with
 * plain loops in double and libm's erf and exp: nothing here is shared with the writer or with forward.c.
 * Only what a router needs is known; anything else is refused. Beside the logits, the weights must be the
 * router's to the bit, since a change in a weight's last digit moves no logit far enough to be seen. A
 * damaged file is refused, never followed out of its bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <math.h>
#include <onnx.pb-c.h>
#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/export.h"

#define FLOATS 1 /* data types of the format */
#define INT64S 7

/* The graph computes here in double and the router in float32: with the published size at most 1e-6 (1 +
 * |logit|) apart where it was measured. Ten times that leaves room for other weights; a wrong graph is off by
 * far more. */
#define TOLERANCE 1e-5f
/* prob and the logit it is of come from the same run: apart by float32's rounding of both, 6e-8 each at most.
 */
#define PROB_TOLERANCE 1e-6

/* A tensor while the graph runs: [d0, d1]; rank 1: d1 is 1; rank 0: one number. */
struct value {
    const char *name;
    int rank;
    size_t d0, d1;
    double *v; /* d0*d1 */
};

struct run {
    const struct sr_export *e;
    const char *path;
    const Onnx__ModelProto *model;
    const Onnx__GraphProto *graph;
    struct value *value; /* initialisers, features, then results */
    size_t n;
};

static int fail(const struct run *r, struct sr_error *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(const struct run *r, struct sr_error *err, const char *format, ...) {
    char what[256];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    return sr_fail(err, SR_BUG, "%s: read back, %s; nothing was kept of it: please report this", r->path,
                   what);
}

static bool same(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

static const char *shown(const char *name) {
    return name ? name : "(no name)";
}

/* ---- values ---- */

static struct value *find(const struct run *r, const char *name) {
    for (size_t i = 0; i < r->n; i++)
        if (same(r->value[i].name, name))
            return &r->value[i];
    return NULL;
}

/* *out: a new value of zeros. */
static int add(struct value **out, struct run *r, const char *name, int rank, size_t d0, size_t d1,
               struct sr_error *err) {
    size_t items;
    struct value *v = &r->value[r->n];
    if (!name || find(r, name) || __builtin_mul_overflow(d0, d1, &items)) {
        fail(r, err, "%.60s is there twice or too large", shown(name));
        return SR_BUG;
    }
    *v = (struct value){name, rank, d0, d1, sr_alloc(items, sizeof(double), err)};
    if (!v->v)
        return SR_NOMEM;
    *out = v;
    r->n++;
    return 0;
}

static void forget(struct run *r, size_t down_to) {
    while (r->n > down_to)
        sr_free(r->value[--r->n].v);
}

/* ---- tensors of the file ---- */

static double item(const Onnx__TensorProto *t, size_t i) {
    if (t->data_type == FLOATS) {
        float f;
        memcpy(&f, t->raw_data.data + i * sizeof f, sizeof f);
        return (double)f;
    }
    int64_t n;
    memcpy(&n, t->raw_data.data + i * sizeof n, sizeof n);
    return (double)n;
}

static int add_initializer(struct run *r, const Onnx__TensorProto *t, struct sr_error *err) {
    const size_t size = t->data_type == FLOATS ? sizeof(float) : sizeof(int64_t);
    size_t d[2] = {1, 1}, items, bytes;
    struct value *v;
    if (t->n_dims > 2 || (t->data_type != FLOATS && t->data_type != INT64S))
        return fail(r, err, "tensor %.60s has %zu dimensions and type %d", shown(t->name), t->n_dims,
                    t->data_type);
    for (size_t i = 0; i < t->n_dims; i++)
        d[i] = t->dims[i] > 0 ? (size_t)t->dims[i] : 0;
    if (__builtin_mul_overflow(d[0], d[1], &items) || __builtin_mul_overflow(items, size, &bytes) ||
        items == 0 || bytes != t->raw_data.len)
        return fail(r, err, "tensor %.60s is [%zu, %zu] in %zu bytes", shown(t->name), d[0], d[1],
                    t->raw_data.len);
    const int status = add(&v, r, t->name, (int)t->n_dims, d[0], d[1], err);
    for (size_t i = 0; status == 0 && i < items; i++)
        v->v[i] = item(t, i);
    return status;
}

static bool has_bits(const struct run *r, const char *name, const float *want, size_t items) {
    for (size_t i = 0; i < r->graph->n_initializer; i++) {
        const Onnx__TensorProto *t = r->graph->initializer[i];
        if (same(t->name, name))
            return t->data_type == FLOATS && t->raw_data.len == items * sizeof *want &&
                   memcmp(t->raw_data.data, want, items * sizeof *want) == 0;
    }
    return false;
}

/* Weights and biases of the Gemm nodes, in order, are those of the router's layers. */
static int check_weights(const struct run *r, struct sr_error *err) {
    const struct sr_router *router = r->e->router;
    size_t l = 0;
    for (size_t i = 0; i < r->graph->n_node; i++) {
        const Onnx__NodeProto *n = r->graph->node[i];
        if (!same(n->op_type, "Gemm"))
            continue;
        const struct sr_router_layer *layer = &router->layer[l];
        if (l == router->layers || n->n_input != 3 ||
            !has_bits(r, n->input[1], layer->w, layer->outputs * layer->inputs) ||
            !has_bits(r, n->input[2], layer->bias, layer->outputs))
            return fail(r, err, "node %.60s has not the weights of the router's layer %zu", shown(n->name),
                        l);
        l++;
    }
    return l == router->layers ? 0 : fail(r, err, "it has %zu layers and not %zu", l, router->layers);
}

/* ---- nodes ---- */

/* in [3]: NULL where the node has no such input. */
static int run_gemm(struct run *r, const Onnx__NodeProto *n, struct value *const *in, struct sr_error *err) {
    const struct value *x = in[0], *w = in[1], *bias = in[2];
    struct value *y;
    if (n->n_attribute != 1 || !same(n->attribute[0]->name, "transB") || n->attribute[0]->i != 1 || !bias ||
        x->rank != 2 || w->rank != 2 || bias->rank != 1 || w->d1 != x->d1 || bias->d0 != w->d0)
        return fail(r, err, "node %.60s is no x w' + bias", shown(n->name));
    const int status = add(&y, r, n->output[0], 2, x->d0, w->d0, err);
    for (size_t i = 0; status == 0 && i < x->d0; i++)
        for (size_t o = 0; o < w->d0; o++) {
            double sum = bias->v[o];
            for (size_t k = 0; k < x->d1; k++)
                sum += x->v[i * x->d1 + k] * w->v[o * x->d1 + k];
            y->v[i * w->d0 + o] = sum;
        }
    return status;
}

static double apply(char op, double a, double b) {
    switch (op) {
    case 'A':
        return a + b;
    case 'M':
        return a * b;
    case 'D':
        return a / b;
    case 'E':
        return erf(a);
    default:
        return 1 / (1 + exp(-a));
    }
}

/* Add, Mul and Div with an operand of the same shape or a number, Erf and Sigmoid without one. */
static int run_each(struct run *r, const Onnx__NodeProto *n, struct value *const *in, struct sr_error *err) {
    const struct value *a = in[0], *b = in[1];
    const bool two = *n->op_type != 'E' && *n->op_type != 'S';
    struct value *y;
    if (n->n_attribute != 0 || n->n_input != (two ? 2 : 1) ||
        (two && b->rank != 0 && (b->rank != a->rank || b->d0 != a->d0 || b->d1 != a->d1)))
        return fail(r, err, "node %.60s has operands that do not fit", shown(n->name));
    const int status = add(&y, r, n->output[0], a->rank, a->d0, a->d1, err);
    for (size_t i = 0; status == 0 && i < a->d0 * a->d1; i++)
        y->v[i] = apply(*n->op_type, a->v[i], two ? b->v[b->rank == 0 ? 0 : i] : 0);
    return status;
}

/* [batch, 1] to [batch]. */
static int run_squeeze(struct run *r, const Onnx__NodeProto *n, struct value *const *in,
                       struct sr_error *err) {
    const struct value *x = in[0], *axes = in[1];
    struct value *y;
    if (n->n_attribute != 0 || !axes || x->rank != 2 || x->d1 != 1 || axes->rank != 1 || axes->d0 != 1 ||
        axes->v[0] != 1)
        return fail(r, err, "node %.60s does not take the second of two axes away", shown(n->name));
    const int status = add(&y, r, n->output[0], 1, x->d0, 1, err);
    if (status == 0)
        memcpy(y->v, x->v, x->d0 * sizeof *x->v);
    return status;
}

static int run_node(struct run *r, const Onnx__NodeProto *n, struct sr_error *err) {
    static const struct {
        const char *op;
        int (*run)(struct run *r, const Onnx__NodeProto *n, struct value *const *in, struct sr_error *err);
    } known[] = {{"Gemm", run_gemm}, {"Div", run_each},     {"Erf", run_each},       {"Add", run_each},
                 {"Mul", run_each},  {"Sigmoid", run_each}, {"Squeeze", run_squeeze}};
    struct value *in[3] = {NULL};
    if (n->n_input < 1 || n->n_input > SR_COUNT(in) || n->n_output != 1)
        return fail(r, err, "node %.60s has %zu inputs and %zu outputs", shown(n->name), n->n_input,
                    n->n_output);
    for (size_t i = 0; i < n->n_input; i++)
        if (!(in[i] = find(r, n->input[i])))
            return fail(r, err, "node %.60s reads %.60s, which nothing before it makes", shown(n->name),
                        shown(n->input[i]));
    for (size_t i = 0; i < SR_COUNT(known); i++)
        if (same(n->op_type, known[i].op))
            return known[i].run(r, n, in, err);
    return fail(r, err, "node %.60s is a %.60s", shown(n->name), shown(n->op_type));
}

/* ---- the whole ---- */

/* What a runtime would hand out: the outputs, and that prob is the sigmoid of logit. */
static int take_outputs(const struct run *r, float *logit, size_t rows, struct sr_error *err) {
    const struct value *l = find(r, "logit"), *p = find(r, "prob");
    if (!l || !p || l->rank != 1 || p->rank != 1 || l->d0 != rows || p->d0 != rows)
        return fail(r, err, "logit and prob are not one number a row");
    for (size_t i = 0; i < rows; i++) {
        logit[i] = (float)l->v[i];
        const double want = (double)sr_router_prob(logit[i]);
        if (!(fabs(p->v[i] - want) <= PROB_TOLERANCE))
            return fail(r, err, "it gives the prob %.9g for the logit %.9g", p->v[i], l->v[i]);
    }
    return 0;
}

static int logits(void *user, float *logit, const float *x, size_t rows, struct sr_error *err) {
    struct run *r = user;
    const size_t width = sr_router_width(r->e->router), before = r->n;
    struct value *features;
    int status = add(&features, r, "features", 2, rows, width, err);
    for (size_t i = 0; status == 0 && i < rows * width; i++)
        features->v[i] = (double)x[i];
    for (size_t i = 0; status == 0 && i < r->graph->n_node; i++)
        status = run_node(r, r->graph->node[i], err);
    if (status == 0)
        status = take_outputs(r, logit, rows, err);
    forget(r, before);
    return status;
}

/* width 0: [batch]. */
static bool is_port(const Onnx__ValueInfoProto *port, const char *name, size_t width) {
    const Onnx__TypeProto__Tensor *t = port->type ? port->type->tensor_type : NULL;
    const Onnx__TensorShapeProto *shape = t ? t->shape : NULL;
    return same(port->name, name) && shape && t->elem_type == FLOATS && shape->n_dim == (width ? 2 : 1) &&
           same(shape->dim[0]->dim_param, "batch") && !shape->dim[0]->has_dim_value &&
           (width == 0 || (shape->dim[1]->dim_value > 0 && (size_t)shape->dim[1]->dim_value == width));
}

static int check_ports(const struct run *r, struct sr_error *err) {
    const Onnx__ModelProto *m = r->model;
    const Onnx__GraphProto *g = r->graph;
    if (m->ir_version != 8 || m->n_opset_import != 1 || m->opset_import[0]->version != 17)
        return fail(r, err, "it is not of IR version 8 and opset 17");
    if (g->n_input != 1 || !is_port(g->input[0], "features", sr_router_width(r->e->router)) ||
        g->n_output != 2 || !is_port(g->output[0], "logit", 0) || !is_port(g->output[1], "prob", 0))
        return fail(r, err, "its inputs and outputs are not features, logit and prob");
    return 0;
}

static const char *metadata(const struct run *r, const char *key) {
    for (size_t i = 0; i < r->model->n_metadata_props; i++)
        if (same(r->model->metadata_props[i]->key, key))
            return r->model->metadata_props[i]->value;
    return NULL;
}

static int check_metadata(const struct run *r, struct sr_error *err) {
    const char *threshold = metadata(r, "threshold"), *hash = metadata(r, "sha256");
    if (!same(hash, sr_safetensors_hash(r->e->file)))
        return fail(r, err, "the sha256 of its metadata is %.70s", shown(hash));
    if (r->e->has_threshold ? !threshold || strtof(threshold, NULL) != r->e->threshold : threshold != NULL)
        return fail(r, err, "the threshold of its metadata is %.40s", shown(threshold));
    return 0;
}

static int check_model(struct run *r, struct sr_error *err) {
    const size_t most = r->graph->n_initializer + 1 + r->graph->n_node;
    if (!(r->value = sr_alloc(most, sizeof *r->value, err)))
        return SR_NOMEM;
    int status = check_ports(r, err);
    if (status == 0)
        status = check_metadata(r, err);
    for (size_t i = 0; status == 0 && i < r->graph->n_initializer; i++)
        status = add_initializer(r, r->graph->initializer[i], err);
    if (status == 0)
        status = check_weights(r, err);
    if (status == 0)
        status = sr_export_compare(r->e, r->path, TOLERANCE, logits, r, err);
    forget(r, 0);
    sr_free(r->value);
    return status;
}

int sr_export_onnx_check(const struct sr_export *e, const char *folder, struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    struct run r = {.e = e, .path = path};
    void *bytes;
    size_t size;
    if (!sr_export_path(path, folder, e->name, err))
        return SR_DATA;
    int status = sr_file_read(&bytes, &size, path, INT32_MAX, err);
    if (status < 0)
        return status;
    errno = 0;
    Onnx__ModelProto *model = onnx__model_proto__unpack(NULL, size, bytes);
    if (!model && errno == ENOMEM)
        status = sr_fail(err, SR_NOMEM, "out of memory for reading %s back", path);
    sr_free(bytes);
    r.model = model;
    r.graph = model ? model->graph : NULL;
    if (status == 0)
        status = r.graph ? check_model(&r, err) : fail(&r, err, "it is no whole ONNX model");
    onnx__model_proto__free_unpacked(model, NULL);
    return status;
}
