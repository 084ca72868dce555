/* config_check.h: settings that were accepted, printed and read again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FUZZ_CONFIG_CHECK_H
#define SR_FUZZ_CONFIG_CHECK_H

#include "tests/fuzz/check.h"
#include "train/config.h"

/* The configuration that o prints is read as the same settings, and every value's text sets that value. */
void fuzz_config_check(const struct sr_options *o);

#endif
