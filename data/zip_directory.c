/* zip_directory.c: the tables of a zip archive, held against each other and against the file; see zip.h.
 *
 * A zip says most things twice (APPNOTE.TXT 4.3: local headers, the central directory, data descriptors, the
 * end records and their ZIP64 forms), and readers that believe different ones see different files. Here all
 * must agree, and the entries must lie one behind the other from the file's first byte to the directory, as
 * torch.save and libzip write them. So there is one way to read the file, and no place for anything else.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "data/zip_directory.h"
#include "nn/base/sizes.h"
#include "nn/base/utf8.h"

#define LOCAL         30 /* bytes of a local header, of one in the directory, of the end record, */
#define CENTRAL       46
#define END           22
#define END64         56 /* of ZIP64's end record and of its locator */
#define LOCATOR64     20
#define SATURATED     0xffffffffu         /* a field whose value is in a ZIP64 field */
#define DIRECTORY_MAX ((uint64_t)1 << 28) /* bytes; a record of torch.save takes about 70 */
#define FIELDS_MAX    ((size_t)2 * 65535) /* bytes of a name and the extra fields behind it */

#define ENCRYPTED  0x2041 /* flags: encrypted, strongly, with masked headers; */
#define PATCH      0x0020 /* a difference to another file */
#define DESCRIPTOR 0x0008 /* size and checksum are behind the content too */
#define FOLDER     0x0010 /* attribute of a folder, of DOS and of all since */
#define UNIX       3      /* maker of an entry whose attributes are a mode */

/* The end of the archive: what it says of the directory. */
struct end {
    uint64_t count, bytes, at; /* of the directory */
    uint64_t end_at;           /* where the end records begin */
};

static int broken(const struct sr_zip *z, const char *what, struct sr_error *err) {
    return sr_fail(err, SR_DATA, "%s: not a whole zip archive: %s", z->path, what);
}

int sr_zip_fail_entry(const struct sr_zip *z, size_t i, const char *what, struct sr_error *err) {
    char clean[128];
    return sr_fail(err, SR_DATA, "%s: its entry '%s' %s", z->path,
                   sr_utf8_clean(clean, sizeof clean, z->entries[i].name), what);
}

int sr_zip_bytes(const struct sr_zip *z, uint64_t at, void *out, size_t n, struct sr_error *err) {
    return sr_file_read_at(z->fd, at, out, n, z->path, err);
}

char sr_zip_lower(char c) {
    return (char)(c >= 'A' && c <= 'Z' ? c + 'a' - 'A' : c);
}

const char *sr_zip_folded(const struct sr_zip *z, size_t i) {
    return z->folded + (z->entries[i].name - z->names);
}

/* ---- the end ---- */

static bool agrees(uint64_t narrow, uint64_t wide, uint64_t saturated) {
    return narrow == saturated || narrow == wide;
}

/* ZIP64's end record and locator, if they are there, lie in front of the end record. */
static int read_end64(const struct sr_zip *z, struct end *e, struct sr_error *err) {
    unsigned char b[END64 + LOCATOR64];
    const unsigned char *locator = b + END64;
    uint64_t at;
    if (!sr_size_sub(&at, e->end_at, sizeof b))
        return SR_OK;
    const int status = sr_zip_bytes(z, at, b, sizeof b, err);
    if (status < 0 || memcmp(locator, "PK\6\7", 4) != 0)
        return status;
    const struct end wide = {sr_little_endian(b + 32, 8), sr_little_endian(b + 40, 8),
                             sr_little_endian(b + 48, 8), at};
    if (memcmp(b, "PK\6\6", 4) != 0 || sr_little_endian(b + 4, 8) != END64 - 12 ||
        sr_little_endian(b + 16, 8) != 0 || sr_little_endian(b + 24, 8) != wide.count ||
        sr_little_endian(locator + 4, 4) != 0 || sr_little_endian(locator + 8, 8) != at ||
        sr_little_endian(locator + 16, 4) != 1)
        return broken(z, "its ZIP64 end record and the pointer to it do not fit together", err);
    if (!agrees(e->count, wide.count, 0xffff) || !agrees(e->bytes, wide.bytes, SATURATED) ||
        !agrees(e->at, wide.at, SATURATED))
        return broken(z, "its two end records say different things", err);
    *e = wide;
    return SR_OK;
}

static int read_end(const struct sr_zip *z, struct end *e, struct sr_error *err) {
    unsigned char b[END] = {0};
    uint64_t at, least, end;
    int status = SR_OK;
    if (sr_size_sub(&at, z->file_bytes, END))
        status = sr_zip_bytes(z, at, b, END, err);
    if (status < 0)
        return status;
    if (memcmp(b, "PK\5\6", 4) != 0 || sr_little_endian(b + 20, 2) != 0)
        return broken(z,
                      "it does not end with its table; it is cut off, or something was put behind: copy it "
                      "again",
                      err);
    *e = (struct end){sr_little_endian(b + 10, 2), sr_little_endian(b + 12, 4), sr_little_endian(b + 16, 4),
                      at};
    if (sr_little_endian(b + 4, 4) != 0 || sr_little_endian(b + 8, 2) != e->count)
        return broken(z, "its end says that it is one of several parts", err);
    if ((status = read_end64(z, e, err)) < 0)
        return status;
    if (!sr_size_add(&end, e->at, e->bytes) || end != e->end_at || e->bytes > DIRECTORY_MAX)
        return broken(z, "its table of entries is not where its end says, or is too large", err);
    if (!sr_size_mul(&least, e->count, CENTRAL) || least > e->bytes)
        return broken(z, "its end counts more entries than its table has room for", err);
    return SR_OK;
}

/* ---- headers ---- */

/* What both headers of an entry have in common, from the flags on. */
struct header {
    uint64_t size;
    struct sr_zip_place place;
    size_t name_bytes, extra_bytes;
};

static struct header header_from(const unsigned char *p) {
    return (struct header){.size = sr_little_endian(p + 16, 4),
                           .place = {.flags = (uint16_t)sr_little_endian(p, 2),
                                     .method = (uint16_t)sr_little_endian(p + 2, 2),
                                     .crc = (uint32_t)sr_little_endian(p + 8, 4),
                                     .packed = sr_little_endian(p + 12, 4)},
                           .name_bytes = (size_t)sr_little_endian(p + 20, 2),
                           .extra_bytes = (size_t)sr_little_endian(p + 22, 2)};
}

/* The next 64-bit value of a ZIP64 field into *value, where that is saturated. */
static bool widen(uint64_t *value, const unsigned char **field, size_t *left) {
    if (*value != SATURATED)
        return true;
    if (*left < 8)
        return false;
    *value = sr_little_endian(*field, 8);
    *field += 8;
    *left -= 8;
    return true;
}

/* Values too large for 32 bits are in an extra field, of number 1. */
static bool take_zip64(struct header *h, const unsigned char *extra) {
    size_t left = h->extra_bytes;
    if (h->size != SATURATED && h->place.packed != SATURATED && h->place.at != SATURATED)
        return true;
    while (left >= 4) {
        const size_t id = (size_t)sr_little_endian(extra, 2);
        size_t bytes = (size_t)sr_little_endian(extra + 2, 2);
        extra += 4;
        left -= 4;
        if (bytes > left)
            return false;
        if (id == 1)
            return widen(&h->size, &extra, &bytes) && widen(&h->place.packed, &extra, &bytes) &&
                   widen(&h->place.at, &extra, &bytes);
        extra += bytes;
        left -= bytes;
    }
    return false;
}

/* ---- the directory ---- */

/* No "..", nothing absolute, no empty part, no other system's separator. A ':' is in folders that torch.save
 * named after "run-12:30.pt", and nothing is unpacked. */
static bool good_name(const char *name, size_t bytes) {
    if (!*name || strlen(name) != bytes || strchr(name, '\\'))
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

/* By its attributes or by a '/' at the end: some readers, torch too, give no bytes of a folder. */
static bool is_folder(const unsigned char *central, const char *name, size_t name_bytes) {
    return sr_little_endian(central + 38, 4) & FOLDER || name[name_bytes - 1] == '/';
}

static bool is_link(const unsigned char *central) {
    return central[5] == UNIX && (sr_little_endian(central + 38, 4) >> 16 & 0170000) == 0120000;
}

static int check_entry(const struct sr_zip *z, size_t i, const unsigned char *central, size_t name_bytes,
                       struct sr_error *err) {
    const struct sr_zip_place *place = &z->place[i];
    if (!good_name(z->entries[i].name, name_bytes))
        return sr_zip_fail_entry(z, i, "has a name that leads out of the archive; not read", err);
    if (place->flags & ENCRYPTED)
        return sr_zip_fail_entry(z, i, "is encrypted; not read", err);
    if (place->flags & PATCH)
        return sr_zip_fail_entry(z, i, "is a difference to another file; not read", err);
    if (sr_little_endian(central + 34, 2) != 0)
        return sr_zip_fail_entry(z, i, "is said to begin on another disk of several; not read", err);
    if (is_folder(central, z->entries[i].name, name_bytes) && z->entries[i].size > 0)
        return sr_zip_fail_entry(z, i, "is marked as a folder, but has bytes", err);
    if (is_link(central))
        return sr_zip_fail_entry(z, i, "is a symbolic link; not followed, not read", err);
    if (z->entries[i].stored && z->entries[i].size != place->packed)
        return sr_zip_fail_entry(z, i, "has two sizes", err);
    return SR_OK;
}

/* One entry at *p of what is left of the directory; its name goes to *name. */
static int take_entry(struct sr_zip *z, size_t i, const unsigned char **p, uint64_t *left, char **name,
                      struct sr_error *err) {
    const unsigned char *central = *p;
    if (*left < CENTRAL || memcmp(central, "PK\1\2", 4) != 0)
        return broken(z, "its table has fewer entries than its end counts", err);
    struct header h = header_from(central + 8);
    const size_t bytes = (size_t)sr_size_sum(
        CENTRAL, sr_size_sum(sr_size_sum(h.name_bytes, h.extra_bytes), sr_little_endian(central + 32, 2)));
    h.place.at = sr_little_endian(central + 42, 4);
    if (bytes > *left || !take_zip64(&h, &central[sr_size_sum(CENTRAL, h.name_bytes)]))
        return broken(z, "an entry of its table is cut off, or its ZIP64 sizes are", err);
    memcpy(*name, central + CENTRAL, h.name_bytes);
    (*name)[h.name_bytes] = '\0';
    z->entries[i] = (struct sr_zip_entry){*name, h.size, h.place.method == 0};
    z->place[i] = h.place;
    *name = &(*name)[sr_size_sum(h.name_bytes, 1)];
    *p += bytes;
    *left -= bytes;
    return check_entry(z, i, central, h.name_bytes, err);
}

static int take_entries(struct sr_zip *z, const unsigned char *directory, uint64_t bytes,
                        struct sr_error *err) {
    char *name = z->names;
    int status = SR_OK;
    for (size_t i = 0; status == SR_OK && i < z->count; i++)
        status = take_entry(z, i, &directory, &bytes, &name, err);
    return status == SR_OK && bytes > 0 ? broken(z, "its table has more entries than its end counts", err)
                                        : status;
}

/* ---- local headers ---- */

/* With a descriptor the local header may leave them 0. */
static bool same_or_later(uint64_t local, uint64_t central, uint16_t flags) {
    return local == central || (local == 0 && flags & DESCRIPTOR);
}

static bool local_agrees(const struct sr_zip *z, size_t i, const struct header *h,
                         const unsigned char *fields) {
    const struct sr_zip_place *p = &z->place[i];
    return h->place.flags == p->flags && h->place.method == p->method &&
           same_or_later(h->place.crc, p->crc, p->flags) &&
           same_or_later(h->size, z->entries[i].size, p->flags) &&
           same_or_later(h->place.packed, p->packed, p->flags) &&
           memcmp(fields, z->entries[i].name, h->name_bytes) == 0;
}

/* n bytes from `at` on are more than an entry has up to the next one's place or the directory's. */
static int fail_end(const struct sr_zip *z, size_t i, uint64_t at, uint64_t n, uint64_t directory_at,
                    struct sr_error *err) {
    return sr_zip_fail_entry(z, i,
                             sr_size_within(at, n, directory_at)
                                 ? "lies partly where another does: they overlap"
                                 : "reaches past the end of the file: not a whole zip archive",
                             err);
}

/* Finds data_at. fields has room for FIELDS_MAX bytes. Of an entry no byte is read past its end, so that many
 * that claim the same ones cost nothing. */
static int read_local(struct sr_zip *z, size_t i, uint64_t end, uint64_t directory_at, unsigned char *fields,
                      struct sr_error *err) {
    unsigned char b[LOCAL];
    struct sr_zip_place *p = &z->place[i];
    const uint64_t least = sr_size_sum(LOCAL + strlen(z->entries[i].name), p->packed);
    if (!sr_size_within(p->at, least, end))
        return fail_end(z, i, p->at, least, directory_at, err);
    int status = sr_zip_bytes(z, p->at, b, LOCAL, err);
    if (status < 0)
        return status;
    struct header h = header_from(b + 6);
    const size_t bytes = (size_t)sr_size_sum(h.name_bytes, h.extra_bytes);
    p->data_at = sr_size_sum(p->at, LOCAL + bytes);
    if (memcmp(b, "PK\3\4", 4) != 0 || h.name_bytes != strlen(z->entries[i].name))
        return sr_zip_fail_entry(z, i, "has another header of its own: not a whole zip archive", err);
    if (!sr_size_within(p->data_at, p->packed, end))
        return fail_end(z, i, p->data_at, p->packed, directory_at, err);
    if ((status = sr_zip_bytes(z, sr_size_sum(p->at, LOCAL), fields, bytes, err)) < 0)
        return status;
    if (!take_zip64(&h, &fields[h.name_bytes]) || !local_agrees(z, i, &h, fields))
        return sr_zip_fail_entry(z, i, "is not the same in the archive's table and in its own header", err);
    return SR_OK;
}

/* ---- places ---- */

static int by_place(const void *a, const void *b, void *place) {
    const struct sr_zip_place *p = place;
    const uint64_t x = p[*(const size_t *)a].at, y = p[*(const size_t *)b].at;
    return x < y ? -1 : x > y;
}

static int by_name(const void *a, const void *b, void *zip) {
    const struct sr_zip *z = zip;
    return strcmp(sr_zip_folded(z, *(const size_t *)a), sr_zip_folded(z, *(const size_t *)b));
}

/* The bytes behind an entry's content, up to the next: 4 of a mark or none, then its checksum and both sizes,
 * of 4 or 8 bytes each. */
static int check_descriptor(const struct sr_zip *z, size_t i, uint64_t at, uint64_t bytes,
                            struct sr_error *err) {
    unsigned char b[24] = {0};
    const size_t mark = bytes % 8 == 0 ? 4 : 0, wide = bytes >= 20 ? 8 : 4;
    int status = SR_OK;
    if (bytes <= sizeof b)
        status = sr_zip_bytes(z, at, b, (size_t)bytes, err);
    if (status < 0)
        return status;
    if (bytes != mark + 4 + 2 * wide || (mark && memcmp(b, "PK\7\10", 4) != 0) ||
        sr_little_endian(b + mark, 4) != z->place[i].crc ||
        sr_little_endian(b + mark + 4, wide) != z->place[i].packed ||
        sr_little_endian(b + mark + 4 + wide, wide) != z->entries[i].size)
        return sr_zip_fail_entry(z, i, "is not the same in the archive's table and behind its content", err);
    return SR_OK;
}

/* What lies between an entry's content and the next place. */
static int check_gap(const struct sr_zip *z, size_t i, uint64_t next, struct sr_error *err) {
    const struct sr_zip_place *p = &z->place[i];
    const uint64_t end = sr_size_sum(p->data_at, p->packed);
    if (p->flags & DESCRIPTOR)
        return check_descriptor(z, i, end, next - end, err); /* read_local saw that it ends there */
    return next == end ? SR_OK : sr_zip_fail_entry(z, i, "has bytes that no entry holds behind it", err);
}

/* Entries fill the file from its beginning to the directory. */
static int check_places(struct sr_zip *z, uint64_t directory_at, unsigned char *fields,
                        struct sr_error *err) {
    int status = SR_OK;
    for (size_t i = 0; i < z->count; i++)
        z->sorted[i] = i;
    qsort_r(z->sorted, z->count, sizeof *z->sorted, by_place, z->place);
    if ((z->count ? z->place[z->sorted[0]].at : directory_at) != 0)
        return broken(z, "it begins with bytes that no entry holds", err);
    if (z->count > 0 && !sr_size_within(z->place[z->sorted[z->count - 1]].at, LOCAL, directory_at))
        return sr_zip_fail_entry(z, z->sorted[z->count - 1],
                                 "lies outside of the file: not a whole zip archive", err);
    for (size_t i = 0; status == SR_OK && i < z->count; i++) {
        const uint64_t next = i + 1 < z->count ? z->place[z->sorted[i + 1]].at : directory_at;
        status = read_local(z, z->sorted[i], next, directory_at, fields, err);
        if (status == SR_OK)
            status = check_gap(z, z->sorted[i], next, err);
    }
    return status;
}

static int fold_names(struct sr_zip *z, uint64_t directory_bytes, struct sr_error *err) {
    z->folded = sr_alloc(directory_bytes, 1, err);
    if (!z->folded)
        return SR_NOMEM;
    for (size_t i = 0; i < directory_bytes; i++)
        z->folded[i] = sr_zip_lower(z->names[i]);
    for (size_t i = 0; i < z->count; i++) {
        const size_t n = strlen(z->entries[i].name);
        z->longest = n > z->longest ? n : z->longest;
    }
    z->sought = sr_alloc(z->longest + 1, 1, err);
    return z->sought ? SR_OK : SR_NOMEM;
}

static int check_names(struct sr_zip *z, struct sr_error *err) {
    qsort_r(z->sorted, z->count, sizeof *z->sorted, by_name, z);
    for (size_t i = 1; i < z->count; i++) {
        const size_t a = z->sorted[i - 1], b = z->sorted[i];
        if (strcmp(z->entries[a].name, z->entries[b].name) == 0)
            return sr_zip_fail_entry(z, b, "is there twice", err);
        if (strcmp(sr_zip_folded(z, a), sr_zip_folded(z, b)) == 0)
            return sr_zip_fail_entry(z, b, "is there twice, in other capitals: to torch that is one record",
                                     err);
    }
    return SR_OK;
}

static int read_places(struct sr_zip *z, uint64_t directory_at, struct sr_error *err) {
    unsigned char *fields = sr_alloc(FIELDS_MAX, 1, err);
    const int status = fields ? check_places(z, directory_at, fields, err) : SR_NOMEM;
    sr_free(fields);
    return status;
}

static int read_directory(struct sr_zip *z, const struct end *e, struct sr_error *err) {
    unsigned char *directory = sr_alloc(e->bytes, 1, err);
    z->count = (size_t)e->count;
    z->names = sr_alloc(e->bytes, 1, err); /* a header is longer than a NUL */
    z->entries = sr_alloc(z->count, sizeof *z->entries, err);
    z->place = sr_alloc(z->count, sizeof *z->place, err);
    z->sorted = sr_alloc(z->count, sizeof *z->sorted, err);
    int status = directory && z->names && z->entries && z->place && z->sorted
                     ? sr_zip_bytes(z, e->at, directory, (size_t)e->bytes, err)
                     : SR_NOMEM;
    if (status == SR_OK)
        status = take_entries(z, directory, e->bytes, err);
    sr_free(directory);
    return status;
}

int sr_zip_directory_read(struct sr_zip *z, struct sr_error *err) {
    struct end e = {0};
    int status = read_end(z, &e, err);
    if (status == SR_OK)
        status = read_directory(z, &e, err);
    if (status == SR_OK)
        status = read_places(z, e.at, err);
    if (status == SR_OK)
        status = fold_names(z, e.bytes, err);
    return status == SR_OK ? check_names(z, err) : status;
}
