/* data.h: the door of data: every foreign file of rows in, batches out.
 *
 * A struct sr_data is one or several feature dumps (HDF5) seen as one set of rows. Its columns (labels,
 * verdicts and so on) are in memory from the start; its features are kept in memory when they fit, else read
 * in bands. Batches come from a loader, which is the only way to features during training:
 *
 *     struct sr_data *d;
 *     sr_data_open(&d, "train-a.h5,train-b.h5", &options, err); // columns, checked
 *     sr_data_keep(d, memory, err);                             // features into memory, if they fit
 *     sr_data_scan(d, &scan, NULL, NULL, err);                  // bad rows, mean, deviation, data_id
 *     sr_loader_create(&loader, d, rows, n_rows, &how, err);
 *     for (epoch = 0; ...; epoch++) {
 *         sr_loader_start(loader, epoch, 0, err);
 *         while ((got = sr_loader_next(loader, &batch, err)) > 0)
 *             step(batch.x, batch.y, batch.rows);
 *     }
 *
 * Memory only decides where bytes are kept: the batches are the same bits either way.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_DATA_H
#define SR_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/role.h"
#include "data/sketch.h"
#include "data/tensors.h"
#include "nn/base/base.h"

/* Names of datasets in the files, where they differ from the contract's; NULL: the contract's name or an
 * alias (features: X, embeddings, hidden_states; label: labels, y, target). A name given must be there; two
 * aliases in one file are refused. */
struct sr_data_names {
    const char *features, *label, *gold, *small_prob, *small_pred, *large_prob, *large_pred;
    const char *id, *group, *source, *weight;
};

#define SR_DATA_WIDTH_MAX 65536 /* features a row */
#define SR_CONTRACT_KEYS  10    /* pairs of a contract */

/* Of a label, gold or verdict: not known. */
#define SR_UNKNOWN 255

/* Where labels come from. */
enum sr_labels {
    SR_LABELS_CHECKED, /* /label, and a row where the guards' verdicts and gold say otherwise is an error;
                          without /label, gold and the verdicts */
    SR_LABELS_STORED,  /* /label, whatever the verdicts say; a dump without is refused */
    SR_LABELS_DERIVED  /* gold and the verdicts, whatever /label says; a dump without is refused */
};

/* What is wrong with the columns of dumps, for those who look. */
#define SR_TROUBLES 4
struct sr_troubles {
    size_t n;                              /* columns left out, and dumps whose labels disagree */
    char text[SR_TROUBLES][SR_ERROR_TEXT]; /* of the first ones */
    bool is_disagreement[SR_TROUBLES];     /* which of those are the latter */
    size_t disagree;                       /* of n, the latter */
};

struct sr_data_options {
    struct sr_data_names names;
    /* For scoring: only features, ids and the contract are read; every other column is NULL, and what is
     * wrong with it is not looked at. */
    bool features_only;
    int labels; /* enum sr_labels */
    /* For looking at what there is, not for training: a dump with neither /label nor all it follows from is
     * not refused, but has no labels; its other columns are read. */
    bool label_optional;
    /* For looking too: a column that cannot be used is left out and noted here, behind what is there already;
     * stored labels that disagree with the verdicts are kept and noted; labels asked for that are not there
     * are none. A name given must be there all the same. NULL: all that is an error. Borrowed. */
    struct sr_troubles *troubles;
    /* A guard's verdict is unsafe from this probability on. 0: the dump's root attribute of that name, else
     * .5. One that is given recuts the verdicts from the probabilities, which must be there then, and wins
     * over _pred. Rounded to the type of the file's probabilities, as NumPy rounds a Python float. */
    double small_threshold, large_threshold;
    /* 16-bit integer features are bfloat16 bit patterns; without this they are refused. Other features are
     * float16, float32, float64 (kept as float32) or bfloat16: a 16-bit float type with 8 bits of exponent,
     * or opaque values of 2 bytes. */
    bool uint16_is_bfloat;
    /* The path is one file's name, whatever is in it: no list, no pattern. */
    bool one_file;
    bool isolate; /* only that the flag was there: sr_isolate_begin has seen to it */
};

/* clang-format off */
#define SR_DATA_NAME(type, member, name, what) \
    {#name, SR_OPTION_TEXT, offsetof(type, member.names.name), .metavar = "NAME", \
     .help = "dataset of " what ", if not /" #name}

#define SR_ISOLATE_FLAG "--isolate"

/* Row of the table of every command that reads dumps; field: a bool of struct type, which nobody reads, for the
 * program looks for the flag before it begins. */
#define SR_ISOLATE_OPTION(type, field) \
    {"isolate", SR_OPTION_SWITCH, offsetof(type, field), .flag_only = true, \
     .help = "HDF5 files are read by a process of its own that can do nothing else: for files you do not trust; " \
             "what copies dumps (data split, merge, label, drop, repack) refuses it"}

/* Rows of a command's table of options: how features and ids are found. struct type has a struct
 * sr_data_options called member. */
#define SR_DATA_FEATURE_OPTIONS(type, member) \
    SR_ISOLATE_OPTION(type, member.isolate), \
    SR_DATA_NAME(type, member, features, "features"), \
    SR_DATA_NAME(type, member, id, "row ids"), \
    {"uint16_is_bfloat", SR_OPTION_SWITCH, offsetof(type, member.uint16_is_bfloat), \
     .help = "16-bit integer features are bfloat16 bit patterns"}

/* And everything that labels follow from. */
#define SR_DATA_LABEL_OPTIONS(type, member) \
    {"labels", SR_OPTION_CHOICE, offsetof(type, member.labels), .fallback = "checked", \
     .choices = "checked|stored|derived", \
     .help = "/label, which must agree with gold and the guards' verdicts; /label as stored; derived from them"}, \
    {"small_threshold", SR_OPTION_REAL, offsetof(type, member.small_threshold), .fallback = "0", .max = 1, \
     .help = "the small guard says unsafe from this probability on; 0: the dump's attribute, else .5"}, \
    {"large_threshold", SR_OPTION_REAL, offsetof(type, member.large_threshold), .fallback = "0", .max = 1, \
     .help = "the same for the large guard"}, \
    SR_DATA_NAME(type, member, label, "labels"), \
    SR_DATA_NAME(type, member, gold, "human labels"), \
    SR_DATA_NAME(type, member, small_prob, "the small guard's probabilities"), \
    SR_DATA_NAME(type, member, small_pred, "the small guard's verdicts"), \
    SR_DATA_NAME(type, member, large_prob, "the large guard's probabilities"), \
    SR_DATA_NAME(type, member, large_pred, "the large guard's verdicts"), \
    SR_DATA_NAME(type, member, group, "groups of twins"), \
    SR_DATA_NAME(type, member, source, "sources"), \
    SR_DATA_NAME(type, member, weight, "row weights")
/* clang-format on */

/* A guard's threshold where its verdicts were cut from probabilities; at is NaN where they were not, or not
 * all files' at the same. */
struct sr_cut {
    double at;
    const char *origin; /* "given", "the dump's", "default", or "" where at is NaN; static storage */
};

/* One or several dumps as one set. Fields are read-only outside data/. Columns have `rows` items, or are NULL
 * where any file lacks them (group: where every file does). */
struct sr_data {
    size_t rows;  /* at most 2^32 - 1 */
    size_t width; /* features a row, D, at most SR_DATA_WIDTH_MAX */
    size_t files;

    /* 0, 1 or SR_UNKNOWN: in the file -1, or NaN in a column of floats */
    uint8_t *label;     /* 1: small wrong and large right; unknown where it follows from unknown */
    bool label_derived; /* label was made from gold and verdicts */
    uint8_t *gold;      /* 1: unsafe */
    uint8_t *small_pred, *large_pred; /* verdicts, 1: unsafe; from _prob and a threshold given, else from
                                         _pred, else from _prob and the threshold */
    float *small_prob, *large_prob;   /* NaN: unknown */
    struct {
        size_t label, gold, small, large; /* rows that have the column, but where its value is unknown */
    } unknown;
    struct sr_cut small_cut, large_cut;
    float *weight;   /* of the row's loss, finite and >= 0; rows of a file without weights have 1; NULL where
                        every file lacks them */
    int64_t *group;  /* integers as they are, strings as 64-bit hashes; rows of a file without groups and
                        rows whose group is -1 or an empty string are groups of their own */
    int32_t *source; /* index into source_names; files' sources are joined by name */
    char **source_names;
    size_t sources;
    char **id; /* printable: strings as they are, bytes that are not text, and opaque ones, as hex */

    /* The feature contract, those of the root attributes feature_model, feature_revision, feature_layer,
     * feature_norm, feature_pooling, feature_template that every file has, as strings; behind it the label
     * contract: large_model and large_revision likewise (the small guard is feature_model), and
     * small_threshold and large_threshold as decimals: what verdicts were cut at, or what the attribute of
     * that name says of stored ones; a default alone only where labels agree with it or are derived. */
    struct sr_pair *contract;
    size_t contract_count;

    struct sr_data_private *in; /* files, storage of features */
};

/* The comma-separated list with every pattern (*, ?, [...]) replaced by the files it matches, sorted; an item
 * that names a file, or is no pattern, stays as it is. Free *out with sr_free. files (may be NULL) has room
 * for `room` items and gets how many files each item of the list stands for, 0 behind the last. SR_NOINPUT: a
 * pattern matches nothing. SR_USAGE: more than `room` items, an empty one, or a match with a comma in its
 * name.
 */
int sr_data_paths(char **out, const char *list, size_t *files, size_t room, struct sr_error *err);

/* Opens paths (comma-separated, patterns as in sr_data_paths, but for one_file), checks them against the
 * contract of a dump and reads the columns. SR_NOINPUT: no such file. SR_DATA: not HDF5, a dataset missing
 * (named, with what there is), wrong rank, row counts that differ, labels other than 0, 1 and unknown, labels
 * that disagree with the verdicts (with the count), probabilities outside 0..1, weights below 0, zero rows, D
 * above SR_DATA_WIDTH_MAX or differing between files, contracts that differ, compressed by a filter that is
 * not installed; a threshold given for a guard whose probabilities the dump lacks. SR_USAGE: a
 * comma that is part of a file's name. options may be NULL. */
int sr_data_open(struct sr_data **out, const char *paths, const struct sr_data_options *options,
                 struct sr_error *err);
void sr_data_close(struct sr_data *d);

/* "as stored; unsafe from: small guard 0.5 (default), large guard unknown": where labels come from, and where
 * the verdicts of guards, if there are any, were cut. */
void sr_data_labels_text(char text[256], const struct sr_data *d);

/* Bytes the features take in memory (16-bit values stay 16-bit where all files have the same type). */
size_t sr_data_bytes(const struct sr_data *d);

/* Reads all features into memory if sr_data_bytes is at most `memory`; else leaves them in the files. */
int sr_data_keep(struct sr_data *d, size_t memory, struct sr_error *err);
bool sr_data_kept(const struct sr_data *d);

/* Path and row inside its file of a row of the set, for messages. */
void sr_data_locate(const struct sr_data *d, size_t row, const char **path, size_t *row_in_file);

/* Number of the file, 0..files-1, that holds a row, and its path. */
size_t sr_data_file(const struct sr_data *d, size_t row);
const char *sr_data_path(const struct sr_data *d, size_t file);

/* What one pass over the features finds. Arrays belong to the scan; free with sr_scan_free. */
struct sr_scan {
    size_t bad_rows;   /* rows with a NaN or an infinity */
    uint32_t *bad_row; /* their numbers, ascending */
    double *mean;      /* [width], over the good rows; NaN without any */
    double *deviation; /* [width], population (divides by n) */
    uint64_t *hash;    /* [rows], sr_row_hash of each */
    float *length;     /* [rows], Euclidean; NaN of a bad row */
    /* SHA-256 over rows and width (uint64), labels (uint8 each; nothing where there are none), and rows
     * floor(i*rows/m) for i < m = min(rows, 1024) as float32; all little-endian. The form of the file does
     * not matter, nor does where features are kept. */
    char data_id[65];
    char values_id[65]; /* SHA-256 over a hash of every row's features, as uint64 */
};
/* progress (may be NULL) is called now and then with the fraction done. The same bits for any thread
 * count. */
int sr_data_scan(struct sr_data *d, struct sr_scan *scan, void (*progress)(void *user, double fraction),
                 void *user, struct sr_error *err);
void sr_scan_free(struct sr_scan *scan);

/* Splits `rows` (ascending) into train and val, val with about `fraction` of them: stratified by label, and
 * rows of one group stay together. A pure function of (labels, groups, rows, seed). Outputs are ascending,
 * allocated, free with sr_free. SR_DATA if a class would be missing on either side, SR_BUG if a row's
 * label is unknown. val has no more than its share of each class, and less only where large groups do not
 * fit. */
int sr_data_split(const struct sr_data *d, const uint32_t *rows, size_t n, double fraction, uint64_t seed,
                  uint32_t **train, size_t *n_train, uint32_t **val, size_t *n_val, struct sr_error *err);

/* ---- batches ---- */

/* A pass is what the order makes of all rows; passes follow each other without end. An epoch is the next
 * epoch_rows draws of them, so that with a pass an epoch it is the pass, and with less no row comes again
 * before its pass is over. */
enum sr_order {
    SR_ORDER_FILE,     /* every row once, ascending */
    SR_ORDER_SHUFFLED, /* every row once (as often as its file's weight), shuffled; see sequence.c */
    SR_ORDER_BALANCED, /* class-balanced draws with replacement, as many as there are rows; see sequence.c */
};

#define SR_FILE_WEIGHT_MAX 100

struct sr_loader_options {
    enum sr_order order;
    uint64_t seed;
    size_t batch; /* rows a batch; the last has what is left, but a last batch of one row joins its neighbour,
                     so that batches have at most batch + 1 rows (SR_ORDER_FILE: no joining, at most batch) */
    size_t window; /* rows shuffled together, not for SR_ORDER_FILE; rounded up to whole bands of 256 rows of
                      the set. Where features are streamed, about two windows of raw rows are in memory */
    size_t epoch_rows; /* draws an epoch; 0: one pass. Not for SR_ORDER_FILE */
    /* [files], 1..SR_FILE_WEIGHT_MAX: every row counts as if it were there so often; NULL: once. Not for
     * SR_ORDER_FILE. Takes 4 bytes of memory for each time a row counts; a shuffled pass has at most 2^32 - 1
     * draws (else SR_USAGE). */
    const int64_t *file_weight;
    const float *shift, *scale; /* [width]: x becomes (x - shift) * scale; both NULL: stays. Borrowed */
    float *x; /* [batch + 1, width]: where batches are put. Borrowed; loaders used by turns may share it.
                 NULL: the loader has one of its own */
};

struct sr_batch {
    size_t rows;
    const float *x;      /* [rows, width]; valid until the next call */
    const uint8_t *y;    /* [rows] labels; NULL if the data has none */
    const float *weight; /* [rows]; NULL if the data has none */
    const uint32_t *row; /* [rows] row numbers of the set */
};

struct sr_loader;

/* rows[0..n): the rows that take part, ascending; borrowed until the loader is freed, like d. A loader
 * belongs to one thread; it starts a thread of its own that reads ahead where features are not in memory.
 * Several loaders on one d may be used by turns. SR_ORDER_BALANCED needs known labels and rows of both
 * classes (else SR_DATA). */
int sr_loader_create(struct sr_loader **out, struct sr_data *d, const uint32_t *rows, size_t n,
                     const struct sr_loader_options *options, struct sr_error *err);
void sr_loader_free(struct sr_loader *loader);

size_t sr_loader_batches(const struct sr_loader *loader); /* batches an epoch */
size_t sr_loader_rows(const struct sr_loader *loader);    /* draws an epoch */

/* Goes to batch `first` of epoch `epoch` (both from 0). */
int sr_loader_start(struct sr_loader *loader, uint64_t epoch, size_t first, struct sr_error *err);

/* 1: batch filled; 0: the epoch is over, or none was started; negative: a status, such as SR_DATA where the
 * reading thread met a damaged file. Allocates nothing, unless chunks of a streamed file are to be unpacked.
 */
int sr_loader_next(struct sr_loader *loader, struct sr_batch *batch, struct sr_error *err);

/* Seconds since the loader was created in which its user waited for rows to be read, or read them himself. */
double sr_loader_waited(const struct sr_loader *loader);

/* ---- writing ---- */

/* A synthetic dump shaped like the real thing; see synth.c. Written atomically, in memory of 40 bytes a row.
 * The same bytes for any number of threads. */
struct sr_synth {
    size_t rows, width;
    uint64_t seed;
    uint64_t world; /* seed of the guards and of the feature directions: dumps of one world share a problem */
};
int sr_synth_write(const char *path, const struct sr_synth *how, struct sr_error *err);

/* A dump from what people have: tensors saved by PyTorch (.pt), safetensors, .npy, CSV, JSONL, a value a line
 * (.txt), hidden-state files of vLLM; see convert.c. */
enum sr_convert_type { SR_CONVERT_HALF, SR_CONVERT_FLOAT, SR_CONVERT_BFLOAT, SR_CONVERT_KEEP };

struct sr_convert {
    const char *from;             /* a file whose columns go by the names of a dump, or NULL */
    const char *column[SR_ROLES]; /* FILE or FILE:NAME of one column, or NULL; wins over `from` */
    int type; /* enum sr_convert_type, of the features; KEEP: the source's, float64 and text
                 as float32 */
    int gzip; /* level of the features' compression, 0 to 9 */
    bool layer_given;
    int64_t layer;              /* of features with three axes, which of the middle one */
    bool mean;                  /* of files of hidden states: the mean over tokens, not the last token */
    const char *feature_prefix; /* of CSV columns with a feature each */
    int labels;                 /* enum sr_labels; DERIVED leaves /label out */
    /* Of the make of features and labels, as sr_contract_file_read gives it; wins over what files say. */
    const struct sr_pair *contract;
    size_t contract_count;
    const char *contract_file; /* where it is from, which out may not be; or NULL */
};

#define SR_CONTRACT_TEXT 96
#define SR_CONVERT_LEFT  300
#define SR_CONVERT_PATH  200

struct sr_converted {
    size_t rows, width;
    const char *type;                   /* of the features as written: "float16"; static storage */
    bool labelled;                      /* there are labels or all they follow from */
    size_t bad_rows, first_bad;         /* with a NaN or an infinity among the features, kept as they are */
    size_t underflows, first_underflow; /* values other than 0 that the type made 0; the first one's row */
    struct {                            /* what was given and what the files say is another */
        const char *key;
        char given[SR_CONTRACT_TEXT], found[SR_CONTRACT_TEXT];
    } differs[SR_CONTRACT_KEYS];
    size_t differences;
    char left[SR_CONVERT_LEFT];  /* tensors of the features' file that were not taken; may be cut, or "" */
    char moved[SR_CONVERT_PATH]; /* a file whose rows were put into the features' order by their ids, or "" */
    char unjoined[SR_CONVERT_PATH]; /* a file without ids beside a folder of hidden states, or "" */
};

/* Files that have ids are joined by them, in the order of the features; files without row by row.
 * Writes the dump atomically, and opens it before it takes its name, so that what is there afterwards is read
 * by every command. progress (may be NULL) as in sr_data_scan. SR_USAGE: no features named; out is one of the
 * sources or the contract's file; --layer that is not there. SR_NOINPUT, SR_DATA: a source missing or
 * damaged; row counts that differ (all are listed); ids that do not meet; a value that its column may not
 * hold (file, line or row); features beyond what the type holds (counted), a row of which it holds
 * nothing; no row without NaN or infinity. */
int sr_convert_write(struct sr_converted *done, const char *out, const struct sr_convert *how,
                     void (*progress)(void *user, double fraction), void *user, struct sr_error *err);

/* Key k < SR_CONTRACT_KEYS of a contract: "feature_model", ...; static storage. The first
 * SR_CONTRACT_FEATURES say where features come from, the others where labels do. */
#define SR_CONTRACT_FEATURES 6
const char *sr_contract_key(int k);

/* A contract from a file: a JSON object of texts and numbers under those keys, and under threshold and
 * threshold_rule, which are a router's and taken only where `router` says so. What is null is left out.
 * *pairs is one block, free with sr_free; untouched after a failure. SR_NOINPUT: no such file. SR_USAGE: not
 * such an object, an unknown key (with the nearest one), a feature_norm other than pre, post and unit, a
 * threshold that is none, a rule without a threshold. */
int sr_contract_file_read(struct sr_pair **pairs, size_t *n, const char *path, bool router,
                          struct sr_error *err);

/* What is said of every row of a dump, borrowed. */
struct sr_score_columns {
    const float *logit, *prob;
    const uint8_t *decision;   /* 1: large */
    const char *const *reason; /* may be "" */
    const float *calibrated;   /* or NULL */
};
/* Scores to HDF5, written atomically: /row, /id (if the data has ids), /logit, /prob, /decision, /reason
 * (strings), /calibrated (if there is one). */
int sr_data_write_scores(const char *path, const struct sr_data *d, const struct sr_score_columns *c,
                         struct sr_error *err);

/* SR_SCORES_CSV or SR_SCORES_HDF5, as the ending of a file of scores says: .csv, .h5 or .hdf5. SR_USAGE for
 * another, which names the option. */
enum sr_scores_form { SR_SCORES_CSV, SR_SCORES_HDF5 };
int sr_data_scores_form(const char *option, const char *path, struct sr_error *err);

/* Probabilities that `infer` wrote, into prob [d->rows]; NaN where a row has none (nan or empty). A column
 * prob is needed; row and id are compared where there are any, other columns not looked at. Does not touch
 * features. SR_NOINPUT: no such file. SR_DATA: no column prob, other rows than those of d (their number,
 * their order, their ids where both have some), a value that is neither 0..1 nor NaN, no table; says where.
 * SR_USAGE: an ending that says no format. */
int sr_data_read_scores(float *prob, const char *path, const struct sr_data *d, struct sr_error *err);

/* ---- looking ---- */

/* What is known of a dump, or of scores that infer wrote, as facts (facts.h); title, where it is set, says
 * which of them. Features are not read: how they lie in the file is known without. A dump whose labels cannot
 * be used, or that has none, tells the rest. Errors of opening; SR_DATA too where a column prob holds no
 * numbers, and of a table (CSV) without that column. */
int sr_data_facts_hdf5(struct sr_facts *f, const char **title, const char *path,
                       const struct sr_data_options *how, struct sr_error *err);
int sr_data_facts_csv(struct sr_facts *f, const char *path, struct sr_error *err);

/* How features are read from the files: "in one piece", "by chunks", "through HDF5" (the slow way, for forms
 * that nothing else reads), or "in several ways"; static storage. */
const char *sr_data_way(const struct sr_data *d);

/* How features are kept: "float16", "bfloat16" or "float32" (float64 files too); static storage. */
const char *sr_data_feature_type(const struct sr_data *d);

/* ---- files of strangers ---- */

/* Starts the process that reads every HDF5 file from now on (--isolate). Before the program has any thread.
 * SR_IO: this system cannot close a process off, or there is none to be had. */
int sr_isolate_begin(struct sr_error *err);

/* Ends it. SR_DATA where it could not answer and that is not known yet; reported: the command has already
 * failed for bad data and said why. */
int sr_isolate_end(bool reported, struct sr_error *err);

/* True if the program was started to be that process: it is to call sr_isolate_read, which returns when the
 * other one ends, and then to end at once (_exit). */
bool sr_isolate_is_reader(int argc, char **argv);
int sr_isolate_read(struct sr_error *err);

/* "1.10.8": the HDF5 library in use; static storage. */
const char *sr_data_hdf5_version(void);

#endif
