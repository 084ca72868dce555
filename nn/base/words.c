/* words.c: lists of words; see words.h. The edit distance is Levenshtein's, in the form of two rows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "nn/base/words.h"

#define WORD 64 /* longest word compared */

static size_t edit_distance(const char *a, const char *b) {
    size_t row[WORD + 1];
    const size_t n = strlen(b);
    if (strlen(a) > WORD || n > WORD)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            const size_t change = diagonal + (a[i - 1] != b[j - 1]);
            const size_t drop = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < drop ? change : drop;
        }
    }
    return row[n];
}

const char *sr_nearest(const char *word, const char *const *list) {
    const char *best = NULL;
    size_t least = (strlen(word) + 2) / 3 + 1; /* near: at most a third of the letters is wrong */
    for (; *list; list++) {
        const size_t distance = edit_distance(word, *list);
        if (distance < least) {
            best = *list;
            least = distance;
        }
    }
    return best;
}

bool sr_is_listed(const char *word, const char *const *list) {
    while (*list && strcmp(word, *list) != 0)
        list++;
    return *list != NULL;
}
