/* path.h: paths as texts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PATH_H
#define SR_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* What stands behind the last '/': "b.h5" of "a/b.h5", all of "b.h5", "" of "a/". Part of path, so that
 * sr_path_name(path) - path is the length of the folder with its '/'. NULL for NULL. */
const char *sr_path_name(const char *path);

/* What stands before it, into to [size]: "a" of "a/b.h5", "." of "b.h5", "/" of "/b.h5". False: it does not
 * fit, and to is "". */
bool sr_path_folder(char *to, size_t size, const char *path);

#endif
