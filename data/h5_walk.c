/* h5_walk.c: see h5_walk.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_walk.h"

/* HDF5 lists the links of a group of the old format in their order, and looks for a name among them by
 * halves: where the order is damaged it lists one that it does not find. */
static herr_t find_link(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    (void)info;
    (void)user;
    return H5Lexists(group, name, H5P_DEFAULT) > 0 ? 0 : -1;
}

static herr_t pass_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)object;
    (void)name;
    (void)info;
    (void)user;
    return 0;
}

bool sr_h5_finds_links(hid_t object, const char *group) {
    return H5Literate_by_name(object, group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, find_link, NULL,
                              H5P_DEFAULT) >= 0;
}

herr_t sr_h5_walk_links(hid_t group, H5L_iterate_t visit, void *user) {
    return sr_h5_finds_links(group, ".") ? H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, user)
                                         : -1;
}

herr_t sr_h5_walk_attributes(hid_t object, H5A_operator2_t visit, void *user) {
    const herr_t read = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, pass_attribute, NULL);
    return read < 0 ? read : H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, user);
}
