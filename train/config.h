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
    char *init; /* weights to begin with */
    char *out, *resume, *config;
    bool json, full;            /* how the summary is printed */
    struct sr_data_options how; /* how dumps are read */
    int on_bad_row;             /* enum sr_on_bad_row */

    /* the recipe */
    int recipe; /* enum sr_recipe */
    int64_t seed, seeds, split_seed, epochs, batch, epoch_rows, t0, t_mult, patience, window;
    double lr, weight_decay, beta1, beta2, eps, clip, alpha, gamma, pos_weight, label_smoothing, eta_min;
    int loss, sampler, schedule, normalize; /* enums below */
    struct sr_integers hidden;
    struct sr_reals dropout;
    struct sr_integers train_weight; /* one a training file, or none */

    /* this machine; never changes results */
    int64_t memory, threads;
    double checkpoint_seconds, max_minutes;
};

enum sr_loss { SR_LOSS_FOCAL, SR_LOSS_BCE };
enum sr_sampler { SR_SAMPLER_BALANCED, SR_SAMPLER_NONE };
enum sr_schedule_kind { SR_SCHEDULE_COSINE, SR_SCHEDULE_CONSTANT };
enum sr_normalize { SR_NORMALIZE_NONE, SR_NORMALIZE_STANDARD };

enum sr_on_bad_row { SR_ON_BAD_ROW_ERROR, SR_ON_BAD_ROW_SKIP };

extern const struct sr_option sr_config_table[];
extern const size_t sr_config_count;

/* What no single row can check: contradictions between settings. SR_USAGE. */
int sr_config_check(const struct sr_config *c, struct sr_error *err);

/* SR_USAGE if no router could be made of such layers over rows of that width: not worth training. */
int sr_config_fits(const struct sr_config *c, size_t width, struct sr_error *err);

/* The first row, of those that decide the result or name its data, where two configurations differ; the count
 * of rows if none does. */
size_t sr_config_differs(const struct sr_options *a, const struct sr_options *b);

/* The i-th remark (from 0) on settings that contradict each other without harm, or that weigh the same thing
 * twice: text for the user in `text` (256 bytes), or NULL when there are no more. */
const char *sr_config_remark(const struct sr_options *o, size_t i, char text[256]);

/* The effective settings as YAML, each with its origin as a comment; free with sr_free. */
char *sr_config_text(const struct sr_options *o, struct sr_error *err);

/* A line of that text, cut in place: "lr: 0.001  # flag" into "lr", "0.001" and "flag". False: it is none. */
bool sr_config_line(char *line, char **value, char **origin);

/* SHA-256 over the settings that decide the result (not paths, threads, memory, cadence), with that seed in
 * place of theirs. */
void sr_config_hash(const struct sr_options *o, int64_t seed, char hex[65]);

/* The pieces in the form their users take. */
struct sr_model_spec sr_config_model(const struct sr_config *c, size_t width);
struct sr_schedule sr_config_schedule(const struct sr_config *c);
struct sr_focal sr_config_loss(const struct sr_config *c);
struct sr_adamw sr_config_adamw(const struct sr_config *c, double lr);

#endif
