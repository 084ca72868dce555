/* bench.h: what `saferoute bench` is made of: parts, each measuring one thing as a share of its limit.
 *
 * A part is one file bench_NAME.c that defines sr_bench_part_NAME, and one line of the list below. It fills
 * a JSON object, or an array of objects; the table on the screen shows the keys that its columns name. So a
 * part never prints, and screen and JSON cannot say different things.
 *
 * What is measured several times is given as the median, and beside it as KEY_range: [least, most]. Limits
 * (bench_limits.c) are the best of many short runs: nobody is faster than a limit. Shares are 0..1.
 *
 * One thread at a time; parts start OpenMP teams of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_BENCH_H
#define SR_BENCH_H

#include "data/data.h"

/* X(name, its line of --help), in the order in which they are measured and shown. */
#define SR_BENCH_PART_LIST(X)                                                                                \
    X(machine, "machine    the limits: arithmetic in registers, and reading memory")                         \
    X(training, "training   a step of the published network, by phase, at 64, 256 and 1024 rows")            \
    X(epoch, "epoch      epochs trained from the dump, by phase, and how much of them is waiting for rows")  \
    X(scoring, "scoring    rows a second in calls of 1, 8, 64 and 1024 rows, in each precision")             \
    X(latency, "latency    how long one row takes: one caller alone, and one caller a thread")               \
    X(reading, "reading    how fast the dump's features are read")

#define SR_BENCH_WIDTH 2048 /* features of the published router, where there are no others */

#define SR_BENCH_ROUNDS_MAX 1000
#define SR_BENCH_READS      8

/* Limits of this machine, measured when they are first asked for; 0: not yet. */
struct sr_bench_limits {
    double fma[2], dot[2], update[2]; /* of one thread and of all, a second */
    struct {
        size_t bytes;
        double rate;
    } read[SR_BENCH_READS];
};

struct sr_bench {
    const char *data;           /* dumps, or NULL */
    const char *model;          /* weights file, or NULL: made up */
    struct sr_data_options how; /* how dumps are read */
    size_t rounds;              /* 1..SR_BENCH_ROUNDS_MAX */
    double seconds;             /* how long one thing is measured at a time, > 0 */
    int threads;                /* of all loops; what sr_cpu_threads gave */
    void (*progress)(void *user, double fraction);
    void *user;
    struct sr_bench_limits limits;
};

struct sr_bench_result {
    struct sr_json *json; /* NULL where the part cannot be measured; the caller's */
    char title[512];      /* stands above the table; may have lines */
    char left_out[192];   /* why json is NULL */
};

/* A column of the table. An empty key ends the list. */
struct sr_bench_column {
    const char *heading;
    const char *key;   /* of a text or number; where an object lacks it the cell is empty */
    int decimals;      /* of a number */
    bool range;        /* KEY_range behind it */
    const char *share; /* key of a share to be shown behind it, or NULL */
    bool percent;      /* the number itself is a share */
};

#define SR_BENCH_COLUMNS 12

struct sr_bench_part {
    const char *name;
    bool needs_data;
    /* Errors of what is opened, SR_NOMEM. */
    int (*run)(struct sr_bench_result *out, struct sr_bench *b, struct sr_error *err);
    const char *rows; /* key of the array that the table shows, where json is an object; NULL: all of json */
    struct sr_bench_column column[SR_BENCH_COLUMNS];
};

#define X(name, help) extern const struct sr_bench_part sr_bench_part_##name;
SR_BENCH_PART_LIST(X)
#undef X

/* ---- bench.c: for the parts ---- */

/* Seconds a call of work(user) takes: as many calls as `seconds` have room for, at least one. */
double sr_bench_time(void (*work)(void *user), void *user, double seconds);

void sr_bench_sort(double *x, size_t n); /* ascending */

/* Of n numbers, which become ascending; of an even number of them between the two in the middle. */
double sr_bench_median(double *x, size_t n);

/* The value at least a share p of n ascending numbers do not exceed. */
double sr_bench_percentile(const double *x, size_t n, double p);

/* KEY: the median of n numbers, which become ascending; KEY_range: [least, most]. Returns the median. */
double sr_bench_set(struct sr_json *o, const char *key, double *x, size_t n);
/* The same in milliseconds, of seconds x, which become milliseconds. Returns the median in seconds. */
double sr_bench_set_milliseconds(struct sr_json *o, const char *key, double *x, size_t n);
void sr_bench_set_number(struct sr_json *o, const char *key, double x);
void sr_bench_set_integer(struct sr_json *o, const char *key, size_t n);

/* Tells the user that `done` of `all` are done. */
void sr_bench_progress(const struct sr_bench *b, size_t done, size_t all);

/* n made-up features: uniform, mean 0, variance 1; a pure function of n. */
void sr_bench_features(float *x, size_t n);

/* ---- bench_limits.c ---- */

/* Operations a second, a multiplication and an addition counting as one each, by one thread or by all
 * (threads == b->threads): fused multiply-adds of float32; products of int8. */
double sr_bench_fma(struct sr_bench *b, int threads);
double sr_bench_dot(struct sr_bench *b, int threads);

/* Bytes a second that one thread reads of a block of `bytes`, over and over. */
int sr_bench_read(double *rate, struct sr_bench *b, size_t bytes, struct sr_error *err);

/* Bytes a second of AdamW's traffic for n parameters, without its arithmetic: four arrays read and three
 * written, 28 bytes a parameter. n is that of the first call. */
int sr_bench_update(double *rate, struct sr_bench *b, int threads, size_t n, struct sr_error *err);

#endif
