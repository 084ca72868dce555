/* inspect.c: the kinds of files, and which of them a file is; see inspect.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "nn/base/sizes.h"
#include "train/inspect.h"

static const struct sr_kind kinds[] = {
#define X(name, text, kin)                                                                                   \
    {#name, text, SR_FAMILY_##kin, sr_inspect_##name##_recognise, sr_inspect_##name##_look},
    SR_KIND_LIST(X)
#undef X
};

/* ---- the beginning of a file ---- */

#define FORMAT_HEADER_MAX 100000000u /* bytes: more are no safetensors; we read fewer */

static uint64_t header_length(const struct sr_peek *p) {
    return sr_little_endian(p->head, 8);
}

static bool begins_like_safetensors(const struct sr_peek *p) {
    return p->n > 9 && header_length(p) <= FORMAT_HEADER_MAX && p->head[8] == '{';
}

/* A header that is JSON but breaks a rule of the format is still shown, with what it breaks. */
static int read_header(struct sr_peek *p, FILE *from, struct sr_error *err) {
    struct sr_error why;
    rewind(from);
    const int status = sr_safetensors_header_read(&p->header, from, p->size, p->path, &why);
    if (status < 0 && (status != SR_DATA || !sr_json_is_object(p->header.json)))
        return sr_fail(err, status, "%s", why.text);
    snprintf(p->trouble, sizeof p->trouble, "%s", status < 0 ? why.text : "");
    return 0;
}

static int read_head(struct sr_peek *p, struct sr_error *err) {
    FILE *from;
    int status = sr_file_open(&from, &p->size, p->path, "a file", err);
    if (status < 0)
        return status;
    p->n = fread(p->head, 1, SR_PEEK, from);
    if (ferror(from))
        status = sr_fail(err, SR_IO, "%s: cannot be read: %s", p->path, strerror(errno));
    else if (begins_like_safetensors(p) && header_length(p) <= p->size - 8)
        status = read_header(p, from, err);
    fclose(from);
    return status;
}

static int peek(struct sr_peek *p, const char *path, struct sr_error *err) {
    *p = (struct sr_peek){.path = path};
    p->is_folder = stat(path, &p->then) == 0 && S_ISDIR(p->then.st_mode);
    return p->is_folder ? 0 : read_head(p, err);
}

/* A file is opened more than once, by its name. */
static bool was_replaced(const struct sr_peek *p) {
    struct stat now;
    return stat(p->path, &now) == 0 && (now.st_dev != p->then.st_dev || now.st_ino != p->then.st_ino);
}

/* ---- of no kind ---- */

static bool is_text(const struct sr_peek *p) {
    for (size_t i = 0; i < p->n;) {
        const size_t length = sr_utf8_printable(p->head + i);
        const bool cut = p->n == SR_PEEK && i + 4 > p->n;
        if (length == 0 && !cut && !strchr("\t\r\n", p->head[i]))
            return false;
        i += length ? length : 1;
    }
    return p->n > 0 && !memchr(p->head, '\0', p->n);
}

static int fail_unknown(const struct sr_peek *p, struct sr_error *err) {
    char text[64], bytes[40] = "";
    if (p->is_folder)
        return sr_fail(err, SR_DATA,
                       "%s: a folder with neither config.yaml (a run) nor config.json and model.safetensors "
                       "(for Hugging Face) in it",
                       p->path);
    if (p->size == 0)
        return sr_fail(err, SR_DATA, "%s: the file is empty", p->path);
    if (begins_like_safetensors(p))
        return sr_fail(err, SR_DATA, "%s: begins like safetensors, but is cut off inside its header",
                       p->path);
    if (is_text(p)) {
        const size_t line = strcspn(p->head, "\r\n");
        snprintf(bytes, sizeof bytes, "%.*s", line < 36 ? (int)line : 36, p->head);
        return sr_fail(
            err, SR_DATA,
            "%s: text of no kind that is known here; it begins \"%s\" (saferoute help inspect lists what is)",
            p->path, sr_utf8_clean(text, sizeof text, bytes));
    }
    for (size_t i = 0; i < p->n && i < 8; i++)
        snprintf(bytes + 3 * i, 4, "%02x ", (unsigned)(unsigned char)p->head[i]);
    return sr_fail(err, SR_DATA,
                   "%s: binary, and of no kind that is known here: %" PRIu64 " bytes, the first are %s"
                   "(saferoute help inspect lists what is)",
                   p->path, p->size, bytes);
}

/* ---- looking ---- */

int sr_inspect(struct sr_inspection *out, const char *path, const struct sr_data_options *how,
               struct sr_error *err) {
    struct sr_peek *p = sr_alloc(1, sizeof *p, err);
    *out = (struct sr_inspection){.path = path};
    if (!p)
        return SR_NOMEM;
    int status = peek(p, path, err);
    p->how = how;
    for (size_t i = 0; status == 0 && !out->kind && i < SR_COUNT(kinds); i++)
        if (kinds[i].recognise(p))
            out->kind = &kinds[i];
    if (status == 0 && !out->kind)
        status = fail_unknown(p, err);
    if (status == 0) {
        out->title = out->kind->title;
        status = out->kind->look(&out->facts, p, &out->title, err);
    }
    if ((status == 0 || status == SR_DATA) && was_replaced(p))
        status = sr_fail(err, SR_DATA, "%s was replaced while it was looked at; run this again", path);
    if (status == 0 && out->facts.status < 0)
        status = sr_fail(err, SR_NOMEM, "out of memory for what is known of %s", path);
    sr_safetensors_header_free(&p->header);
    sr_free(p);
    return status;
}

void sr_inspection_free(struct sr_inspection *i) {
    sr_facts_free(&i->facts);
}

int sr_inspect_differ(struct sr_facts *out, const struct sr_inspection *a, const struct sr_inspection *b,
                      struct sr_error *err) {
    int status = 0;
    if (a->kind->family != b->kind->family)
        return sr_fail(err, SR_USAGE, "%s: %s; %s: %s: only files of one kind can be compared", a->path,
                       a->title, b->path, b->title);
    if (a->kind == b->kind)
        sr_facts_differ(out, &a->facts, &b->facts);
    if (a->kind->family == SR_FAMILY_TENSORS)
        status = sr_tensors_differ(out, a->path, b->path, err);
    if (status == 0 && out->status < 0)
        status = sr_fail(err, SR_NOMEM, "out of memory for what differs");
    return status;
}
