/* relabel.h: a dump with labels made anew from gold and the guards' verdicts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_RELABEL_H
#define SR_RELABEL_H

#include "data/data.h"

struct sr_relabelled {
    size_t rows, positives, unknown; /* unknown: gold or a verdict is */
    /* Rows whose label is known, by who is right. */
    size_t both, small_only, large_only, none;
    bool had_label;
    size_t compared, changed; /* of the labels that were stored and known, where the new one is too */
    size_t first_changed;
    char cuts[256]; /* "derived from gold and verdicts; unsafe from: small guard 0.5 (default), ..." */
};

/* Writes the dump at path anew as out, which may be path, with /label from gold and the verdicts, cut as
 * options say; a threshold of options is stored, and a column of verdicts that it overrules is cut anew. harm
 * > 0: /weight becomes `harm` times itself (1 where there is none) for rows that only the small guard has
 * right, and root attribute harm_price says so. Labels are what options' `labels` is not about: it is not
 * looked at. SR_DATA: gold or verdicts are missing, the dump has a harm_price already, or as sr_data_open.
 * Atomic. */
int sr_relabel_write(struct sr_relabelled *done, const char *out, const char *path, double harm,
                     const struct sr_data_options *options, void (*progress)(void *user, double fraction),
                     void *user, struct sr_error *err);

#endif
