/* dump.h: one feature dump: a file checked against the contract of data.h, its columns in memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_DUMP_H
#define SR_DUMP_H

#include "data/contract.h"
#include "data/guard.h"
#include "data/h5.h"

/* Group of a row that has none, -1 or the empty string in the file: the hash of the latter. */
#define SR_GROUP_NONE ((int64_t)0xcbf29ce484222325u)

struct sr_dump {
    char *path;
    size_t rows, width;
    struct sr_h5 *file;
    const char *features_name; /* of the dataset; the options', or static */
    struct sr_h5_matrix *features;
    enum sr_feature type; /* of the file's features */

    /* Columns as in struct sr_data, [rows], NULL where absent. */
    uint8_t *label, *gold;
    bool label_derived;
    bool label_agrees; /* stored labels are those that gold and the verdicts give, and some were compared */
    struct sr_guard guard[SR_GUARDS];
    float *weight;
    int64_t *group;
    char **id;

    int64_t *source;    /* with source_list: index into it; else NULL */
    char **source_list; /* [sources]: the attribute "names" */
    size_t sources;
    char **source_text; /* [rows], where sources are not indices into a list */

    struct sr_claim contract[SR_CONTRACT_KEYS];
};

/* Opens path and reads its columns. On failure nothing is left open. options is not NULL. */
int sr_dump_open(struct sr_dump **out, const char *path, const struct sr_data_options *options,
                 struct sr_error *err);
void sr_dump_close(struct sr_dump *dump);

/* What is wrong with a column: 0, and a note, where the options say so and status is SR_DATA, else status.
 * Whoever asks leaves the column out. */
int sr_dump_forgive(const struct sr_data_options *options, int status, const struct sr_error *err);

/* Reads dump->group, where there are groups, of a dump opened with features_only; given: the dataset's name,
 * or NULL. */
int sr_dump_groups(struct sr_dump *dump, const char *given, struct sr_error *err);

/* Frees the columns; file and features stay open. */
void sr_dump_drop_columns(struct sr_dump *dump);

#endif
