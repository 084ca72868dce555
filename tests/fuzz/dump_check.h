/* dump_check.h: a dump as a whole, by itself or as a reader tells of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FUZZ_DUMP_CHECK_H
#define SR_FUZZ_DUMP_CHECK_H

#include "data/data.h"
#include "tests/fuzz/check.h"

/* `inspect` (data/dump_facts.c), then opened and all features read in batches, then read by columns as `data
 * convert` does. What was accepted has the values that data.h promises. */
void fuzz_dump(const char *path, const struct sr_data_options *how);

#endif
