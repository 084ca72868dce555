/* import.h: a router's network found in a file of tensors that somebody else wrote, and written as weights of
 * ours. Part of the program, not of the shipped library.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_IMPORT_H
#define SR_IMPORT_H

#include "infer/router.h"

struct sr_tensors;

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

/* Writes the network as float32 under the router's names, with this metadata, and with `carry` the tensors
 * under stats. and calibration. too; opens what was written as a router, and only then gives it its name,
 * which no file may have. sha256 [65] gets the hash of its data. SR_DATA: a value is not finite, or not in
 * float32. */
int sr_import_write(const char *out, char sha256[65], const struct sr_import_network *n, struct sr_tensors *t,
                    const char *path, const struct sr_pair *metadata, size_t pairs, bool carry,
                    struct sr_error *err);

/* What the user says of where features come from and when to route: X(key, kind). */
#define SR_IMPORT_CONTRACT_LIST(X)                                                                           \
    X(feature_model, TEXT)                                                                                   \
    X(feature_revision, TEXT)                                                                                \
    X(feature_layer, TEXT)                                                                                   \
    X(feature_norm, NORM)                                                                                    \
    X(feature_pooling, TEXT)                                                                                 \
    X(feature_template, TEXT)                                                                                \
    X(large_model, TEXT)                                                                                     \
    X(large_revision, TEXT)                                                                                  \
    X(small_threshold, SHARE)                                                                                \
    X(large_threshold, SHARE)                                                                                \
    X(threshold, SHARE)                                                                                      \
    X(threshold_rule, TEXT)

enum sr_import_key {
#define X(key, kind) SR_IMPORT_KEY_##key,
    SR_IMPORT_CONTRACT_LIST(X)
#undef X
        SR_IMPORT_KEYS
};

/* The value of each key, or NULL: unknown. */
struct sr_import_contract {
    char *value[SR_IMPORT_KEYS];
};

const char *sr_import_key_name(int key);

/* Reads a JSON object of these keys; null is unknown. SR_NOINPUT: no such file. SR_USAGE: not JSON, an
 * unknown key (with the nearest), a value out of range. Free also after a failure. */
int sr_import_contract_read(struct sr_import_contract *c, const char *path, struct sr_error *err);
void sr_import_contract_free(struct sr_import_contract *c);

#endif
