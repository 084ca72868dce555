/* provenance.c: sketches of the rows that weights come from, and the share of positives; see provenance.h.
 *
 * A loss that weighs positives by w and negatives by v learns the odds as if positives came w/v times as
 * often (Elkan, "The foundations of cost-sensitive learning", IJCAI 2001, theorem 2). The focal factor has a
 * pull of its own, which is left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/provenance.h"

static double share_drawn(const struct sr_part *p, const struct sr_config *c) {
    const int64_t *file_weight = c->train_weight.n > 0 ? c->train_weight.v : NULL;
    int64_t drawn = 0, positive = 0;
    if (c->sampler == SR_SAMPLER_BALANCED)
        return .5;
    for (size_t i = 0; i < p->n; i++) {
        const int64_t times = file_weight ? file_weight[sr_data_file(p->data, p->row[i])] : 1;
        drawn += times;
        positive += times * p->data->label[p->row[i]];
    }
    return (double)positive / (double)drawn;
}

/* And as the weights of the loss make it look. */
static double share_seen(double drawn, const struct sr_focal *loss) {
    const double positive = drawn * loss->positive, negative = (1 - drawn) * loss->negative;
    return positive / (positive + negative);
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
    const struct sr_focal loss = sr_config_loss(c);
    *out = (struct sr_provenance){0};
    sr_decimal(out->train_share, share_seen(share_drawn(&f->train, c), &loss));
    const int status = sketch_make(&out->rows_trained, &f->train, "rows_trained", parent, parent_path, err);
    if (status < 0)
        return status;
    return sketch_make(&out->rows_selected, &f->val, "rows_selected", parent, parent_path, err);
}

void sr_provenance_free(struct sr_provenance *p) {
    sr_free(p->rows_trained);
    sr_free(p->rows_selected);
    *p = (struct sr_provenance){0};
}
