/* row_name.h: a row of a set, as people and programs are told of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ROW_NAME_H
#define SR_ROW_NAME_H

#include "data/data.h"

/* "17", "17 (id-a)" or, of several files, "300 (id-a; row 40 of b.h5)" into text; ids and names of files that
 * are long lose their middle, since their ends tell them apart. Returns text. */
#define SR_ROW_NAME 160
const char *sr_row_name(char text[SR_ROW_NAME], const struct sr_data *d, size_t row);

/* {"row": 17, "id": "id-a"}, id null where there are none; of several files also file and row_in_file. */
struct sr_json *sr_row_value(const struct sr_data *d, size_t row);

#endif
