/* h5_disk.h: how HDF5 reaches files here: those it opens by their names, and those that are open already. For
 * h5*.c, under the lock of h5.h.
 *
 * A process that reads files of strangers may not open anything (sandbox.h): it is handed descriptors. It
 * loads no plugins of HDF5 either.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_H5_DISK_H
#define SR_H5_DISK_H

#include <stdint.h>

/* A new access list (a handle) for H5Fopen and H5Fcreate, without locks. */
int64_t sr_h5_disk_access(void);

/* The same with which the next H5Fopen reads the descriptor `file`, whatever name it gets. It belongs to HDF5
 * from then on. */
int64_t sr_h5_disk_access_open(int file);

/* The descriptor that HDF5 has of a file (its handle), or -1. */
int sr_h5_disk_descriptor(int64_t file);

/* Bytes of a file (its handle) that are there and that its header says it uses; 0 if it is none of ours. */
uint64_t sr_h5_disk_bytes(int64_t file);

/* SR_IO with what the first read or write of this file (its handle) that failed said ("Input/output error"),
 * SR_DATA where HDF5 could not tell what it was asked for without one (sr_h5_disk_doubt), else 0. HDF5 passes
 * over some, and a dataset that cannot be looked for is not there. */
int sr_h5_disk_trouble(int64_t file, const char **text);

/* A read past HDF5, of the descriptor, failed (errno). */
void sr_h5_disk_failed(int64_t file, int why);

/* HDF5 does not know something of this file (its handle) that it should know, such as whether it has a
 * dataset: who asks takes it as not there, and sr_h5_check then says that it is not so. */
void sr_h5_disk_doubt(int64_t file);

#endif
