/* tensors_pt.c: what torch.save of PyTorch 1.6 and later writes; see tensors_format.h.
 *
 * A zip archive with one folder NAME: NAME/data.pkl, a pickle that says what there is and how it is nested
 * (pickle.h), and the numbers of each storage in NAME/data/KEY, raw. A tensor is a range of such a record,
 * read where it lies. The record must have exactly the size that the pickle says. NAME/byteorder, since 2.1,
 * must be "little", NAME/version one that is known; other records (serialization_id, ...) carry nothing that
 * is needed. torch takes for NAME the folder of the first entry, and records by names whose case does not
 * count.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "data/pickle.h"
#include "data/tensors_format.h"
#include "data/remarks.h"
#include "data/zip.h"
#include "nn/base/sizes.h"
#include "nn/base/utf8.h"

#define NESTED_MAX  64      /* levels of dicts and lists */
#define STEPS_MAX   1048576 /* values looked at: shared ones count each time */
#define STEPS_BYTE  4       /* of these a byte of pickle, which makes one unless lists are shared */
#define TEXT_MAX    4096    /* bytes of a text kept as metadata */
#define KEPT_LEAST  ((size_t)24 << 20) /* bytes of all metadata, names included, */
#define KEPT_BYTE   12   /* and more a byte of pickle: short items of a list have longer names */
#define COUNT_LEAST 4096 /* tensors, */
#define COUNT_BYTES 32   /* and one more for so many bytes of pickle: a key and a reference to a tensor */
#define FOLDER_MAX  512

struct place { /* where a tensor's bytes are */
    size_t entry;
    uint64_t at;
};

struct in {
    struct sr_zip *zip;
    char folder[FOLDER_MAX]; /* NAME */
    struct place *place;     /* [count] */
    int *dtype_of;           /* [entries] + 1 of the storage that an entry is, 0: of none yet */
    size_t place_room, info_room;
    size_t steps, steps_most;
    size_t count_most;
    struct sr_remarks remarks; /* metadata; t has the array of them */
};

static bool is_zip(const unsigned char *head) {
    return memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0;
}

/* ---- the container ---- */

/* What other programs keep in a zip. */
static const char *stranger(const char *name) {
    if (sr_ends_in(name, ".npy"))
        return "is a NumPy archive (.npz); save each array with numpy.save, as a .npy";
    if (sr_ends_in(name, "/constants.pkl") || strstr(name, "/code/"))
        return "is a TorchScript program (torch.jit.save), which is run to be loaded; torch.save its "
               "state_dict() instead";
    return NULL;
}

static int no_pickle(const struct sr_tensors *t, struct sr_error *err) {
    return sr_fail(
        err, SR_DATA,
        "%s is a zip archive without data.pkl in the folder of its first entry: no torch.save file", t->path);
}

/* The folder is that of the first entry, as torch takes it; nothing lies elsewhere. */
static int find_folder(const struct sr_tensors *t, struct in *in, struct sr_error *err) {
    const size_t n = sr_zip_count(in->zip);
    char clean[128];
    for (size_t i = 0; i < n; i++) {
        const char *what = stranger(sr_zip_at(in->zip, i)->name);
        if (what)
            return sr_fail(err, SR_DATA, "%s %s", t->path, what);
    }
    const char *first = n > 0 ? sr_zip_at(in->zip, 0)->name : "", *slash = strchr(first, '/');
    if (!slash || slash - first >= FOLDER_MAX - 64)
        return no_pickle(t, err);
    const size_t bytes = (size_t)(slash - first);
    for (size_t i = 1; i < n; i++)
        if (strncmp(sr_zip_at(in->zip, i)->name, first, bytes + 1) != 0)
            return sr_fail(err, SR_DATA,
                           "%s: its entry '%s' is not in the folder of the first: no torch.save file",
                           t->path, sr_utf8_clean(clean, sizeof clean, sr_zip_at(in->zip, i)->name));
    memcpy(in->folder, first, bytes);
    in->folder[bytes] = '\0';
    return sr_zip_stored(in->zip, err);
}

/* The number of a record's entry, or sr_zip_count. torch does not mind its case: in another than it writes,
 * the record would be one to it and none here. */
static int find_entry(const struct sr_tensors *t, const struct in *in, const char *record, size_t *entry,
                      struct sr_error *err) {
    char name[FOLDER_MAX + 64], clean[64];
    snprintf(name, sizeof name, "%s/%s", in->folder, record);
    *entry = sr_zip_find(in->zip, name);
    if (*entry == sr_zip_count(in->zip) || strcmp(sr_zip_at(in->zip, *entry)->name, name) == 0)
        return SR_OK;
    return sr_fail(err, SR_DATA, "%s: its record %s is spelt in other capitals", t->path,
                   sr_utf8_clean(clean, sizeof clean, record));
}

static int check_pickle(const struct sr_tensors *t, const struct in *in, struct sr_error *err) {
    size_t entry;
    const int status = find_entry(t, in, "data.pkl", &entry, err);
    return status < 0 || entry < sr_zip_count(in->zip) ? status : no_pickle(t, err);
}

/* The whole record of that name, or NULL: *status says whether it failed. `limit` bytes at most. */
static char *read_record(const struct sr_tensors *t, const struct in *in, const char *record, size_t limit,
                         size_t *size, int *status, struct sr_error *err) {
    size_t i;
    *status = find_entry(t, in, record, &i, err);
    if (*status < 0 || i == sr_zip_count(in->zip))
        return NULL;
    *size = (size_t)sr_zip_at(in->zip, i)->size;
    if (sr_zip_at(in->zip, i)->size > limit) {
        *status = sr_fail(err, SR_DATA, "%s: its record %s has %" PRIu64 " bytes; %zu are the limit", t->path,
                          record, sr_zip_at(in->zip, i)->size, limit);
        return NULL;
    }
    char *bytes = sr_alloc(*size + 1, 1, err);
    *status = bytes ? SR_OK : SR_NOMEM;
    if (bytes && *size > 0)
        *status = sr_zip_read(in->zip, i, 0, bytes, *size, err);
    if (*status == SR_OK)
        return bytes;
    sr_free(bytes);
    return NULL;
}

static int check_byteorder(const struct sr_tensors *t, const struct in *in, struct sr_error *err) {
    size_t size = 0;
    int status;
    char *order = read_record(t, in, "byteorder", 64, &size, &status, err);
    if (order && (size != 6 || memcmp(order, "little", 6) != 0))
        status = sr_fail(err, SR_DATA,
                         "%s was saved with big-endian numbers; save it on a little-endian machine", t->path);
    sr_free(order);
    return status;
}

/* A record that is a number, if it is there. */
static int check_number(const struct sr_tensors *t, const struct in *in, const char *record, uint64_t least,
                        uint64_t most, struct sr_error *err) {
    size_t size = 0, digits;
    int status;
    char *text = read_record(t, in, record, 64, &size, &status, err);
    if (!text)
        return status;
    digits = strspn(text, "0123456789");
    const uint64_t value = digits > 0 && digits < 19 ? strtoull(text, NULL, 10) : 0;
    const bool whole = digits > 0 && digits + (text[digits] == '\n') == size;
    if (!whole || value < least || value > most)
        status = sr_fail(err, SR_DATA, "%s: its record %s is not a number from %" PRIu64 " to %" PRIu64,
                         t->path, record, least, most);
    sr_free(text);
    return status;
}

/* Random digits that no one uses, but that PyTorch reads as text. */
static int check_serial(const struct sr_tensors *t, const struct in *in, struct sr_error *err) {
    size_t size = 0;
    int status;
    char *text = read_record(t, in, ".data/serialization_id", 256, &size, &status, err);
    if (text && strspn(text, "0123456789") != size)
        status = sr_fail(err, SR_DATA, "%s: its record .data/serialization_id is not of digits", t->path);
    sr_free(text);
    return status;
}

/* PyTorch reads archives of version 1 to 10 (caffe2/serialize/versions.h); another one may mean something
 * else by the same bytes. The number is in either record, or in both. */
static int check_version(const struct sr_tensors *t, const struct in *in, struct sr_error *err) {
    static const char *const record[] = {"version", ".data/version"};
    bool there = false;
    for (size_t i = 0; i < SR_COUNT(record); i++) {
        size_t entry;
        int status = find_entry(t, in, record[i], &entry, err);
        there = there || entry < sr_zip_count(in->zip);
        if (status == SR_OK)
            status = check_number(t, in, record[i], 1, 10, err);
        if (status < 0)
            return status;
    }
    return there ? SR_OK : sr_fail(err, SR_DATA, "%s has no record version: no torch.save file", t->path);
}

static int check_numbers(const struct sr_tensors *t, const struct in *in, struct sr_error *err) {
    int status = check_version(t, in, err);
    if (status == SR_OK)
        status = check_number(t, in, ".format_version", 1, INT32_MAX, err);
    if (status == SR_OK)
        status = check_number(t, in, ".storage_alignment", 1, INT32_MAX, err);
    return status == SR_OK ? check_serial(t, in, err) : status;
}

/* ---- the tree ---- */

/* A name on the way down, "state_dict.cls.0". Too long, not to be printed or by a key that gives none: length
 * is SR_TENSOR_NAME, and text is as far as it was good. */
struct name {
    char text[SR_TENSOR_NAME];
    size_t length;
};

static void name_add(struct name *to, const struct name *from, const char *part, size_t length) {
    const size_t dot = from->length > 0;
    *to = *from;
    if (!sr_size_within(from->length, sr_size_sum(length, dot), SR_TENSOR_NAME - 1)) {
        to->length = SR_TENSOR_NAME;
        return;
    }
    if (dot)
        to->text[to->length++] = '.';
    memcpy(&to->text[to->length], part, length);
    to->length = (size_t)sr_size_sum(to->length, length);
    to->text[to->length] = '\0';
    for (const char *p = &to->text[from->length]; p < &to->text[to->length];) { /* from is good */
        const size_t n = sr_utf8_printable(p);
        if (n == 0) {
            *to = *from;
            to->length = SR_TENSOR_NAME;
            return;
        }
        p += n;
    }
}

static bool name_is_good(const struct name *name) {
    return name->length < SR_TENSOR_NAME;
}

/* Room for one more item of `size` bytes in an array of n. */
static int make_room(void **array, size_t n, size_t *room, size_t size, struct sr_error *err) {
    if (n < *room)
        return SR_OK;
    const size_t more = *room ? 2 * *room : 32;
    void *larger = sr_realloc(*array, *room * size, more * size, err);
    if (!larger)
        return SR_NOMEM;
    *array = larger;
    *room = more;
    return SR_OK;
}

/* A storage has one type: torch would give all its tensors that of the first, so that what is called another
 * here would be other numbers there. */
static int check_type(const struct sr_tensors *t, const struct in *in, const struct sr_pickle_value *storage,
                      size_t entry, const char *record, struct sr_error *err) {
    const int own = (int)storage->as.storage.dtype + 1, before = in->dtype_of[entry];
    in->dtype_of[entry] = own;
    if (before == 0 || before == own)
        return SR_OK;
    return sr_fail(err, SR_DATA, "%s: its pickle takes the record %s for %s and for %s", t->path, record,
                   sr_dtype_name((enum sr_dtype)(before - 1)), sr_dtype_name(storage->as.storage.dtype));
}

/* The record of a storage, held against what the pickle says of it. */
static int find_record(const struct sr_tensors *t, const struct in *in, const struct sr_pickle_value *storage,
                       size_t *entry, struct sr_error *err) {
    const struct sr_pickle_value *key = storage->as.storage.key;
    char record[64], clean[64];
    uint64_t bytes;
    if (key->as.text.length > 32 || memchr(key->as.text.at, '\0', key->as.text.length))
        return sr_fail(err, SR_DATA, "%s: its pickle names a storage as torch does not", t->path);
    snprintf(record, sizeof record, "data/%.*s", (int)key->as.text.length, key->as.text.at);
    sr_utf8_clean(clean, sizeof clean, record);
    const int status = find_entry(t, in, record, entry, err);
    if (status < 0)
        return status;
    if (*entry == sr_zip_count(in->zip))
        return sr_fail(err, SR_DATA, "%s: its pickle names the record %s, which is not there", t->path,
                       clean);
    if (!sr_size_mul(&bytes, storage->as.storage.items, sr_dtype_size(storage->as.storage.dtype)) ||
        bytes != sr_zip_at(in->zip, *entry)->size)
        return sr_fail(err, SR_DATA,
                       "%s: its record %s has %" PRIu64 " bytes, but its pickle says %" PRIu64 " items of %s",
                       t->path, clean, sr_zip_at(in->zip, *entry)->size, storage->as.storage.items,
                       sr_dtype_name(storage->as.storage.dtype));
    return check_type(t, in, storage, *entry, clean, err);
}

static int add_tensor(struct sr_tensors *t, const struct sr_pickle_tensor *from, const struct name *name,
                      struct sr_error *err) {
    struct in *in = t->in;
    const enum sr_dtype dtype = from->storage->as.storage.dtype;
    struct place place = {.at = sr_size_times(from->offset, sr_dtype_size(dtype))};
    void *info = t->info, *places = in->place;
    if (!name_is_good(name))
        return sr_fail(
            err, SR_DATA,
            "%s: under '%s' the name of a tensor has more than %d bytes, does not print or has a key "
            "that is neither text nor a whole number",
            t->path, name->text, SR_TENSOR_NAME - 1);
    if (t->count == in->count_most)
        return sr_fail(err, SR_DATA, "%s: more than %zu tensors in its pickle, shared ones each time",
                       t->path, in->count_most);
    int status = find_record(t, in, from->storage, &place.entry, err);
    if (status == SR_OK)
        status = make_room(&info, t->count, &in->info_room, sizeof *t->info, err);
    t->info = info;
    if (status == SR_OK)
        status = make_room(&places, t->count, &in->place_room, sizeof *in->place, err);
    in->place = places;
    if (status < 0)
        return status;
    struct sr_tensor_info *to = &t->info[t->count];
    memcpy(to->name, name->text, sizeof to->name);
    memcpy(to->shape, from->shape, sizeof to->shape);
    to->dtype = dtype;
    to->rank = from->rank;
    in->place[t->count++] = place;
    return SR_OK;
}

/* A plain value as text into text; false if it is none, or a text that is long or has a NUL. (It is UTF-8, as
 * all texts of a pickle.) */
static bool scalar_text(char text[TEXT_MAX], const struct sr_pickle_value *v) {
    if (v->kind == SR_PICKLE_BOOL)
        snprintf(text, TEXT_MAX, "%s", v->as.integer ? "true" : "false");
    else if (v->kind == SR_PICKLE_INTEGER)
        snprintf(text, TEXT_MAX, "%" PRId64, v->as.integer);
    else if (v->kind == SR_PICKLE_REAL)
        sr_decimal(text, v->as.real);
    else if (v->kind == SR_PICKLE_TEXT && v->as.text.length < TEXT_MAX &&
             !memchr(v->as.text.at, '\0', v->as.text.length))
        snprintf(text, TEXT_MAX, "%.*s", (int)v->as.text.length, v->as.text.at);
    else
        return false;
    return true;
}

static int add_scalar(struct sr_tensors *t, const struct sr_pickle_value *v, const struct name *name,
                      struct sr_error *err) {
    struct in *in = t->in;
    char text[TEXT_MAX];
    if (!name_is_good(name) || name->length == 0 || !scalar_text(text, v))
        return SR_OK;
    if (!sr_remarks_fit(&in->remarks, name->text, text))
        return sr_fail(err, SR_DATA,
                       "%s: its texts and numbers, shared ones each time, make more than %zu bytes", t->path,
                       in->remarks.most);
    const int status = sr_remarks_add(&in->remarks, name->text, text, err);
    t->pairs = in->remarks.pair;
    t->pair_count = in->remarks.n;
    return status;
}

static int walk(struct sr_tensors *t, const struct sr_pickle_value *v, const struct name *name, int depth,
                struct sr_error *err);

/* A key of a dict as a part of a name. Any other key does no harm unless a tensor is below. */
static void key_name(struct name *to, const struct name *from, const struct sr_pickle_value *key) {
    char number[24];
    if (key->kind == SR_PICKLE_TEXT) {
        name_add(to, from, key->as.text.at, key->as.text.length);
    } else if (key->kind == SR_PICKLE_INTEGER) {
        snprintf(number, sizeof number, "%" PRId64, key->as.integer);
        name_add(to, from, number, strlen(number));
    } else {
        *to = *from;
        to->length = SR_TENSOR_NAME;
    }
}

/* NESTED_MAX levels at most. NOLINTNEXTLINE(misc-no-recursion) */
static int walk_items(struct sr_tensors *t, const struct sr_pickle_value *v, const struct name *name,
                      int depth, struct sr_error *err) {
    const bool dict = v->kind == SR_PICKLE_DICT;
    int status = SR_OK;
    for (size_t i = 0; status == SR_OK && i < v->as.list.n; i += dict ? 2 : 1) {
        struct name below;
        char number[24];
        if (dict) {
            key_name(&below, name, v->as.list.item[i]);
        } else {
            snprintf(number, sizeof number, "%zu", i);
            name_add(&below, name, number, strlen(number));
        }
        status = walk(t, v->as.list.item[i + dict], &below, depth + 1, err);
    }
    return status;
}

/* NOLINTNEXTLINE(misc-no-recursion): as above */
static int walk(struct sr_tensors *t, const struct sr_pickle_value *v, const struct name *name, int depth,
                struct sr_error *err) {
    struct in *in = t->in;
    if (depth > NESTED_MAX)
        return sr_fail(err, SR_DATA, "%s: values nested deeper than %d levels, or in themselves", t->path,
                       NESTED_MAX);
    if (in->steps++ >= in->steps_most)
        return sr_fail(err, SR_DATA, "%s: more than %zu values in its pickle, shared ones each time", t->path,
                       in->steps_most);
    if (v->kind == SR_PICKLE_TENSOR)
        return add_tensor(t, v->as.tensor, name, err);
    if (v->kind == SR_PICKLE_DICT || v->kind == SR_PICKLE_LIST || v->kind == SR_PICKLE_TUPLE)
        return walk_items(t, v, name, depth, err);
    return add_scalar(t, v, name, err);
}

static int by_text(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* {"a.b": x, "a": {"b": y}} has two of a name. Sorts the names. */
static int check_names(const struct sr_tensors *t, const char **name, size_t n, const char *what,
                       struct sr_error *err) {
    qsort(name, n, sizeof *name, by_text);
    for (size_t i = 1; i < n; i++)
        if (strcmp(name[i], name[i - 1]) == 0)
            return sr_fail(err, SR_DATA, "%s: two %s are called '%s'", t->path, what, name[i]);
    return SR_OK;
}

static int check_all_names(const struct sr_tensors *t, struct sr_error *err) {
    const char **name = sr_alloc(t->count + t->pair_count, sizeof *name, err);
    if (!name)
        return SR_NOMEM;
    for (size_t i = 0; i < t->count; i++)
        name[i] = t->info[i].name;
    for (size_t i = 0; i < t->pair_count; i++)
        name[t->count + i] = t->pairs[i].key;
    int status = check_names(t, name, t->count, "tensors", err);
    if (status == SR_OK)
        status = check_names(t, name + t->count, t->pair_count, "values", err);
    sr_free(name);
    return status;
}

static int read_pickle(struct sr_tensors *t, struct in *in, struct sr_error *err) {
    static const struct name root = {.length = 0};
    struct sr_pickle *pickle = NULL;
    size_t size = 0;
    int status;
    char *bytes = read_record(t, in, "data.pkl", SR_PICKLE_LARGEST, &size, &status, err);
    in->steps_most = NESTED_MAX + 2; /* a list in itself is told by its depth */
    in->steps_most += size < STEPS_MAX / STEPS_BYTE ? STEPS_BYTE * size : STEPS_MAX;
    in->count_most = COUNT_LEAST + size / COUNT_BYTES;
    in->remarks.most = KEPT_LEAST + KEPT_BYTE * size;
    if (bytes)
        status = sr_pickle_read(&pickle, bytes, size, t->path, err);
    if (status == SR_OK)
        status = walk(t, sr_pickle_root(pickle), &root, 0, err);
    sr_pickle_free(pickle);
    sr_free(bytes);
    return status == SR_OK ? check_all_names(t, err) : status;
}

/* ---- the format ---- */

static int open_pt(struct sr_tensors *t, struct sr_error *err) {
    struct in *in = t->in = sr_alloc(1, sizeof *in, err);
    int status = in ? sr_zip_open(&in->zip, t->descriptor, t->file_bytes, t->path, err) : SR_NOMEM;
    if (status == SR_OK && !(in->dtype_of = sr_alloc(sr_zip_count(in->zip), sizeof *in->dtype_of, err)))
        status = SR_NOMEM;
    if (status == SR_OK)
        status = find_folder(t, in, err);
    if (status == SR_OK)
        status = check_pickle(t, in, err);
    if (status == SR_OK)
        status = check_byteorder(t, in, err);
    if (status == SR_OK)
        status = check_numbers(t, in, err);
    return status == SR_OK ? read_pickle(t, in, err) : status;
}

static void close_pt(struct sr_tensors *t) {
    struct in *in = t->in;
    if (!in)
        return;
    sr_zip_close(in->zip);
    sr_remarks_free(&in->remarks);
    sr_free(in->place);
    sr_free(in->dtype_of);
    sr_free(in);
}

static int read_pt(struct sr_tensors *t, size_t i, uint64_t at, void *out, size_t bytes,
                   struct sr_error *err) {
    const struct in *in = t->in;
    return sr_zip_read(in->zip, in->place[i].entry, sr_size_sum(in->place[i].at, at), out, bytes, err);
}

const struct sr_tensors_format sr_tensors_pt = {"torch.save", is_zip, open_pt, close_pt, read_pt};
