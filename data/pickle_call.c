/* pickle_call.c: the names that a pickle of tensors may use, and what they make; see pickle_call.h.
 *
 * torch.save writes a tensor as a call, _rebuild_tensor_v2(storage, offset, size, stride, requires_grad,
 * hooks), whose storage is a persistent id. The call is not made: its arguments are looked at. Only tensors
 * that lie row by row without gaps are taken, so that a tensor is a range of bytes; others are refused with
 * the call that makes them so.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/pickle_call.h"
#include "data/values.h"
#include "nn/base/sizes.h"
#include "nn/base/utf8.h"

#define DEVICE_LAST  127 /* the last index of a device */
#define NO_GRADIENTS "has a tensor of whole numbers that requires gradients, which torch refuses"

enum use { ORDERED_DICT, TENSOR, PARAMETER, STORAGE, SIZE, DEVICE, VALUE };

struct sr_pickle_global {
    const char *module, *name;
    enum use use;
    enum sr_dtype dtype; /* of a storage */
};

static const struct sr_pickle_global globals[] = {
    {"collections", "OrderedDict", ORDERED_DICT, 0},
    {"torch._utils", "_rebuild_tensor_v2", TENSOR, 0},
    {"torch._utils", "_rebuild_parameter", PARAMETER, 0},
    {"torch", "FloatStorage", STORAGE, SR_F32},
    {"torch", "HalfStorage", STORAGE, SR_F16},
    {"torch", "BFloat16Storage", STORAGE, SR_BF16},
    {"torch", "DoubleStorage", STORAGE, SR_F64},
    {"torch", "LongStorage", STORAGE, SR_I64},
    {"torch", "IntStorage", STORAGE, SR_I32},
    {"torch", "ShortStorage", STORAGE, SR_I16},
    {"torch", "CharStorage", STORAGE, SR_I8},
    {"torch", "ByteStorage", STORAGE, SR_U8},
    {"torch", "BoolStorage", STORAGE, SR_BOOL},
    {"torch", "Size", SIZE, 0},
    {"torch", "device", DEVICE, 0},
};

/* Types of values stand alone in honest files, and nothing is made of them. */
static const char *const dtypes[] = {"bool",           "int8",
                                     "int16",          "int32",
                                     "int64",          "uint8",
                                     "uint16",         "uint32",
                                     "uint64",         "float16",
                                     "bfloat16",       "float32",
                                     "float64",        "complex32",
                                     "complex64",      "complex128",
                                     "float8_e4m3fn",  "float8_e4m3fnuz",
                                     "float8_e5m2",    "float8_e5m2fnuz",
                                     "float8_e8m0fnu", "float4_e2m1fn_x2",
                                     "qint8",          "qint32",
                                     "quint8",         "quint4x2",
                                     "quint2x4"};

static const struct sr_pickle_global dtype_value = {"torch", "dtype", VALUE, 0};

/* Names that honest files do hold, by their beginning, and what to save instead. */
static const struct {
    const char *start, *hint;
} hints[] = {
    {"numpy.core.multiarray.scalar", "a NumPy number: save x.item() instead"},
    {"numpy._core.multiarray.scalar", "a NumPy number: save x.item() instead"},
    {"numpy.", "a NumPy object: save torch.from_numpy(x) instead"},
    {"torch._utils._rebuild_sparse", "a sparse tensor: save x.to_dense() instead"},
    {"torch._utils._rebuild_qtensor", "a quantized tensor: save x.dequantize() instead"},
    {"torch.per_", "a quantized tensor: save x.dequantize() instead"},
    {"torch.Complex", "complex numbers: save torch.view_as_real(x) instead"},
    {"torch._utils._rebuild_meta_tensor", "a tensor of the meta device, which has no numbers"},
    {"torch.Q", "quantized values: save x.dequantize() instead"},
    {"torch._utils._rebuild_parameter_with_state",
     "a parameter with attributes of its own: save x.detach() instead"},
    {"torch._utils._rebuild_tensor_v3", "a tensor of a type not read here: save x.float() instead"},
    {"torch._tensor._rebuild_from_type_v2",
     "a tensor of a class of its own: save x.as_subclass(torch.Tensor)"},
    {"torch.nn.", "a whole module: save its state_dict() instead"},
    {"__main__.", "a class of the script that saved it: save the state_dict() instead"},
    {"argparse.", "settings as a Python object: save vars(x) or leave it out"},
    {"__builtin__.set", "a set: save sorted(x) instead"},
    {"builtins.set", "a set: save sorted(x) instead"},
    {"__builtin__.complex", "a complex number: save x.real and x.imag instead"},
    {"builtins.complex", "a complex number: save x.real and x.imag instead"},
    {"__builtin__.bytes", "bytes: save them as text, or leave them out"},
    {"builtins.bytes", "bytes: save them as text, or leave them out"},
    {"_codecs.encode", "bytes: save them as text, or leave them out"},
    {"pathlib.", "a path as a Python object: save str(x) instead"},
};

static bool same(const char *text, size_t length, const char *word) {
    return strlen(word) == length && memcmp(text, word, length) == 0;
}

const char *sr_pickle_name(char text[SR_PICKLE_NAME], const char *module, size_t module_length,
                           const char *name, size_t name_length) {
    const int of_module = (int)(module_length < 70 ? module_length : 70);
    const int of_name = (int)(name_length < 70 ? name_length : 70);
    snprintf(text, SR_PICKLE_NAME, "%.*s.%.*s", of_module, module, of_name, name);
    return text;
}

static int refuse(const struct sr_pickle *p, const char *full, struct sr_error *err) {
    char clean[SR_PICKLE_NAME];
    sr_utf8_clean(clean, sizeof clean, full);
    for (size_t i = 0; i < SR_COUNT(hints); i++)
        if (strncmp(full, hints[i].start, strlen(hints[i].start)) == 0)
            return sr_pickle_fail(p, err, "asks for %s, %s; not read", clean, hints[i].hint);
    return sr_pickle_fail(
        p, err, "asks for %s, a class or function that is no part of a tensor; nothing of it is run", clean);
}

int sr_pickle_global(const struct sr_pickle_global **out, const struct sr_pickle *p, const char *module,
                     size_t module_length, const char *name, size_t name_length, struct sr_error *err) {
    char full[SR_PICKLE_NAME];
    for (size_t i = 0; i < SR_COUNT(globals); i++)
        if (same(module, module_length, globals[i].module) && same(name, name_length, globals[i].name)) {
            *out = &globals[i];
            return SR_OK;
        }
    for (size_t i = 0; same(module, module_length, "torch") && i < SR_COUNT(dtypes); i++)
        if (same(name, name_length, dtypes[i])) {
            *out = &dtype_value;
            return SR_OK;
        }
    sr_pickle_name(full, module, module_length, name, name_length);
    return refuse(p, full, err);
}

bool sr_pickle_global_is_value(const struct sr_pickle_global *global) {
    return global->use == VALUE;
}

/* ---- arguments ---- */

static const struct sr_pickle_value *argument(const struct sr_pickle_value *tuple, size_t i) {
    return tuple->as.list.item[i];
}

static bool is_tuple(const struct sr_pickle_value *v, size_t least, size_t most) {
    return v->kind == SR_PICKLE_TUPLE && v->as.list.n >= least && v->as.list.n <= most;
}

static bool natural(const struct sr_pickle_value *v, uint64_t *out) {
    *out = (uint64_t)v->as.integer;
    return v->kind == SR_PICKLE_INTEGER && v->as.integer >= 0;
}

static bool is_empty_dict(const struct sr_pickle_value *v) {
    return v->kind == SR_PICKLE_DICT && v->as.list.n == 0;
}

/* A tuple of numbers >= 0 into out, as many as there are. */
static bool naturals(const struct sr_pickle_value *v, uint64_t out[SR_TENSOR_RANK], int *n) {
    if (!is_tuple(v, 0, SR_TENSOR_RANK))
        return false;
    *n = (int)v->as.list.n;
    for (int i = 0; i < *n; i++)
        if (!natural(argument(v, (size_t)i), &out[i]))
            return false;
    return true;
}

static bool has_negative(const struct sr_pickle_value *v) {
    for (size_t i = 0; v->kind == SR_PICKLE_TUPLE && i < v->as.list.n; i++)
        if (argument(v, i)->kind == SR_PICKLE_INTEGER && argument(v, i)->as.integer < 0)
            return true;
    return false;
}

/* ---- devices ---- */

/* "cuda", "cuda:0": the kind, of n in list, and ":" with an index up to 127, as torch counts devices. */
static bool is_device(const struct sr_pickle_value *v, const char *const *list, size_t n) {
    if (v->kind != SR_PICKLE_TEXT)
        return false;
    const char *text = v->as.text.at, *colon = memchr(text, ':', v->as.text.length);
    const size_t kind = colon ? (size_t)(colon - text) : v->as.text.length;
    const size_t digits = colon ? v->as.text.length - kind - 1 : 0;
    int index = 0;
    for (size_t i = 0; i < digits && index <= DEVICE_LAST; i++) {
        const int digit = colon[1 + i] - '0';
        if (digit < 0 || digit > 9 || (digit == 0 && i == 0 && digits > 1))
            return false;
        index = 10 * index + digit;
    }
    if ((colon && digits == 0) || index > DEVICE_LAST)
        return false;
    for (size_t i = 0; i < n; i++)
        if (same(text, kind, list[i]))
            return true;
    return false;
}

/* Where a storage was: what torch.load knows to be places (torch.serialization). Not "meta", where there are
 * no numbers. */
static bool is_location(const struct sr_pickle_value *v) {
    static const char *const list[] = {"cuda", "mps", "xpu", "hpu", "mtia", "privateuseone"};
    return sr_pickle_is(v, "cpu") || is_device(v, list, SR_COUNT(list));
}

/* torch.device("cuda"), ("cuda:0") or ("cuda", 0). */
static bool makes_device(const struct sr_pickle_value *a) {
    static const char *const list[] = {"cpu",    "cuda", "ipu",  "xpu",  "mkldnn", "opengl",       "opencl",
                                       "ideep",  "hip",  "ve",   "fpga", "maia",   "xla",          "lazy",
                                       "vulkan", "mps",  "meta", "hpu",  "mtia",   "privateuseone"};
    uint64_t index;
    if (!is_tuple(a, 1, 2) || !is_device(argument(a, 0), list, SR_COUNT(list)))
        return false;
    return a->as.list.n == 1 || (!memchr(argument(a, 0)->as.text.at, ':', argument(a, 0)->as.text.length) &&
                                 natural(argument(a, 1), &index) && index <= DEVICE_LAST);
}

/* torch.Size((2, 3)). */
static bool makes_size(const struct sr_pickle_value *a) {
    uint64_t extent;
    if (!is_tuple(a, 1, 1) || argument(a, 0)->kind != SR_PICKLE_TUPLE)
        return false;
    for (size_t i = 0; i < argument(a, 0)->as.list.n; i++)
        if (!natural(argument(argument(a, 0), i), &extent))
            return false;
    return true;
}

/* ---- tensors ---- */

int sr_pickle_storage(struct sr_pickle_value **out, struct sr_pickle *p, const struct sr_pickle_value *id,
                      struct sr_error *err) {
    uint64_t items;
    if (!is_tuple(id, 5, 5) || !sr_pickle_is(argument(id, 0), "storage") ||
        argument(id, 1)->kind != SR_PICKLE_GLOBAL || argument(id, 1)->as.global->use != STORAGE ||
        argument(id, 2)->kind != SR_PICKLE_TEXT || argument(id, 3)->kind != SR_PICKLE_TEXT ||
        !natural(argument(id, 4), &items))
        return sr_pickle_fail(p, err, "has a persistent id that is not the storage of a tensor");
    if (!is_location(argument(id, 3)))
        return sr_pickle_fail(p, err,
                              "has a storage of a device that torch does not know; save x.cpu() instead");
    if (!(*out = sr_pickle_make(p, SR_PICKLE_STORAGE, err)))
        return err->status;
    (*out)->as.storage.dtype = argument(id, 1)->as.global->dtype;
    (*out)->as.storage.key = argument(id, 2);
    (*out)->as.storage.items = items;
    return SR_OK;
}

/* Whether items lie row by row without gaps. The stride of a dimension of one item means nothing. */
static bool contiguous(const struct sr_pickle_tensor *t, const uint64_t *stride, uint64_t items) {
    uint64_t next = 1;
    for (int i = t->rank - 1; items > 0 && i >= 0; i--) {
        if (t->shape[i] != 1 && stride[i] != next)
            return false;
        next = sr_size_times(next, t->shape[i]);
    }
    return true;
}

static int check_place(const struct sr_pickle *p, const struct sr_pickle_tensor *t, const uint64_t *stride,
                       struct sr_error *err) {
    const size_t rank = (size_t)t->rank;
    uint64_t bytes;
    if (!sr_size_product(&bytes, sr_dtype_size(t->storage->as.storage.dtype), t->shape, rank))
        return sr_pickle_fail(p, err, "has a tensor of more than 2^64 bytes");
    const uint64_t items = bytes / sr_dtype_size(t->storage->as.storage.dtype);
    if (!contiguous(t, stride, items))
        return sr_pickle_fail(p, err,
                              "has a tensor that does not lie row by row (transposed, expanded or a slice of "
                              "columns); save x.contiguous() instead");
    if (!sr_size_within(t->offset, items, t->storage->as.storage.items))
        return sr_pickle_fail(p, err, "has a tensor that reaches past the end of its storage");
    return SR_OK;
}

/* (storage, offset, size, stride, requires_grad, hooks[, metadata]) */
static int make_tensor(struct sr_pickle_value **out, struct sr_pickle *p, const struct sr_pickle_value *a,
                       struct sr_error *err) {
    struct sr_pickle_tensor t = {0};
    uint64_t stride[SR_TENSOR_RANK];
    int strides = 0;
    if (!is_tuple(a, 6, 7) || argument(a, 0)->kind != SR_PICKLE_STORAGE ||
        !natural(argument(a, 1), &t.offset) || argument(a, 4)->kind != SR_PICKLE_BOOL)
        return sr_pickle_fail(p, err, "rebuilds a tensor from something else than torch writes");
    if (has_negative(argument(a, 2)) || has_negative(argument(a, 3)))
        return sr_pickle_fail(p, err, "has a tensor with a negative size or stride");
    if (!naturals(argument(a, 2), t.shape, &t.rank) || !naturals(argument(a, 3), stride, &strides) ||
        strides != t.rank)
        return sr_pickle_fail(
            p, err, "has a tensor whose size and stride are not as many numbers, at most %d", SR_TENSOR_RANK);
    if (!is_empty_dict(argument(a, 5)))
        return sr_pickle_fail(p, err,
                              "has a tensor with hooks, which are functions; save x.detach() instead");
    if (a->as.list.n == 7 && !is_empty_dict(argument(a, 6)))
        return sr_pickle_fail(p, err, "has a tensor that is a negated or conjugated view; save x.clone()");
    t.storage = argument(a, 0);
    if (argument(a, 4)->as.integer && !sr_dtype_is_float(argument(a, 0)->as.storage.dtype))
        return sr_pickle_fail(p, err, NO_GRADIENTS);
    const int status = check_place(p, &t, stride, err);
    if (status < 0)
        return status;
    if (!(*out = sr_pickle_make(p, SR_PICKLE_TENSOR, err)))
        return err->status;
    if (!((*out)->as.tensor = sr_alloc(1, sizeof t, err)))
        return SR_NOMEM;
    *(*out)->as.tensor = t;
    return SR_OK;
}

/* (tensor, requires_grad, hooks): the tensor. */
static int unwrap_parameter(struct sr_pickle_value **out, struct sr_pickle *p,
                            const struct sr_pickle_value *a, struct sr_error *err) {
    if (!is_tuple(a, 3, 3) || argument(a, 0)->kind != SR_PICKLE_TENSOR ||
        argument(a, 1)->kind != SR_PICKLE_BOOL || !is_empty_dict(argument(a, 2)))
        return sr_pickle_fail(p, err, "rebuilds a parameter from something else than a tensor without hooks");
    if (argument(a, 1)->as.integer &&
        !sr_dtype_is_float(argument(a, 0)->as.tensor->storage->as.storage.dtype))
        return sr_pickle_fail(p, err, NO_GRADIENTS);
    *out = a->as.list.item[0];
    return SR_OK;
}

int sr_pickle_call(struct sr_pickle_value **out, struct sr_pickle *p, const struct sr_pickle_value *callee,
                   const struct sr_pickle_value *a, struct sr_error *err) {
    if (callee->kind != SR_PICKLE_GLOBAL)
        return sr_pickle_fail(p, err, "calls something that is no function");
    const struct sr_pickle_global *g = callee->as.global;
    if (g->use == TENSOR)
        return make_tensor(out, p, a, err);
    if (g->use == PARAMETER)
        return unwrap_parameter(out, p, a, err);
    if (g->use == ORDERED_DICT && is_tuple(a, 0, 0)) {
        if ((*out = sr_pickle_make(p, SR_PICKLE_DICT, err)))
            (*out)->ordered = true;
        return *out ? SR_OK : err->status;
    }
    if (g->use == SIZE && makes_size(a)) {
        *out = a->as.list.item[0];
        return SR_OK;
    }
    if (g->use == DEVICE && makes_device(a)) {
        *out = sr_pickle_make(p, SR_PICKLE_NOTHING, err);
        return *out ? SR_OK : err->status;
    }
    return sr_pickle_fail(p, err, "calls %s.%s with arguments that torch does not write", g->module, g->name);
}
