/* rule_risk.c: the highest threshold at which, with the confidence asked for, at most a share A of the hard
 * rows stays with the small guard.
 *
 * The risk of a threshold is FN/P of rows not seen, and it rises with the threshold. Thresholds are tested
 * from the safest one up, each by an exact binomial test of the hypothesis that its risk is above A, and the
 * last one before the first failure is taken: fixed-sequence testing (Angelopoulos, Bates, Candes, Jordan and
 * Lei, "Learn then test", 2021, section 3.2, algorithm 1), which holds the chance of a risk above A at 1 - C
 * over all thresholds together. As the p-value P(Bin(P, A) <= FN) rises with FN, that is the highest
 * threshold with FN <= k, where k is the greatest count whose p-value is at most 1 - C.
 *
 * Assumes that the labelled rows are independent draws of what will be served.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <math.h>

#include "eval/binomial.h"
#include "eval/rule.h"

/* How many of the positives may be missed; -1: not even none. */
static int64_t misses_allowed(uint64_t positives, double risk, double alpha) {
    int64_t low = -1, high = (int64_t)positives; /* allowed; not allowed, as P(X <= n) is 1 */
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (sr_binomial_below((uint64_t)middle, positives, risk) <= alpha)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static int fail_few(uint64_t positives, const struct sr_rule_request *r, struct sr_error *err) {
    const double needed = ceil(log(1 - r->confidence) / log1p(-r->target));
    if (!isfinite(needed))
        return sr_fail(err, SR_NO,
                       "no threshold is valid: a risk of 0 cannot be shown by any number of rows");
    return sr_fail(err, SR_NO,
                   "no threshold is valid: %" PRIu64 " positive rows are too few to show a risk of at most "
                   "%g with confidence %g even if none is missed; it takes %.0f",
                   positives, r->target, r->confidence, needed);
}

int sr_rule_risk(size_t *point, const struct sr_sweep *s, const struct sr_rule_request *r,
                 struct sr_error *err) {
    const int status = sr_rule_need_labels(s, err);
    if (status < 0)
        return status;
    const struct sr_confusion safest = s->point[0].label;
    const uint64_t positives = safest.tp + safest.fn;
    const int64_t allowed = misses_allowed(positives, r->target, 1 - r->confidence);
    if (allowed < 0)
        return fail_few(positives, r, err);
    if ((int64_t)safest.fn > allowed)
        return sr_fail(err, SR_NO,
                       "no threshold is valid: %" PRIu64 " of %" PRIu64 " positive rows have prob 0 and are "
                       "missed at any, %" PRId64 " may be",
                       safest.fn, positives, allowed);
    for (*point = 0; *point + 1 < s->n && (int64_t)s->point[*point + 1].label.fn <= allowed; ++*point)
        continue;
    return 0;
}
