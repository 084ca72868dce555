/* import_order.c: in which order layers with names stand; see import_order.h.
 *
 * A safetensors file is sorted by type and name, so that "hidden" comes before "proj" and "fc10" before
 * "fc2": the file's order says nothing. Numbers at the end of names with a common stem do. Otherwise each
 * layer must read what exactly one other writes: with a width that is there twice, two layers or their
 * BatchNorms could change places and nobody would notice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "infer/import_order.h"

#define NO_NUMBER (-1)

/* ---- by names ---- */

static size_t stem_length(const struct sr_import_item *a) {
    size_t n = a->length;
    while (n > 0 && a->word[n - 1] >= '0' && a->word[n - 1] <= '9')
        n--;
    return n;
}

static long number_of(const struct sr_import_item *a) {
    const size_t digits = a->length - stem_length(a);
    char text[10];
    if (digits == 0 || digits >= sizeof text)
        return NO_NUMBER;
    memcpy(text, a->word + a->length - digits, digits);
    text[digits] = '\0';
    return strtol(text, NULL, 10);
}

static bool same_stem(const struct sr_import_item *a, const struct sr_import_item *b) {
    const size_t n = stem_length(a);
    return n == stem_length(b) && memcmp(a->word, b->word, n) == 0;
}

/* Whether a comes before b by name; the one without a number, which makes the logit, comes last. */
static bool before(const struct sr_import_item *a, const struct sr_import_item *b) {
    const long x = number_of(a), y = number_of(b);
    return x != NO_NUMBER && (y == NO_NUMBER || x < y);
}

/* Two of a kind have an order by name. */
static bool comparable(const struct sr_import_item *a, const struct sr_import_item *b) {
    const long x = number_of(a), y = number_of(b);
    if (x != NO_NUMBER && y != NO_NUMBER)
        return x != y && same_stem(a, b);
    const struct sr_import_item *last = x == NO_NUMBER ? a : b;
    return x != y && !last->norm && last->outputs == 1 && !same_stem(a, b);
}

bool sr_import_order_named(struct sr_import_item *item, size_t n, bool norm) {
    for (size_t i = 0; i < n; i++) {
        if (item[i].norm != norm)
            continue;
        item[i].place = 0;
        if (norm && number_of(&item[i]) == NO_NUMBER)
            return false;
        for (size_t k = 0; k < n; k++) {
            if (k == i || item[k].norm != norm)
                continue;
            if (!comparable(&item[i], &item[k]))
                return false;
            item[i].place += before(&item[k], &item[i]);
        }
    }
    return true;
}

/* ---- by shapes ---- */

/* No width is there twice, the input's included: a BatchNorm could stand before the first Linear. */
static bool widths_differ(const struct sr_import_item *item, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (!item[i].norm && !item[k].norm &&
                ((i != k && item[i].outputs == item[k].outputs) ||
                 (i == k && item[i].outputs == item[i].inputs)))
                return false;
    return true;
}

/* The Linear that writes `width` numbers, or n. */
static size_t writer_of(const struct sr_import_item *item, size_t n, uint64_t width) {
    size_t i = 0;
    while (i < n && (item[i].norm || item[i].outputs != width))
        i++;
    return i;
}

/* Back from the logit, each once. False: they make no chain, or the first reads what a later one writes. */
static bool chain(struct sr_import_item *item, size_t n, size_t linear) {
    uint64_t width = 1;
    for (size_t place = linear; place-- > 0;) {
        const size_t i = writer_of(item, n, width);
        if (i == n)
            return false;
        item[i].place = place;
        width = item[i].inputs;
    }
    return writer_of(item, n, width) == n;
}

static bool norms_by_width(struct sr_import_item *item, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const size_t of = item[i].norm ? writer_of(item, n, item[i].outputs) : 0;
        if (of == n)
            return false;
        if (item[i].norm)
            item[i].place = item[of].place;
    }
    return true;
}

bool sr_import_order(struct sr_import_item *item, size_t n) {
    size_t linear = 0;
    for (size_t i = 0; i < n; i++)
        linear += !item[i].norm;
    const bool linears = linear == 1 || sr_import_order_named(item, n, false);
    const bool norms = linear == 1 || sr_import_order_named(item, n, true);
    if (linears && norms)
        return true;
    /* a Linear's place must be known before that of a BatchNorm of its width */
    return widths_differ(item, n) && (linears || chain(item, n, linear)) &&
           (norms || norms_by_width(item, n));
}
