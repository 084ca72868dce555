/* report_asset.h: the files that the report page is made of, as the build put them into the program; internal
 * to eval. eval/report.cmake says which, eval/embed.cmake writes the table.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_REPORT_ASSET_H
#define SR_REPORT_ASSET_H

#include <stddef.h>

struct sr_report_asset {
    const char *name;  /* "report.css"; NULL behind the last one */
    const char *bytes; /* [size], and a NUL behind them */
    size_t size;
};
extern const struct sr_report_asset sr_report_assets[];

#endif
