/* import_network.c: which tensors of a file are a router; see import.h.
 *
 * A state dict names a tensor CONTAINER.MODULE.KIND (state_dict.cls.4.weight). Tensors are put together to
 * modules and modules to groups of one container; shapes and kinds say what a module is: a matrix with a bias
 * is a Linear, vectors with running statistics a BatchNorm. Modules with numbers stand in their order, others
 * in the file's, which for torch.save is that of their definition; for safetensors see import_order.h. A
 * group is a router if its Linear layers chain down to one number and each but the last has its BatchNorm.
 * What a state dict does not say (the activation, BatchNorm's eps) cannot be checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/data.h"
#include "infer/import.h"
#include "infer/import_order.h"

enum slot { WEIGHT, BIAS, MEAN, VARIANCE, BATCHES, SLOTS };

static const char *const slot_name[SLOTS] = {"weight", "bias", "running_mean", "running_var",
                                             "num_batches_tracked"};

enum kind { LINEAR, BATCH_NORM, OTHER };

/* A tensor's name taken apart. */
struct part {
    const char *name, *what; /* what: behind the last dot */
    size_t parent, module;   /* bytes of name: the container with its dot, the module without */
    size_t tensor;
};

struct module {
    const struct part *first;
    size_t parts;
    enum kind kind;
    long number;  /* its name, if that is one; else -1 */
    size_t order; /* among those of its group */
    size_t tensor[SLOTS];
    size_t stranger; /* a tensor that no module of a router has, or SR_IMPORT_NONE */
};

struct finder {
    const struct sr_tensors *t;
    const char *path;
    struct part *part; /* [count of t], sorted */
    struct module *module;
    size_t modules;
};

/* Modules of one container. */
struct group {
    struct module *module;
    size_t modules, linear, norm; /* how many of each kind */
    bool numbered;
    bool ordered; /* something says in which order the modules stand */
    bool paired;  /* and which BatchNorm belongs to which Linear, wherever they were defined */
};

static const struct sr_tensor_info *info_of(const struct finder *f, size_t tensor) {
    return sr_tensors_at(f->t, tensor);
}

static void group_prefix(char prefix[SR_TENSOR_NAME], const struct group *g) {
    const struct part *p = g->module->first;
    snprintf(prefix, SR_TENSOR_NAME, "%.*s", (int)p->parent, p->name);
}

/* ---- tensors to modules ---- */

static void take_apart(struct part *p, const struct sr_tensors *t, size_t tensor) {
    p->name = sr_tensors_at(t, tensor)->name;
    p->tensor = tensor;
    const char *dot = strrchr(p->name, '.');
    p->what = dot ? dot + 1 : p->name;
    p->module = dot ? (size_t)(dot - p->name) : 0;
    p->parent = p->module;
    while (p->parent > 0 && p->name[p->parent - 1] != '.')
        p->parent--;
}

static int compare_texts(const char *a, size_t a_length, const char *b, size_t b_length) {
    const int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_module(const void *a, const void *b) {
    const struct part *x = a, *y = b;
    int order = compare_texts(x->name, x->parent, y->name, y->parent);
    if (order == 0)
        order = compare_texts(x->name, x->module, y->name, y->module);
    return order != 0 ? order : (x->tensor > y->tensor) - (x->tensor < y->tensor);
}

static bool same_module(const struct part *a, const struct part *b) {
    return compare_texts(a->name, a->parent, b->name, b->parent) == 0 &&
           compare_texts(a->name, a->module, b->name, b->module) == 0;
}

/* The last word of a module's name as a number, or -1. */
static long number_of(const struct part *p) {
    const char *word = p->name + p->parent;
    const size_t n = p->module - p->parent;
    if (n == 0 || n > 9 || strspn(word, "0123456789") < n)
        return -1;
    return strtol(word, NULL, 10);
}

static void fill_module(struct module *m, const struct finder *f) {
    for (int s = 0; s < SLOTS; s++)
        m->tensor[s] = SR_IMPORT_NONE;
    m->stranger = SR_IMPORT_NONE;
    m->number = number_of(m->first);
    for (size_t i = 0; i < m->parts; i++) {
        int s = 0;
        while (s < SLOTS && strcmp(m->first[i].what, slot_name[s]) != 0)
            s++;
        if (s < SLOTS)
            m->tensor[s] = m->first[i].tensor;
        else
            m->stranger = m->first[i].tensor;
    }
    const bool statistics = m->tensor[MEAN] != SR_IMPORT_NONE || m->tensor[VARIANCE] != SR_IMPORT_NONE;
    const bool matrix = m->tensor[WEIGHT] != SR_IMPORT_NONE && info_of(f, m->tensor[WEIGHT])->rank == 2;
    m->kind = m->stranger != SR_IMPORT_NONE ? OTHER : statistics ? BATCH_NORM : matrix ? LINEAR : OTHER;
}

static int make_modules(struct finder *f, struct sr_error *err) {
    const size_t n = sr_tensors_count(f->t);
    f->part = sr_alloc(n, sizeof *f->part, err);
    f->module = sr_alloc(n, sizeof *f->module, err);
    if (!f->part || !f->module)
        return SR_NOMEM;
    for (size_t i = 0; i < n; i++)
        take_apart(&f->part[i], f->t, i);
    qsort(f->part, n, sizeof *f->part, by_module);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !same_module(&f->part[i], &f->part[i - 1]))
            f->module[f->modules++].first = &f->part[i];
        f->module[f->modules - 1].parts++;
    }
    for (size_t i = 0; i < f->modules; i++)
        fill_module(&f->module[i], f);
    return 0;
}

/* ---- modules to groups ---- */

static int by_order(const void *a, const void *b) {
    const struct module *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

static struct sr_import_item item_of(const struct finder *f, const struct module *m) {
    const struct part *p = m->first;
    const size_t of_norm = m->tensor[MEAN] != SR_IMPORT_NONE ? m->tensor[MEAN] : m->tensor[VARIANCE];
    const bool norm = m->kind == BATCH_NORM;
    const struct sr_tensor_info *info = info_of(f, norm ? of_norm : m->tensor[WEIGHT]);
    return (struct sr_import_item){.word = p->name + p->parent,
                                   .length = p->module - p->parent,
                                   .norm = norm,
                                   .inputs = info->shape[norm ? 0 : 1],
                                   .outputs = info->shape[0]};
}

/* Whether the modules of each kind were defined in the order of their places. */
static bool defined_so(const struct group *g, const struct sr_import_item *item) {
    for (size_t i = 0; i < g->modules; i++)
        for (size_t k = 0; k < g->modules; k++)
            if (item[i].norm == item[k].norm &&
                (item[i].place < item[k].place) != (g->module[i].order < g->module[k].order))
                return false;
    return true;
}

/* Modules with names. A group that is no router whatever its order is left to check_kinds. */
static void order_names(struct group *g, const struct finder *f) {
    struct sr_import_item item[2 * SR_ROUTER_DEEPEST + 1];
    if (g->linear + g->norm != g->modules || g->norm + 1 != g->linear || g->modules > SR_COUNT(item))
        return;
    for (size_t i = 0; i < g->modules; i++)
        item[i] = item_of(f, &g->module[i]);
    if (strcmp(sr_tensors_format(f->t), "safetensors") == 0) {
        g->ordered = g->paired = sr_import_order(item, g->modules);
        for (size_t i = 0; i < g->modules; i++)
            g->module[i].order = 2 * item[i].place + item[i].norm;
    } else {
        g->paired = sr_import_order_named(item, g->modules, false) &&
                    sr_import_order_named(item, g->modules, true) && defined_so(g, item);
    }
}

/* The group whose modules begin at number i; *i becomes that of the next. */
static struct group next_group(const struct finder *f, size_t *i) {
    struct group g = {.module = &f->module[*i], .numbered = true, .ordered = true};
    const struct part *first = g.module->first;
    for (; *i < f->modules; ++*i, g.modules++) {
        const struct module *m = &f->module[*i];
        if (compare_texts(m->first->name, m->first->parent, first->name, first->parent) != 0)
            break;
        g.numbered = g.numbered && m->number >= 0;
        g.linear += m->kind == LINEAR;
        g.norm += m->kind == BATCH_NORM;
    }
    for (size_t k = 0; k < g.modules; k++)
        g.module[k].order = g.numbered ? (size_t)g.module[k].number : g.module[k].first->tensor;
    if (!g.numbered)
        order_names(&g, f);
    qsort(g.module, g.modules, sizeof *g.module, by_order);
    return g;
}

/* ---- is a group a router? ---- */

static int fail_tensor(const struct finder *f, size_t tensor, struct sr_error *err, const char *what) {
    const struct sr_tensor_info *info = info_of(f, tensor);
    char shape[SR_SHAPE_TEXT];
    return sr_fail(err, SR_DATA, "%s: tensor '%s', %s %s, %s", f->path, info->name,
                   sr_dtype_name(info->dtype), sr_tensor_info_shape(info, shape), what);
}

static int fail_module(const struct finder *f, const struct module *m, struct sr_error *err,
                       const char *what) {
    return sr_fail(err, SR_DATA, "%s: '%.*s' %s", f->path, (int)m->first->module, m->first->name, what);
}

static int check_kinds(const struct finder *f, const struct group *g, struct sr_error *err) {
    for (size_t i = 0; i < g->modules; i++) {
        const struct module *m = &g->module[i];
        if (m->kind != OTHER)
            continue;
        if (m->stranger == SR_IMPORT_NONE && m->tensor[WEIGHT] != SR_IMPORT_NONE &&
            info_of(f, m->tensor[WEIGHT])->rank == 1)
            return fail_module(
                f, m, err,
                "has a weight of one dimension and no running_mean: a LayerNorm, or a BatchNorm "
                "without running statistics; a router has BatchNorm with them");
        if (m->stranger == SR_IMPORT_NONE && m->tensor[WEIGHT] == SR_IMPORT_NONE)
            return fail_module(f, m, err, "has no weight");
        return fail_tensor(f, m->stranger != SR_IMPORT_NONE ? m->stranger : m->tensor[WEIGHT], err,
                           "has no place in a router (Linear and BatchNorm layers only)");
    }
    if (g->norm + 1 != g->linear) {
        char prefix[SR_TENSOR_NAME];
        group_prefix(prefix, g);
        return sr_fail(
            err, SR_DATA,
            "%s: under '%s' there are %zu Linear and %zu BatchNorm layers; in a router each Linear "
            "but the last has a BatchNorm",
            f->path, prefix, g->linear, g->norm);
    }
    if (g->linear > SR_ROUTER_DEEPEST + 1)
        return sr_fail(err, SR_DATA, "%s: %zu Linear layers; a router has at most %d", f->path, g->linear,
                       SR_ROUTER_DEEPEST + 1);
    return 0;
}

/* The tensor in a slot, a vector of n floats; SR_IMPORT_NONE with err. */
static size_t need_vector(const struct finder *f, const struct module *m, enum slot s, uint64_t n,
                          struct sr_error *err) {
    char what[96];
    const size_t tensor = m->tensor[s];
    const struct sr_tensor_info *info = info_of(f, tensor);
    if (!info) {
        snprintf(what, sizeof what, "has no %s, which %s of a router has", slot_name[s],
                 m->kind == LINEAR ? "a Linear" : "a BatchNorm");
        fail_module(f, m, err, what);
        return SR_IMPORT_NONE;
    }
    if (info->rank == 1 && info->shape[0] == n)
        return tensor;
    snprintf(what, sizeof what, "is to be %" PRIu64 " numbers, one an output", n);
    fail_tensor(f, tensor, err, what);
    return SR_IMPORT_NONE;
}

static int take_linear(struct sr_import_network *n, const struct finder *f, const struct module *m, size_t l,
                       struct sr_error *err) {
    const struct sr_tensor_info *w = info_of(f, m->tensor[WEIGHT]);
    char what[96];
    if (w->shape[0] == 0 || w->shape[1] == 0 || w->shape[1] > SR_DATA_WIDTH_MAX)
        return fail_tensor(f, m->tensor[WEIGHT], err,
                           "is no matrix (outputs, inputs) that a router could have");
    if (w->shape[0] > SR_ROUTER_WIDEST)
        return fail_tensor(f, m->tensor[WEIGHT], err, "has more outputs than a layer of a router may have");
    /* cppcheck-suppress arrayIndexOutOfBoundsCond ; counted before */
    if (l > 0 && w->shape[1] != n->width[l]) {
        /* cppcheck-suppress arrayIndexOutOfBoundsCond ; counted before */
        snprintf(what, sizeof what, "does not read the %zu numbers of the layer before it", n->width[l]);
        return fail_tensor(f, m->tensor[WEIGHT], err, what);
    }
    if (m->tensor[BATCHES] != SR_IMPORT_NONE)
        return fail_tensor(f, m->tensor[BATCHES], err,
                           "belongs to a BatchNorm without its running statistics");
    n->width[l] = (size_t)w->shape[1];
    n->width[l + 1] = (size_t)w->shape[0];
    n->layer[l] = (struct sr_import_layer){m->tensor[WEIGHT], need_vector(f, m, BIAS, w->shape[0], err),
                                           SR_IMPORT_NONE,    SR_IMPORT_NONE,
                                           SR_IMPORT_NONE,    SR_IMPORT_NONE,
                                           SR_IMPORT_NONE};
    n->used += 2;
    return n->layer[l].bias == SR_IMPORT_NONE ? SR_DATA : 0;
}

static int take_norm(struct sr_import_network *n, const struct finder *f, const struct module *m, size_t l,
                     struct sr_error *err) {
    struct sr_import_layer *to = &n->layer[l];
    const uint64_t width = n->width[l + 1];
    if ((to->gamma = need_vector(f, m, WEIGHT, width, err)) == SR_IMPORT_NONE ||
        (to->beta = need_vector(f, m, BIAS, width, err)) == SR_IMPORT_NONE ||
        (to->mean = need_vector(f, m, MEAN, width, err)) == SR_IMPORT_NONE ||
        (to->variance = need_vector(f, m, VARIANCE, width, err)) == SR_IMPORT_NONE)
        return SR_DATA;
    to->batches = m->tensor[BATCHES];
    n->used += 4;
    if (to->batches == SR_IMPORT_NONE)
        return 0;
    n->used++;
    const struct sr_tensor_info *info = info_of(f, to->batches);
    if (info->dtype != SR_I64 || sr_tensor_info_items(info) != 1)
        return fail_tensor(f, to->batches, err, "is to be one int64");
    return 0;
}

static int check_types(const struct sr_import_network *n, const struct finder *f, struct sr_error *err) {
    for (size_t l = 0; l < n->layers; l++) {
        const struct sr_import_layer *a = &n->layer[l];
        const size_t list[] = {a->weight, a->bias, a->gamma, a->beta, a->mean, a->variance};
        for (size_t i = 0; i < SR_COUNT(list) && list[i] != SR_IMPORT_NONE; i++) {
            const enum sr_dtype dtype = info_of(f, list[i])->dtype;
            if (dtype != SR_F32 && dtype != SR_F16 && dtype != SR_BF16 && dtype != SR_F64)
                return fail_tensor(f, list[i], err,
                                   "is not of a type of floats; quantised weights are not taken back");
        }
    }
    return 0;
}

/* The k-th of a kind. */
static const struct module *nth(const struct group *g, enum kind kind, size_t k) {
    size_t i = 0;
    for (;; i++)
        if (g->module[i].kind == kind && k-- == 0)
            return &g->module[i];
}

/* Behind its own Linear and, unless names pair them, before the next. */
static int check_norm_place(const struct finder *f, const struct group *g, const struct module *linear,
                            const struct module *norm, const struct module *next, struct sr_error *err) {
    if (norm > linear && (norm < next || g->paired))
        return 0;
    return fail_module(f, norm, err, "is a BatchNorm that stands behind no Linear of its own");
}

static int check_order(const struct finder *f, const struct group *g, struct sr_error *err) {
    char prefix[SR_TENSOR_NAME];
    group_prefix(prefix, g);
    return g->ordered ? 0
                      : sr_fail(err, SR_DATA,
                                "%s: under '%s' neither names nor shapes say the order of the layers, which "
                                "safetensors does not keep; import the .pt, or number them (fc1, bn1, fc2)",
                                f->path, prefix);
}

static int take_group(struct sr_import_network *n, const struct finder *f, const struct group *g,
                      struct sr_error *err) {
    *n = (struct sr_import_network){.layers = g->linear};
    group_prefix(n->prefix, g);
    int status = check_kinds(f, g, err);
    if (status == 0)
        status = check_order(f, g, err);
    for (size_t l = 0; status == 0 && l < n->layers; l++) {
        const struct module *linear = nth(g, LINEAR, l), *norm = l < g->norm ? nth(g, BATCH_NORM, l) : NULL;
        if (norm)
            status = check_norm_place(f, g, linear, norm, nth(g, LINEAR, l + 1), err);
        if (status == 0)
            status = take_linear(n, f, linear, l, err);
        if (status == 0 && norm)
            status = take_norm(n, f, norm, l, err);
    }
    if (status == 0 && n->width[n->layers] != 1)
        return fail_tensor(f, n->layer[n->layers - 1].weight, err,
                           "the last, has not one output; a router has one logit");
    return status == 0 ? check_types(n, f, err) : status;
}

/* ---- the one ---- */

/* Whether a group's container is the one that was asked for, or lies in it. */
static bool wanted(const struct group *g, const char *prefix) {
    char own[SR_TENSOR_NAME];
    if (!prefix)
        return true;
    size_t n = strlen(prefix);
    n -= n > 0 && prefix[n - 1] == '.';
    group_prefix(own, g);
    return strncmp(own, prefix, n) == 0 && (n == 0 ? !*own : own[n] == '.');
}

/* What the search found so far. */
struct search {
    size_t candidates, fitting;
    char prefixes[256];  /* of those that fit */
    struct sr_error why; /* of the likeliest that does not */
    bool why_has_norm;
};

static void add_prefix(struct search *s, const char *prefix) {
    const size_t used = strlen(s->prefixes), n = strlen(prefix);
    if (used + n + 8 >= sizeof s->prefixes)
        return;
    snprintf(s->prefixes + used, sizeof s->prefixes - used, "%s'%.*s'", used ? ", " : "", (int)(n - (n > 0)),
             prefix);
}

static void look_at(struct search *s, struct sr_import_network *n, const struct finder *f,
                    const struct group *g) {
    struct sr_import_network *own = sr_alloc(1, sizeof *own, NULL);
    struct sr_error why = {.status = SR_NOMEM, .text = "out of memory"};
    s->candidates++;
    if (own && take_group(own, f, g, &why) == 0) {
        add_prefix(s, own->prefix);
        if (s->fitting++ == 0)
            *n = *own;
    } else if (s->candidates == 1 || (g->norm > 0 && !s->why_has_norm)) {
        s->why = why;
        s->why_has_norm = g->norm > 0;
    }
    sr_free(own);
}

/* A tensor saved by itself has no name: rows of features, most likely. */
static int no_network(const struct finder *f, struct sr_error *err) {
    const size_t n = sr_tensors_count(f->t);
    const char *first = n > 0 ? info_of(f, 0)->name : "";
    if (n == 1 && !*first)
        return sr_fail(err, SR_DATA,
                       "%s is one tensor without a name and no network; if it is features or labels, "
                       "saferoute data convert makes a dump of it",
                       f->path);
    return sr_fail(err, SR_DATA,
                   "%s: no Linear layer (a weight of two dimensions) among its %zu tensors%s%s%s", f->path, n,
                   n > 0 ? ", the first '" : "", first, n > 0 ? "'" : "");
}

static int choose(const struct search *s, const struct finder *f, const char *prefix, struct sr_error *err) {
    if (s->fitting == 1)
        return 0;
    if (s->fitting > 1)
        return sr_fail(err, SR_DATA,
                       "%s holds more than one network that could be the router: %s; give --prefix", f->path,
                       s->prefixes);
    if (s->candidates > 0)
        return sr_fail(err, s->why.status, "%s", s->why.text);
    if (prefix)
        return sr_fail(err, SR_USAGE, "--prefix %s: %s has no Linear layer under that name", prefix, f->path);
    return no_network(f, err);
}

int sr_import_find(struct sr_import_network *n, const struct sr_tensors *t, const char *path,
                   const char *prefix, struct sr_error *err) {
    struct finder f = {.t = t, .path = path};
    struct search s = {0};
    int status = make_modules(&f, err);
    for (size_t i = 0; status == 0 && i < f.modules;) {
        const struct group g = next_group(&f, &i);
        if (g.linear > 0 && wanted(&g, prefix))
            look_at(&s, n, &f, &g);
    }
    if (status == 0)
        status = choose(&s, &f, prefix, err);
    sr_free(f.part);
    sr_free(f.module);
    return status;
}

const char *sr_import_dtype(const struct sr_import_network *n, const struct sr_tensors *t) {
    static const char *const names[] = {
        [SR_F16] = "float16", [SR_BF16] = "bfloat16", [SR_F32] = "float32", [SR_F64] = "float64"};
    const enum sr_dtype dtype = sr_tensors_at(t, n->layer[0].weight)->dtype;
    for (size_t l = 0; l < n->layers; l++) {
        const struct sr_import_layer *a = &n->layer[l];
        const size_t list[] = {a->weight, a->bias, a->gamma, a->beta, a->mean, a->variance};
        for (size_t i = 0; i < SR_COUNT(list) && list[i] != SR_IMPORT_NONE; i++)
            if (sr_tensors_at(t, list[i])->dtype != dtype)
                return "mixed types";
    }
    return names[dtype];
}
