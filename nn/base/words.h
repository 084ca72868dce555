/* words.h: lists of words, which end with NULL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_WORDS_H
#define SR_WORDS_H

#include <stdbool.h>

bool sr_is_listed(const char *word, const char *const *list);

/* "Did you mean": the word of the list nearest to word by edit distance, or NULL if none is near. */
const char *sr_nearest(const char *word, const char *const *list);

#endif
