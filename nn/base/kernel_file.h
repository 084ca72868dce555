/* kernel_file.h: numbers in the small text files in which Linux tells its state (/proc, /sys).
 *
 * Only the floor's own files use it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_KERNEL_FILE_H
#define SR_KERNEL_FILE_H

#include <stdint.h>

/* Reads the one or two whole numbers behind `key` ("" for none) on the first line that begins with it, into
 * numbers. Returns how many there are: 0 if there is no such file, line or number, as in cgroup v2's "max".
 * One beyond int64_t is its end. */
int sr_kernel_file_numbers(int64_t numbers[2], const char *path, const char *key);

#endif
