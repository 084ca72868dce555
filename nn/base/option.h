/* option.h: settings. Every setting is one row of a table: key, type, range, help, default.
 *
 * Flags, config file keys, --set, --help and the printed effective configuration all come from that row. A
 * value lives in a field of the command's own struct; where it came from (default, file, --set, flag, ...) is
 * remembered.
 *
 *     struct opts { char *data; double threshold; int64_t threads; };
 *     static const struct sr_option table[] = {
 *         {"data", SR_OPTION_TEXT, offsetof(struct opts, data), .metavar = "D.h5", .help = "dump to read"},
 *         {"threshold", SR_OPTION_REAL, offsetof(struct opts, threshold), .fallback = ".6", .max = 1, ...},
 *     };
 *     struct opts opts;
 *     struct sr_options o;
 *     sr_options_begin(&o, table, SR_COUNT(table), &opts, err);        // defaults
 *     sr_options_arguments(&o, argc, argv, err);                      // --threshold .7 or --threshold=.7
 *     sr_options_end(&o);                                             // frees the strings in opts
 *
 * Keys use '_'; flags may use '-' or '_'. An unknown key gets a "did you mean".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_OPTION_H
#define SR_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nn/base/decimal.h"
#include "nn/base/error.h"

#define SR_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SR_LIST_MAX 128

/* Bytes that hold any value as text but an SR_OPTION_TEXT, of any length: a full list, a comma or the NUL
 * behind each number. */
#define SR_LIST_TEXT ((size_t)SR_LIST_MAX * SR_DECIMAL_TEXT)

struct sr_integers { /* SR_OPTION_INTEGERS: "1024,512,256" or "[1024, 512, 256]" */
    size_t n;
    int64_t v[SR_LIST_MAX];
};
struct sr_reals { /* SR_OPTION_REALS */
    size_t n;
    double v[SR_LIST_MAX];
};

enum sr_option_type {
    SR_OPTION_INTEGER,  /* int64_t; min..max */
    SR_OPTION_REAL,     /* double; min..max */
    SR_OPTION_BYTES,    /* int64_t; "800M", "4G"; "auto" is -1 */
    SR_OPTION_SWITCH,   /* bool; as a flag it takes no value: --json, --json=false */
    SR_OPTION_TEXT,     /* char *, NULL when unset; owned by the options */
    SR_OPTION_CHOICE,   /* int: index into choices, "a|b|c" */
    SR_OPTION_INTEGERS, /* struct sr_integers; each min..max */
    SR_OPTION_REALS     /* struct sr_reals; each min..max */
};

/* RECIPE: from a named recipe; INIT: from the weights that training starts with. */
enum sr_origin {
    SR_ORIGIN_DEFAULT,
    SR_ORIGIN_RECIPE,
    SR_ORIGIN_INIT,
    SR_ORIGIN_FILE,
    SR_ORIGIN_SET,
    SR_ORIGIN_FLAG
};

struct sr_option {
    const char *key;
    enum sr_option_type type;
    size_t offset;        /* of the field in the command's struct */
    const char *fallback; /* default as text; NULL: unset (0, NULL, empty) */
    double min, max;      /* numbers; both 0: any */
    const char *choices;  /* SR_OPTION_CHOICE */
    const char *metavar;  /* what --help shows for the value */
    const char *help;     /* one line, lower case, no full stop */
    bool flag_only;       /* not a config key: only as a flag */
    bool output;          /* SR_OPTION_TEXT: a file to write, which must be possible before the work begins */
    bool repeats;         /* SR_OPTION_TEXT: the flag may be given again; its values are joined with commas */
    bool operand;         /* SR_OPTION_TEXT: also given as a word without a flag; the first such word goes to
                             the first of these rows that has no value yet, and so on; behind a row that also
                             repeats comes no other, for it takes all further words */
};

struct sr_options {
    const struct sr_option *table;
    size_t count;
    void *values;
    enum sr_origin *origins; /* one a row */
};

/* Sets every field to its default. Free with sr_options_end. */
int sr_options_begin(struct sr_options *o, const struct sr_option *table, size_t count, void *values,
                     struct sr_error *err);
void sr_options_end(struct sr_options *o);

/* Sets one key from text. SR_USAGE for an unknown key (with the nearest one), a value out of range or of the
 * wrong type. */
int sr_options_set(struct sr_options *o, const char *key, const char *value, enum sr_origin origin,
                   struct sr_error *err);

/* argv[0..argc) are flags and operands; anything else is SR_USAGE. "--set key=value" sets a
 * config key. The first flag of a row replaces its value, so that arguments may be taken twice; if the row
 * repeats, the later ones of the same call are joined to it with commas. */
int sr_options_arguments(struct sr_options *o, int argc, char **argv, struct sr_error *err);

bool sr_options_given(const struct sr_options *o, const char *key); /* not the default */
enum sr_origin sr_options_origin(const struct sr_options *o, const char *key);

/* The value of row i as text that sr_options_set would take back, into text. Returns text; "" when unset.
 * What does not fit into size bytes (SR_LIST_TEXT is enough for all but an SR_OPTION_TEXT) is cut and ends in
 * "...", which no list takes back for a shorter one. */
const char *sr_options_text(const struct sr_options *o, size_t i, char *text, size_t size);

/* "  --key VALUE   help (default)" for each row, the help broken at SR_HELP_WIDTH columns. */
#define SR_HELP_WIDTH 100
void sr_options_help(const struct sr_option *table, size_t count, FILE *to);

const char *
sr_origin_name(enum sr_origin origin); /* "default", "recipe", "weights", "file", "--set", "flag" */

#endif
