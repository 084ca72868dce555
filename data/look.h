/* look.h: what a file holds, without a look at features: its datasets, and the scores if it is one of
 * infer's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_LOOK_H
#define SR_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "nn/base/base.h"

struct sr_look {
    char columns[2048]; /* of HDF5: "features [12, 8] float16, label [12] uint8", cut with "..." */
    bool is_scores;     /* there is a column prob, and nothing that could be features: what infer wrote */
    /* of scores: */
    size_t rows, scored; /* all; those with a prob */
    bool has_decision;   /* then large says how many rows go to the large guard */
    size_t large;
    double low, high, mean; /* of the probs; NaN without any */
};

/* Errors of opening; SR_DATA where a column prob holds no numbers. Of a CSV file without that column too. */
int sr_look_hdf5(struct sr_look *out, const char *path, struct sr_error *err);
int sr_look_csv(struct sr_look *out, const char *path, struct sr_error *err);

#endif
