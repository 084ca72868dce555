/* provenance.h: what weights tell of the rows they come from, so that eval sees them again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PROVENANCE_H
#define SR_PROVENANCE_H

#include "train/feed.h"

/* Texts, each for the key of its name in the metadata of weights; NULL or "": not known. */
struct sr_provenance {
    /* Sketches (data/sketch.h) of the training and of the validation rows, and of those of the parent. */
    char *rows_trained, *rows_selected;
    char train_share[SR_DECIMAL_TEXT]; /* of positives, as training draws rows and its loss weighs them: the
                                           prior of the probabilities; "": not known */
};

/* parent: the weights training begins with, or NULL; those that do not say which rows were used for them add
 * none. parent_path is for messages. SR_DATA if a key of the parent holds no sketch. Free also after a
 * failure. */
int sr_provenance_make(struct sr_provenance *out, const struct sr_feed *f, const struct sr_config *c,
                       const struct sr_safetensors *parent, const char *parent_path, struct sr_error *err);
/* That of the parent's weights where nothing has beaten them: nothing was trained, but these validation rows
 * have selected. made: by sr_provenance_make. Free also after a failure. */
int sr_provenance_of_parent(struct sr_provenance *out, const struct sr_safetensors *parent,
                            const struct sr_provenance *made, struct sr_error *err);
void sr_provenance_free(struct sr_provenance *p);

#endif
