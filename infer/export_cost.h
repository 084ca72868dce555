/* export_cost.h: what rounding a router's weights costs, on rows that are like those it decides.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_EXPORT_COST_H
#define SR_EXPORT_COST_H

#include "infer/export.h"

struct sr_export_cost {
    size_t rows;                 /* that both routers score */
    double largest, mean;        /* change of prob */
    size_t to_large, to_small;   /* decisions that flip */
    double auprc, auprc_rounded; /* NaN where the dump has no labels of both classes */
};

/* Scores the dumps at paths (data.h) with e->router and e->rounded. SR_DATA: another width, no row that can
 * be scored. progress may be NULL. */
int sr_export_cost_measure(struct sr_export_cost *out, const struct sr_export *e, const char *paths,
                           void (*progress)(void *user, double fraction), void *user, struct sr_error *err);

#endif
