/* cmd_bench_table.h: a part of `saferoute bench` as a table on the screen.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CMD_BENCH_TABLE_H
#define SR_CMD_BENCH_TABLE_H

#include "train/bench.h"

/* Title, heading and a line for each object, on stdout; or the line that says why there is none. */
void sr_bench_table_print(const struct sr_bench_part *part, const struct sr_bench_result *result);

#endif
