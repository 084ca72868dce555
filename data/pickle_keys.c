/* pickle_keys.c: keys of all dicts, sorted so that equal ones are neighbours and get the same rank; see
 * pickle_keys.h. Keys that are no text or number give no tensor its name and are left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/pickle_keys.h"

#define KEYS_MAX 1048576u /* of all dicts, those that are shared once: as many as a file may have values */

typedef const struct sr_pickle_value *key_type;

static bool is_number(key_type v) {
    return v->kind == SR_PICKLE_BOOL || v->kind == SR_PICKLE_INTEGER ||
           (v->kind == SR_PICKLE_REAL && !isnan(v->as.real));
}

/* -1, 0, 1: an integer beside a real, which no type of C holds both of exactly. */
static int integer_beside_real(int64_t a, double b) {
    if (b >= 0x1p63)
        return -1;
    if (b < -0x1p63)
        return 1;
    const int64_t whole = (int64_t)b; /* towards 0 */
    if (a != whole)
        return a < whole ? -1 : 1;
    const double rest = b - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

static int numbers(key_type a, key_type b) {
    const bool x = a->kind == SR_PICKLE_REAL, y = b->kind == SR_PICKLE_REAL;
    if (x && y)
        return a->as.real < b->as.real ? -1 : a->as.real > b->as.real;
    if (x)
        return -integer_beside_real(b->as.integer, a->as.real);
    if (y)
        return integer_beside_real(a->as.integer, b->as.real);
    return a->as.integer < b->as.integer ? -1 : a->as.integer > b->as.integer;
}

static int texts(key_type a, key_type b) {
    const size_t x = a->as.text.length, y = b->as.text.length;
    const int order = x > 0 && y > 0 ? memcmp(a->as.text.at, b->as.text.at, x < y ? x : y) : 0;
    return order != 0 ? order : x < y ? -1 : x > y;
}

static int by_key(const void *a, const void *b) {
    const key_type *x = a, *y = b;
    if (is_number(*x) != is_number(*y))
        return is_number(*x) ? -1 : 1;
    return is_number(*x) ? numbers(*x, *y) : texts(*x, *y);
}

/* A key that gives a name or is a number: others are left out. */
static bool counts(key_type v) {
    return is_number(v) || v->kind == SR_PICKLE_TEXT;
}

/* Gathers each key once, however many dicts have it; key NULL: only counts. A rank of 0 is of none yet, 1 of
 * one that was counted. */
static size_t gather(const struct sr_pickle *p, struct sr_pickle_value **key, uint32_t from) {
    struct sr_pickle_cursor at = {0};
    size_t n = 0;
    for (const struct sr_pickle_value *dict; (dict = sr_pickle_next(p, &at));)
        for (size_t i = 0; dict->kind == SR_PICKLE_DICT && i < dict->as.list.n; i += 2) {
            struct sr_pickle_value *v = dict->as.list.item[i];
            if (!counts(v) || v->as.rank != from)
                continue;
            v->as.rank = from + 1;
            if (key)
                key[n] = v;
            n++;
        }
    return n;
}

/* A comparison looks at no more bytes than either text has, and texts lie apart in the file: all of a level
 * of the sort look at no more than the file has. */
static void rank(struct sr_pickle_value **key, size_t n) {
    qsort(key, n, sizeof(*key), by_key);
    for (size_t i = 0; i < n; i++)
        key[i]->as.rank = i == 0 ? 1 : key[i - 1]->as.rank + (by_key(&key[i - 1], &key[i]) != 0);
}

/* dict_of: by rank, the number of the last dict that has such a key. */
static int find_twice(const struct sr_pickle *p, uint32_t *dict_of, struct sr_error *err) {
    struct sr_pickle_cursor at = {0};
    uint32_t number = 0;
    for (const struct sr_pickle_value *dict; (dict = sr_pickle_next(p, &at));) {
        number++;
        for (size_t i = 0; dict->kind == SR_PICKLE_DICT && i < dict->as.list.n; i += 2) {
            key_type v = dict->as.list.item[i];
            if (counts(v) && dict_of[v->as.rank] == number)
                return sr_fail(err, SR_DATA,
                               "%s: a dict of its pickle has a key twice, of which Python keeps the last",
                               p->path);
            if (counts(v))
                dict_of[v->as.rank] = number;
        }
    }
    return SR_OK;
}

int sr_pickle_keys_check(struct sr_pickle *p, struct sr_error *err) {
    const size_t n = gather(p, NULL, 0);
    if (n > KEYS_MAX)
        return sr_fail(err, SR_DATA, "%s: dicts of its pickle have more than %u keys", p->path, KEYS_MAX);
    struct sr_pickle_value **key = sr_alloc(n, sizeof(*key), err);
    if (!key)
        return SR_NOMEM;
    gather(p, key, 1);
    rank(key, n);
    sr_free(key);
    uint32_t *dict_of = sr_alloc(n + 1, sizeof *dict_of, err);
    const int status = dict_of ? find_twice(p, dict_of, err) : SR_NOMEM;
    sr_free(dict_of);
    return status;
}
