/* config.h: every setting of a training run: one struct, one table.
 *
 * Defaults, then the config file, then --set and flags in the order given; later wins. The table's rows that
 * are not flag_only are the keys of config.yaml.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CONFIG_H
#define SR_CONFIG_H

#include "data/data.h"
#include "nn/nn.h"
#include "train/adamw.h"
#include "train/schedule.h"

struct sr_config {
    /* where things are */
    char *train, *val; /* comma-separated dumps */
    double val_fraction;
    char *out, *resume, *config;
    struct sr_data_options how; /* how dumps are read */
    int on_bad_row;             /* enum sr_on_bad_row */

    /* the recipe */
    int64_t seed, epochs, batch, t0, t_mult, patience, window;
    double lr, weight_decay, beta1, beta2, eps, clip, alpha, gamma, eta_min;
    struct sr_integers hidden;
    struct sr_reals dropout;

    /* this machine; never changes results */
    int64_t memory, threads;
    double checkpoint_seconds;
};

enum sr_on_bad_row { SR_ON_BAD_ROW_ERROR, SR_ON_BAD_ROW_SKIP };

extern const struct sr_option sr_config_table[];
extern const size_t sr_config_count;

/* Sets keys from a YAML or JSON file: one flat mapping. SR_NOINPUT, SR_USAGE (file, line, what). */
int sr_config_read(struct sr_options *o, const char *path, struct sr_error *err);
/* The same from memory; path is for messages. */
int sr_config_parse(struct sr_options *o, const char *text, size_t size, const char *path,
                    struct sr_error *err);

/* What no single row can check: contradictions between settings. SR_USAGE. */
int sr_config_check(const struct sr_config *c, struct sr_error *err);

/* The effective settings as YAML, each with its origin as a comment; free with sr_free. */
char *sr_config_text(const struct sr_options *o, struct sr_error *err);

/* SHA-256 over the settings that decide the result (not paths, threads, memory, cadence). */
void sr_config_hash(const struct sr_options *o, char hex[65]);

/* The pieces in the form their users take. */
struct sr_model_spec sr_config_model(const struct sr_config *c, size_t width);
struct sr_schedule sr_config_schedule(const struct sr_config *c);
struct sr_adamw sr_config_adamw(const struct sr_config *c, double lr);

#endif
