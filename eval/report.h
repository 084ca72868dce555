/* report.h: one self-contained page about a router, to look at in a browser.
 *
 * The page embeds the JSON of an evaluation (`eval --json`) and draws only from it; it works without a
 * network.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_REPORT_H
#define SR_REPORT_H

#include "nn/base/base.h"

/* Writes the page atomically. SR_IO if it cannot be written. */
int sr_report_write(const char *path, const struct sr_json *evaluation, struct sr_error *err);

#endif
