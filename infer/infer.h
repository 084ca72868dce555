/* infer.h: the door of infer: the deployed router.
 *
 * A router is opened from a weights file, folded (BatchNorm into Linear) and immutable afterwards; any number of
 * threads may score with it at once. Scoring allocates nothing and starts no thread: callers split rows. A row's
 * result is the same bits alone or among others.
 *
 *     struct sr_router *r;
 *     sr_router_open(&r, "best.safetensors", err);
 *     sr_router_logits(r, logit, x, rows);              // x: [rows, sr_router_width(r)]
 *     prob = sr_router_prob(logit[0]);
 *     sr_router_close(r);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_INFER_H
#define SR_INFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nn/base/base.h"

/* Used, and said, when no threshold was chosen. */
#define SR_THRESHOLD_UNSET 0.6f

struct sr_router;

/* Opens a weights file (keys cls.*, see "Files" in the README). Depth and widths follow from the tensors. SR_NOINPUT: no
 * such file. SR_DATA: not a safetensors file, a tensor missing or of the wrong shape (named), a value that is not
 * finite, a running_var below 0. */
int sr_router_open(struct sr_router **out, const char *path, struct sr_error *err);
void sr_router_close(struct sr_router *r); /* NULL is fine */

size_t sr_router_width(const struct sr_router *r); /* features a row, D */

/* True and the threshold if one was chosen for these weights. */
bool sr_router_threshold(const struct sr_router *r, float *threshold);

/* A metadata value of the file (threshold_rule, feature_model, ...) or NULL. */
const char *sr_router_metadata(const struct sr_router *r, const char *key);

/* logit[i] for x[i, 0..width). */
void sr_router_logits(const struct sr_router *r, float *logit, const float *x, size_t rows);

/* 1/(1+exp(-logit)) in float32. */
float sr_router_prob(float logit);

/* ---- part of the program, not of the shipped library: score.c ---- */
struct sr_data;

/* Scores of every row of a dump, in row order. Rows with a NaN or an infinity get NaN and are counted. */
struct sr_scores {
    size_t rows, bad_rows;
    float *logit, *prob;
};
/* SR_DATA if the dump's width is not the router's. Runs on all OpenMP threads; same bits for any number. progress may be
 * NULL. Free with sr_scores_free. */
int sr_score_data(struct sr_scores *out, const struct sr_router *r, struct sr_data *d,
                  void (*progress)(void *user, double fraction), void *user, struct sr_error *err);
void sr_scores_free(struct sr_scores *s);

#endif
