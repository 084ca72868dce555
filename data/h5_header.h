/* h5_header.h: the header of an object, looked at before HDF5 opens it. For h5*.c, under the lock of h5.h.
 *
 * To open a virtual dataset HDF5 goes to the heap of the file for the list of its sources, and trusts it
 * (h5_collections.h). So what a dataset is has to be known before. And HDF5 1.10 takes the parts of an
 * attribute as long as it says they are, and reads on behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_HEADER_H
#define SR_H5_HEADER_H

#include <stdint.h>

enum sr_h5_header {
    SR_H5_HEADER_FINE, /* or there is none that HDF5 could read */
    SR_H5_HEADER_VIRTUAL,
    SR_H5_HEADER_DAMAGED /* or of more pieces or messages than anybody writes, or it cannot be read */
};

/* What the header of the object of a file (its handle) is that a hard link to `place` leads to. */
enum sr_h5_header sr_h5_header(int64_t file, uint64_t place);

#endif
