/* h5_walk.h: the links of a group and the attributes of an object, in the order of their names. For h5*.c,
 * under the lock of h5.h.
 *
 * For that order HDF5 makes a table of them; where 1.10 cannot read one of those that are stored apart (many
 * of them, or large ones, from HDF5 1.8's format on), it frees what it never filled in. So it reads all of
 * them in the file's own order before, which needs no table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_WALK_H
#define SR_H5_WALK_H

#include <hdf5.h>
#include <stdbool.h>

/* Whether each link that a group (its name as seen from `object`) lists is found by its name too: else what
 * is not found may yet be there. Takes as long as listing them; groups of the later formats have checksums,
 * and are not looked at. */
bool sr_h5_finds_links(hid_t object, const char *group);

/* What H5Literate and H5Aiterate2 return: negative where HDF5 cannot read or find them all, and then `visit`
 * may have been called for none; else what visit returned, which ends the walk where that is not 0. */
herr_t sr_h5_walk_links(hid_t group, H5L_iterate_t visit, void *user);
herr_t sr_h5_walk_attributes(hid_t object, H5A_operator2_t visit, void *user);

#endif
