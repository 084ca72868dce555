/* h5_driver.h: HDF5 reading a file that is open already, and never opening one. For h5*.c.
 *
 * A reader of unknown files may not open anything (sandbox.h): it is handed descriptors. Links and datasets
 * that lead to other files fail here, whatever HDF5 makes of them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_DRIVER_H
#define SR_H5_DRIVER_H

#include <hdf5.h>

/* A new access list with which the next H5Fopen reads `file`, whatever name it gets. The file belongs to HDF5
 * from then on. Under the lock of h5.h. */
hid_t sr_h5_driver_access(int file);

/* HDF5's handle of the driver; negative where it was never used. The handle of its files
 * (H5Fget_vfd_handle) is an int *, the descriptor. */
hid_t sr_h5_driver(void);

#endif
