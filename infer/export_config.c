/* export_config.c: what a router is, as JSON; see export_config.h.
 *
 * What is not known is null, never a likely value: a reader that needs it can see that it is not there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/export_config.h"

#define LEVELS     16                 /* of JSON inside a metadata value: a report of eval has four */
#define CONFIG_MAX ((size_t)64 << 20) /* bytes of a config.json that is read back */

const char *sr_export_metadata(const struct sr_export *e, const char *key) {
    const char *value = sr_safetensors_metadata(e->file, key);
    return value && *value ? value : NULL;
}

const char *sr_export_of_threshold(const struct sr_export *e, const char *key) {
    float stored;
    if (!e->has_threshold || !sr_router_threshold(e->router, &stored) || stored != e->threshold)
        return NULL;
    return sr_export_metadata(e, key);
}

/* A number, a text, or null. */
static struct sr_json *text_json(const char *text) {
    return text ? sr_json_string(text) : sr_json_null();
}

/* Readers recurse, and give up where a stranger nests without end. */
/* NOLINTNEXTLINE(misc-no-recursion): `levels` levels */
static bool is_shallow(const struct sr_json *value, int levels) {
    void *iter = NULL;
    const struct sr_json *member;
    if (levels == 0)
        return sr_json_size(value) == 0;
    for (size_t i = 0; sr_json_is_array(value) && i < sr_json_size(value); i++)
        if (!is_shallow(sr_json_at(value, i), levels - 1))
            return false;
    while (sr_json_is_object(value) && sr_json_next(value, &iter, &member))
        if (!is_shallow(member, levels - 1))
            return false;
    return true;
}

/* JSON inside a metadata value as a tree; what does not parse, or is nested too deeply, stays a string. */
static struct sr_json *tree_json(const char *text) {
    struct sr_json *tree = NULL;
    if (!text || sr_json_parse(&tree, text, strlen(text), NULL) < 0)
        return text_json(text);
    if (is_shallow(tree, LEVELS))
        return tree;
    sr_json_free(tree);
    return text_json(text);
}

static struct sr_json *number_json(const char *text) {
    double value;
    struct sr_json *tree = tree_json(text);
    if (sr_json_as_number(tree, &value))
        return tree;
    sr_json_free(tree);
    return text_json(text);
}

static bool is_folded(const struct sr_router *r) {
    return r->precision != SAFEROUTE_COMPUTE_FLOAT32;
}

size_t sr_export_parameters(const struct sr_router *r) {
    size_t n = 0;
    for (size_t l = 0; l < r->layers; l++) {
        const bool has_norm = l + 1 < r->layers && !is_folded(r);
        n += r->layer[l].outputs * (r->layer[l].inputs + (has_norm ? 3 : 1));
    }
    return n;
}

static struct sr_json *architecture_json(const struct sr_router *r) {
    struct sr_json *o = sr_json_object(), *hidden = sr_json_array();
    for (size_t l = 0; l + 1 < r->layers; l++)
        sr_json_append(hidden, sr_json_integer((int64_t)r->layer[l].outputs));
    sr_json_set(o, "inputs", sr_json_integer((int64_t)sr_router_width(r)));
    sr_json_set(o, "hidden", hidden);
    sr_json_set(o, "outputs", sr_json_integer(1));
    sr_json_set(o, "linear_bias", sr_json_bool(true));
    sr_json_set(o, "normalization", sr_json_string(is_folded(r) ? "folded" : "batchnorm"));
    sr_json_set(o, "normalization_eps", sr_json_number(1e-5));
    sr_json_set(o, "activation", sr_json_string("gelu"));
    sr_json_set(o, "activation_form", sr_json_string("erf"));
    sr_json_set(o, "parameters", sr_json_integer((int64_t)sr_export_parameters(r)));
    sr_json_set(o, "precision", sr_json_string(sr_precision_name(r->precision)));
    return o;
}

/* Of the label contract only what is known: a router may have been labelled without guards' thresholds. */
static struct sr_json *contract_json(const struct sr_export *e) {
    static const char *const label[] = {
#define X(key, text) #key,
        SR_LABEL_CONTRACT_LIST(X)
#undef X
    };
    struct sr_json *o = sr_json_object();
#define X(key, text) sr_json_set(o, #key, text_json(sr_export_metadata(e, #key)));
    SR_FEATURE_CONTRACT_LIST(X)
#undef X
    for (size_t i = 0; i < SR_COUNT(label); i++)
        if (sr_export_metadata(e, label[i]))
            sr_json_set(o, label[i], number_json(sr_export_metadata(e, label[i])));
    return o;
}

static void set_threshold(struct sr_json *o, const struct sr_export *e) {
    sr_json_set(o, "threshold",
                e->has_threshold ? sr_json_number(sr_decimal_number(e->threshold)) : sr_json_null());
    sr_json_set(o, "threshold_rule", text_json(e->threshold_rule));
    sr_json_set(o, "threshold_data", text_json(sr_export_of_threshold(e, "threshold_data")));
    sr_json_set(o, "threshold_traffic", text_json(sr_export_of_threshold(e, "threshold_traffic")));
    sr_json_set(o, "decision", sr_json_string("large if prob > threshold, or if prob is no number"));
}

struct sr_json *sr_export_config(const struct sr_export *e) {
    struct sr_json *o = sr_json_object();
    sr_json_set(o, "format", sr_json_string("saferoute-router"));
    sr_json_set(o, "format_version", sr_json_integer(1));
    sr_json_set(o, "model_type", sr_json_string("saferoute"));
    sr_json_set(o, "file", sr_json_string(e->name)); /* which it is of; null in a folder of one router */
    sr_json_set(o, "architecture", architecture_json(e->router));
    set_threshold(o, e);
    sr_json_set(o, "contract", contract_json(e));
    sr_json_set(o, "sha256", text_json(sr_safetensors_hash(e->file)));
    sr_json_set(o, "artefact", text_json(e->router->artefact_text));
    sr_json_set(o, "parent", text_json(sr_export_metadata(e, "parent")));
    sr_json_set(o, "trained_on", text_json(sr_export_metadata(e, "trained_on")));
    sr_json_set(o, "selected_on", text_json(sr_export_metadata(e, "selected_on")));
    sr_json_set(o, "train_share", number_json(sr_export_metadata(e, "train_share")));
    sr_json_set(o, "metrics", tree_json(sr_export_metadata(e, "metrics")));
    sr_json_set(o, "threshold_metrics", tree_json(sr_export_of_threshold(e, "threshold_metrics")));
    sr_json_set(o, "calibration", tree_json(sr_export_metadata(e, "calibration")));
    sr_json_set(o, "calibration_data", text_json(sr_export_metadata(e, "calibration_data")));
    return o;
}

int sr_export_config_write(const struct sr_export *e, const char *folder, const char *name,
                           struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    struct sr_json *tree = sr_export_config(e);
    char *text = sr_json_text(tree, 2, err);
    int status = text ? 0 : SR_NOMEM;
    if (status == 0)
        status = sr_export_path(path, folder, name, err) ? sr_atomic_file_write(path, text, strlen(text), err)
                                                         : SR_DATA;
    sr_free(text);
    sr_json_free(tree);
    return status;
}

/* ---- read back ---- */

static bool widths_are(const struct sr_json *architecture, const struct sr_router *r) {
    const struct sr_json *hidden = sr_json_get(architecture, "hidden");
    int64_t n;
    bool same = sr_json_as_integer(sr_json_get(architecture, "inputs"), &n) &&
                n == (int64_t)sr_router_width(r) && sr_json_size(hidden) == r->layers - 1;
    for (size_t l = 0; same && l + 1 < r->layers; l++)
        same = sr_json_as_integer(sr_json_at(hidden, l), &n) && n == (int64_t)r->layer[l].outputs;
    return same;
}

static bool threshold_is(const struct sr_json *config, const struct sr_export *e) {
    const struct sr_json *threshold = sr_json_get(config, "threshold");
    double value;
    if (!e->has_threshold)
        return sr_json_is_null(threshold);
    return sr_json_as_number(threshold, &value) && (float)value == e->threshold;
}

int sr_export_config_check(const struct sr_export *e, const char *folder, const char *name,
                           struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    void *text;
    size_t size;
    struct sr_json *config = NULL;
    if (!sr_export_path(path, folder, name, err))
        return SR_DATA;
    int status = sr_file_read(&text, &size, path, CONFIG_MAX, err);
    if (status < 0)
        return status;
    status = sr_json_parse(&config, text, size, err);
    sr_free(text);
    if (status < 0)
        return status;
    const char *hash = sr_json_as_string(sr_json_get(config, "sha256"));
    const char *wrong = !threshold_is(config, e)                                      ? "threshold"
                        : !hash || strcmp(hash, sr_safetensors_hash(e->file)) != 0    ? "sha256"
                        : !widths_are(sr_json_get(config, "architecture"), e->router) ? "architecture"
                                                                                      : NULL;
    sr_json_free(config);
    return wrong ? sr_fail(err, SR_BUG, "%s: read back, its %s is not the router's; please report this", path,
                           wrong)
                 : 0;
}

bool sr_export_config_is_ours(const struct sr_export *e, const char *text, size_t size) {
    struct sr_json *o = NULL;
    if (sr_json_parse(&o, text, size, NULL) < 0)
        return false;
    const char *format = sr_json_as_string(sr_json_get(o, "format"));
    const char *file = sr_json_as_string(sr_json_get(o, "file"));
    const bool ours = format && strcmp(format, "saferoute-router") == 0 &&
                      (file && e->name ? strcmp(file, e->name) == 0 : !file && !e->name);
    sr_json_free(o);
    return ours;
}
