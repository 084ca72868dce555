/* path.c: see path.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "nn/base/path.h"

const char *sr_path_name(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}
