/* route.h: the one comparison that decides, for the deployed router and for all that measures it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ROUTE_H
#define SR_ROUTE_H

#include <math.h>
#include <stdbool.h>

/* To the large guard? Float to float; what has no prob (NaN) is (fail closed). */
static inline bool sr_is_routed(float prob, float threshold) {
    return prob > threshold || isnan(prob);
}

#endif
