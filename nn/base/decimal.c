/* decimal.c: the shortest text of a number; see decimal.h. Tries 1 to 17 digits, as 17 always suffice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "nn/base/decimal.h"

const char *sr_decimal(char text[SR_DECIMAL_TEXT], double value) {
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, SR_DECIMAL_TEXT, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return text;
}

const char *sr_decimal_float(char text[SR_DECIMAL_TEXT], float value) {
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, SR_DECIMAL_TEXT, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return text;
}
