/* export.h: weights files written in the formats that other programs read.
 *
 * A format NAME of exports.def is a file infer/export_NAME.c with two functions. Both see a staging folder,
 * empty at first, beside the target: write makes the files there, check reads them back with a reader that
 * shares no code with write where that can be, and compares what they compute with the router. Only then
 * are they moved to where they belong, each by a rename: what does not say the same as the router is never
 * seen under its name. Part of the program, not of the shipped library.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_EXPORT_H
#define SR_EXPORT_H

#include "infer/router.h"

/* Path of a file in a folder. */
#define SR_EXPORT_PATH 4096

struct sr_export {
    const struct sr_safetensors *file; /* the weights as they are stored: tensors and metadata */
    const struct sr_router *router;    /* opened from it: folded, float32 */
    const struct sr_router *rounded;   /* the same in bfloat16 or int8, for --dtype or as stored; else NULL */
    bool has_threshold;                /* chosen by --threshold or in the weights */
    float threshold;                   /* SR_THRESHOLD_UNSET where none was chosen */
    const char *threshold_rule;        /* "given" for --threshold; NULL: not known */
    const struct sr_json *evaluation; /* what eval --json wrote of this router, for the card; NULL: nothing */
    const char *name;                 /* of the main file inside the staging folder: the last part of --out */
    const char *target; /* the folder that files are moved to; NULL: not known, so nothing there is spared */
};

struct sr_exporter {
    const char *name;   /* "onnx" */
    const char *ending; /* of --out, ".onnx"; "/": a folder */
    const char *help;
    int (*write)(const struct sr_export *e, const char *folder, struct sr_error *err);
    int (*check)(const struct sr_export *e, const char *folder, struct sr_error *err);
};

#define SR_EXPORT(name, ending, help)                                                                        \
    int sr_export_##name##_write(const struct sr_export *e, const char *folder, struct sr_error *err);       \
    int sr_export_##name##_check(const struct sr_export *e, const char *folder, struct sr_error *err);
#include "infer/exports.def"
#undef SR_EXPORT

/* Writes e in the format to `out`, over files of the same names. SR_USAGE: `out` has not the format's ending.
 * SR_BUG: what was written does not say the same as the router; nothing is left of it. */
int sr_export(const struct sr_export *e, const struct sr_exporter *to, const char *out, struct sr_error *err);

/* The exporter of a name or NULL; all of them in order. */
const struct sr_exporter *sr_exporter_find(const char *name);
const struct sr_exporter *sr_exporters(size_t *n);

/* "FOLDER/NAME" into path; NULL with SR_DATA in err if that is too long. */
const char *sr_export_path(char path[SR_EXPORT_PATH], const char *folder, const char *name,
                           struct sr_error *err);

/* SR_DATA where the weights are folded and rounded, for a format that needs them as they were trained. */
int sr_export_unrounded(const struct sr_export *e, struct sr_error *err);

/* For a file that a format writes beside the one of --out: SR_USAGE if the target folder has one of this name
 * that is_ours does not know. Somebody else's must not be replaced, as nobody asked for that name. */
int sr_export_spare(const struct sr_export *e, const char *name,
                    bool (*is_ours)(const struct sr_export *e, const char *text, size_t size),
                    struct sr_error *err);

/* Compares what a reader makes of the written file with the router on rows drawn like training features.
 * logits: fills logit [rows] for x [rows, width], or returns a negative status. Equal means that no logit
 * differs by more than tolerance * (1 + |logit|); 0: the same bits. SR_BUG otherwise, with the number of the
 * row, both logits and `path`. */
int sr_export_compare(const struct sr_export *e, const char *path, float tolerance,
                      int (*logits)(void *user, float *logit, const float *x, size_t rows,
                                    struct sr_error *err),
                      void *user, struct sr_error *err);

#endif
