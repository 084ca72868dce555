/* import.h: a router's network found in a file of tensors that somebody else wrote, and written as weights of
 * ours. Part of the program, not of the shipped library.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_IMPORT_H
#define SR_IMPORT_H

#include "infer/router.h"

struct sr_tensors;
struct sr_data;
struct sr_data_options;

#define SR_IMPORT_NONE SIZE_MAX

/* A Linear and the BatchNorm behind it, which the last has not: numbers of the file's tensors. */
struct sr_import_layer {
    size_t weight, bias;
    size_t gamma, beta, mean, variance; /* SR_IMPORT_NONE in the last layer */
    size_t batches;                     /* num_batches_tracked; SR_IMPORT_NONE where the file has none */
};

struct sr_import_network {
    char prefix[SR_TENSOR_NAME];         /* of all its tensors, with the dot: "state_dict.cls."; may be "" */
    size_t layers;                       /* hidden ones and the last */
    size_t width[SR_ROUTER_DEEPEST + 2]; /* width[l] numbers go into layer l, width[l+1] come out */
    struct sr_import_layer layer[SR_ROUTER_DEEPEST + 1];
    size_t used; /* tensors of the file that belong to it */
};

/* Finds the one network of Linear layers, each but the last with a BatchNorm, that ends in one number. path
 * is for messages. prefix (NULL: any) is what its names begin with, with or without the last dot. SR_DATA:
 * there is none (what was found instead, by name), or more than one (their prefixes). SR_USAGE: nothing has
 * that prefix. */
int sr_import_find(struct sr_import_network *n, const struct sr_tensors *t, const char *path,
                   const char *prefix, struct sr_error *err);

/* "float16", or "mixed" where tensors differ. */
const char *sr_import_dtype(const struct sr_import_network *n, const struct sr_tensors *t);

/* Writes the network as float32 under the router's names, with this metadata, and opens what was written as a
 * router; only then it gets its name, which no file may have. Where the file is weights of ours (`own`) its
 * tensors under stats. and calibration. come along; stats (may be NULL) take the place of the former. sha256
 * [65] gets the hash of its data. SR_DATA: a value is not finite, or not in float32. */
int sr_import_write(const char *out, char sha256[65], const struct sr_import_network *n, struct sr_tensors *t,
                    const char *path, const struct sr_pair *metadata, size_t pairs, bool own,
                    const struct sr_stats *stats, struct sr_error *err);

/* ---- import_stats.c ---- */

/* Where the features of a router's training lie, from dumps of features like them. */
struct sr_import_stats {
    struct sr_data *data; /* its contract, and where its rows are */
    struct sr_stats stats;
    size_t rows, bad_rows; /* that it was measured on; left out for a NaN or an infinity */
};

/* Opens the dumps, which must have `width` features a row (the router's, whose file is `router`), and
 * measures all good rows, on all threads; the bits do not depend on their number. Errors of opening and
 * reading; SR_DATA: another width, no good row, rows that are all alike. Free also after a failure. */
int sr_import_stats_measure(struct sr_import_stats *s, const char *dumps, const struct sr_data_options *how,
                            size_t width, const char *router, void (*progress)(void *user, double fraction),
                            void *user, struct sr_error *err);
void sr_import_stats_free(struct sr_import_stats *s);

#endif
