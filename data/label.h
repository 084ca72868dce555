/* label.h: the labels of a dump, stored or derived, and what they follow from.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_LABEL_H
#define SR_LABEL_H

#include "data/dump.h"

/* Reads gold, the guards (which have begun) and the labels. */
int sr_label_read(struct sr_dump *d, const struct sr_data_options *options, struct sr_error *err);

#endif
