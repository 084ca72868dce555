/* eval_vectors.h: eval's numbers against those of scripts/make_eval_cases.py.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_EVAL_VECTORS_H
#define SR_TEST_EVAL_VECTORS_H

#include <math.h>
#include <string.h>

#include "eval/eval.h"
#include "tests/vectors.h"

/* Equal within 1e-12, or both undefined. What is compared is at most 36 (a log loss), and a sum over pieces
 * of a thousand rows: off by some 1e-13 at most, ours and theirs. */
static inline void expect_same(double got, double want, const char *what) {
    if (isnan(want))
        cr_expect(isnan(got), "%s: got %.17g, want undefined", what, got);
    else
        cr_expect(fabs(got - want) <= 1e-12, "%s: got %.17g, want %.17g", what, got, want);
}

static inline const void *part(const struct sr_safetensors *file, const char *name, const char *what) {
    const struct sr_tensor *t = vector_find(file, name, what);
    cr_assert_not_null(t, "%s.%s", name, what);
    return t->data;
}

/* Of the case NAME, which has a NAME.label. */
static inline size_t rows_of(const struct sr_safetensors *file, const char *name) {
    const struct sr_tensor *label = vector_find(file, name, "label");
    cr_assert_not_null(label, "%s", name);
    return (size_t)sr_tensor_items(label);
}

static inline void each_case(const char *file_name, size_t cases,
                             void (*check)(const struct sr_safetensors *file, const char *name)) {
    struct sr_safetensors *file = vectors_open(file_name);
    size_t seen = 0;
    for (size_t i = 0; i < sr_safetensors_count(file); i++) {
        char name[SR_TENSOR_NAME];
        snprintf(name, sizeof name, "%s", sr_safetensors_at(file, i)->name);
        char *dot = strchr(name, '.');
        if (strcmp(dot, ".label") != 0)
            continue;
        *dot = 0;
        check(file, name);
        seen++;
    }
    cr_expect_eq(seen, cases);
    sr_safetensors_close(file);
}

/* A million rows as the script draws them, with about 25 rows of every score. */
enum { MILLION = 1000000, MILLION_LEVELS = 40000 };

struct million {
    uint8_t *label;
    double *score;
    float *prob;
    uint32_t *count;
};

/* Column a of the rows. Not SR_STREAM_TEST, whose number moves with every purpose that is added. */
static inline uint64_t million_draw(uint64_t column, uint64_t i, uint64_t n) {
    return sr_random_below(0, sr_stream(SR_STREAM_BOOTSTRAP, 1, column), i, n);
}

static inline struct million million_rows(void) {
    const uint64_t levels = MILLION_LEVELS;
    struct million m = {sr_alloc(MILLION, sizeof *m.label, NULL), sr_alloc(MILLION, sizeof *m.score, NULL),
                        sr_alloc(MILLION, sizeof *m.prob, NULL), sr_alloc(MILLION, sizeof *m.count, NULL)};
    cr_assert(m.label && m.score && m.prob && m.count);
    for (size_t i = 0; i < MILLION; i++) {
        const uint64_t level = million_draw(0, i, levels + 1);
        const uint64_t curve = level * level * (3 * levels - 2 * level) / (levels * levels);
        m.label[i] = 50 * million_draw(1, i, levels) < levels + 48 * curve;
        m.score[i] = (double)level / MILLION_LEVELS;
        m.prob[i] = (float)m.score[i];
        m.count[i] = (uint32_t)million_draw(2, i, 4);
    }
    return m;
}

static inline void million_free(struct million *m) {
    sr_free(m->label);
    sr_free(m->score);
    sr_free(m->prob);
    sr_free(m->count);
}

#endif
