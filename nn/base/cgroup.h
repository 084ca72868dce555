/* cgroup.h: what the control groups of Linux let this process have: a container's or a service's limits.
 *
 * Both versions are read, v1 and v2, and with v1 and v2 mounted together both. The limit of a group binds
 * every group below it, so the tightest of the process' own group and all above it counts. Only cpu.c uses
 * this.
 *
 * `root` is put before every path ("" on a real system), so that a test can build a tree of its own. Nothing
 * fails: what cannot be read limits nothing. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CGROUP_H
#define SR_CGROUP_H

#include <stdint.h>

#define SR_CGROUP_UNLIMITED UINT64_MAX

/* Bytes that the tightest group still has to give; page cache it can drop counts as free. */
uint64_t sr_cgroup_memory(const char *root);

/* Whole processors that the tightest CPU quota allows, rounded down: 0 for less than one. */
uint64_t sr_cgroup_processors(const char *root);

#endif
