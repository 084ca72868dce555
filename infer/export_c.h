/* export_c.h: what the writer of C (export_c.c) and its reader (export_c_read.c) agree on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_EXPORT_C_H
#define SR_EXPORT_C_H

#include "infer/export.h"

/* The two files before names, numbers and tables are put in: export_c_header.template,
 * export_c_code.template.
 */
extern const char sr_export_c_header[], sr_export_c_code[];

#define SR_EXPORT_C_ROWS 4 /* made-up rows of the self-test */

struct sr_export_c_names {
    char file[256];   /* "my-router": of my-router.c and my-router.h */
    char lower[258];  /* "my_router_", in front of every identifier */
    char upper[258];  /* "MY_ROUTER_", in front of every macro */
    char header[260]; /* "my-router.h" */
};

/* From the name of the .c file. SR_USAGE if it cannot stand in an #include. */
int sr_export_c_names(struct sr_export_c_names *names, const char *name, struct sr_error *err);

/* Fills x [SR_EXPORT_C_ROWS, width] with the rows of the self-test: name_test_feature of the template. */
void sr_export_c_rows(float *x, size_t width);

#endif
