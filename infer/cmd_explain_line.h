/* cmd_explain_line.h: a line that saferoute_decision_json wrote, read again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_EXPLAIN_LINE_H
#define SR_CMD_EXPLAIN_LINE_H

#include "infer/infer.h"

/* What the line says; every word is one that the library writes. */
struct sr_explain_line {
    char artefact[65], decision[8], reason[32], range_mode[8];
    char id[256];  /* any text, cut; "" without one */
    int precision; /* of enum saferoute_precision */
    uint64_t key;
    float logit, prob, calibrated, threshold, range, range_limit; /* finite, or NaN: null */
};

/* text: size bytes. SR_DATA: no JSON, not such a line, or one of a row that no router saw. */
int sr_explain_line_parse(struct sr_explain_line *l, const char *text, size_t size, struct sr_error *err);

#endif
