/* h5_walk.c: see h5_walk.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_walk.h"

static herr_t pass_link(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    (void)group;
    (void)name;
    (void)info;
    (void)user;
    return 0;
}

static herr_t pass_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)object;
    (void)name;
    (void)info;
    (void)user;
    return 0;
}

herr_t sr_h5_walk_links(hid_t group, H5L_iterate_t visit, void *user) {
    const herr_t read = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, pass_link, NULL);
    return read < 0 ? read : H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, user);
}

herr_t sr_h5_walk_attributes(hid_t object, H5A_operator2_t visit, void *user) {
    const herr_t read = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, pass_attribute, NULL);
    return read < 0 ? read : H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, user);
}
