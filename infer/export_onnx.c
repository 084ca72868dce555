/* export_onnx.c: a router as an ONNX model of opset 17 and IR version 8, which runtimes since 2022 read.
 *
 * The graph is the router as it is opened: BatchNorm folded, a Gemm a layer, and behind every one but the
 * last GELU in its erf form, x/sqrt(2), Erf, +1, *x, *0.5. In this order onnxruntime makes one Gelu node of
 * the five; opset 17 has none of its own. Weights are not copied: the messages point into the router and are
 * packed into the file's stream. The bytes depend on the weights, their metadata and this program's version
 * alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <onnx.pb-c.h>
#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <string.h>

#include "infer/export.h"

/* Of the format's enumerations. */
#define IR_VERSION    8
#define OPSET         17
#define TYPE_FLOAT    1
#define TYPE_INT64    7
#define ATTRIBUTE_INT 2

#define FILE_MAX  INT32_MAX /* protobuf's limit of a message, which readers keep */
#define NAME      48
#define GELU_STEP 5
#define NODES     (SR_ROUTER_DEEPEST * (1 + GELU_STEP) + 3)
#define TENSORS   (2 * (SR_ROUTER_DEEPEST + 1) + 4)
#define OWN_KEYS  6

/* raw_data is little-endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "floats are written as they lie in memory");

/* A node's one result has the node's name. */
struct node {
    Onnx__NodeProto proto;
    Onnx__AttributeProto transposed, *attribute[1];
    char *input[3], *output[1];
    char name[NAME];
};

struct tensor {
    Onnx__TensorProto proto;
    int64_t dims[2];
    char name[NAME];
};

/* An input or output of the graph, [batch] or [batch, width]. */
struct port {
    Onnx__ValueInfoProto proto, *list[1];
    Onnx__TypeProto type;
    Onnx__TypeProto__Tensor tensor;
    Onnx__TensorShapeProto shape;
    Onnx__TensorShapeProto__Dimension dim[2], *dims[2];
};

/* Messages and what they point to: is not to be copied. */
struct model {
    Onnx__ModelProto proto;
    Onnx__OperatorSetIdProto opset, *opsets[1];
    Onnx__GraphProto graph;
    struct port features, logit, prob;
    Onnx__ValueInfoProto *outputs[2];
    struct node node[NODES];
    Onnx__NodeProto *nodes[NODES];
    struct tensor tensor[TENSORS];
    Onnx__TensorProto *tensors[TENSORS];
    Onnx__StringStringEntryProto *entry, **entries; /* a block each */
    char threshold[SR_DECIMAL_TEXT];
};

static const float sqrt_two = 1.41421356237309515f, one = 1, half = 0.5f;
static const int64_t second_axis = 1;

/* The generated structs serve reading too, so what they point to is not const; packing leaves it alone. */
static void *unconst(const void *p) {
    return (void *)(uintptr_t)p;
}

/* ---- nodes and tensors ---- */

static char *add_tensor(struct model *m, const char *layer, const char *what, int type, const void *data,
                        size_t bytes) {
    const size_t n = m->graph.n_initializer++;
    struct tensor *t = &m->tensor[n];
    onnx__tensor_proto__init(&t->proto);
    snprintf(t->name, NAME, "%s%s", layer, what);
    t->proto.name = t->name;
    t->proto.has_data_type = 1;
    t->proto.data_type = type;
    t->proto.dims = t->dims;
    t->proto.has_raw_data = 1;
    t->proto.raw_data = (ProtobufCBinaryData){.len = bytes, .data = unconst(data)};
    m->tensors[n] = &t->proto;
    return t->name;
}

/* dims [outputs, inputs], or [outputs] where inputs is 0. */
static char *add_weights(struct model *m, const char *layer, const char *what, const float *data,
                         size_t outputs, size_t inputs) {
    struct tensor *t = &m->tensor[m->graph.n_initializer];
    t->dims[0] = (int64_t)outputs;
    t->dims[1] = (int64_t)inputs;
    char *name = add_tensor(m, layer, what, TYPE_FLOAT, data, outputs * (inputs ? inputs : 1) * sizeof *data);
    t->proto.n_dims = inputs ? 2 : 1;
    return name;
}

/* b and c may be NULL. Returns the name of the result. */
static char *add_node(struct model *m, const char *op, const char *layer, const char *what, const char *a,
                      const char *b, const char *c) {
    const size_t n = m->graph.n_node++;
    struct node *node = &m->node[n];
    onnx__node_proto__init(&node->proto);
    snprintf(node->name, NAME, "%s%s", layer, what);
    node->input[0] = unconst(a);
    node->input[1] = unconst(b);
    node->input[2] = unconst(c);
    node->output[0] = node->name;
    node->proto.name = node->name;
    node->proto.op_type = unconst(op);
    node->proto.input = node->input;
    node->proto.n_input = c ? 3 : b ? 2 : 1;
    node->proto.output = node->output;
    node->proto.n_output = 1;
    m->nodes[n] = &node->proto;
    return node->name;
}

/* x times the transposed weights, which lie as PyTorch has them, plus the bias. */
static char *add_linear(struct model *m, const char *layer, const struct sr_router_layer *l, const char *x) {
    struct node *node = &m->node[m->graph.n_node];
    Onnx__AttributeProto *transposed = &node->transposed;
    const char *w = add_weights(m, layer, "weight", l->w, l->outputs, l->inputs);
    const char *bias = add_weights(m, layer, "bias", l->bias, l->outputs, 0);
    char *result = add_node(m, "Gemm", layer, "linear", x, w, bias);
    onnx__attribute_proto__init(transposed);
    transposed->name = unconst("transB");
    transposed->has_type = transposed->has_i = 1;
    transposed->type = ATTRIBUTE_INT;
    transposed->i = 1;
    node->attribute[0] = transposed;
    node->proto.attribute = node->attribute;
    node->proto.n_attribute = 1;
    return result;
}

static char *add_gelu(struct model *m, const char *layer, const char *x) {
    const char *scaled = add_node(m, "Div", layer, "scaled", x, "sqrt_two", NULL);
    const char *erf = add_node(m, "Erf", layer, "erf", scaled, NULL, NULL);
    const char *raised = add_node(m, "Add", layer, "raised", erf, "one", NULL);
    const char *product = add_node(m, "Mul", layer, "product", x, raised, NULL);
    return add_node(m, "Mul", layer, "gelu", product, "half", NULL);
}

static void add_constants(struct model *m, bool gelu) {
    if (gelu) {
        add_tensor(m, "", "sqrt_two", TYPE_FLOAT, &sqrt_two, sizeof sqrt_two);
        add_tensor(m, "", "one", TYPE_FLOAT, &one, sizeof one);
        add_tensor(m, "", "half", TYPE_FLOAT, &half, sizeof half);
    }
    struct tensor *axes = &m->tensor[m->graph.n_initializer];
    axes->dims[0] = 1;
    add_tensor(m, "", "second_axis", TYPE_INT64, &second_axis, sizeof second_axis);
    axes->proto.n_dims = 1;
}

/* ---- the graph ---- */

/* width 0: [batch]. */
static void fill_port(struct port *p, const char *name, const char *doc, size_t width) {
    onnx__value_info_proto__init(&p->proto);
    onnx__type_proto__init(&p->type);
    onnx__type_proto__tensor__init(&p->tensor);
    onnx__tensor_shape_proto__init(&p->shape);
    for (size_t i = 0; i < 2; i++) {
        onnx__tensor_shape_proto__dimension__init(&p->dim[i]);
        p->dims[i] = &p->dim[i];
    }
    p->dim[0].dim_param = unconst("batch");
    p->dim[1].has_dim_value = 1;
    p->dim[1].dim_value = (int64_t)width;
    p->shape.dim = p->dims;
    p->shape.n_dim = width ? 2 : 1;
    p->tensor.has_elem_type = 1;
    p->tensor.elem_type = TYPE_FLOAT;
    p->tensor.shape = &p->shape;
    p->type.tensor_type = &p->tensor;
    p->proto.name = unconst(name);
    p->proto.type = &p->type;
    p->proto.doc_string = unconst(doc);
    p->list[0] = &p->proto;
}

static void fill_ports(struct model *m, size_t width) {
    fill_port(
        &m->features, "features",
        "float32 [batch, width]: the small guard's last hidden state, one row a prompt, not scaled; the "
        "metadata's keys feature_* say which layer, norm, pooling and template, where that is known",
        width);
    fill_port(
        &m->logit, "logit",
        "float32 [batch], log-odds: how much speaks for the small guard being wrong and the large one right. "
        "Not finite where a feature is NaN, infinite or far too large",
        0);
    fill_port(
        &m->prob, "prob",
        "float32 [batch], 0 to 1: the sigmoid of logit, not calibrated; to be compared, in float32, with the "
        "metadata's threshold",
        0);
    m->outputs[0] = &m->logit.proto;
    m->outputs[1] = &m->prob.proto;
    m->graph.input = m->features.list;
    m->graph.n_input = 1;
    m->graph.output = m->outputs;
    m->graph.n_output = 2;
}

static void fill_graph(struct model *m, const struct sr_router *r) {
    const char *x = "features";
    char layer[32];
    onnx__graph_proto__init(&m->graph);
    m->graph.name = unconst("router");
    m->graph.node = m->nodes;
    m->graph.initializer = m->tensors;
    fill_ports(m, sr_router_width(r));
    for (size_t l = 0; l + 1 < r->layers; l++) {
        snprintf(layer, sizeof layer, "hidden.%zu.", l);
        x = add_gelu(m, layer, add_linear(m, layer, &r->layer[l], x));
    }
    x = add_linear(m, "last.", &r->layer[r->layers - 1], x);
    add_constants(m, r->layers > 1);
    x = add_node(m, "Squeeze", "", "logit", x, "second_axis", NULL);
    add_node(m, "Sigmoid", "", "prob", x, NULL, NULL);
}

/* ---- metadata ---- */

static void add_entry(struct model *m, const char *key, const char *value) {
    const size_t n = m->proto.n_metadata_props;
    if (!value)
        return;
    onnx__string_string_entry_proto__init(&m->entry[n]);
    m->entry[n].key = unconst(key);
    m->entry[n].value = unconst(value);
    m->entries[n] = &m->entry[n];
    m->proto.n_metadata_props++;
}

/* What else the weights say of themselves goes along: contracts, metrics, parent. But not what is set anew,
 * the sketches of rows (kilobytes that only eval reads), nor what is said of a threshold that is not the one
 * written. */
static bool goes_along(const char *key, bool own_threshold) {
    static const char *const set_anew[OWN_KEYS] = {"format",         "format_version", "threshold",
                                                   "threshold_rule", "decision",       "sha256"};
    for (size_t i = 0; i < OWN_KEYS; i++)
        if (strcmp(key, set_anew[i]) == 0)
            return false;
    for (int use = 0; use < SR_USES; use++)
        if (strcmp(key, sr_use_key(use)) == 0)
            return false;
    if (strcmp(key, SR_RANGE_LIMIT) == 0) /* there is no range check here */
        return false;
    return own_threshold || strncmp(key, "threshold_", 10) != 0;
}

static int fill_metadata(struct model *m, const struct sr_export *e, struct sr_error *err) {
    size_t n;
    float own;
    const struct sr_pair *pair = sr_safetensors_pairs(e->file, &n);
    const bool own_threshold = sr_router_threshold(e->router, &own) && own == e->threshold;
    m->entry = sr_alloc(n + OWN_KEYS, sizeof *m->entry, err);
    m->entries = sr_alloc(n + OWN_KEYS, sizeof(Onnx__StringStringEntryProto *), err);
    if (!m->entry || !m->entries)
        return SR_NOMEM;
    add_entry(m, "format", "saferoute");
    add_entry(m, "format_version", "1");
    if (e->has_threshold)
        add_entry(m, "threshold", sr_decimal_float(m->threshold, e->threshold));
    add_entry(m, "threshold_rule", e->threshold_rule);
    add_entry(m, "decision", "large if prob > threshold, or if logit is not finite");
    for (size_t i = 0; i < n; i++)
        if (goes_along(pair[i].key, own_threshold))
            add_entry(m, pair[i].key, pair[i].value);
    add_entry(m, "sha256", sr_safetensors_hash(e->file));
    m->proto.metadata_props = m->entries;
    return 0;
}

/* ---- the file ---- */

static int fill_model(struct model *m, const struct sr_export *e, struct sr_error *err) {
    onnx__model_proto__init(&m->proto);
    onnx__operator_set_id_proto__init(&m->opset);
    m->opset.domain = unconst("");
    m->opset.has_version = 1;
    m->opset.version = OPSET;
    m->opsets[0] = &m->opset;
    m->proto.opset_import = m->opsets;
    m->proto.n_opset_import = 1;
    m->proto.has_ir_version = 1;
    m->proto.ir_version = IR_VERSION;
    m->proto.producer_name = unconst("saferoute");
    m->proto.producer_version = unconst(SR_VERSION);
    m->proto.doc_string = unconst(
        "A SafeRoute router: which rows go to the large guard. BatchNorm is folded into the weights; the "
        "metadata has the threshold, the decision and what the features must be.");
    m->proto.graph = &m->graph;
    fill_graph(m, e->router);
    return fill_metadata(m, e, err);
}

struct stream {
    ProtobufCBuffer base;
    FILE *to;
};

static void append(ProtobufCBuffer *buffer, size_t size, const uint8_t *bytes) {
    struct stream *s = (struct stream *)buffer;
    fwrite(bytes, 1, size, s->to); /* sr_atomic_file_commit sees what failed */
}

static int write_model(const struct model *m, const char *path, struct sr_error *err) {
    struct sr_atomic_file *f;
    const size_t size = onnx__model_proto__get_packed_size(&m->proto);
    if (size > FILE_MAX)
        return sr_fail(err, SR_DATA, "%s: the router has %zu bytes, and an ONNX file at most 2 GiB", path,
                       size);
    const int status = sr_atomic_file_open(&f, path, err);
    if (status < 0)
        return status;
    struct stream s = {{append}, sr_atomic_file_stream(f)};
    onnx__model_proto__pack_to_buffer(&m->proto, &s.base);
    return sr_atomic_file_commit(f, err);
}

int sr_export_onnx_write(const struct sr_export *e, const char *folder, struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    struct model *m;
    int status = sr_export_unrounded(e, err);
    if (status < 0)
        return status;
    if (!sr_export_path(path, folder, e->name, err))
        return SR_DATA;
    if (!(m = sr_alloc(1, sizeof *m, err)))
        return SR_NOMEM;
    status = fill_model(m, e, err);
    if (status == 0)
        status = write_model(m, path, err);
    sr_free(m->entry);
    sr_free(m->entries);
    sr_free(m);
    return status;
}
