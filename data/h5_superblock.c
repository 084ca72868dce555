/* h5_superblock.c: see h5_superblock.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_superblock.h"

#include <hdf5.h>

#define WIDEST ((size_t)8) /* bytes of a number */

int sr_h5_superblock(struct sr_h5_superblock *s, int64_t object, struct sr_error *err) {
    const hid_t file = H5Iget_file_id(object), create = H5Fget_create_plist(file);
    hsize_t base = 0;
    *s = (struct sr_h5_superblock){0};
    const bool known =
        H5Pget_sizes(create, &s->place_bytes, &s->size_bytes) >= 0 && H5Pget_userblock(create, &base) >= 0;
    s->base = base;
    H5Pclose(create);
    H5Fclose(file);
    if (known && s->place_bytes <= WIDEST && s->size_bytes <= WIDEST)
        return 0;
    *s = (struct sr_h5_superblock){0};
    return sr_fail(err, SR_DATA, "places or sizes in this file have more than 8 bytes, which is not read");
}
