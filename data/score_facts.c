/* score_facts.c: scores that infer wrote, as facts; see dump_facts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/dump_facts.h"

void sr_score_facts(struct sr_facts *f, const struct sr_look *l) {
    char rows[SR_COUNT_TEXT], large[SR_COUNT_TEXT];
    sr_facts_section(f, "scores");
    sr_facts_count(f, "rows", l->rows);
    if (l->scored < l->rows)
        sr_facts_count(f, "without_score", l->rows - l->scored);
    if (l->scored > 0)
        sr_facts_add(f, "prob", sr_json_number(l->mean), "%.4g to %.4g, mean %.4g", l->low, l->high, l->mean);
    if (l->has_decision && l->rows > 0)
        sr_facts_add(f, "routed", sr_json_integer((int64_t)l->large),
                     "%s of %s rows go to the large guard, %.2f %%", sr_count_text(large, l->large),
                     sr_count_text(rows, l->rows), 100 * (double)l->large / (double)l->rows);
    sr_facts_add(f, "read_by", sr_json_null(),
                 "saferoute eval --scores and sweep --scores, with the dump they are of");
}

int sr_data_facts_csv(struct sr_facts *f, const char *path, struct sr_error *err) {
    struct sr_look l;
    const int status = sr_look_csv(&l, path, err);
    if (status == 0)
        sr_score_facts(f, &l);
    return status;
}
