/* option_file.h: settings from a file: YAML or JSON, one flat mapping of scalars and lists of scalars.
 *
 * The program's only: libyaml is no part of the library that ships.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_OPTION_FILE_H
#define SR_OPTION_FILE_H

#include "nn/base/option.h"

/* Sets keys from the file. others: keys that the table does not have are passed over, for who wants a few of
 * another command's settings; else they are refused. SR_NOINPUT, SR_USAGE (file, line, what). */
int sr_option_file_read(struct sr_options *o, const char *path, bool others, struct sr_error *err);

/* The same from memory; path is for messages. */
int sr_option_file_parse(struct sr_options *o, const char *text, size_t size, const char *path, bool others,
                         struct sr_error *err);

#endif
