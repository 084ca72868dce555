/* export_c.c: the router as one C99 file and its header.
 *
 * The code is in two templates, which are C themselves but for marks between two '@', where the numbers,
 * tables and texts of this router go, and for name_ and NAME_, which become the file's own prefix. Weights
 * are written as the bits of the folded float32 numbers, as hexadecimal integers: exact, and read by a
 * compiler in half the time of decimal floats. Texts of the metadata are strangers' texts: everything in them
 * that could end a string or a comment is escaped. What is written depends on the weights and the name alone.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "infer/export_c.h"
#include "infer/export_config.h"

#define WORDS_A_LINE   8
#define LITERAL_LONG   4000 /* a C99 compiler takes string literals of 4095 bytes */
#define REMARK         80
#define STACK_OF_CALLS 2048 /* of name_decide without its buffer; a few hundred were seen */

/* As the template of the header says; by it an older export is known. */
#define MADE_BY "written by saferoute export --to c"

struct writer {
    const struct sr_export *e;
    struct sr_export_c_names names;
    uint32_t checksum;
    uint32_t expected[SR_EXPORT_C_ROWS]; /* bits of the logits of the self-test's rows */
    FILE *to;
};

/* ---- numbers ---- */

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* name_hash of the template. */
static uint32_t hash_words(uint32_t hash, const float *value, size_t n) {
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ bits_of(value[i])) * 16777619u;
    return hash;
}

static uint32_t hash_router(const struct sr_router *r) {
    uint32_t hash = 2166136261u;
    for (size_t l = 0; l < r->layers; l++) {
        hash = hash_words(hash, r->layer[l].panels, sr_panels_items(r->layer[l].inputs, r->layer[l].outputs));
        hash = hash_words(hash, r->layer[l].bias, r->layer[l].outputs);
    }
    return hash;
}

static int fill_numbers(struct writer *w, struct sr_error *err) {
    const size_t width = sr_router_width(w->e->router);
    float logit[SR_EXPORT_C_ROWS], *x = sr_alloc(SR_EXPORT_C_ROWS * width, sizeof *x, err);
    if (!x)
        return SR_NOMEM;
    w->checksum = hash_router(w->e->router);
    sr_export_c_rows(x, width);
    sr_router_logits(w->e->router, logit, x, SR_EXPORT_C_ROWS);
    for (size_t i = 0; i < SR_EXPORT_C_ROWS; i++)
        w->expected[i] = bits_of(logit[i]);
    sr_free(x);
    return 0;
}

/* n words, eight a line: millions of them, so digits are made here. */
static void put_words(FILE *to, const float *value, size_t n) {
    static const char digits[] = "0123456789abcdef";
    char text[] = "0x00000000,";
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = bits_of(value[i]);
        for (int k = 0; k < 8; k++)
            text[2 + k] = digits[bits >> (28 - 4 * k) & 15];
        fwrite(text, 1, sizeof text - 1, to);
        if (i % WORDS_A_LINE == WORDS_A_LINE - 1 || i + 1 == n)
            fputc('\n', to);
    }
}

static void put_tables(const struct writer *w) {
    const char *name = w->names.lower;
    for (size_t l = 0; l < w->e->router->layers; l++) {
        const struct sr_router_layer *layer = &w->e->router->layer[l];
        const size_t items = sr_panels_items(layer->inputs, layer->outputs);
        fprintf(w->to, "static const uint32_t %sw%zu[%zu * %zu] = {\n", name, l, items / layer->inputs,
                layer->inputs);
        put_words(w->to, layer->panels, items);
        fprintf(w->to, "};\nstatic const uint32_t %sb%zu[%zu] = {\n", name, l, layer->outputs);
        put_words(w->to, layer->bias, layer->outputs);
        fputs("};\n", w->to);
    }
    fprintf(w->to, "/* Logits of the self-test's rows. */\nstatic const uint32_t %sexpected[%d] = {", name,
            SR_EXPORT_C_ROWS);
    for (size_t i = 0; i < SR_EXPORT_C_ROWS; i++)
        fprintf(w->to, "%s0x%08x", i ? ", " : "", w->expected[i]);
    fputs("};\n", w->to);
}

static void put_layers(const struct writer *w) {
    const char *name = w->names.lower;
    for (size_t l = 0; l < w->e->router->layers; l++)
        fprintf(w->to, "    {%zu, %zu, %sw%zu, %sb%zu},\n", w->e->router->layer[l].inputs,
                w->e->router->layer[l].outputs, name, l, name, l);
}

/* ---- texts ---- */

/* What C reads as that byte in quotes; '?' may begin a trigraph. */
static void put_byte(FILE *to, unsigned char c) {
    if (c >= ' ' && c < 127 && !strchr("\"'\\?", c))
        fputc(c, to);
    else
        fprintf(to, "\\%03o", c);
}

static void put_literal(FILE *to, const char *text) {
    fputc('"', to);
    for (; *text; text++)
        put_byte(to, (unsigned char)*text);
    fputc('"', to);
}

/* One line of a comment: ASCII, and nothing that ends it. */
static void put_remark(FILE *to, const char *text) {
    /* cppcheck-suppress arrayIndexThenCheck ; the text ends with NUL */
    /* cppcheck-suppress arrayIndexOutOfBounds ; the text ends with NUL */
    for (size_t i = 0; text[i] && i < REMARK; i++)
        /* cppcheck-suppress arrayIndexOutOfBounds ; the text ends with NUL */
        fputc(text[i] >= ' ' && text[i] < 127 && !strchr("*\\", text[i]) ? text[i] : '?', to);
    fputs(strlen(text) > REMARK ? "...\n" : "\n", to);
}

/* The metadata that says which router this is and what it is to be fed: each(w, key, value or NULL). */
static void each_pair(struct writer *w, void (*each)(struct writer *w, const char *key, const char *value)) {
    static const char *const of_file[] = {"trained_on", "parent",
#define X(key, text) #key,
                                          SR_FEATURE_CONTRACT_LIST(X) SR_LABEL_CONTRACT_LIST(X)
#undef X
    };
    char threshold[SR_DECIMAL_TEXT];
    each(w, "sha256", sr_safetensors_hash(w->e->file));
    each(w, "threshold", sr_decimal_float(threshold, w->e->threshold));
    each(w, "threshold_rule", w->e->threshold_rule);
    each(w, "threshold_data", sr_export_of_threshold(w->e, "threshold_data"));
    for (size_t i = 0; i < SR_COUNT(of_file); i++)
        each(w, of_file[i], sr_export_metadata(w->e, of_file[i]));
}

static void put_about(struct writer *w, const char *key, const char *value) {
    const int pad = (int)strlen("feature_revision");
    fprintf(w->to, " *     %-*s ", pad, key);
    put_remark(w->to, value ? value : "unknown");
}

static void put_long_value(struct writer *w, const char *key, const char *value) {
    if (!value || strlen(value) <= LITERAL_LONG)
        return;
    fprintf(w->to, "static const char %stext_%s[] = {", w->names.lower, key);
    for (size_t i = 0; value[i]; i++) {
        fputs(i % 16 ? "'" : "\n    '", w->to);
        put_byte(w->to, (unsigned char)value[i]);
        fputs("',", w->to);
    }
    fputs("\n    0};\n", w->to);
}

static void put_pair(struct writer *w, const char *key, const char *value) {
    if (!value)
        return;
    fprintf(w->to, "    {\"%s\", ", key);
    if (strlen(value) > LITERAL_LONG)
        fprintf(w->to, "%stext_%s", w->names.lower, key);
    else
        put_literal(w->to, value);
    fputs("},\n", w->to);
}

/* ---- the templates ---- */

static void put_mark(struct writer *w, const char *mark) {
    char threshold[SR_DECIMAL_TEXT];
    const struct sr_router *r = w->e->router;
    if (strcmp(mark, "file") == 0)
        fputs(w->names.file, w->to);
    else if (strcmp(mark, "features") == 0)
        fprintf(w->to, "%zu", sr_router_width(r));
    else if (strcmp(mark, "widest") == 0)
        fprintf(w->to, "%zu", r->widest);
    else if (strcmp(mark, "chain") == 0)
        fprintf(w->to, "%d", SR_CHAIN);
    else if (strcmp(mark, "stack") == 0)
        fprintf(w->to, "%zu", 2 * r->widest * sizeof(float) + STACK_OF_CALLS);
    else if (strcmp(mark, "checksum") == 0)
        fprintf(w->to, "0x%08x", w->checksum);
    else if (strcmp(mark, "threshold") == 0)
        fputs(sr_decimal_float(threshold, w->e->threshold), w->to);
    else if (strcmp(mark, "threshold_bits") == 0)
        fprintf(w->to, "0x%08x", bits_of(w->e->threshold));
    else if (strcmp(mark, "tables") == 0)
        put_tables(w);
    else if (strcmp(mark, "layers") == 0)
        put_layers(w);
    else if (strcmp(mark, "about") == 0)
        each_pair(w, put_about);
    else if (strcmp(mark, "texts") == 0)
        each_pair(w, put_long_value);
    else
        each_pair(w, put_pair);
}

static bool in_identifier(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A mark that stands alone makes whole lines, and takes its own line end along. */
static void put_template(struct writer *w, const char *text) {
    for (const char *p = text; *p;) {
        const bool begins = p == text || !in_identifier(p[-1]);
        const bool alone = p == text || p[-1] == '\n';
        char mark[32];
        int length = 0;
        if (*p == '@' && sscanf(p, "@%31[a-z_0-9]@%n", mark, &length) == 1 && length > 0) {
            put_mark(w, mark);
            p += length + (alone && p[length] == '\n');
        } else if (begins && (strncmp(p, "name_", 5) == 0 || strncmp(p, "NAME_", 5) == 0)) {
            fputs(*p == 'n' ? w->names.lower : w->names.upper, w->to);
            p += 5;
        } else {
            fputc(*p++, w->to);
        }
    }
}

static int write_file(struct writer *w, const char *folder, const char *name, const char *text,
                      struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    struct sr_atomic_file *file;
    if (!sr_export_path(path, folder, name, err))
        return SR_DATA;
    const int status = sr_atomic_file_open(&file, path, err);
    if (status < 0)
        return status;
    w->to = sr_atomic_file_stream(file);
    put_template(w, text);
    return sr_atomic_file_commit(file, err);
}

static bool is_our_header(const struct sr_export *e, const char *text, size_t size) {
    (void)e;
    return memmem(text, size, MADE_BY, strlen(MADE_BY)) != NULL;
}

int sr_export_c_write(const struct sr_export *e, const char *folder, struct sr_error *err) {
    struct writer w = {.e = e};
    int status = sr_export_unrounded(e, err);
    if (status < 0 || (status = sr_export_c_names(&w.names, e->name, err)) < 0)
        return status;
    status = sr_export_spare(e, w.names.header, is_our_header, err);
    if (status == 0)
        status = fill_numbers(&w, err);
    if (status == 0)
        status = write_file(&w, folder, w.names.header, sr_export_c_header, err);
    return status == 0 ? write_file(&w, folder, e->name, sr_export_c_code, err) : status;
}
