/* path.h: paths as texts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_PATH_H
#define SR_PATH_H

/* What stands behind the last '/': "b.h5" of "a/b.h5", all of "b.h5", "" of "a/". Part of path, so that
 * sr_path_name(path) - path is the length of the folder with its '/'. NULL for NULL. */
const char *sr_path_name(const char *path);

#endif
