/* export_config.h: what a router is, as JSON: the config.json beside formats that cannot say it themselves.
 *
 * Keys, all of them there always; null: not known.
 *
 *     format "saferoute-router", format_version 1, model_type "saferoute"
 *     architecture {inputs, hidden [...], outputs, linear_bias, normalization, normalization_eps, activation,
 *                   activation_form, parameters, precision}
 *     threshold, threshold_rule, threshold_data, threshold_traffic, decision
 *     contract {the feature_ keys of a dump's root attributes; those of the labels where the weights have
 * any} sha256 (of the weights' data section), parent, trained_on, selected_on, train_share metrics,
 * threshold_metrics, calibration (objects), calibration_data
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_EXPORT_CONFIG_H
#define SR_EXPORT_CONFIG_H

#include "infer/export.h"

#define SR_EXPORT_CONFIG_NAME "config.json"

/* The keys of the feature contract, in the order they are shown. X(key, what a user reads) */
#define SR_FEATURE_CONTRACT_LIST(X)                                                                          \
    X(feature_model, "small guard")                                                                          \
    X(feature_revision, "revision")                                                                          \
    X(feature_layer, "layer")                                                                                \
    X(feature_norm, "norm")                                                                                  \
    X(feature_pooling, "pooling")                                                                            \
    X(feature_template, "template")

/* And of the label contract. */
#define SR_LABEL_CONTRACT_LIST(X)                                                                            \
    X(large_model, "large guard")                                                                            \
    X(large_revision, "revision")                                                                            \
    X(small_threshold, "small guard unsafe from")                                                            \
    X(large_threshold, "large guard unsafe from")

/* The tree for e; the caller owns it, and learns from sr_json_text whether memory was found for it. */
struct sr_json *sr_export_config(const struct sr_export *e);

/* Writes it as NAME into the folder, and reads that back: SR_BUG where threshold, hash or widths are not e's.
 */
int sr_export_config_write(const struct sr_export *e, const char *folder, const char *name,
                           struct sr_error *err);
int sr_export_config_check(const struct sr_export *e, const char *folder, const char *name,
                           struct sr_error *err);

/* True if the text is such a file of the same router file; for sr_export_spare. */
bool sr_export_config_is_ours(const struct sr_export *e, const char *text, size_t size);

/* Numbers that training moves; of int8 and bfloat16 weights those of the folded layers. */
size_t sr_export_parameters(const struct sr_router *r);

/* A metadata value of the weights, NULL or empty: NULL. */
const char *sr_export_metadata(const struct sr_export *e, const char *key);

/* The same for a key that tells of the threshold (threshold_data, threshold_traffic, threshold_metrics): NULL
 * too where --threshold put another one in its place, of which that is not true. */
const char *sr_export_of_threshold(const struct sr_export *e, const char *key);

#endif
