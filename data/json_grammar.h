/* json_grammar.h: values of JSON in a text, stepped over without a tree.
 *
 * For lines of thousands of numbers, of which few members are wanted. Python wrote them, so what its json
 * takes is taken: NaN and Infinity, numbers beyond a double, halves of surrogate pairs, names that are there
 * twice. json.h, which makes trees, refuses these.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_JSON_GRAMMAR_H
#define SR_JSON_GRAMMAR_H

#include <stdbool.h>

/* Steps over the value (RFC 8259) that begins at *at, which becomes what is behind it. False where the text
 * up to end has none: *at is then the first byte that is no JSON, or end where it was cut short. Nesting
 * deeper than 64 levels is none. */
bool sr_json_skip(const char **at, const char *end);

/* The same for a string. */
bool sr_json_skip_string(const char **at, const char *end);

/* Over spaces. */
void sr_json_skip_space(const char **at, const char *end);

#endif
