/* gate.h: may this router go out? Conditions on the numbers of an evaluation, for the CI of a model.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_GATE_H
#define SR_GATE_H

#include "nn/base/base.h"

#define SR_GATE_MAX 64

/* One condition, checked: "delta.auprc.low>=-0.005 is -0.0123: no". */
struct sr_gate_line {
    char text[256];
    bool holds;
};

/* text: conditions with a comma between, all of which must hold: PATH OP NUMBER with OP one of >= > <= <
 * (spaces do not matter), e.g. "delta.auprc.low>=-0.005, new.recall>=0.75, new.worst-slice.f1>=0.5". A path
 * leads through the keys of the evaluation as `eval --json` prints it, with dots between and '-' the same as
 * '_':
 *   - a leading "new" is the evaluation itself, so that new.recall and recall are one;
 *   - .low and .high behind a number are the ends of its interval (the key with _ci behind);
 *   - an array of objects is entered by their "name": slices.news.f1.
 * An undefined number (null) holds nothing. Writes up to SR_GATE_MAX lines and their number, returns 0 if
 * every condition holds, SR_NO with the ones that do not if not, and SR_USAGE for what is no condition, for a
 * path that leads nowhere (with the nearest key) and for one that leads to something that is no number. */
int sr_gate_check(struct sr_gate_line *line, size_t *n, const char *text, const struct sr_json *evaluation,
                  struct sr_error *err);

#endif
