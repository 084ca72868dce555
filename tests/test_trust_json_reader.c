/* test_trust_json_reader.c: json_read.c against jansson's own reader, whose place it took: the same texts
 * are accepted, and mean the same; the same are refused. But for NUL, which JSON has nowhere: jansson (2.14)
 * loses one that stands right behind a number or a word, so that it reads a list of 1 and 2 in [1 NUL, 2];
 * ours must refuse each. And for depth: ours takes 64 levels, jansson 2,048.
 *
 * Texts: the files of tests/hostile and tests/fuzz/corpus that are JSON, each line of those, a list that
 * walks along the edges of the grammar, and mutations of all of these (seeded: a failure says which). What a
 * text means is what jansson prints of the tree. Texts lie in blocks of their exact size, so that a sanitizer
 * sees a byte read behind the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "nn/base/base.h"
#include "tests/trust.h"

enum { SOME = 40000, MANY = 4000000, SEEDS = 1024, LONGEST = 2000, LENGTH = 4096 };

struct text {
    char *bytes;
    size_t size;
};

static struct text seeds[SEEDS];
static size_t n_seeds;
static size_t accepted, refused;

/* ---- texts ---- */

static void seed_add(const char *bytes, size_t size) {
    cr_assert_lt(n_seeds, SEEDS);
    char *copy = sr_alloc(size + 1, 1, NULL);
    cr_assert_not_null(copy);
    memcpy(copy, bytes, size);
    seeds[n_seeds++] = (struct text){copy, size};
}

static void file_add(const char *path) {
    struct sr_error err;
    void *bytes;
    size_t size;
    cr_assert_eq(sr_file_read(&bytes, &size, path, (size_t)1 << 20, &err), 0, "%s", err.text);
    const char *begin = bytes, *end = begin + size;
    seed_add(begin, size);
    for (const char *line = begin, *stop; (stop = memchr(line, '\n', (size_t)(end - line))); line = stop + 1)
        if ((size_t)(stop - begin) + 1 < size || line > begin)
            seed_add(line, (size_t)(stop - line));
    sr_free(bytes);
}

static void folder_add(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/%s", SR_SOURCE_DIR, name);
    struct dirent **entry;
    const int n = scandir(path, &entry, NULL, alphasort); /* a mutation has its number for good */
    cr_assert_gt(n, 2, "%s", path);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/tests/%s/%s", SR_SOURCE_DIR, name, entry[i]->d_name);
        if (entry[i]->d_name[0] != '.')
            file_add(path);
        free(entry[i]);
    }
    free(entry);
}

/* What mutations put in, too. */
static const char *const pieces[] = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"a\":",
    "\"b\"",
    "[]",
    "{}",
    "true",
    "false",
    "null",
    "nul",
    "0",
    "-0",
    "-0.0",
    "00",
    "01",
    "-",
    "+1",
    "1.",
    ".5",
    "1.5",
    "1e5",
    "1E+05",
    "1e-",
    "1e400",
    "-1e400",
    "1e-400",
    "4.9e-324",
    "2e-324",
    "1e308",
    "1.8e308",
    "1e22",
    "1e23",
    "0x10",
    "1_0",
    "NaN",
    "inf",
    "Infinity",
    "\\u0041",
    "\\u0000",
    "\\ud83d",
    "\\ude00",
    "\\ud83d\\ude00",
    "\\uD800x",
    "\\u12",
    "\\u00e9",
    "\\uffff",
    "\\x41",
    "\\/",
    "\\n",
    "\\b\\f\\r\\t\\\"",
    "\x01",
    "\x1f",
    "\x7f",
    "\xc3\xa9",
    "\xc0\x80",
    "\xc3",
    "\xe2\x82",
    "\xed\xa0\x80",
    "\xef\xbf\xbf",
    "\xf0\x9f\x98\x80",
    "\xf4\x90\x80\x80",
    "\xff",
    "\xef\xbb\xbf",
    " ",
    "\t",
    "\r\n",
    "\v",
    "\f",
    "//",
    "/**/",
    "'",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "0.1000000000000000055511151231257827021181583404541015625",
    "123456789012345678901234567890.0",
    "2.2250738585072011e-308",
    "179769313486231580793728971405303415079934132710037826936173778980444.0e240",
    "{\"a\":1,\"a\":2}",
    "{\"a\":1,\"\\u0061\":2}",
    "{\"\":0}",
    "{\"a\\u0000\":1}",
    "[1,]",
    "{\"a\":1,}",
};

/* levels times `open`, then `close`. */
static void nested_add(const char *open, const char *close, size_t levels) {
    const size_t each = strlen(open) + strlen(close);
    char *text = sr_alloc(each * levels + 1, 1, NULL);
    cr_assert_not_null(text);
    for (size_t i = 0; i < levels; i++) {
        memcpy(text + i * strlen(open), open, strlen(open));
        memcpy(text + levels * strlen(open) + i * strlen(close), close, strlen(close));
    }
    seed_add(text, each * levels);
    sr_free(text);
}

static void seeds_begin(void) {
    static const char *const folders[] = {"hostile/json", "hostile/jsonl", "fuzz/corpus/json"};
    for (size_t i = 0; i < SR_COUNT(folders); i++)
        folder_add(folders[i]);
    for (size_t i = 0; i < SR_COUNT(pieces); i++) {
        char text[256];
        seed_add(pieces[i], strlen(pieces[i]));
        static const char *const within[] = {"\"%s\"", "[%s]", "{\"k\":%s}", " [0, %s ,\"\"]\n"};
        for (size_t k = 0; k < SR_COUNT(within); k++) {
            const int n = snprintf(text, sizeof text, within[k], pieces[i]);
            seed_add(text, (size_t)n);
        }
    }
    for (size_t levels = 2046; levels <= 2050; levels++) { /* the deepest that is read is among them */
        nested_add("[", "]", levels);
        nested_add("{\"a\":[", "]}", levels / 2);
    }
}

static void seeds_end(void) {
    while (n_seeds > 0)
        sr_free(seeds[--n_seeds].bytes);
}

/* ---- both readers ---- */

/* The length of either's tree as text, which is compared. */
static void expect_same_tree(const json_t *wanted, const struct sr_json *got, const char *name) {
    char *one = json_dumps(wanted, JSON_ENCODE_ANY),
         *other = json_dumps((const json_t *)got, JSON_ENCODE_ANY);
    cr_assert(one && other, "%s", name);
    cr_expect_str_eq(other, one, "%s", name);
    free(one);
    free(other);
}

enum { LEVELS = 64 };

/* Of a text that is JSON. */
static int levels_of(const char *text, size_t size) {
    int level = 0, most = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            for (i++; text[i] != '"'; i++)
                i += text[i] == '\\';
        level += (text[i] == '[' || text[i] == '{') - (text[i] == ']' || text[i] == '}');
        most = level > most ? level : most;
    }
    return most;
}

/* False if they differ. */
static bool expect_same(const char *bytes, size_t size, const char *name) {
    struct sr_error err = {0};
    struct sr_json *got = NULL;
    json_error_t why;
    char *text = malloc(size ? size : 1);
    cr_assert_not_null(text);
    memcpy(text, bytes, size);
    json_t *wanted = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    const int status = sr_json_parse(&got, text, size, &err);
    const bool nul = memchr(text, '\0', size), deep = wanted && !nul && levels_of(text, size) > LEVELS;
    const bool same = (status == SR_OK) == (wanted && !nul && !deep);
    cr_expect(same, "%s: jansson: %s; sr_json_parse: %s; the text: %.*s", name,
              wanted ? "accepted" : why.text, status == SR_OK ? "accepted" : err.text,
              (int)(size < 400 ? size : 400), text);
    cr_expect(status == SR_OK || status == SR_DATA, "%s: status %d", name, status);
    if (same && got)
        expect_same_tree(wanted, got, name);
    *(got ? &accepted : &refused) += 1;
    json_decref(wanted);
    sr_json_free(got);
    free(text);
    return same;
}

Test(trust_json_reader, reads_texts_as_jansson_does, .init = seeds_begin, .fini = seeds_end) {
    for (size_t i = 0; i < n_seeds; i++) {
        char name[32];
        snprintf(name, sizeof name, "text %zu", i);
        expect_same(seeds[i].bytes, seeds[i].size, name);
    }
    cr_expect_gt(accepted, 100, "%zu", accepted);
    cr_expect_gt(refused, 100, "%zu", refused);
    printf("json reader: %zu texts: %zu accepted, %zu refused, by both\n", n_seeds, accepted, refused);
    fflush(stdout);
}

/* ---- mutations ---- */

struct mutant {
    char text[LENGTH];
    size_t size;
    uint64_t stream, draws;
};

static size_t draw(struct mutant *m, size_t below) {
    return (size_t)(sr_random_bits(8, m->stream, m->draws++) % below);
}

/* bytes in place of `gone` bytes from `at` on. */
static void splice(struct mutant *m, size_t at, size_t gone, const char *bytes, size_t n) {
    if (m->size - gone + n > LENGTH)
        return;
    memmove(m->text + at + n, m->text + at + gone, m->size - at - gone);
    memcpy(m->text + at, bytes, n);
    m->size = m->size - gone + n;
}

static void mutate(struct mutant *m) {
    const size_t at = draw(m, m->size + 1), left = m->size - at;
    const char *piece = pieces[draw(m, SR_COUNT(pieces))];
    const struct text *other = &seeds[draw(m, n_seeds)];
    const size_t few = draw(m, (left < 8 ? left : 8) + 1);
    char twice[8];
    switch (draw(m, 7)) {
    case 0: /* a bit */
        if (left > 0)
            m->text[at] = (char)(m->text[at] ^ 1 << draw(m, 8));
        break;
    case 1: /* some bytes less */
        splice(m, at, few, "", 0);
        break;
    case 2: /* the end */
        m->size = at;
        break;
    case 3: /* some bytes twice */
        memcpy(twice, m->text + at, few);
        splice(m, at, 0, twice, few);
        break;
    case 4: /* another text in it */
        if (other->size <= LONGEST)
            splice(m, at, few, other->bytes, other->size);
        break;
    default:
        splice(m, at, draw(m, 2) ? few : 0, piece, strlen(piece));
    }
}

static void mutant_make(struct mutant *m, size_t i) {
    *m = (struct mutant){.stream = sr_stream(SR_STREAM_TEST, 72, i)};
    const struct text *from = &seeds[draw(m, n_seeds)];
    if (from->size <= LONGEST)
        splice(m, 0, 0, from->bytes, from->size);
    for (size_t n = 1 + draw(m, 3); n > 0; n--)
        mutate(m);
}

Test(trust_json_reader, reads_mutations_as_jansson_does, .init = seeds_begin, .fini = seeds_end) {
    static struct mutant m;
    const size_t all = trust_times(MANY, SOME);
    size_t different = 0;
    for (size_t i = 0; i < all && different < 10; i++) {
        char name[32];
        snprintf(name, sizeof name, "mutation %zu", i);
        mutant_make(&m, i);
        different += !expect_same(m.text, m.size, name);
    }
    cr_expect_gt(accepted, all / 20, "%zu of %zu", accepted, all);
    cr_expect_gt(refused, all / 20, "%zu of %zu", refused, all);
    printf("json reader: %zu mutations: %zu accepted, %zu refused, by both\n", all, accepted, refused);
    fflush(stdout);
}
