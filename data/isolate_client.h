/* isolate_client.h: files and features that a reader has, as who asks it knows them. For isolate_*.c.
 *
 * What h5_ways.h says of its members is true of the functions of the same names here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ISOLATE_CLIENT_H
#define SR_ISOLATE_CLIENT_H

#include "data/h5_ways.h"
#include "data/isolate.h"

extern const struct sr_h5_ways sr_h5_away;

/* What a dataset was said to be. */
struct sr_known {
    char *name;
    struct sr_h5_info info;
    struct sr_known *next;
};

/* A file that the reader has open. */
struct sr_away {
    struct sr_h5 base; /* first */
    struct sr_channel *channel;
    uint32_t number;
    uint64_t size;   /* bytes of the file */
    uint64_t stored; /* of these on disk, which a sparse file has fewer of */
    struct sr_known *known;
};

static inline const struct sr_away *sr_away_of(const struct sr_h5 *f) {
    return (const struct sr_away *)f;
}

/* ---- requests ---- */

/* Fills q for f; object and name may be "". SR_DATA: no file has a name as long as that. */
int sr_away_request(struct sr_isolate_request *q, enum sr_isolate_op op, const struct sr_h5 *f,
                    const char *object, const char *name, struct sr_error *err);

/* sr_channel_ask of f's channel. */
int sr_away_ask(const struct sr_h5 *f, const struct sr_isolate_request *q, sr_channel_take *take, void *user,
                uint64_t *number, struct sr_error *err);

/* ---- what comes ---- */

/* All is copied before it is looked at. SR_DATA, and the reader is ended, for what no reader of ours answers.
 */

/* Exactly `size` bytes. */
struct sr_exact {
    struct sr_channel *channel;
    const char *path;
    unsigned char *to;
    size_t size, used;
};

int sr_take_exact(void *user, const void *bytes, size_t n, struct sr_error *err);

/* Asks for exactly `size` bytes to `to`. */
int sr_away_exact(const struct sr_h5 *f, const struct sr_isolate_request *q, void *to, size_t size,
                  uint64_t *number, struct sr_error *err);

/* As many as come, but no more than `most`; bytes is the user's to free. */
struct sr_growing {
    struct sr_channel *channel;
    const char *path;
    char *bytes;
    size_t room, used;
    uint64_t most;
};

/* most: or the channel's, if that is less. */
struct sr_growing sr_growing_of(const struct sr_h5 *f, uint64_t most);
int sr_take_growing(void *user, const void *bytes, size_t n, struct sr_error *err);

/* n texts, one behind the other, become *out: one block, free with sr_free. An extra NULL behind them. */
int sr_growing_texts(char ***out, const struct sr_growing *g, size_t n, struct sr_error *err);

/* A text of an answer, [size], into one of ours. False if it has no end. */
bool sr_take_text(char *to, const char *from, size_t size);

/* ---- members of sr_h5_away ---- */

int sr_away_info(const struct sr_h5 *f, const char *name, struct sr_h5_info *info, struct sr_error *err);
int sr_away_read_integers(const struct sr_h5 *f, const char *name, int64_t *out, size_t rows,
                          struct sr_error *err);
int sr_away_read_doubles(const struct sr_h5 *f, const char *name, double *out, size_t rows,
                         struct sr_error *err);
int sr_away_each_double(const struct sr_h5 *f, const char *name,
                        int (*take)(void *user, const double *values, size_t n, struct sr_error *err),
                        void *user, struct sr_error *err);
int sr_away_read_texts(const struct sr_h5 *f, const char *name, char ***out, size_t rows,
                       struct sr_error *err);
int sr_away_attribute(const struct sr_h5 *f, const char *object, const char *name, char **value,
                      struct sr_error *err);
int sr_away_attribute_list(const struct sr_h5 *f, const char *object, const char *name, char ***values,
                           size_t *n, struct sr_error *err);
int sr_away_matrix_open(struct sr_h5_matrix **out, const struct sr_h5 *f, const char *name,
                        enum sr_feature type, struct sr_error *err);
void sr_away_matrix_close(struct sr_h5_matrix *base);
void sr_away_matrix_forget(struct sr_h5_matrix *base);
int sr_away_matrix_read(struct sr_h5_matrix *base, void *out, size_t first, size_t rows,
                        enum sr_feature wanted, struct sr_error *err);
const char *sr_away_matrix_way(const struct sr_h5_matrix *base);
void sr_away_matrix_through_hdf5(struct sr_h5_matrix *base);

#endif
