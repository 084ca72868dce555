/* inspect_foreign.c: files that other programs read or wrote, by their first bytes, and which command takes
 * them; see inspect.h.
 *
 * They are named, not opened: a graph is for its reader to judge.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "train/inspect.h"

#define JSON_MAX ((size_t)64 << 20) /* bytes of JSON that is read */
#define WORD     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* ---- by bytes ---- */

static bool begins(const struct sr_peek *p, const char *bytes, size_t n) {
    return p->n >= n && memcmp(p->head, bytes, n) == 0;
}

static bool has(const struct sr_peek *p, const char *word) {
    return memmem(p->head, p->n, word, strlen(word)) != NULL;
}

/* A ModelProto: ir_version, then the producer's name or the next field. */
static bool is_onnx(const struct sr_peek *p) {
    return p->n > 16 && p->head[0] == 0x08 && p->head[1] > 2 && p->head[1] < 32 &&
           (p->head[2] == 0x12 || p->head[2] == 0x3a || p->head[2] == 0x42);
}

static bool is_json(const struct sr_peek *p) {
    return p->n > 0 && p->head[strspn(p->head, " \t\r\n")] == '{' &&
           (has(p, "\"schema_version\"") || has(p, "\"saferoute-router\""));
}

static bool is_json_lines(const struct sr_peek *p) {
    const size_t n = strlen(p->path);
    return is_json(p) && n > 6 && strcmp(p->path + n - 6, ".jsonl") == 0;
}

static bool is_card(const struct sr_peek *p) {
    return begins(p, "---\n", 4) && has(p, "\nsaferoute_sha256: ");
}

static bool is_c(const struct sr_peek *p) {
    const size_t n = strlen(p->path);
    return n > 2 && p->path[n - 2] == '.' && strchr("ch", p->path[n - 1]) && has(p, "saferoute");
}

/* ---- what there is to say ---- */

static void add_producer(struct sr_facts *f, const struct sr_peek *p) {
    const size_t length = (unsigned char)p->head[3];
    char name[64];
    if (p->head[2] != 0x12 || length >= sizeof name || 4 + length > p->n)
        return;
    memcpy(name, p->head + 4, length);
    name[length] = '\0';
    sr_facts_text(f, "producer", name);
}

/* Its members that are words or numbers. */
static int add_json(struct sr_facts *f, const struct sr_peek *p, struct sr_error *err) {
    struct sr_json *o;
    struct sr_error why;
    void *text, *iter = NULL;
    size_t size;
    const struct sr_json *value;
    int status = sr_file_read_regular(&text, &size, p->path, "a file", JSON_MAX, err);
    if (status < 0)
        return status;
    status = sr_json_parse(&o, text, size, &why);
    sr_free(text);
    if (status < 0)
        return sr_fail(err, status, "%s: %.300s", p->path, why.text);
    sr_facts_section(f, "json");
    for (const char *key; (key = sr_json_next(o, &iter, &value));) {
        double number;
        if (sr_json_as_string(value))
            sr_facts_text(f, key, sr_json_as_string(value));
        else if (sr_json_as_number(value, &number))
            sr_facts_add(f, key, sr_json_number(number), "%.9g", number);
    }
    sr_json_free(o);
    return 0;
}

static bool has_fact(const struct sr_facts *f, const char *section, const char *key) {
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->fact[i].section, section) == 0 && strcmp(f->fact[i].key, key) == 0)
            return true;
    return false;
}

/* The lines of its front matter that are a word with a value; others belong to what is nested. */
static int add_front_matter(struct sr_facts *f, const struct sr_peek *p, struct sr_error *err) {
    char text[SR_PEEK + 1], *rest = text, *line;
    memcpy(text, p->head, sizeof text);
    strsep(&rest, "\n");
    sr_facts_section(f, "card");
    while ((line = strsep(&rest, "\n")) && strcmp(line, "---") != 0) {
        char *value = strstr(line, ": ");
        if (!value || line + strspn(line, WORD) != value)
            continue;
        *value = '\0';
        if (has_fact(f, "card", line))
            return sr_fail(err, SR_DATA, "%s: %.100s comes twice in its front matter", p->path, line);
        sr_facts_text(f, line, value + 2);
    }
    return 0;
}

static const struct {
    bool (*is)(const struct sr_peek *p);
    const char *title, *read_by;
} formats[] = {
    {is_onnx, "ONNX model", "onnxruntime. eval, sweep and infer take the weights that it was exported from"},
    {is_json_lines, "JSON lines of this program", "programs: one object a line"},
    {is_json, "JSON of this program", "programs; saferoute export --eval, if eval --json wrote it"},
    {is_card, "model card", "people, and Hugging Face"},
    {is_c, "C source of a router", "a C compiler"},
};

bool sr_inspect_foreign_recognise(const struct sr_peek *p) {
    for (size_t i = 0; !p->is_folder && i < SR_COUNT(formats); i++)
        if (formats[i].is(p))
            return true;
    return false;
}

int sr_inspect_foreign_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                            struct sr_error *err) {
    size_t i = 0;
    while (!formats[i].is(p))
        i++;
    *title = formats[i].title;
    sr_facts_section(f, "content");
    sr_facts_count(f, "bytes", p->size);
    sr_facts_add(f, "read_by", sr_json_string(formats[i].read_by), "%s", formats[i].read_by);
    if (formats[i].is == is_onnx)
        add_producer(f, p);
    if (formats[i].is == is_card)
        return add_front_matter(f, p, err);
    return formats[i].is == is_json ? add_json(f, p, err) : 0;
}
