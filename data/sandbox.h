/* sandbox.h: a process that reads what it was handed, and can do nothing else. Linux, by seccomp.
 *
 * What is left: memory that is not code, reading and closing descriptors that are open, messages over the
 * channel, and to end. Not left: opening, writing, starting a program or a process, sockets, signals to
 * others, looking into others. Whoever takes the process over by a hostile file can think and answer, no
 * more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SANDBOX_H
#define SR_SANDBOX_H

#include "nn/base/base.h"

#define SR_SANDBOX_MEMORY    ((size_t)4 << 30) /* bytes of memory beyond what the process has when it enters */
#define SR_SANDBOX_FORBIDDEN 159               /* exit status after a forbidden system call */

/* Descriptors from `first` on are closed, and the process is as above until it ends. note: where the number
 * of a forbidden system call is put before it ends the process, [sizeof(long)]. Interrupts from the terminal
 * are its parent's matter and are ignored; with the parent it dies. SR_IO: the system has no such thing or
 * refuses; the process is to be ended then. */
int sr_sandbox_enter(void *note, int first, struct sr_error *err);

/* "openat (257)": the call whose number note has, into text. Returns text. */
const char *sr_sandbox_forbidden(char text[64], const void *note);

#endif
