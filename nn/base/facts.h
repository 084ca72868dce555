/* facts.h: what is known of a file, in order: one list for the screen, for JSON and for what differs.
 *
 * A fact is a key, a text for people and a value for programs; without a text it is unknown, which is said.
 * Sections part the screen by a blank line and the JSON by an object. Making facts never fails: what memory
 * was not found for is remembered in status, which whoever made the list looks at once. Keys are unique in
 * their section.
 *
 *     struct sr_facts f = {0};
 *     sr_facts_section(&f, "threshold");
 *     sr_facts_add(&f, "threshold", sr_json_number(.6), "%s", "0.6");
 *     sr_facts_text(&f, "threshold_rule", NULL);              // unknown
 *     sr_facts_print(stdout, &f);
 *     sr_facts_free(&f);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_FACTS_H
#define SR_FACTS_H

#include <stdbool.h>
#include <stdio.h>

#include "nn/base/json.h"

struct sr_fact {
    const char *section; /* static storage */
    char *key, *text;    /* text NULL: unknown */
    struct sr_json *value;
    bool quiet;   /* not on the screen */
    bool no_json; /* on the screen only */
};

struct sr_facts {
    struct sr_fact *fact; /* [n] */
    size_t n, room;
    const char *section; /* of facts to come */
    int status;          /* 0 or SR_NOMEM */
};

/* Later facts belong to this section; static storage. */
void sr_facts_section(struct sr_facts *f, const char *section);

/* A fact; value is taken over. format NULL: unknown. The text may have line breaks; what else does not print
 * is shown as '?'. */
void sr_facts_add(struct sr_facts *f, const char *key, struct sr_json *value, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same where text and value are one: a string, NULL or "" unknown; a number of things. */
void sr_facts_text(struct sr_facts *f, const char *key, const char *text);
void sr_facts_count(struct sr_facts *f, const char *key, uint64_t n);

/* The last one made is in JSON and is compared, but is not worth a line on the screen. */
void sr_facts_hush(struct sr_facts *f);

/* The last one made is not in JSON, where a list has what it says. */
void sr_facts_screen_only(struct sr_facts *f);

void sr_facts_free(struct sr_facts *f);

/* "13,319" into text. Returns text. */
#define SR_COUNT_TEXT 32
const char *sr_count_text(char text[SR_COUNT_TEXT], uint64_t n);

/* Lines of at most SR_HELP_WIDTH columns where words allow it; the sections behind a blank line each. */
void sr_facts_print(FILE *to, const struct sr_facts *f);

/* text from column `at`, where the caller has come to, broken before words that pass SR_HELP_WIDTH, and a
 * line end. Lines begin at that column; what does not print is shown as '?'. */
void sr_facts_wrap(FILE *to, const char *text, int at);

/* Sets one object a section; every byte of a key that is no UTF-8 becomes '?'. */
void sr_facts_json(struct sr_json *to, const struct sr_facts *f);

/* Adds to `out` every fact whose text is not the same in a and b, or that one of them lacks. */
void sr_facts_differ(struct sr_facts *out, const struct sr_facts *a, const struct sr_facts *b);

#endif
