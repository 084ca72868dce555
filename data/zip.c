/* zip.c: zip archives over libzip, the only file that knows it; see zip.h.
 *
 * libzip compares the local headers with the central directory (ZIP_CHECKCONS) and each entry's CRC-32 while
 * it is read. Overlapping entries cannot be seen through its interface one by one; that all sizes fit into
 * the file together, and that checksums match, leaves nothing to gain from them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "data/zip.h"
#include "nn/base/utf8.h"

#define ENTRIES_MAX  1000000u
#define LOCAL_HEADER 30     /* bytes before an entry's name and content, at least */
#define ALIGNMENT    64     /* of entries that are written; torch.save does the same */
#define FIELD_HEADER 4      /* bytes before the content of an extra field */
#define FIELD_ID     0x4246 /* "FB": padding, as torch.save names it */

struct sr_zip {
    char *path;
    zip_t *archive;
    struct sr_zip_entry *entries; /* [count] */
    size_t count;
    size_t *sorted; /* [count] entries by name */
    bool *checked;  /* [count] its checksum was compared */
    zip_file_t *open;
    size_t open_index;
    uint64_t open_at; /* where the next read of it would begin */
};

static int fail_entry(const struct sr_zip *z, const char *name, struct sr_error *err, const char *what) {
    char clean[128];
    return sr_fail(err, SR_DATA, "%s: its entry '%s' %s", z->path, sr_utf8_clean(clean, sizeof clean, name),
                   what);
}

static int fail_archive(const char *path, int code, struct sr_error *err) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const int status = code == ZIP_ER_MEMORY                        ? SR_NOMEM
                       : code == ZIP_ER_OPEN || code == ZIP_ER_READ ? SR_IO
                                                                    : SR_DATA;
    sr_fail(err, status, "%s: not a whole zip archive: %s", path,
            code == ZIP_ER_EXISTS  ? "an entry is there twice"
            : code == ZIP_ER_NOZIP ? "the table at its end is missing; it is cut off: copy it again"
                                   : zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

/* No "..", nothing absolute, no empty part, no other system's separator. A ':' is in folders that torch.save
 * named after "run-12:30.pt", and nothing is unpacked. */
static bool good_name(const char *name) {
    if (!*name || strchr(name, '\\'))
        return false;
    for (const char *part = name;; part++) {
        const size_t n = strcspn(part, "/");
        if ((n == 0 && part[n] == '/') || (n == 2 && memcmp(part, "..", 2) == 0))
            return false;
        part += n;
        if (!*part)
            return true;
    }
}

static int check_entry(struct sr_zip *z, size_t i, const zip_stat_t *st, struct sr_error *err) {
    const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD |
                                ZIP_STAT_ENCRYPTION_METHOD;
    if ((st->valid & needed) != needed)
        return sr_fail(err, SR_DATA, "%s: entry %zu has no whole header", z->path, i);
    if (!good_name(st->name))
        return fail_entry(z, st->name, err, "has a name that leads out of the archive; not read");
    if (st->encryption_method != ZIP_EM_NONE)
        return fail_entry(z, st->name, err, "is encrypted; not read");
    const bool stored = st->comp_method == ZIP_CM_STORE;
    if (stored && st->size != st->comp_size)
        return fail_entry(z, st->name, err, "has two sizes");
    z->entries[i] = (struct sr_zip_entry){st->name, st->size, stored};
    return SR_OK;
}

static int by_name(const void *a, const void *b, void *entries) {
    const struct sr_zip_entry *e = entries;
    return strcmp(e[*(const size_t *)a].name, e[*(const size_t *)b].name);
}

static int check_names(struct sr_zip *z, struct sr_error *err) {
    for (size_t i = 0; i < z->count; i++)
        z->sorted[i] = i;
    qsort_r(z->sorted, z->count, sizeof *z->sorted, by_name, z->entries);
    for (size_t i = 1; i < z->count; i++)
        if (strcmp(z->entries[z->sorted[i]].name, z->entries[z->sorted[i - 1]].name) == 0)
            return fail_entry(z, z->entries[z->sorted[i]].name, err, "is there twice");
    return SR_OK;
}

static int check_entries(struct sr_zip *z, uint64_t file_bytes, struct sr_error *err) {
    uint64_t total = 0;
    for (size_t i = 0; i < z->count; i++) {
        zip_stat_t st;
        if (zip_stat_index(z->archive, i, ZIP_FL_ENC_RAW, &st) < 0)
            return fail_archive(z->path, zip_error_code_zip(zip_get_error(z->archive)), err);
        const int status = check_entry(z, i, &st, err);
        if (status < 0)
            return status;
        if (__builtin_add_overflow(total, st.comp_size, &total) ||
            __builtin_add_overflow(total, LOCAL_HEADER + strlen(st.name), &total) || total > file_bytes)
            return fail_entry(z, st.name, err, "makes the entries larger than the file: they overlap");
    }
    return check_names(z, err);
}

static int open_archive(struct sr_zip *z, int fd, uint64_t file_bytes, struct sr_error *err) {
    int code = 0;
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* libzip closes what it opens */
    if (own < 0)
        return sr_fail(err, SR_IO, "cannot read %s: %s", z->path, strerror(errno));
    z->archive = zip_fdopen(own, ZIP_CHECKCONS, &code);
    if (!z->archive) {
        close(own);
        return fail_archive(z->path, code, err);
    }
    const zip_int64_t n = zip_get_num_entries(z->archive, 0);
    if (n < 0 || n > ENTRIES_MAX)
        return sr_fail(err, SR_DATA, "%s: more than %u entries", z->path, ENTRIES_MAX);
    z->count = (size_t)n;
    z->entries = sr_alloc(z->count, sizeof *z->entries, err);
    z->sorted = sr_alloc(z->count, sizeof *z->sorted, err);
    z->checked = sr_alloc(z->count, sizeof *z->checked, err);
    return z->entries && z->sorted && z->checked ? check_entries(z, file_bytes, err) : SR_NOMEM;
}

int sr_zip_open(struct sr_zip **out, int fd, uint64_t file_bytes, const char *path, struct sr_error *err) {
    *out = NULL;
    struct sr_zip *z = sr_alloc(1, sizeof *z, err);
    if (!z)
        return SR_NOMEM;
    z->path = sr_strdup(path, err);
    const int status = z->path ? open_archive(z, fd, file_bytes, err) : SR_NOMEM;
    if (status == SR_OK)
        *out = z;
    else
        sr_zip_close(z);
    return status;
}

static void close_entry(struct sr_zip *z) {
    if (z->open)
        zip_fclose(z->open);
    z->open = NULL;
}

void sr_zip_close(struct sr_zip *z) {
    if (!z)
        return;
    close_entry(z);
    if (z->archive)
        zip_discard(z->archive);
    sr_free(z->entries);
    sr_free(z->sorted);
    sr_free(z->checked);
    sr_free(z->path);
    sr_free(z);
}

size_t sr_zip_count(const struct sr_zip *z) {
    return z->count;
}

const struct sr_zip_entry *sr_zip_at(const struct sr_zip *z, size_t i) {
    return &z->entries[i];
}

size_t sr_zip_find(const struct sr_zip *z, const char *name) {
    size_t low = 0, high = z->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(z->entries[z->sorted[middle]].name, name);
        if (order == 0)
            return z->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return z->count;
}

int sr_zip_stored(const struct sr_zip *z, struct sr_error *err) {
    for (size_t i = 0; i < z->count; i++)
        if (!z->entries[i].stored)
            return fail_entry(z, z->entries[i].name, err,
                              "is compressed, which torch.save never does; load the file in Python and "
                              "torch.save it again");
    return SR_OK;
}

/* ---- reading ---- */

static int fail_read(const struct sr_zip *z, zip_error_t *error, struct sr_error *err) {
    const int code = zip_error_code_zip(error);
    char clean[128];
    sr_utf8_clean(clean, sizeof clean, z->entries[z->open_index].name);
    if (code == ZIP_ER_CRC)
        return sr_fail(err, SR_DATA,
                       "%s is damaged: the checksum of its entry '%s' does not fit; or it was saved with "
                       "torch.serialization.set_crc32_options(False): torch.save it again without",
                       z->path, clean);
    return sr_fail(err,
                   code == ZIP_ER_MEMORY ? SR_NOMEM
                   : code == ZIP_ER_READ ? SR_IO
                                         : SR_DATA,
                   "%s: its entry '%s' cannot be read: %s", z->path, clean, zip_error_strerror(error));
}

/* Entry i open, standing at byte `at`. */
static int go_to(struct sr_zip *z, size_t i, uint64_t at, struct sr_error *err) {
    if (!z->open || z->open_index != i) {
        close_entry(z);
        z->open_index = i;
        z->open_at = 0;
        z->open = zip_fopen_index(z->archive, i, 0);
        if (!z->open)
            return fail_read(z, zip_get_error(z->archive), err);
    }
    if (z->open_at != at && zip_fseek(z->open, (zip_int64_t)at, SEEK_SET) < 0)
        return fail_read(z, zip_file_get_error(z->open), err);
    z->open_at = at;
    return SR_OK;
}

/* The next bytes of the open entry; *got may be less only at its end. */
static int read_open(struct sr_zip *z, unsigned char *to, size_t bytes, size_t *got, struct sr_error *err) {
    for (*got = 0; *got < bytes;) {
        const zip_int64_t n = zip_fread(z->open, to + *got, bytes - *got);
        if (n < 0)
            return fail_read(z, zip_file_get_error(z->open), err);
        if (n == 0)
            break;
        *got += (size_t)n;
    }
    z->open_at += *got;
    return SR_OK;
}

/* Bytes of entry i; at its end libzip compares the checksum if the entry was opened for this and read from
 * its beginning. */
static int read_part(struct sr_zip *z, size_t i, uint64_t at, void *out, size_t bytes, struct sr_error *err) {
    unsigned char beyond;
    size_t got = 0, more = 0;
    int status = go_to(z, i, at, err);
    if (status == SR_OK)
        status = read_open(z, out, bytes, &got, err);
    if (status == SR_OK && got < bytes)
        status = fail_entry(z, z->entries[i].name, err, "is shorter than the archive says");
    if (status == SR_OK && z->open_at == z->entries[i].size)
        status = read_open(z, &beyond, 1, &more, err);
    return status;
}

static int check_whole(struct sr_zip *z, size_t i, struct sr_error *err) {
    static const size_t block = 65536;
    const uint64_t size = z->entries[i].size;
    int status = SR_OK;
    unsigned char *out = sr_alloc(block, 1, err);
    if (!out)
        return SR_NOMEM;
    for (uint64_t at = 0; status == SR_OK && at < size; at += block)
        status = read_part(z, i, at, out, size - at < block ? (size_t)(size - at) : block, err);
    sr_free(out);
    return status;
}

int sr_zip_read(struct sr_zip *z, size_t i, uint64_t at, void *out, size_t bytes, struct sr_error *err) {
    int status = z->entries[i].stored ? SR_OK : sr_zip_stored(z, err);
    if (status == SR_OK && !z->checked[i]) {
        close_entry(z);
        if (at > 0 || bytes < z->entries[i].size)
            status = check_whole(z, i, err);
    }
    if (status == SR_OK)
        status = read_part(z, i, at, out, bytes, err);
    if (status < 0)
        close_entry(z); /* a failed handle stays failed */
    else
        z->checked[i] = true;
    return status;
}

/* ---- writing ---- */

static int fail_write(const char *path, zip_error_t *error, struct sr_error *err) {
    const int code = zip_error_code_zip(error);
    return sr_fail(err,
                   code == ZIP_ER_MEMORY   ? SR_NOMEM
                   : code == ZIP_ER_EXISTS ? SR_BUG
                                           : SR_IO,
                   "%s: the zip archive cannot be made: %s", path, zip_error_strerror(error));
}

/* What an entry needs so that its bytes begin aligned: *at, where its header begins, moves behind it. */
static bool pad(zip_t *archive, zip_uint64_t i, const struct sr_zip_part *part, uint64_t *at) {
    static const zip_uint8_t zeros[ALIGNMENT];
    const uint64_t begin = *at + LOCAL_HEADER + strlen(part->name) + FIELD_HEADER;
    const zip_uint16_t padding = (zip_uint16_t)((ALIGNMENT - begin % ALIGNMENT) % ALIGNMENT);
    *at = begin + padding + part->size;
    return zip_file_extra_field_set(archive, i, FIELD_ID, ZIP_EXTRA_FIELD_NEW, zeros, padding,
                                    ZIP_FL_LOCAL) == 0;
}

/* The first day that a zip archive can name stands for none. */
static bool add_part(zip_t *archive, const struct sr_zip_part *part, uint64_t *at) {
    const zip_uint16_t first_day = 1 << 5 | 1;
    zip_source_t *bytes = zip_source_buffer(archive, part->bytes, part->size, 0);
    if (!bytes)
        return false;
    const zip_int64_t i = zip_file_add(archive, part->name, bytes, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        zip_source_free(bytes);
        return false;
    }
    return zip_set_file_compression(archive, (zip_uint64_t)i, ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_dostime(archive, (zip_uint64_t)i, 0, first_day, 0) == 0 &&
           pad(archive, (zip_uint64_t)i, part, at);
}

/* What the archive became, from the source it was written to, into the file. */
static int save_source(const char *path, zip_source_t *from, struct sr_error *err) {
    zip_stat_t st;
    unsigned char *bytes = NULL;
    int status;
    if (zip_source_stat(from, &st) < 0 || !(st.valid & ZIP_STAT_SIZE) || zip_source_open(from) < 0)
        return fail_write(path, zip_source_error(from), err);
    if (!(bytes = sr_alloc(1, (size_t)st.size, err)))
        status = SR_NOMEM;
    else if (zip_source_read(from, bytes, st.size) != (zip_int64_t)st.size)
        status = fail_write(path, zip_source_error(from), err);
    else
        status = sr_atomic_file_write(path, bytes, (size_t)st.size, err);
    zip_source_close(from);
    sr_free(bytes);
    return status;
}

int sr_zip_write(const char *path, const struct sr_zip_part *parts, size_t n, struct sr_error *err) {
    zip_error_t error;
    uint64_t at = 0;
    int status = SR_OK;
    zip_error_init(&error);
    zip_source_t *memory = zip_source_buffer_create(NULL, 0, 0, &error);
    zip_t *archive = memory ? zip_open_from_source(memory, ZIP_TRUNCATE, &error) : NULL;
    if (!archive) {
        status = fail_write(path, &error, err);
        zip_source_free(memory);
        zip_error_fini(&error);
        return status;
    }
    zip_source_keep(memory); /* closing the archive lets its own hold go */
    for (size_t i = 0; status == SR_OK && i < n; i++)
        if (!add_part(archive, &parts[i], &at))
            status = fail_write(path, zip_get_error(archive), err);
    if (status == SR_OK && zip_close(archive) < 0)
        status = fail_write(path, zip_get_error(archive), err);
    else if (status == SR_OK)
        archive = NULL;
    if (archive)
        zip_discard(archive);
    if (status == SR_OK)
        status = save_source(path, memory, err);
    zip_source_free(memory);
    return status;
}
