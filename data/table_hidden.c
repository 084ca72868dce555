/* table_hidden.c: files of hidden states, one a request, as a table with a row a file. See table.h.
 *
 * This is what vLLM's ExampleHiddenStatesConnector writes with the speculative method extract_hidden_states:
 * NAME.safetensors for the request NAME with "hidden_states" [tokens, layers, D] and "token_ids" [tokens]
 * (vllm/distributed/kv_transfer/kv_connector/v1/example_hidden_states_connector.py, whose cache is
 * [blocks, layers, block, D]). The tokens are those of the prompt unless the request asked for its output's
 * too. The states are those before the model's final norm, the last layer's as well
 * (docs.vllm.ai/en/latest/features/speculative_decoding/extract_hidden_states, "not normalized using the
 * output norm"). Rows are in the order of the files' names, which become ids.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data/table.h"
#include "data/tensors.h"
#include "data/values.h"
#include "nn/base/sizes.h"

#define STATES "hidden_states"
#define TOKENS "token_ids"
#define ENDING ".safetensors"

struct hidden_table {
    struct sr_table t;
    char *list;        /* the files, each with its NUL */
    const char **file; /* [t.rows], into list */
    enum sr_dtype dtype;
    void *raw;    /* one token's vector */
    float *value; /* the same as floats */
    double *sum;  /* of tokens; [width] each */
};

#define OWN(table)  ((struct hidden_table *)(table))
#define LOOK(table) ((const struct hidden_table *)(table))

/* The states of one file. */
struct states {
    struct sr_tensors *in;
    size_t at; /* number of the tensor */
    uint64_t tokens, layers, layer;
    size_t width;
    enum sr_dtype dtype;
};

/* ---- one file ---- */

static int find_layer(struct states *x, const char *path, const struct sr_table_how *how,
                      struct sr_error *err) {
    char what[64];
    snprintf(what, sizeof what, STATES " has %llu layers", (unsigned long long)x->layers);
    return sr_table_layer(&x->layer, how, x->layers, path, what, err);
}

static int check_tokens(const struct states *x, const char *path, struct sr_error *err) {
    const size_t at = sr_tensors_find(x->in, TOKENS);
    const struct sr_tensor_info *ids = sr_tensors_at(x->in, at);
    if (ids && (ids->rank != 1 || ids->shape[0] != x->tokens))
        return sr_fail(err, SR_DATA, "%s: " STATES " has %llu tokens, but " TOKENS " says otherwise", path,
                       (unsigned long long)x->tokens);
    return x->tokens > 0
               ? 0
               : sr_fail(err, SR_DATA,
                         "%s: " STATES " has no token (vLLM saves none of a prompt given as embeddings)",
                         path);
}

static int describe(struct states *x, const char *path, const struct sr_table_how *how,
                    struct sr_error *err) {
    x->at = sr_tensors_find(x->in, STATES);
    const struct sr_tensor_info *info = sr_tensors_at(x->in, x->at);
    if (!info)
        return sr_fail(err, SR_DATA,
                       "%s: no tensor " STATES
                       ": a pattern or a folder stands for files of vLLM's hidden-state "
                       "connector, a row each; convert other files one by one (train takes several dumps)",
                       path);
    if (!sr_dtype_is_float(info->dtype) || (info->rank != 2 && info->rank != 3))
        return sr_fail(err, SR_DATA,
                       "%s: " STATES " has %d axes of %s; [tokens, layers, D] of floats is needed", path,
                       info->rank, sr_dtype_name(info->dtype));
    x->tokens = info->shape[0];
    x->layers = info->rank == 3 ? info->shape[1] : 1;
    x->width = info->shape[info->rank - 1];
    x->dtype = info->dtype;
    const int status = check_tokens(x, path, err);
    return status == 0 ? find_layer(x, path, how, err) : status;
}

static int open_states(struct states *x, const char *path, const struct sr_table_how *how,
                       struct sr_error *err) {
    int status = sr_tensors_open(&x->in, path, err);
    if (status == 0 && (status = describe(x, path, how, err)) < 0)
        sr_tensors_close(x->in);
    return status;
}

static int read_token(const struct states *x, uint64_t token, void *out, struct sr_error *err) {
    const uint64_t place = sr_size_times(sr_size_sum(sr_size_times(token, x->layers), x->layer), x->width);
    return sr_tensors_read(x->in, x->at, place, out, x->width, err);
}

/* ---- a row ---- */

/* In double, so that the order of magnitude of a sum of thousands of tokens costs no digits. */
static int read_mean(const struct hidden_table *h, const struct states *x, float *out, struct sr_error *err) {
    int status = 0;
    memset(h->sum, 0, x->width * sizeof *h->sum);
    for (uint64_t token = 0; token < x->tokens && status == 0; token++) {
        status = read_token(x, token, h->raw, err);
        sr_values_to_feature(h->value, h->raw, x->width, x->dtype, SR_FEATURE_FLOAT, NULL);
        for (size_t k = 0; k < x->width; k++)
            h->sum[k] += (double)h->value[k];
    }
    for (size_t k = 0; k < x->width; k++)
        out[k] = (float)(h->sum[k] / (double)x->tokens);
    return status;
}

static int take_states(struct hidden_table *h, struct sr_field *f, const char *path, struct sr_error *err) {
    struct states x;
    int status = open_states(&x, path, h->t.how, err);
    if (status < 0)
        return status;
    if (x.width != f->width || x.dtype != h->dtype)
        status = sr_fail(err, SR_DATA, "%s: vectors of %zu %s, but those of %s are of %zu %s", path, x.width,
                         sr_dtype_name(x.dtype), h->file[0], f->width, sr_dtype_name(h->dtype));
    else
        status = h->t.how->mean ? read_mean(h, &x, sr_field_row(f), err)
                                : read_token(&x, x.tokens - 1, sr_field_row(f), err);
    f->rows++;
    sr_tensors_close(x.in);
    return status;
}

/* "cmpl-7" of "hidden/cmpl-7.safetensors". */
static int take_name(const struct hidden_table *h, struct sr_field *f, const char *path,
                     struct sr_error *err) {
    char name[256];
    const char *base = sr_path_name(path);
    size_t n = strlen(base);
    if (n > strlen(ENDING) && sr_ends_in(base, ENDING))
        n -= strlen(ENDING);
    snprintf(name, sizeof name, "%.*s", (int)n, base);
    return sr_field_parse(f, &h->t, name, err);
}

static int read_rows(struct sr_table *t, size_t n, struct sr_error *err) {
    int status = 0;
    for (size_t i = 0; i < n && status == 0; i++)
        for (size_t k = 0; k < t->fields && status == 0; k++) {
            struct sr_field *f = t->field[k];
            const char *path = OWN(t)->file[t->taken + i];
            status = sr_field_form(f) == SR_FORM_MATRIX ? take_states(OWN(t), f, path, err)
                                                        : take_name(OWN(t), f, path, err);
        }
    return status < 0 ? status : (int)n;
}

/* ---- the table ---- */

static int bind_states(struct hidden_table *h, struct sr_field *f, struct sr_error *err) {
    struct states x;
    int status = open_states(&x, h->file[0], h->t.how, err);
    if (status < 0)
        return status;
    h->dtype = x.dtype;
    f->dtype = h->t.how->mean ? SR_F32 : x.dtype;
    status = sr_field_width(f, &h->t, x.width, err);
    sr_tensors_close(x.in);
    if (status < 0)
        return status;
    h->raw = sr_alloc(x.width, sizeof(double), err);
    h->value = sr_alloc(x.width, sizeof *h->value, err);
    h->sum = sr_alloc(x.width, sizeof *h->sum, err);
    return h->raw && h->value && h->sum ? 0 : SR_NOMEM;
}

static int bind(struct sr_table *t, struct sr_field *f, struct sr_error *err) {
    const bool features = f->role == SR_ROLE_FEATURES, ids = f->role == SR_ROLE_ID;
    if ((!features && !ids) || (f->key && strcmp(f->key, STATES) != 0)) {
        if (f->required)
            return sr_fail(err, SR_DATA,
                           "%s: files of hidden states hold " STATES " and, as their names, ids; no %s",
                           t->path, f->key ? f->key : sr_field_role(f));
        return 0;
    }
    const int status = features ? bind_states(OWN(t), f, err) : 0;
    if (status < 0)
        return status;
    f->name = sr_strdup(features ? STATES : "name", err);
    return f->name ? 0 : SR_NOMEM;
}

static const char *metadata(const struct sr_table *t, const char *key) {
    if (strcmp(key, "feature_norm") == 0)
        return "pre";
    return strcmp(key, "feature_pooling") == 0 ? (t->how->mean ? "mean" : "last") : NULL;
}

static const char *file_at(const struct sr_table *t, size_t i) {
    return i < t->rows ? LOOK(t)->file[i] : NULL;
}

static void close_table(struct sr_table *t) {
    struct hidden_table *h = OWN(t);
    sr_free(h->list);
    sr_free(h->file);
    sr_free(h->raw);
    sr_free(h->value);
    sr_free(h->sum);
    sr_free(h);
}

static int split_list(struct hidden_table *h, struct sr_error *err) {
    size_t files = 1;
    for (const char *p = h->list; (p = strchr(p, ',')); p++)
        files++;
    h->file = sr_alloc(files, sizeof *h->file, err);
    if (!h->file)
        return SR_NOMEM;
    char *rest = h->list;
    for (size_t i = 0; i < files; i++)
        h->file[i] = strsep(&rest, ",");
    h->t.rows = files;
    return 0;
}

/* The pattern of a folder's .safetensors files; what the folder's own name has of a pattern stands for
 * itself. */
static char *folder_pattern(const char *folder, struct sr_error *err) {
    static const char behind[] = "/*" ENDING;
    char *pattern = sr_alloc(2 * strlen(folder) + sizeof behind, 1, err), *p = pattern;
    for (const char *c = folder; p && *c; c++) {
        if (strchr("*?[\\", *c))
            *p++ = '\\';
        *p++ = *c;
    }
    if (p)
        memcpy(p, behind, sizeof behind);
    return pattern;
}

static int list_files(struct hidden_table *h, struct sr_error *err) {
    struct stat st;
    const bool folder = stat(h->t.path, &st) == 0 && S_ISDIR(st.st_mode);
    char *pattern = folder ? folder_pattern(h->t.path, err) : NULL;
    if (folder && !pattern)
        return SR_NOMEM;
    const int status = sr_data_paths(&h->list, folder ? pattern : h->t.path, NULL, 0, err);
    sr_free(pattern);
    return status == 0 ? split_list(h, err) : status;
}

int sr_hidden_table_open(struct sr_table **out, const char *path, struct sr_error *err) {
    static const struct sr_table_ops ops = {.bind = bind,
                                            .names_rows = true,
                                            .read = read_rows,
                                            .metadata = metadata,
                                            .file = file_at,
                                            .close = close_table};
    struct hidden_table *h = sr_alloc(1, sizeof *h, err);
    if (!h)
        return SR_NOMEM;
    int status = sr_table_begin(&h->t, &ops, path, err);
    if (status == 0)
        status = list_files(h, err);
    if (status < 0)
        sr_table_close(&h->t);
    else
        *out = &h->t;
    return status;
}
