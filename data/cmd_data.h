/* cmd_data.h: the sub-commands of `saferoute data`, and what they share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_DATA_H
#define SR_CMD_DATA_H

#include "data/data.h"

/* X(name, one line of help) */
#define SR_DATA_COMMAND_LIST(X)                                                                              \
    X(check, "what is wrong with dumps, before training on them")                                            \
    X(compare, "two dumps of the same rows, row by row")                                                     \
    X(convert, "a feature dump from tensors, CSV, JSONL or hidden-state files")                              \
    X(drop, "a dump without the rows of some ids")                                                           \
    X(inspect, "what is in a dump, and what can be done with it")                                            \
    X(label, "labels from gold and the guards' verdicts, stored")                                            \
    X(merge, "columns of several files side by side, joined by ids")                                         \
    X(repack, "a dump in another form: type, chunks, compression")                                           \
    X(split, "training, calibration and test rows")                                                          \
    X(synth, "a synthetic feature dump")

/* Arguments behind the name; returns the program's exit status. */
#define X(name, help) int sr_cmd_data_##name(int argc, char **argv);
SR_DATA_COMMAND_LIST(X)
#undef X

/* "unsafe: 1692 (42.3 %), unknown: 3": of the rows where the column is known. */
void sr_print_share(const char *what, const uint8_t *column, size_t rows);

/* The facts behind what head has already, as one JSON object; head is taken over. */
int sr_print_facts_json(struct sr_json *head, const struct sr_facts *f, struct sr_error *err);

#endif
