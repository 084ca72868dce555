/* settings.h: from a command line to the settings of a run, new or begun.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_SETTINGS_H
#define SR_SETTINGS_H

#include "train/config.h"
#include "train/run_folder.h"

/* True where --resume auto was given. */
bool sr_settings_auto(const struct sr_config *c);

/* Completes o (whose values are *c), into which the flags of argv were read once already: config file,
 * recipe, the shape of the weights of --init, patterns and relative paths. --resume RUN takes everything that
 * decides the result from the run; --resume auto does so where --out is a run already, which must have been
 * begun with the same settings and files. Such a run is opened (run->lock >= 0). SR_USAGE, SR_NOINPUT. */
int sr_settings_complete(struct sr_config *c, struct sr_options *o, struct sr_run *run, int argc, char **argv,
                         struct sr_error *err);

/* config.yaml of a run with these settings, after checking that it can be read back; free with sr_free. NULL
 * with a status in err. */
char *sr_settings_text(const struct sr_options *o, struct sr_error *err);

#endif
