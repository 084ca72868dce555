/* inspect.h: looking at a file: what it is, and what is known of it. Part of `saferoute inspect`.
 *
 * A kind of file is one line of SR_KIND_LIST and two functions in an inspect_*.c: sr_inspect_NAME_recognise,
 * which sees the beginning of the file, and sr_inspect_NAME_look, which adds facts. The first kind that
 * recognises a file has it. Nothing is written, and features are not read.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_INSPECT_H
#define SR_INSPECT_H

#include <sys/stat.h>

#include <stdbool.h>

#include "data/data.h"
#include "nn/base/safetensors_header.h"
#include "nn/base/facts.h"

/* X(name, what a user reads, family). Two files of one family can be compared. */
#define SR_KIND_LIST(X)                                                                                      \
    X(run, "run folder", RUN)                                                                                \
    X(upload, "folder for Hugging Face", UPLOAD)                                                             \
    X(checkpoint, "checkpoint of a run", TENSORS)                                                            \
    X(weights, "weights of a router", TENSORS)                                                               \
    X(tensors, "safetensors of another program", TENSORS)                                                    \
    X(arrays, "tensors that PyTorch or NumPy saved", FOREIGN)                                                \
    X(hdf5, "HDF5 file", ROWS)                                                                               \
    X(scores, "scores of infer", ROWS)                                                                       \
    X(foreign, "file of another format", FOREIGN)

enum sr_family { SR_FAMILY_RUN, SR_FAMILY_UPLOAD, SR_FAMILY_TENSORS, SR_FAMILY_ROWS, SR_FAMILY_FOREIGN };

#define SR_PEEK 4096

/* What recognises a file: its path, whether it is a folder, its size and first bytes. */
struct sr_peek {
    const char *path;
    bool is_folder;
    struct stat then; /* before it was opened */
    uint64_t size;
    size_t n; /* bytes of head, behind which there is a NUL */
    char head[SR_PEEK + 1];
    struct sr_safetensors_header header; /* of safetensors, where json is an object; else NULL there */
    char trouble[SR_ERROR_TEXT];         /* which rule of the format the header breaks, or "" */
    const struct sr_data_options *how;   /* of dumps: names of datasets, where labels come from */
};

struct sr_kind {
    const char *name, *title;
    enum sr_family family;
    bool (*recognise)(const struct sr_peek *p);
    /* title may be replaced by a better one (static storage). Errors: those of opening such a file. */
    int (*look)(struct sr_facts *f, const struct sr_peek *p, const char **title, struct sr_error *err);
};

#define X(name, text, kin)                                                                                   \
    bool sr_inspect_##name##_recognise(const struct sr_peek *p);                                             \
    int sr_inspect_##name##_look(struct sr_facts *f, const struct sr_peek *p, const char **title,            \
                                 struct sr_error *err);
SR_KIND_LIST(X)
#undef X

/* A file looked at. */
struct sr_inspection {
    const char *path;
    const struct sr_kind *kind;
    const char *title;
    struct sr_facts facts;
};

/* SR_NOINPUT: no such file. SR_DATA: of no kind, with what it looks like; or damaged. Free also after a
 * failure. */
int sr_inspect(struct sr_inspection *out, const char *path, const struct sr_data_options *how,
               struct sr_error *err);
void sr_inspection_free(struct sr_inspection *i);

/* Adds what differs between two files of one family; nothing where they are the same. SR_USAGE where they
 * are of two families. */
int sr_inspect_differ(struct sr_facts *out, const struct sr_inspection *a, const struct sr_inspection *b,
                      struct sr_error *err);

/* ---- shared by kinds ---- */

/* Adds, for tensors of both files by name: equal bits, or the largest difference and the norm of the
 * difference relative to a's; and those that only one has. Both are read whole. Errors of
 * sr_safetensors_open. */
int sr_tensors_differ(struct sr_facts *out, const char *a, const char *b, struct sr_error *err);

/* Facts of weights as they lie in the file: network, tensors, hash. */
void sr_facts_of_tensors(struct sr_facts *f, const struct sr_safetensors *file);

/* One line of the metrics of an epoch, the JSON of the metadata's "metrics", taken over; NULL: unknown. */
void sr_facts_of_metrics(struct sr_facts *f, const char *key, struct sr_json *metrics);

#endif
