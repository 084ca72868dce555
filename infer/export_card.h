/* export_card.h: the model card: what a router is, for the people who are to run it. Private to its writers.
 *
 * A README.md as Hugging Face reads it: YAML front matter, then Markdown. The front matter holds nothing but
 * what was computed here; text that comes from metadata, and so from strangers, stands in code spans, where
 * Markdown finds no link, image or HTML. What is not known is **unknown**.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_EXPORT_CARD_H
#define SR_EXPORT_CARD_H

#include <stdio.h>

#include "infer/export_config.h"

#define SR_CARD_NAME    "README.md"
#define SR_CARD_WEIGHTS "model.safetensors" /* what the card calls the weights file beside it */

struct sr_card {
    const struct sr_export *e;
    struct sr_json *metrics, *threshold_metrics, *calibration; /* NULL: unknown, or not JSON */
};

/* Writes the card as NAME into the folder; reads it back: SR_BUG unless the front matter is flat, every value
 * of it JSON (which is YAML, too), and hash and threshold in it are e's. */
int sr_card_write(const struct sr_export *e, const char *folder, const char *name, struct sr_error *err);
int sr_card_check(const struct sr_export *e, const char *folder, const char *name, struct sr_error *err);

/* What eval --json wrote at path, for e->evaluation; free with sr_json_free. SR_DATA: no such JSON, or
 * measured of other weights or at another threshold than e's. SR_NOINPUT. */
int sr_card_evaluation_open(struct sr_json **out, const char *path, const struct sr_export *e,
                            struct sr_error *err);

/* ---- pieces ---- */

/* A code span of the text, made fit to show; **unknown** for NULL. */
void sr_card_put_code(FILE *to, const char *text);
void sr_card_put_count(FILE *to, uint64_t n); /* 13319 as 13,319 */

void sr_card_put_loading(FILE *to, const struct sr_card *c);
void sr_card_put_input(FILE *to, const struct sr_card *c);

void sr_card_put_threshold(FILE *to, const struct sr_card *c);
void sr_card_put_training(FILE *to, const struct sr_card *c);
void sr_card_put_measured(FILE *to, const struct sr_card *c);
void sr_card_put_calibration(FILE *to, const struct sr_card *c);

/* Numbers of an evaluation (keys of eval --json) as Markdown tables. */
void sr_card_put_evaluation(FILE *to, const struct sr_json *evaluation);
void sr_card_put_slices(FILE *to, const struct sr_json *evaluation); /* a list of its sources, if any */

/* True if the text begins as a card does; for sr_export_spare. */
bool sr_card_is_ours(const struct sr_export *e, const char *text, size_t size);

#endif
