/* h5_header.h: the header of an object, looked at before HDF5 opens it. For h5*.c, under the lock of h5.h.
 *
 * To open a virtual dataset HDF5 goes to the heap of the file for the list of its sources, and trusts it
 * (h5_collections.h). So what a dataset is has to be known before.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_HEADER_H
#define SR_H5_HEADER_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the object of a file (its handle) that a hard link to `place` leads to is a virtual dataset. False
 * also where there is no header that HDF5 could read; true where it has more pieces than anybody writes, or
 * where numbers of the file cannot be read. */
bool sr_h5_header_is_virtual(int64_t file, uint64_t place);

#endif
