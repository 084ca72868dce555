/* error.c: statuses and messages; see error.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdarg.h>
#include <stdio.h>

#include "nn/base/error.h"

int sr_fail(struct sr_error *err, int status, const char *format, ...) {
    if (!err)
        return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->text, sizeof err->text, format, arguments);
    va_end(arguments);
    err->status = status;
    return status;
}

int sr_status_exit(int status) {
    switch (status) {
#define X(name, value, exit_status, meaning)                                                                 \
    case value:                                                                                              \
        return exit_status;
        SR_STATUS_LIST(X)
#undef X
    default:
        return 70;
    }
}
