/* h5_walk.c: see h5_walk.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_walk.h"

static herr_t look_at_link(hid_t group, const char *name, const H5L_info_t *info, void *user) {
    const bool *find = user;
    (void)info;
    return !*find || H5Lexists(group, name, H5P_DEFAULT) > 0 ? 0 : -1;
}

static herr_t pass_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user) {
    (void)object;
    (void)name;
    (void)info;
    (void)user;
    return 0;
}

/* HDF5 lists the links of a group of the old format in their order, and looks for a name among them by halves
 * of an index that has no checksum: where the order is damaged it lists one that it does not find. */
static bool is_of_old_format(hid_t object, const char *group) {
    H5G_info_t info;
    return H5Gget_info_by_name(object, group, &info, H5P_DEFAULT) < 0 ||
           info.storage_type == H5G_STORAGE_TYPE_SYMBOL_TABLE;
}

static bool can_list(hid_t object, const char *group, bool find) {
    return H5Literate_by_name(object, group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, look_at_link, &find,
                              H5P_DEFAULT) >= 0;
}

bool sr_h5_finds_links(hid_t object, const char *group) {
    return !is_of_old_format(object, group) || can_list(object, group, true);
}

herr_t sr_h5_walk_links(hid_t group, H5L_iterate_t visit, void *user) {
    return can_list(group, ".", is_of_old_format(group, "."))
               ? H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, user)
               : -1;
}

herr_t sr_h5_walk_attributes(hid_t object, H5A_operator2_t visit, void *user) {
    const herr_t read = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, pass_attribute, NULL);
    return read < 0 ? read : H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit, user);
}
