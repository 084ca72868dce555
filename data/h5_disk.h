/* h5_disk.h: how HDF5 reaches the disk here. For data/h5_*.c, under the lock of h5.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_DATA_H5_DISK_H
#define SR_DATA_H5_DISK_H

#include <hdf5.h>

#include "nn/base/base.h"

/* The driver, for H5Pset_driver; of a file opened with it H5Fget_vfd_handle gives an int: the descriptor. */
hid_t sr_h5_disk(void);

/* What the first read or write of this file (its handle) that failed said ("Input/output error"), NULL where
 * none did: HDF5 passes over some, and a dataset that cannot be looked for is not there. */
const char *sr_h5_disk_trouble(hid_t file);

#endif
