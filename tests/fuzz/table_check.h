/* table_check.h: a file of rows bound to every column of a dump and read to its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FUZZ_TABLE_CHECK_H
#define SR_FUZZ_TABLE_CHECK_H

#include "tests/fuzz/check.h"

/* As `data convert` reads it: every column that the file has, or the one of a role alone, which it must have
 * (SR_ROLES: every one). What was accepted has in every column as many values as there are rows, each one
 * that a dump may hold. */
void fuzz_table(const char *path, int role);

#endif
