/* json_grammar.h: whether a text is one value of JSON, without a tree.
 *
 * For values that nobody wants: they are stepped over, but a file in which they are no JSON is damaged. Python
 * wrote them, so what its json takes is taken, and nothing is allocated: json.h refuses numbers beyond a
 * double, halves of surrogate pairs and duplicate keys, which are no concern of ours here.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_JSON_GRAMMAR_H
#define SR_JSON_GRAMMAR_H

#include <stddef.h>

/* NULL if [text, text + length) is one value (RFC 8259, and the NaN and Infinity that Python writes),
 * nested at most 2048 levels deep as in json.h; else where it is none. No NUL is needed behind it. */
const char *sr_json_grammar(const char *text, size_t length);

#endif
