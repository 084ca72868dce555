/* kernel_file.c: numbers in files of /proc and /sys; see kernel_file.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nn/base/kernel_file.h"

int sr_kernel_file_numbers(int64_t numbers[2], const char *path, const char *key) {
    FILE *from = fopen(path, "re");
    char line[256];
    bool found = false;
    int n = 0;
    while (from && !found && fgets(line, sizeof line, from))
        found = strncmp(line, key, strlen(key)) == 0;
    if (from)
        fclose(from);
    char *at = found ? line + strlen(key) : NULL;
    while (found && n < 2) {
        char *end;
        numbers[n] = strtoll(at, &end, 10);
        if (end == at)
            break;
        at = end;
        n++;
    }
    return n;
}
