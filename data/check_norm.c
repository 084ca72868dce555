/* check_norm.c: kind norm: from which side of the final norm features are, as far as numbers can tell. See
 * checks.def, and infer/vectors.md for pre, post and unit.
 *
 * unit: every row has length 1, up to the rounding of 16-bit features.
 *
 * post: an RMSNorm leaves x = w u with |u| = sqrt(width), so that one set of numbers a = 1/w^2 gives
 * sum_k a_k x_k^2 the same value in every row, whatever w is. That is a linear problem: a is fitted by
 * conjugate gradients on the normal equations (Hestenes and Stiefel 1952) to two thirds of a sample of rows
 * and tried on the rest; the relative deviation there is the `spread`. Measured on rounding to bfloat16 and
 * float16, widths 64 to 2048, with and without channels a hundred times the others: outputs of an RMSNorm,
 * also of a Qwen3-shaped model with random weights, at most .005; a LayerNorm's with bias .013 to .5; the
 * residual stream before the norm .2 to .6; other activations .13 and more. So below SPREAD_POST it may be a
 * norm's output, above SPREAD_OTHER it is no RMSNorm's, and between nothing is said.
 *
 * Sums of many columns are nearly the same in every row anyway, and so is one column that hardly varies. What
 * only a norm does is to make columns answer for each other. So the spread is held against the `alone` one,
 * which the same sum would have if its columns had nothing to do with each other: by concentration, or by one
 * column, the two are alike; columns that hardly vary at all are left out of the fit.
 *
 * Needs three times as many rows as features, to fit a without fitting anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "data/check_parts.h"

#define UNIT_TOLERANCE .004 /* bfloat16 rounds by 2^-9 at most, and a length by no more */
#define NEARLY         .004 /* relative deviation of a column's squares: it hardly varies, but for rounding */
#define SPREAD_POST    .008
#define SPREAD_OTHER   .05
#define SPREAD_GAIN    4 /* of columns alone over that of the fit */
#define STEPS          60
#define WIDTH_MIN      ((size_t)16)
#define WIDTH_MAX      ((size_t)4096) /* 200 MB of sample */
#define SAMPLE_ROWS    3              /* times width */
#define LANES          16
#define COLUMNS        ((size_t)128) /* a block: its sums stay in the first-level cache */

/* ---- the pass ---- */

int sr_check_lengths_begin(struct sr_check_file *f, struct sr_error *err) {
    struct sr_check_lengths *l = &f->lengths;
    const size_t width = f->data->width, wanted = SAMPLE_ROWS * width;
    l->least = (double)INFINITY;
    l->spread = l->alone = (double)NAN;
    if (width < WIDTH_MIN || width > WIDTH_MAX || f->data->rows < wanted)
        return 0;
    l->every = f->data->rows / wanted;
    l->room = wanted;
    l->sample = sr_alloc(wanted * sizeof *l->sample, width, err);
    return l->sample ? 0 : SR_NOMEM;
}

static void take_sample(struct sr_check_lengths *l, const float *x, size_t width) {
    float *to = l->sample + l->sampled++ * width;
    for (size_t k = 0; k < width; k++)
        to[k] = x[k] * x[k];
}

/* Squares of lengths of a block's rows are summed by threads, and put together in order. */
void sr_check_lengths_add(struct sr_check_file *f, const struct sr_scan_block *block) {
    struct sr_check_lengths *l = &f->lengths;
    const size_t width = f->data->width;
    double length[SR_CHECK_BLOCK];
    for (size_t at = 0; at < block->rows; at += SR_CHECK_BLOCK) {
        const size_t n = block->rows - at < SR_CHECK_BLOCK ? block->rows - at : SR_CHECK_BLOCK;
#pragma omp parallel for schedule(static)
        for (size_t r = 0; r < n; r++)
            length[r] = sqrt(sr_vec()->sum_squares(block->x + (at + r) * width, width));
        for (size_t r = 0; r < n; r++) {
            if (!block->good[at + r])
                continue;
            l->rows++;
            l->sum += length[r];
            l->squares += length[r] * length[r];
            l->least = length[r] < l->least ? length[r] : l->least;
            l->most = length[r] > l->most ? length[r] : l->most;
            if (l->every && (block->first + at + r) % l->every == 0 && l->sampled < l->room)
                take_sample(l, block->x + (at + r) * width, width);
        }
    }
}

/* ---- the fit ---- */

struct fit {
    const float *a; /* [rows, width] squares, scaled */
    size_t rows, width;
    float *x, *step, *gradient; /* [width] */
    float *rest, *along;        /* [rows] */
};

static float dot(const float *x, const float *y, size_t n) {
    float lane[LANES] = {0}, sum = 0;
    size_t at = 0;
    for (; at + LANES <= n; at += LANES)
        for (size_t i = 0; i < LANES; i++)
            lane[i] += x[at + i] * y[at + i];
    for (; at < n; at++)
        lane[0] += x[at] * y[at];
    for (size_t i = 0; i < LANES; i++)
        sum += lane[i];
    return sum;
}

static double square_sum(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

/* out [rows] = a x */
static void times(float *out, const struct fit *f, const float *x) {
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < f->rows; r++)
        out[r] = dot(f->a + r * f->width, x, f->width);
}

/* out [width] = a^T y; columns in fixed blocks, rows in order. */
static void times_transposed(float *out, const struct fit *f, const float *y) {
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < f->width; at += COLUMNS) {
        const size_t n = f->width - at < COLUMNS ? f->width - at : COLUMNS;
        float sum[COLUMNS] = {0};
        for (size_t r = 0; r < f->rows; r++)
            for (size_t i = 0; i < n; i++)
                sum[i] += f->a[r * f->width + at + i] * y[r];
        memcpy(out + at, sum, n * sizeof *out);
    }
}

/* Least squares a x = 1. */
static void solve(struct fit *f) {
    memset(f->x, 0, f->width * sizeof *f->x);
    for (size_t r = 0; r < f->rows; r++)
        f->rest[r] = 1;
    times_transposed(f->gradient, f, f->rest);
    memcpy(f->step, f->gradient, f->width * sizeof *f->step);
    double before = square_sum(f->gradient, f->width);
    for (int s = 0; s < STEPS && before > 0; s++) {
        times(f->along, f, f->step);
        const double length = square_sum(f->along, f->rows);
        if (!(length > 0))
            return;
        const float far = (float)(before / length);
        for (size_t k = 0; k < f->width; k++)
            f->x[k] += far * f->step[k];
        for (size_t r = 0; r < f->rows; r++)
            f->rest[r] -= far * f->along[r];
        times_transposed(f->gradient, f, f->rest);
        const double after = square_sum(f->gradient, f->width);
        const float keep = (float)(after / before);
        for (size_t k = 0; k < f->width; k++)
            f->step[k] = f->gradient[k] + keep * f->step[k];
        before = after;
    }
}

/* n <= COLUMNS columns from column `at` on. */
static void scale_block(float *a, size_t rows, size_t width, size_t at, size_t n) {
    double sum[COLUMNS] = {0}, squares[COLUMNS] = {0};
    float inverse[COLUMNS];
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++) {
            const double v = (double)a[r * width + at + i] - (double)a[at + i];
            sum[i] += v;
            squares[i] += v * v;
        }
    for (size_t i = 0; i < n; i++) {
        const double shift = sum[i] / (double)rows, variance = squares[i] / (double)rows - shift * shift,
                     mean = shift + (double)a[at + i];
        inverse[i] = variance > NEARLY * NEARLY * mean * mean ? (float)(1 / sqrt(variance)) : 0;
        inverse[i] = isfinite(inverse[i]) ? inverse[i] : 0;
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++)
            a[r * width + at + i] *= inverse[i];
}

/* Columns by the deviation of their squares: with it STEPS are enough, also where channels stand out. */
static void scale_columns(float *a, size_t rows, size_t width) {
#pragma omp parallel for schedule(static)
    for (size_t at = 0; at < width; at += COLUMNS)
        scale_block(a, rows, width, at, width - at < COLUMNS ? width - at : COLUMNS);
}

/* Relative deviations of the fitted sum on rows that it was not fitted to. Columns are scaled to a variance
 * of one. */
static void measure(struct sr_check_lengths *l, const struct fit *f, const float *others, size_t rows) {
    double sum = 0, squares = 0;
    for (size_t r = 0; r < rows; r++) {
        const double y = (double)dot(others + r * f->width, f->x, f->width);
        sum += y;
        squares += y * y;
    }
    const double n = (double)rows, mean = sum / n, variance = squares / n - mean * mean;
    l->spread = sqrt(variance > 0 ? variance : 0) / fabs(mean);
    l->alone = sqrt(square_sum(f->x, f->width)) / fabs(mean);
}

int sr_check_lengths_finish(struct sr_check_file *file, struct sr_error *err) {
    struct sr_check_lengths *l = &file->lengths;
    const size_t width = file->data->width, fitted = l->sampled / 3 * 2;
    struct sr_arena arena = {0};
    struct fit f = {.a = l->sample, .rows = fitted, .width = width};
    int status = 0;
    if (!l->sample || fitted < 3 * width / 2) /* too many bad rows */
        goto out;
    for (int pass = 0; pass < 2; pass++) {
        f.x = sr_arena_take(&arena, width, sizeof(float));
        f.step = sr_arena_take(&arena, width, sizeof(float));
        f.gradient = sr_arena_take(&arena, width, sizeof(float));
        f.rest = sr_arena_take(&arena, fitted, sizeof(float));
        f.along = sr_arena_take(&arena, fitted, sizeof(float));
        if (pass == 0 && (status = sr_arena_allocate(&arena, err)) < 0)
            goto out;
    }
    scale_columns(l->sample, l->sampled, width);
    solve(&f);
    measure(l, &f, l->sample + fitted * width, l->sampled - fitted);
out:
    sr_free(arena.base);
    sr_free(l->sample);
    l->sample = NULL;
    return status;
}

/* ---- the finding ---- */

enum made { UNIT, POST, OTHER, OPEN };

static double plain_spread(const struct sr_check_lengths *l) {
    const double n = (double)l->rows, mean = l->sum / n, variance = l->squares / n - mean * mean;
    return sqrt(variance > 0 ? variance : 0) / mean;
}

static enum made judge(const struct sr_check_lengths *l) {
    if (fabs(l->least - 1) <= UNIT_TOLERANCE && fabs(l->most - 1) <= UNIT_TOLERANCE)
        return UNIT;
    if (l->spread <= SPREAD_POST && SPREAD_GAIN * l->spread <= l->alone)
        return POST;
    return l->spread > SPREAD_OTHER ? OTHER : OPEN;
}

static void describe(struct sr_finding *f, const struct sr_check_lengths *l, enum made made) {
    const char *said = made == UNIT   ? "every row has length 1"
                       : made == POST ? "rows lie where an RMSNorm puts them: one weighted sum of squares is "
                                        "the same in all"
                       : made == OTHER ? "no weights of an RMSNorm make the rows' lengths the same"
                                       : "rows do not have length 1";
    if (isnan(l->spread))
        sr_check_say(f, "%s (lengths %.4g to %.4g)", said, l->least, l->most);
    else
        sr_check_say(f, "%s (lengths %.4g to %.4g, spread %.2g; weighted at best %.2g)", said, l->least,
                     l->most, plain_spread(l), l->spread);
    sr_check_number(f, "least", l->least);
    sr_check_number(f, "most", l->most);
    sr_check_number(f, "length_spread", plain_spread(l));
    sr_check_number(f, "weighted_spread", l->spread);
    sr_check_number(f, "spread_alone", l->alone);
}

static bool is(const char *norm, const char *which) {
    return norm && strcmp(norm, which) == 0;
}

/* What is said cannot be. */
static bool contradicts(const char *norm, enum made made) {
    if (is(norm, "unit"))
        return made != UNIT;
    return (is(norm, "post") && made == UNIT) || (is(norm, "pre") && (made == UNIT || made == POST));
}

static void add_contradicted(struct sr_check_private *c, const struct sr_check_file *file, enum made made) {
    struct sr_finding *f = sr_check_add(c, "norm", true, file);
    describe(f, &file->lengths, made);
    sr_check_advise(f,
                    "feature_norm says '%s': find out which of the two is wrong before anything is trained; "
                    "infer/vectors.md says which stack gives which vector",
                    sr_check_contract_value(file, "feature_norm"));
}

/* Said to be post, but of no RMSNorm: a LayerNorm's, or from before the norm. */
static void add_other(struct sr_check_private *c, const struct sr_check_file *file) {
    struct sr_finding *f = sr_check_add(c, "norm", false, file);
    describe(f, &file->lengths, OTHER);
    sr_check_advise(f, "feature_norm says 'post': right if the model's final norm is a LayerNorm (GPT-2 and "
                       "the like); else features are from before the norm, or of another layer");
}

static void add_guess(struct sr_check_private *c, const struct sr_check_file *file, enum made made) {
    struct sr_finding *f = sr_check_add(c, "norm", false, file);
    describe(f, &file->lengths, made);
    sr_check_advise(f, "feature_norm is not said; it looks like '%s': write it as a root attribute",
                    made == UNIT ? "unit" : "post");
}

/* Only where there is something to hold it against. */
static void add_unchecked(struct sr_check_private *c, const struct sr_check_file *file) {
    const size_t width = file->data->width;
    struct sr_finding *f = sr_check_skip(c, "norm", file);
    if (width < WIDTH_MIN || width > WIDTH_MAX)
        sr_check_say(f, "needs %zu to %zu features a row, not %zu", WIDTH_MIN, WIDTH_MAX, width);
    else if (file->lengths.rows >= SAMPLE_ROWS * width)
        sr_check_say(f, "the lengths of the rows say nothing: too few features vary");
    else
        sr_check_say(f, "needs %zu rows without NaN, %d times the features, not %zu", SAMPLE_ROWS * width,
                     SAMPLE_ROWS, file->lengths.rows);
}

static void look(struct sr_check_private *c, const struct sr_check_file *file) {
    const char *norm = sr_check_contract_value(file, "feature_norm");
    const enum made made = judge(&file->lengths);
    if (contradicts(norm, made))
        add_contradicted(c, file, made);
    else if (is(norm, "post") && made == OTHER)
        add_other(c, file);
    else if (!norm && (made == UNIT || made == POST))
        add_guess(c, file, made);
    else if ((is(norm, "post") || is(norm, "pre")) && isnan(file->lengths.spread))
        add_unchecked(c, file);
}

void sr_check_norm(struct sr_check_private *c) {
    for (size_t i = 0; i < c->files; i++)
        if (c->file[i].lengths.rows >= 2)
            look(c, &c->file[i]);
}
