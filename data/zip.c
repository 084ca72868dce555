/* zip.c: zip archives written by libzip, the only file that knows it; see zip.h. Reading is zip_read.c's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "data/zip.h"

#define LOCAL_HEADER 30     /* bytes before an entry's name and content, at least */
#define ALIGNMENT    64     /* of entries that are written; torch.save does the same */
#define FIELD_HEADER 4      /* bytes before the content of an extra field */
#define FIELD_ID     0x4246 /* "FB": padding, as torch.save names it */

static int fail_write(const char *path, zip_error_t *error, struct sr_error *err) {
    const int code = zip_error_code_zip(error);
    if (code == ZIP_ER_MEMORY || (code == ZIP_ER_OK && errno == ENOMEM)) /* libzip forgets some */
        return sr_fail(err, SR_NOMEM, "%s: the zip archive cannot be made: out of memory", path);
    return sr_fail(err, code == ZIP_ER_EXISTS ? SR_BUG : SR_IO, "%s: the zip archive cannot be made: %s",
                   path, zip_error_strerror(error));
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
    errno = 0;
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
