/* tensors_check.h: what holds of every file of tensors that was opened, for the targets of its formats.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FUZZ_TENSORS_CHECK_H
#define SR_FUZZ_TENSORS_CHECK_H

#include "tests/fuzz/check.h"

/* Opens the file, of `size` bytes, as `import` and `data convert` do, and reads every tensor twice. The
 * outcome's digest is the SHA-256 over the tensors in the order of their names: name, 0, dtype, 0, the shape
 * as "2,3", 0, the bytes. */
void fuzz_tensors(const char *path, size_t size);

#endif
