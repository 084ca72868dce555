/* dump_facts.h: what is known of a dump, as facts: one list for `inspect` and for `data inspect`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_DUMP_FACTS_H
#define SR_DUMP_FACTS_H

#include <stdbool.h>

#include "data/data.h"
#include "data/look.h"

/* As sr_data_facts_hdf5, and leaves the dump open: *d, with the columns that could be read, or NULL where the
 * file holds scores. Close it with sr_data_close. */
int sr_dump_facts(struct sr_facts *f, const char **title, struct sr_data **d, const char *path,
                  const struct sr_data_options *how, struct sr_error *err);

/* What is wrong with columns, a line each; nothing where all is well. */
void sr_trouble_facts(struct sr_facts *f, const char *key, const struct sr_troubles *t);

/* Sections labels and sources. */
void sr_label_facts(struct sr_facts *f, const struct sr_data *d, const struct sr_troubles *troubles);

/* Section scores. */
void sr_score_facts(struct sr_facts *f, const struct sr_look *l);

/* Section scan: what a pass over all features finds. The dump's features may be in memory or not. progress as
 * in sr_data_scan. */
int sr_scan_facts(struct sr_facts *f, struct sr_data *d, void (*progress)(void *user, double fraction),
                  void *user, struct sr_error *err);

/* Is a row of this length one that was normalised to 1? A hundredth is far more than 16-bit values are off
 * (bfloat16 by 2^-9 each) and far less than rows differ that were not. */
static inline bool sr_is_unit_length(double length) {
    return length > .99 && length < 1.01;
}

/* "4.10 kB", "1.05 MB", "3.20 GB" into text. Returns text. */
#define SR_SIZE_TEXT 24
const char *sr_size_text(char text[SR_SIZE_TEXT], double bytes);

#endif
