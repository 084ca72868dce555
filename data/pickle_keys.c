/* pickle_keys.c: keys of a dict, sorted so that equal ones are neighbours; see pickle_keys.h. Keys that are
 * no text or number give no tensor its name and are left out.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/pickle_keys.h"

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

int sr_pickle_keys_check(const struct sr_pickle_value *dict, const char *path, struct sr_error *err) {
    key_type *key = sr_alloc(dict->as.list.n / 2, sizeof *key, err);
    size_t n = 0;
    int status = key ? SR_OK : SR_NOMEM;
    for (size_t i = 0; key && i < dict->as.list.n; i += 2)
        if (is_number(dict->as.list.item[i]) || dict->as.list.item[i]->kind == SR_PICKLE_TEXT)
            key[n++] = dict->as.list.item[i];
    if (key)
        qsort(key, n, sizeof *key, by_key);
    for (size_t i = 1; status == SR_OK && i < n; i++)
        if (by_key(&key[i - 1], &key[i]) == 0)
            status =
                sr_fail(err, SR_DATA,
                        "%s: a dict of its pickle has a key twice, of which Python keeps the last", path);
    sr_free(key);
    return status;
}
