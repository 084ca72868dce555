/* export_card.c: the model card as a file: front matter, sections in order, reading back; see export_card.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "infer/export_card.h"

#define CARD_MAX  ((size_t)1 << 24) /* bytes of a card that is read back */
#define CODE_TEXT 512               /* bytes of a stranger's text that are shown */

/* ---- pieces ---- */

static size_t longest_run(const char *text, char c) {
    size_t longest = 0, run = 0;
    for (; *text; text++) {
        run = *text == c ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

void sr_card_put_code(FILE *to, const char *text) {
    char clean[CODE_TEXT];
    if (!text || !*text) {
        fputs("**unknown**", to);
        return;
    }
    sr_utf8_clean(clean, sizeof clean, text);
    const size_t fence = longest_run(clean, '`') + 1;
    const char *pad = fence > 1 ? " " : "";
    for (size_t i = 0; i < fence; i++)
        putc('`', to);
    fprintf(to, "%s%s%s", pad, clean, pad);
    for (size_t i = 0; i < fence; i++)
        putc('`', to);
}

/* NOLINTNEXTLINE(misc-no-recursion): once for three digits */
void sr_card_put_count(FILE *to, uint64_t n) {
    if (n >= 1000) {
        sr_card_put_count(to, n / 1000);
        fprintf(to, ",%03" PRIu64, n % 1000);
    } else {
        fprintf(to, "%" PRIu64, n);
    }
}

/* ---- sections ---- */

/* A number as YAML 1.1 reads one: 1e-06 without a point is a word there. */
static void put_number(FILE *to, float value) {
    char text[SR_DECIMAL_TEXT];
    const char *e = strchr(sr_decimal_float(text, value), 'e');
    if (e && !strchr(text, '.'))
        fprintf(to, "%.*s.0%s", (int)(e - text), text, e);
    else
        fputs(text, to);
}

#define FRONT "---\nlibrary_name: \"saferoute\"\n"

bool sr_card_is_ours(const struct sr_export *e, const char *text, size_t size) {
    (void)e;
    return size >= strlen(FRONT) && memcmp(text, FRONT, strlen(FRONT)) == 0;
}

static void put_front_matter(FILE *to, const struct sr_export *e) {
    fputs(FRONT "tags: [\"saferoute\", \"safetensors\", \"safety\", \"guardrail\", \"moderation\", "
                "\"model-routing\"]\n"
                "saferoute_threshold: ",
          to);
    if (e->has_threshold)
        put_number(to, e->threshold);
    else
        fputs("null", to);
    fprintf(to, "\nsaferoute_sha256: \"%s\"\n---\n\n", sr_safetensors_hash(e->file));
}

static void put_network(FILE *to, const struct sr_router *r) {
    const bool folded = r->precision != SAFEROUTE_COMPUTE_FLOAT32;
    fprintf(to, "Linear %zu", sr_router_width(r));
    for (size_t l = 0; l < r->layers; l++)
        fprintf(to, "-%zu", r->layer[l].outputs);
    fprintf(to, ", %sGELU (erf form) behind every layer but the last; ",
            folded ? "BatchNorm folded in, " : "BatchNorm and ");
    sr_card_put_count(to, sr_export_parameters(r));
    fprintf(to, " parameters, %s", sr_precision_name(r->precision));
}

static void put_decision(FILE *to, const struct sr_export *e) {
    char text[SR_DECIMAL_TEXT];
    if (e->has_threshold)
        fprintf(to, "prob > %s", sr_decimal_float(text, e->threshold));
    else
        fputs("prob is above the threshold, which is **unknown**", to);
}

static void put_head(FILE *to, const struct sr_export *e) {
    fputs("# SafeRoute router\n\n"
          "Two safety classifiers guard a system: a small one, quick and cheap, and a large one, better and "
          "dear. For every\n"
          "row this router answers one question: *does the small guard get it wrong and the large guard get "
          "it right?* It\n"
          "reads the last hidden state that the small guard has computed anyway.\n\n"
          "**A row goes to the large guard if ",
          to);
    put_decision(to, e);
    fputs("; else the small guard's verdict stands.**\n\n| | |\n|---|---|\n| reads | ", to);
    sr_card_put_count(to, sr_router_width(e->router));
    fputs(" numbers a row, see [Input](#input) |\n"
          "| gives | one logit; prob = 1/(1+exp(-logit)) |\n"
          "| network | ",
          to);
    put_network(to, e->router);
    fprintf(to, " |\n| SHA-256 of the weights | `%s` |\n\n", sr_safetensors_hash(e->file));
}

static void put_limits(FILE *to) {
    fputs("## Limits\n\n"
          "- It judges no text. Safe or unsafe is for the guards to say; a row that both get wrong is "
          "wrong wherever it goes.\n"
          "- It belongs to the pair of guards, the revision, layer and prompt template it was trained with. "
          "With others its\n"
          "  numbers mean nothing, and nothing fails: measure before use.\n"
          "- prob is no probability that a text is harmful, and unless a calibration is named above it is no "
          "calibrated one.\n"
          "- Languages, topics and attacks that its training data lacked were not learnt; which these are is "
          "not recorded.\n"
          "- Whoever writes prompts may find ones that are not routed. Do not let a router be the only line "
          "of defence.\n"
          "- Licence: **unknown** to this program. Add `license:` to the front matter before publishing.\n\n",
          to);
}

static void put_line(FILE *to, const char *name, const char *text) {
    fprintf(to, "- %s: ", name);
    sr_card_put_code(to, text);
    putc('\n', to);
}

static void put_provenance(FILE *to, const struct sr_export *e) {
    const char *parent = sr_export_metadata(e, "parent");
    fputs("## Provenance\n\n", to);
    put_line(to, "SHA-256 of the data section of the weights", sr_safetensors_hash(e->file));
    put_line(to, "SHA-256 of the whole file, which the library logs with every decision",
             e->router->artefact_text);
    if (parent)
        put_line(to, "trained on from the weights with the SHA-256", parent);
    else
        fputs("- parent: none named; trained from scratch, or **unknown**\n", to);
    fputs("- this page: written by saferoute " SR_VERSION " from the metadata of the weights", to);
    fputs(e->evaluation ? " and a report of `saferoute eval --json`\n" : "\n", to);
}

static void put_card(FILE *to, const struct sr_card *c) {
    put_front_matter(to, c->e);
    put_head(to, c->e);
    sr_card_put_loading(to, c);
    sr_card_put_input(to, c);
    sr_card_put_threshold(to, c);
    sr_card_put_measured(to, c);
    sr_card_put_training(to, c);
    sr_card_put_calibration(to, c);
    put_limits(to);
    put_provenance(to, c->e);
}

/* The object inside a metadata value, or NULL. */
static struct sr_json *object_of(const char *text) {
    struct sr_json *tree = NULL;
    if (!text || sr_json_parse(&tree, text, strlen(text), NULL) < 0)
        return NULL;
    if (sr_json_is_object(tree))
        return tree;
    sr_json_free(tree);
    return NULL;
}

int sr_card_write(const struct sr_export *e, const char *folder, const char *name, struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    struct sr_atomic_file *f;
    if (!sr_export_path(path, folder, name, err))
        return SR_DATA;
    const int status = sr_atomic_file_open(&f, path, err);
    if (status < 0)
        return status;
    struct sr_card c = {
        .e = e,
        .metrics = object_of(sr_export_metadata(e, "metrics")),
        .threshold_metrics = object_of(sr_export_of_threshold(e, "threshold_metrics")),
        .calibration = object_of(sr_export_metadata(e, "calibration")),
    };
    put_card(sr_atomic_file_stream(f), &c);
    sr_json_free(c.metrics);
    sr_json_free(c.threshold_metrics);
    sr_json_free(c.calibration);
    return sr_atomic_file_commit(f, err);
}

/* ---- read back ---- */

/* The value of a line "key: JSON" of the front matter, or NULL. */
static struct sr_json *line_value(const char *line, const char *key) {
    const size_t n = strlen(key);
    struct sr_json *value = NULL;
    if (strncmp(line, key, n) != 0 || strncmp(line + n, ": ", 2) != 0)
        return NULL;
    return sr_json_parse(&value, line + n + 2, strlen(line + n + 2), NULL) == 0 ? value : NULL;
}

static bool line_is_flat(const char *line) {
    char key[64];
    struct sr_json *value = NULL;
    if (sscanf(line, "%63[a-z0-9_]", key) == 1)
        value = line_value(line, key);
    sr_json_free(value);
    return value != NULL;
}

static bool is_hash(const struct sr_json *value, const struct sr_export *e) {
    const char *text = sr_json_as_string(value);
    return text && strcmp(text, sr_safetensors_hash(e->file)) == 0;
}

static bool is_threshold(const struct sr_json *value, const struct sr_export *e) {
    double number;
    return sr_json_as_number(value, &number) ? e->has_threshold && (float)number == e->threshold
                                             : sr_json_is_null(value) && !e->has_threshold;
}

/* NULL, or what is wrong with the front matter of this text, which is cut into lines. */
static const char *front_matter_breaks(char *text, const struct sr_export *e) {
    char *rest = text, *line = strsep(&rest, "\n");
    bool hash = false, threshold = false;
    if (strcmp(line, "---") != 0)
        return "the front matter is missing";
    while ((line = strsep(&rest, "\n")) && strcmp(line, "---") != 0) {
        struct sr_json *a = line_value(line, "saferoute_sha256"),
                       *b = line_value(line, "saferoute_threshold");
        hash |= a && is_hash(a, e);
        threshold |= b && is_threshold(b, e);
        sr_json_free(a);
        sr_json_free(b);
        if (!line_is_flat(line))
            return "a line of the front matter is not key: value";
    }
    return !line        ? "the front matter has no end"
           : !hash      ? "sha256 is another"
           : !threshold ? "threshold is another"
                        : NULL;
}

int sr_card_check(const struct sr_export *e, const char *folder, const char *name, struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    void *text;
    size_t size;
    if (!sr_export_path(path, folder, name, err))
        return SR_DATA;
    const int status = sr_file_read(&text, &size, path, CARD_MAX, err);
    if (status < 0)
        return status;
    const char *wrong = strlen(text) == size ? front_matter_breaks(text, e) : "a zero byte is in it";
    sr_free(text);
    return wrong ? sr_fail(err, SR_BUG, "%s: read back: %s; please report this", path, wrong) : 0;
}

int sr_export_card_write(const struct sr_export *e, const char *folder, struct sr_error *err) {
    return sr_card_write(e, folder, e->name, err);
}

int sr_export_card_check(const struct sr_export *e, const char *folder, struct sr_error *err) {
    return sr_card_check(e, folder, e->name, err);
}
