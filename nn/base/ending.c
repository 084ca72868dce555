/* ending.c: the end of a string compared. See ending.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "nn/base/ending.h"

#include <string.h>
#include <strings.h>

bool sr_ends_in(const char *text, const char *ending) {
    const size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcasecmp(text + n - m, ending) == 0;
}
