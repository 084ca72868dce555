/* near_tables.c: pairs of rows whose signatures are near: bit sampling. See near_parts.h.
 *
 * A table draws some of the 256 bits; rows that agree in them fall into one bucket, and rows of a bucket are
 * held against each other by all bits (Indyk and Motwani 1998; Gionis, Indyk, Motwani 1999). With k bits a
 * table, two rows at angle t meet in one with probability (1 - t/pi)^k; there are as many tables as it takes
 * to have pairs at the given cosine meet in one of them nearly always, and k grows with the number of rows,
 * so that chance puts about one row beside another.
 *
 * Rows of a crowd (templates, one topic, padding) fall into one bucket by the thousand. A row is then held
 * against the WINDOW behind it in the order of the signatures only, another order in each table, and keeps
 * the SR_NEAR_KEPT nearest: time and memory grow with the rows, never with their pairs. So that a crowd does
 * not hide what it is near to, rows of other sets have a window and a list of their own, and rows whose list
 * was full are looked at again, in the next round, without those that they are connected to by then.
 *
 * A bucket is looked through by one thread, and a row is in one bucket of a table, so the lists need no lock
 * and do not depend on the threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/near_list.h"
#include "data/near_parts.h"

#define WINDOW      ((size_t)64)
#define TABLES_MAX  ((size_t)128)
#define BITS_MIN    ((size_t)10) /* a table */
#define BITS_MAX    ((size_t)24)
#define MISSED      .005 /* of pairs at the cosine whose signatures differ in as many bits as expected */
#define DEVIATIONS  3.5  /* of the number of bits that differ: beyond, a pair is not compared exactly */
#define CHUNK       ((size_t)4096) /* entries a thread takes at a time */
#define RADIX_BITS  11
#define RADIX       ((size_t)1 << RADIX_BITS)
#define KEY_PASSES  3                   /* of RADIX_BITS cover 32 */
#define TURN        13                  /* bits; odd, so that all 64 come first in their turn */
#define SIGNATURE_0 0x9E3779B97F4A7C15u /* odd constants: any will do */

struct entry {
    uint32_t key, row;
};

struct tables {
    struct sr_near *near;
    size_t round;
    struct sr_near_list *list[2]; /* [rows] of the own set; of other sets, NULL where there is one only */
    struct entry *entry, *other;  /* [entries] */
    uint32_t *run;                /* [entries]: in a bucket, the next entry of another class */
    uint32_t *class;              /* [rows]: the set, in the first round; then the root */
    size_t entries;               /* rows that take part: open ones */
    size_t count, bits;
    uint32_t limit; /* of the bits that differ */
    size_t table;   /* at work */
};

static void plan(struct tables *t) {
    const double apart = acos(t->near->cosine) / M_PI, all = (double)SR_NEAR_BITS;
    const double rows = (double)(t->entries < 2 ? 2 : t->entries);
    t->bits = (size_t)ceil(log2(rows));
    t->bits = t->bits < BITS_MIN ? BITS_MIN : t->bits > BITS_MAX ? BITS_MAX : t->bits;
    const double meet = pow(1 - apart, (double)t->bits);
    const double wanted = meet < 1 ? ceil(log(MISSED) / log1p(-meet)) : 1;
    t->count = wanted > (double)TABLES_MAX ? TABLES_MAX : (size_t)wanted;
    t->limit = (uint32_t)ceil(all * apart + DEVIATIONS * sqrt(all * apart * (1 - apart)));
}

/* ---- one table ---- */

static void draw_mask(struct sr_near_signature *mask, const struct tables *t) {
    uint32_t bit[SR_NEAR_BITS];
    for (uint32_t i = 0; i < SR_NEAR_BITS; i++)
        bit[i] = i;
    sr_random_shuffle(bit, SR_NEAR_BITS, 0, sr_stream(SR_STREAM_NEAR, 1, t->table));
    memset(mask, 0, sizeof *mask);
    for (size_t i = 0; i < t->bits; i++)
        mask->word[bit[i] / 64] |= (uint64_t)1 << bit[i] % 64;
}

static uint32_t key_of(const struct sr_near_signature *s, const struct sr_near_signature *mask,
                       size_t space) {
    uint64_t key = space;
    for (size_t i = 0; i < SR_NEAR_WORDS; i++) {
        key = (key ^ (s->word[i] & mask->word[i])) * SIGNATURE_0;
        key ^= key >> 32;
    }
    return (uint32_t)key;
}

static void fill(struct tables *t) {
    const struct sr_near *near = t->near;
    struct sr_near_signature mask;
    draw_mask(&mask, t);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < t->entries; i++) {
        const uint32_t row = t->entry[i].row;
        t->entry[i].key = key_of(&near->bits[row], &mask, near->space_of[sr_near_set(near, row)]);
    }
}

/* Stable: entries of one key stay in the order of the table before, which hides no pair. */
static void sort(struct tables *t) {
    for (int pass = 0; pass < KEY_PASSES; pass++) {
        size_t at[RADIX + 1] = {0};
        const int shift = pass * RADIX_BITS;
        for (size_t i = 0; i < t->entries; i++)
            at[(t->entry[i].key >> shift & (RADIX - 1)) + 1]++;
        for (size_t r = 0; r < RADIX; r++)
            at[r + 1] += at[r];
        for (size_t i = 0; i < t->entries; i++)
            t->other[at[t->entry[i].key >> shift & (RADIX - 1)]++] = t->entry[i];
        struct entry *swap = t->entry;
        t->entry = t->other;
        t->other = swap;
    }
}

/* ---- a bucket ---- */

static uint64_t pair_sums(uint64_t x) {
    x -= x >> 1 & 0x5555555555555555u;
    return (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
}

static uint64_t byte_sums(uint64_t nibbles) {
    return (nibbles & 0x0f0f0f0f0f0f0f0fu) + (nibbles >> 4 & 0x0f0f0f0f0f0f0f0fu);
}

/* Bits that differ. Counted in fields of the words, as plain C does it without an instruction for it. */
static uint32_t distance(const struct sr_near_signature *a, const struct sr_near_signature *b) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < SR_NEAR_WORDS; i++)
        bytes += byte_sums(pair_sums(a->word[i] ^ b->word[i]));
    /* each byte is at most 32: sums of two fit a byte, of eight 16 bits */
    bytes = (bytes & 0x00ff00ff00ff00ffu) + (bytes >> 8 & 0x00ff00ff00ff00ffu);
    return (uint32_t)((bytes * 0x0001000100010001u) >> 48);
}

static uint64_t rotate(uint64_t x, size_t by) {
    return by % 64 == 0 ? x : x << by % 64 | x >> (64 - by % 64);
}

/* Other bits of the signature come first in each table. */
static int compare_signatures(const void *pa, const void *pb, void *user) {
    const struct tables *t = user;
    const struct entry *a = pa, *b = pb;
    const uint64_t *x = t->near->bits[a->row].word, *y = t->near->bits[b->row].word;
    const size_t turn = t->table / SR_NEAR_WORDS * TURN;
    for (size_t i = 0; i < SR_NEAR_WORDS; i++) {
        const size_t w = (t->table + i) % SR_NEAR_WORDS;
        if (x[w] != y[w])
            return rotate(x[w], turn) < rotate(y[w], turn) ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

static uint32_t class_of(const struct tables *t, const struct entry *e) {
    return t->class[e->row];
}

static int compare_classes(const void *pa, const void *pb, void *user) {
    const uint32_t a = class_of(user, pa), b = class_of(user, pb);
    return a != b ? (a < b ? -1 : 1) : compare_signatures(pa, pb, user);
}

static void look_at_pair(struct tables *t, uint32_t a, uint32_t b) {
    const uint32_t apart = distance(&t->near->bits[a], &t->near->bits[b]);
    if (apart > t->limit)
        return;
    const size_t s = sr_near_set(t->near, a), u = sr_near_set(t->near, b);
    if (t->near->space_of[s] != t->near->space_of[u])
        return; /* keys of both spaces may be the same by chance */
    struct sr_near_list *list = t->list[s != u];
    sr_near_list_offer(&list[a], (struct sr_near_candidate){b, (uint16_t)apart, (uint16_t)u});
    sr_near_list_offer(&list[b], (struct sr_near_candidate){a, (uint16_t)apart, (uint16_t)s});
}

static void look_at_all(struct tables *t, const struct entry *e, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            if (t->round == 0 || class_of(t, &e[i]) != class_of(t, &e[j]))
                look_at_pair(t, e[i].row, e[j].row);
}

static void look_at_own(struct tables *t, struct entry *e, size_t n) {
    qsort_r(e, n, sizeof *e, compare_classes, t);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n && j - i <= WINDOW && class_of(t, &e[i]) == class_of(t, &e[j]); j++)
            look_at_pair(t, e[i].row, e[j].row);
}

/* The WINDOW of other classes that are next in the order, behind each. */
static void look_behind(struct tables *t, const struct entry *e, uint32_t *run, size_t n) {
    for (size_t i = n; i-- > 0;)
        run[i] = i + 1 < n && class_of(t, &e[i]) == class_of(t, &e[i + 1]) ? run[i + 1] : (uint32_t)i + 1;
    for (size_t i = 0; i < n; i++)
        for (size_t j = run[i], seen = 0; j < n && seen < WINDOW;) {
            if (class_of(t, &e[j]) == class_of(t, &e[i])) {
                j = run[j];
                continue;
            }
            look_at_pair(t, e[i].row, e[j++].row);
            seen++;
        }
}

/* A crowd does not hide what it is near to. Before each as well: one row may be the only other that all of a
 * crowd have, and lie before them. */
static void look_at_others(struct tables *t, struct entry *e, size_t n) {
    uint32_t *run = t->run + (e - t->entry);
    qsort_r(e, n, sizeof *e, compare_signatures, t);
    look_behind(t, e, run, n);
    for (size_t i = 0; i < n / 2; i++) {
        const struct entry swap = e[i];
        e[i] = e[n - 1 - i];
        e[n - 1 - i] = swap;
    }
    look_behind(t, e, run, n);
}

static void search_bucket(struct tables *t, struct entry *e, size_t n) {
    if (n <= WINDOW + 1) {
        look_at_all(t, e, n);
        return;
    }
    if (t->round == 0)
        look_at_own(t, e, n);
    if (t->round > 0 || t->near->n > 1)
        look_at_others(t, e, n);
}

/* Buckets that begin in entries begin .. end. */
static void search_chunk(struct tables *t, size_t begin, size_t end) {
    struct entry *e = t->entry;
    size_t at = begin;
    while (at > 0 && at < end && e[at].key == e[at - 1].key)
        at++;
    while (at < end) {
        size_t next = at + 1;
        while (next < t->entries && e[next].key == e[at].key)
            next++;
        search_bucket(t, e + at, next - at);
        at = next;
    }
}

static void search(struct tables *t) {
    const size_t chunks = (t->entries + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(dynamic)
    for (size_t c = 0; c < chunks; c++)
        search_chunk(t, c * CHUNK, (c + 1) * CHUNK < t->entries ? (c + 1) * CHUNK : t->entries);
}

/* ---- pairs ---- */

/* A pair that both rows keep is one pair: the first row's. */
static size_t list_pairs(const struct sr_near_list *list, size_t rows, struct sr_near_pair *out) {
    size_t n = 0;
    for (size_t i = 0; list && i < rows; i++)
        for (uint32_t k = 0; k < list[i].count; k++) {
            const uint32_t row = (uint32_t)i, other = list[i].nearest[k].row;
            if (other < row && sr_near_list_has(&list[other], row))
                continue;
            if (out)
                out[n] = (struct sr_near_pair){row < other ? row : other, row < other ? other : row, 0};
            n++;
        }
    return n;
}

static int collect(struct sr_near_pair **pair, size_t *pairs, const struct tables *t, struct sr_error *err) {
    const size_t rows = t->near->rows, own = list_pairs(t->list[0], rows, NULL);
    *pairs = own + list_pairs(t->list[1], rows, NULL);
    *pair = sr_alloc(*pairs, sizeof **pair, err);
    if (!*pair)
        return SR_NOMEM;
    list_pairs(t->list[0], rows, *pair);
    list_pairs(t->list[1], rows, *pair + own);
    qsort(*pair, *pairs, sizeof **pair, sr_near_compare_pairs);
    for (size_t i = 0; i < rows; i++)
        t->near->open[i] = t->list[0][i].full || (t->list[1] && t->list[1][i].full);
    return 0;
}

/* ---- all tables ---- */

static int allocate(struct tables *t, struct sr_error *err) {
    const size_t rows = t->near->rows;
    t->list[0] = sr_alloc(rows, sizeof *t->list[0], err);
    t->list[1] = t->near->n > 1 ? sr_alloc(rows, sizeof *t->list[1], err) : NULL;
    t->entry = sr_alloc(t->entries, sizeof *t->entry, err);
    t->other = sr_alloc(t->entries, sizeof *t->other, err);
    t->run = sr_alloc(t->entries, sizeof *t->run, err);
    t->class = sr_alloc(rows, sizeof *t->class, err);
    return t->list[0] && (t->list[1] || t->near->n == 1) && t->entry && t->other && t->run && t->class
               ? 0
               : SR_NOMEM;
}

static int prepare(struct tables *t, struct sr_error *err) {
    const struct sr_near *near = t->near;
    for (size_t i = 0; i < near->rows; i++)
        t->entries += near->open[i];
    if (allocate(t, err) < 0)
        return SR_NOMEM;
    for (size_t i = 0, n = 0; i < near->rows; i++) {
        t->class[i] = t->round == 0 ? (uint32_t)sr_near_set(near, i) : near->root[i];
        if (near->open[i])
            t->entry[n++].row = (uint32_t)i;
    }
    plan(t);
    return 0;
}

int sr_near_tables(struct sr_near_pair **pair, size_t *pairs, struct sr_near *near, size_t round,
                   void (*done)(void *user, double fraction), void *user, struct sr_error *err) {
    struct tables t = {.near = near, .round = round};
    int status = prepare(&t, err);
    for (; status == 0 && t.table < t.count; t.table++) {
        fill(&t);
        sort(&t);
        search(&t);
        if (done)
            done(user, (double)(t.table + 1) / (double)t.count);
    }
    if (status == 0)
        status = collect(pair, pairs, &t, err);
    void *blocks[] = {t.list[0], t.list[1], t.entry, t.other, t.run, t.class};
    for (size_t i = 0; i < SR_COUNT(blocks); i++)
        sr_free(blocks[i]);
    return status;
}
