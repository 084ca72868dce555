/* cmd_data.h: the sub-commands of `saferoute data` that have files of their own, and what they share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_DATA_H
#define SR_CMD_DATA_H

#include "data/data.h"

/* Arguments behind the name; returns the program's exit status. */
int sr_cmd_data_check(int argc, char **argv);
int sr_cmd_data_compare(int argc, char **argv);
int sr_cmd_data_convert(int argc, char **argv);
int sr_cmd_data_drop(int argc, char **argv);
int sr_cmd_data_inspect(int argc, char **argv);
int sr_cmd_data_label(int argc, char **argv);
int sr_cmd_data_merge(int argc, char **argv);
int sr_cmd_data_repack(int argc, char **argv);
int sr_cmd_data_split(int argc, char **argv);

/* "unsafe: 1692 (42.3 %), unknown: 3": of the rows where the column is known. */
void sr_print_share(const char *what, const uint8_t *column, size_t rows);

/* The facts behind what head has already, as one JSON object; head is taken over. */
int sr_print_facts_json(struct sr_json *head, const struct sr_facts *f, struct sr_error *err);

#endif
