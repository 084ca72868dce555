/* h5_collections.c: global heap collections walked by their bytes. See h5_collections.h.
 *
 * A collection is a head ("GCOL", a version, its size) and objects, each a head (number, references, size)
 * and its bytes, filled up to 8. Object 0 is what is free, with its head, and comes last; less than a head is
 * left over. Of what was walked numbers and sizes are kept, so that each byte is looked at once however many
 * handles there are; collections that lie over each other would come to more than the file has.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/h5_collections.h"

#include <errno.h>
#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

#include "data/h5.h"
#include "data/h5_disk.h"
#include "data/h5_superblock.h"
#include "nn/base/sizes.h"

#define HEAD       16               /* bytes: of a collection, and of an object, for sizes of up to 8 bytes */
#define UNIT       8                /* bytes that objects are filled up to */
#define SIZE_LEAST ((uint64_t)4096) /* of a collection */
#define WINDOW     ((size_t)64 << 10)
#define SIZE_BITS  48 /* of an object that is kept: its number is above */

struct collection {
    uint64_t key;    /* its place + 1; 0: none */
    size_t first, n; /* objects */
};

struct sr_h5_collections {
    int file;       /* the descriptor, borrowed; -1: not looked at */
    uint64_t bytes; /* of the file */
    struct sr_h5_superblock superblock;
    uint64_t walked;         /* bytes */
    struct collection *slot; /* by key, half of them free; room is a power of 2 */
    size_t n, room;
    struct collection last; /* found, for last_place: rows mostly name one after the other */
    uint64_t last_place;
    uint64_t *object; /* number << SIZE_BITS | size, of each collection in order */
    size_t objects, objects_room;
    unsigned char *window; /* [WINDOW]: bytes of the file */
    uint64_t window_at;
    size_t window_bytes;
};

/* ---- opening ---- */

static int look_at_file(struct sr_h5_collections *c, hid_t object, struct sr_error *err) {
    const hid_t file = H5Iget_file_id(object);
    unsigned intent = 0;
    H5Fget_intent(file, &intent);
    c->bytes = sr_h5_disk_bytes(file);
    c->file = intent & H5F_ACC_RDWR ? -1 : sr_h5_disk_descriptor(file);
    H5Fclose(file);
    return sr_h5_superblock(&c->superblock, object, err);
}

int sr_h5_collections_open(struct sr_h5_collections **out, int64_t object, struct sr_error *err) {
    *out = NULL;
    struct sr_h5_collections *c = sr_alloc(1, sizeof *c, err);
    if (!c)
        return SR_NOMEM;
    const int status = look_at_file(c, object, err);
    if (status == 0)
        *out = c;
    else
        sr_h5_collections_close(c);
    return status;
}

void sr_h5_collections_close(struct sr_h5_collections *c) {
    if (!c)
        return;
    sr_free(c->slot);
    sr_free(c->object);
    sr_free(c->window);
    sr_free(c);
}

size_t sr_h5_collections_handle(const struct sr_h5_collections *c) {
    return 4 + c->superblock.place_bytes + 4;
}

/* ---- collections by their places ---- */

static struct collection *find_slot(const struct sr_h5_collections *c, uint64_t key) {
    size_t i = (size_t)(key * 0x9e3779b97f4a7c15u >> 16) & (c->room - 1);
    while (c->slot[i].key && c->slot[i].key != key)
        i = (i + 1) & (c->room - 1);
    return &c->slot[i];
}

static int make_room(struct sr_h5_collections *c, struct sr_error *err) {
    struct sr_h5_collections more = {.room = c->room ? 2 * c->room : 64};
    if (2 * c->n < c->room)
        return 0;
    if (!(more.slot = sr_alloc(more.room, sizeof *more.slot, err)))
        return SR_NOMEM;
    for (size_t i = 0; i < c->room; i++)
        if (c->slot[i].key)
            *find_slot(&more, c->slot[i].key) = c->slot[i];
    sr_free(c->slot);
    c->slot = more.slot;
    c->room = more.room;
    return 0;
}

static int keep_object(struct sr_h5_collections *c, uint64_t number, uint64_t size, struct sr_error *err) {
    if (c->objects == c->objects_room) {
        const size_t room = c->objects_room ? 2 * c->objects_room : 512;
        uint64_t *grown = sr_realloc(c->object, c->objects * sizeof *grown, room * sizeof *grown, err);
        if (!grown)
            return SR_NOMEM;
        c->object = grown;
        c->objects_room = room;
    }
    c->object[c->objects++] = number << SIZE_BITS | size;
    return 0;
}

/* ---- walking ---- */

static int fail(struct sr_error *err, const char *wrong) {
    return sr_fail(err, SR_DATA, "its values lie in a heap that is damaged (%s)", wrong);
}

/* HEAD bytes of the file at `at`, which lie before `end`, as that does within the file. NULL: *status. */
static const unsigned char *look(struct sr_h5_collections *c, uint64_t at, uint64_t end, int *status,
                                 struct sr_error *err) {
    *status = SR_NOMEM;
    if (at < c->window_at || !sr_size_within(at - c->window_at, HEAD, c->window_bytes)) {
        const size_t n = end - at < WINDOW ? (size_t)(end - at) : WINDOW;
        if (!c->window && !(c->window = sr_alloc(WINDOW, 1, err)))
            return NULL;
        c->window_bytes = 0;
        const int why = sr_stream_get(c->file, c->window, n, at);
        if (why) {
            *status = sr_fail(err, why == ENODATA ? SR_DATA : SR_IO, "the heap they lie in: %s",
                              why == ENODATA ? "the file became shorter" : strerror(why));
            return NULL;
        }
        c->window_at = at;
        c->window_bytes = n;
    }
    return c->window + (at - c->window_at);
}

/* *at: of an object's head, which lies before `end`; becomes the next one's. */
static int take_object(struct sr_h5_collections *c, uint64_t *at, uint64_t end, struct sr_error *err) {
    int status;
    const unsigned char *head = look(c, *at, end, &status, err);
    if (!head)
        return status;
    const uint64_t number = sr_little_endian(head, 2),
                   size = sr_little_endian(head + 8, c->superblock.size_bytes);
    const uint64_t room = end - *at - HEAD, filled = sr_size_times(sr_size_pieces(size, UNIT), UNIT);
    if (number == 0) {
        *at = end;
        return size == room + HEAD ? 0 : fail(err, "what is free of it does not end where it ends");
    }
    if (filled > room || size >> SIZE_BITS)
        return fail(err, "an object of it ends behind it");
    *at = sr_size_sum(*at, sr_size_sum(HEAD, filled));
    return keep_object(c, number, size, err);
}

/* Bytes of the collection at `at` of the file. */
static int take_head(struct sr_h5_collections *c, uint64_t *size, uint64_t at, struct sr_error *err) {
    int status;
    if (!sr_size_within(at, SIZE_LEAST, c->bytes))
        return fail(err, "it lies behind the end of the file");
    const unsigned char *head = look(c, at, sr_size_sum(at, SIZE_LEAST), &status, err);
    if (!head)
        return status;
    *size = sr_little_endian(head + 8, c->superblock.size_bytes);
    if (memcmp(head, "GCOL\1", 5) != 0)
        return fail(err, "it does not begin as one");
    if (*size < SIZE_LEAST || *size % UNIT != 0)
        return fail(err, "it has a size that none has");
    return sr_size_within(at, *size, c->bytes) ? 0 : fail(err, "it ends behind the end of the file");
}

static int by_value(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* In the order of their numbers, as which HDF5 writes most. */
static int sort_objects(uint64_t *object, size_t n, struct sr_error *err) {
    bool sorted = true;
    for (size_t i = 1; i < n && sorted; i++)
        sorted = object[i - 1] < object[i];
    if (!sorted)
        qsort(object, n, sizeof *object, by_value);
    for (size_t i = 1; i < n; i++)
        if (object[i - 1] >> SIZE_BITS == object[i] >> SIZE_BITS)
            return fail(err, "two objects of it have one number");
    return 0;
}

static int walk(struct sr_h5_collections *c, struct collection *out, uint64_t at, struct sr_error *err) {
    uint64_t size = 0;
    int status = take_head(c, &size, at, err);
    if (status < 0)
        return status;
    c->walked = sr_size_sum(c->walked, size);
    if (c->walked > c->bytes)
        return fail(err, "two parts of it lie at one place");
    const uint64_t end = sr_size_sum(at, size);
    out->first = c->objects;
    for (at += HEAD; end - at >= HEAD && status == 0;)
        status = take_object(c, &at, end, err);
    out->n = c->objects - out->first;
    return status < 0 ? status : sort_objects(c->object + out->first, out->n, err);
}

/* ---- handles ---- */

/* The collection there, walked. */
static int find(struct sr_h5_collections *c, const struct collection **out, uint64_t place,
                struct sr_error *err) {
    uint64_t at, key;
    *out = &c->last;
    if (c->last.key && place == c->last_place)
        return 0;
    if (!sr_size_add(&at, place, c->superblock.base) || !sr_size_add(&key, at, 1))
        return fail(err, "it lies behind the end of the file");
    int status = make_room(c, err);
    if (status < 0)
        return status;
    struct collection *k = find_slot(c, key);
    if (!k->key) {
        c->window_bytes = 0;
        status = walk(c, k, at, err);
        if (status < 0)
            return status;
        k->key = key;
        c->n++;
    }
    c->last = *k;
    c->last_place = place;
    return 0;
}

/* The object of that number, or NULL. Where none was removed they are numbered from 1. */
static const uint64_t *find_object(const uint64_t *object, size_t n, uint64_t number) {
    if (number - 1 < n && object[number - 1] >> SIZE_BITS == number)
        return &object[number - 1];
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (object[middle] >> SIZE_BITS < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && object[low] >> SIZE_BITS == number ? &object[low] : NULL;
}

int sr_h5_collections_check(struct sr_h5_collections *c, const unsigned char *handle, size_t unit,
                            struct sr_error *err) {
    const uint64_t pieces = sr_little_endian(handle, 4),
                   place = sr_little_endian(handle + 4, c->superblock.place_bytes),
                   number = sr_little_endian(handle + 4 + c->superblock.place_bytes, 4);
    const struct collection *k = NULL;
    if (c->file < 0 || place == 0) /* nothing was written */
        return 0;
    const int status = find(c, &k, place, err);
    if (status < 0)
        return status;
    const uint64_t *object = find_object(c->object + k->first, k->n, number);
    if (!object)
        return fail(err, "it has no object of the number that a row names");
    if ((*object & (((uint64_t)1 << SIZE_BITS) - 1)) != sr_size_times(pieces, unit))
        return fail(err, "an object of it has another length than the row that names it says");
    return 0;
}
