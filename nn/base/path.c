/* path.c: see path.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "nn/base/path.h"

const char *sr_path_name(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

bool sr_path_folder(char *to, size_t size, const char *path) {
    const size_t n = (size_t)(sr_path_name(path) - path);
    const bool fits = n < size && size > 1;
    snprintf(to, size, "%.*s", !fits ? 0 : n > 1 ? (int)n - 1 : 1, n > 0 ? path : ".");
    return fits;
}
