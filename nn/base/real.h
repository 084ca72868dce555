/* real.h: the number type of training, and what training and inference must agree on.
 *
 * The program computes in float. The same sources compiled with SR_REAL_DOUBLE compute in double: the
 * gradient checks and the comparison with PyTorch in float64 use that build. Sums over many terms and losses
 * are double in both.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_REAL_H
#define SR_REAL_H

#ifdef SR_REAL_DOUBLE
typedef double real;
#else
typedef float real;
#endif

#define SR_BATCHNORM_EPS 1e-5 /* added to a variance before its root */

#endif
