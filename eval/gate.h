/* gate.h: may this router go out? Conditions on the numbers of an evaluation, for the CI of a model.
 *
 *     struct sr_gate_line line[SR_GATE_MAX];
 *     size_t n;
 *     int status = sr_gate_check(line, &n, "delta.auprc.low >= -.005, new.recall >= .75", evaluation, err);
 *     for (size_t i = 0; i < n; i++)
 *         puts(line[i].text);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_GATE_H
#define SR_GATE_H

#include "nn/base/base.h"

#define SR_GATE_MAX 64 /* conditions */

/* One condition, checked: "delta.auprc.low>=-0.005 is -0.0123: no". */
struct sr_gate_line {
    char text[256]; /* one line, printable UTF-8 */
    bool holds;
};

/* text: conditions with a comma between, all of which must hold: PATH OP NUMBER, with OP one of >= > <= < and
 * NUMBER decimal and finite, e.g. "delta.auprc.low>=-0.005, new.recall>=0.75, new.worst-slice.f1>=0.5".
 * Spaces and line breaks around each of the three do not matter. A path leads through the keys of the
 * evaluation as `eval --json` prints it, with dots between and '-' the same as '_':
 *   - a leading "new" is the evaluation itself, so that new.recall and recall are one;
 *   - .low and .high behind a number are the ends of its interval (the key with _ci behind);
 *   - an array of objects is entered by their "name": slices.news.f1. A name may hold dots and spaces: of the
 *     names that fit what is written, the longest is meant (the one written exactly like that, if two differ
 *     in '-' and '_'). One in double quotes is taken as it stands, to the closing quote, and must be quoted
 *     where it holds a comma, < > = ! or a quote, which is doubled: slices."a, ""b""".f1.
 *
 * An undefined number (null), or one inside of an object that is null, holds nothing, and its line says so.
 * Writes a line for each condition and their number, and returns 0 if every one holds, SR_NO with those that
 * do not in err if not. SR_USAGE, with no lines and the condition and its place in err, for what is no
 * condition, more than SR_GATE_MAX of them, a path that leads nowhere (with the nearest name) and one that
 * leads to something that is no number. Without an evaluation (NULL) only the conditions themselves are read:
 * line and n are not touched and may be NULL, and what a path leads to is not known yet. */
int sr_gate_check(struct sr_gate_line *line, size_t *n, const char *text, const struct sr_json *evaluation,
                  struct sr_error *err);

#endif
