/* provenance.c: sketches of the rows that weights come from, and the share of positives; see provenance.h.
 *
 * A loss that weighs positives by w and negatives by v learns the odds as if positives came w/v times as
 * often (Elkan, "The foundations of cost-sensitive learning", IJCAI 2001, theorem 2). The focal factor has a
 * pull of its own, which is left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "train/provenance.h"

/* The share of positives in the sum of the loss's weights: each row as often as it is drawn, times /weight,
 * times what the loss weighs its class. */
static double share_seen(const struct sr_part *p, const struct sr_config *c) {
    const struct sr_focal loss = sr_config_loss(c);
    const int64_t *file_weight = c->train_weight.n > 0 ? c->train_weight.v : NULL;
    double drawn[2] = {0}, weight[2] = {0};
    for (size_t i = 0; i < p->n; i++) {
        const uint32_t row = p->row[i];
        const double times = file_weight ? (double)file_weight[sr_data_file(p->data, row)] : 1;
        drawn[p->data->label[row]] += times;
        weight[p->data->label[row]] += times * (p->data->weight ? (double)p->data->weight[row] : 1);
    }
    for (int label = 0; c->sampler == SR_SAMPLER_BALANCED && label < 2; label++)
        weight[label] /= drawn[label]; /* as many draws of either class */
    const double positive = weight[1] * loss.positive, negative = weight[0] * loss.negative;
    return positive / (positive + negative);
}

/* A share that odds can be made of, as text; else "". */
static void share_text(char text[SR_DECIMAL_TEXT], double share) {
    text[0] = '\0';
    if (share > 0 && share < 1)
        sr_decimal(text, share);
}

/* The sketch of p's rows and of those that the parent has under this key. */
static int sketch_make(char **text, const struct sr_part *p, const char *key,
                       const struct sr_safetensors *parent, const char *parent_path, struct sr_error *err) {
    const char *before = parent ? sr_safetensors_metadata(parent, key) : NULL;
    struct sr_sketch sketch, of_parent = {0};
    const int status = before ? sr_sketch_parse(&of_parent, before, parent_path, key, err) : 0;
    if (status < 0)
        return status;
    sr_sketch_make(&sketch, p->hash, p->row, p->n);
    sr_sketch_merge(&sketch, &of_parent);
    *text = sr_sketch_text(&sketch, err);
    return *text ? 0 : SR_NOMEM;
}

int sr_provenance_make(struct sr_provenance *out, const struct sr_feed *f, const struct sr_config *c,
                       const struct sr_safetensors *parent, const char *parent_path, struct sr_error *err) {
    *out = (struct sr_provenance){0};
    share_text(out->train_share, share_seen(&f->train, c));
    const int status = sketch_make(&out->rows_trained, &f->train, "rows_trained", parent, parent_path, err);
    if (status < 0)
        return status;
    return sketch_make(&out->rows_selected, &f->val, "rows_selected", parent, parent_path, err);
}

int sr_provenance_of_parent(struct sr_provenance *out, const struct sr_safetensors *parent,
                            const struct sr_provenance *made, struct sr_error *err) {
    const char *rows = sr_safetensors_metadata(parent, "rows_trained"),
               *share = sr_safetensors_metadata(parent, "train_share");
    *out = (struct sr_provenance){.rows_selected = sr_strdup(made->rows_selected, err)};
    share_text(out->train_share, share ? strtod(share, NULL) : 0);
    if (rows)
        out->rows_trained = sr_strdup(rows, err);
    return out->rows_selected && (out->rows_trained || !rows) ? 0 : SR_NOMEM;
}

void sr_provenance_free(struct sr_provenance *p) {
    sr_free(p->rows_trained);
    sr_free(p->rows_selected);
    *p = (struct sr_provenance){0};
}
