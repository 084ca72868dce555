/* synth.c: a synthetic dump shaped like a real one, to try every command without real data.
 *
 * A row has FACTORS normal latent factors around the centre of its source; its features are these factors
 * along fixed directions of falling strength, an offset and noise, in float16. Gold is a noisy threshold on a
 * direction of risk. The large guard sees the risk with noise. The small guard sees it too, but the more a
 * row lies in a blind spot (a nonlinear function of other factors), the less of it, down to the opposite. So
 * where the small guard fails and the large one does not can be learnt from the features, in part: with the
 * default recipe on 4,000 rows a router reaches an average precision of about .6 on other rows, and about a
 * fifth of the rows are positive. Some rows are twins of the row before and share its group.
 *
 * Every number is a Philox value of (seed, column, row), the problem itself of (world, ...): same bytes for
 * any number of threads. Rows are written band by band, so memory holds columns and one band only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/h5.h"
#include "data/set.h"

enum { FACTORS = 48, SOURCES = 6, ID_SIZE = 16, NOISE_WORDS = 4 };
enum column {
    DIRECTION,
    OFFSET,
    CENTRE,
    LATENT,
    TWIN,
    TWIN_LATENT,
    SOURCE,
    GOLD,
    SMALL,
    LARGE,
    ID,
    GROUP,
    NOISE
};

/* Chosen so that shares of positives and accuracies of the guards are near those of published guard pairs. */
static const double twin_share = .02;                              /* rows that are twins of the row before */
static const double signal_deviation = .30, noise_deviation = .15; /* of a feature */
static const double falloff = .9; /* strength of a direction over that of the one before */
static const double gold_cut = .1, gold_noise = .3;
static const double blind_cut = 1, blind_slope = 4, blind_gain = 2;
static const double small_noise = .3, small_slope = 2.5, large_noise = .4, large_slope = 3;

static const char *const source_name[SOURCES] = {"forum", "news", "chat", "reviews", "prompts", "mail"};

struct world {
    size_t width;
    float *direction; /* [FACTORS, width] */
    float *offset;    /* [width] */
    double centre[SOURCES][FACTORS];
};

struct columns { /* [rows] each */
    uint8_t *label, *gold, *source;
    float *small_prob, *large_prob;
    int64_t *group;
    char *id; /* [rows, ID_SIZE] */
};

static double normal(uint64_t seed, enum column column, uint64_t part, uint64_t index) {
    return sr_random_normal(seed, sr_stream(SR_STREAM_SYNTH, column, part), index);
}

/* ---- the world ---- */

static int make_world(struct world *w, uint64_t seed, size_t width, struct sr_error *err) {
    double squares = 0, strength = signal_deviation;
    w->width = width;
    w->direction = sr_alloc(width, FACTORS * sizeof(float), err);
    w->offset = sr_alloc(width, sizeof(float), err);
    if (!w->direction || !w->offset)
        return SR_NOMEM;
    for (int k = 0; k < FACTORS; k++)
        squares += pow(falloff, 2.0 * k);
    strength /= sqrt(squares);
    /* NOLINTNEXTLINE(cert-flp30-c): the loop counts with k */
    for (size_t k = 0; k < FACTORS; k++, strength *= falloff)
        for (size_t j = 0; j < width; j++)
            w->direction[k * width + j] = (float)(strength * normal(seed, DIRECTION, k, j));
    for (size_t j = 0; j < width; j++)
        w->offset[j] = (float)(.11 + .06 * normal(seed, OFFSET, 0, j));
    for (size_t s = 0; s < SOURCES; s++)
        for (size_t k = 0; k < FACTORS; k++)
            w->centre[s][k] = .25 * normal(seed, CENTRE, s, k);
    return 0;
}

/* ---- columns ---- */

/* The row whose twin this row is, or the row itself. */
static uint64_t base_row(uint64_t seed, uint64_t row) {
    while (row > 0 && sr_random_uniform(seed, sr_stream(SR_STREAM_SYNTH, TWIN, 0), row) < twin_share)
        row--;
    return row;
}

static uint8_t draw_source(uint64_t seed, uint64_t base) {
    return (uint8_t)sr_random_below(seed, sr_stream(SR_STREAM_SYNTH, SOURCE, 0), base, SOURCES);
}

static void draw_latent(double z[FACTORS], const struct world *w, uint64_t seed, uint64_t row) {
    uint64_t base = base_row(seed, row);
    const double *centre = w->centre[draw_source(seed, base)];
    for (uint64_t k = 0; k < FACTORS; k++) {
        z[k] = centre[k] + normal(seed, LATENT, k, base);
        if (row != base)
            z[k] += .15 * normal(seed, TWIN_LATENT, k, row);
    }
}

static double logistic(double x) {
    return 1 / (1 + exp(-x));
}

static void draw_row(struct columns *c, const struct world *w, uint64_t seed, uint64_t row) {
    double z[FACTORS];
    uint64_t base = base_row(seed, row);
    draw_latent(z, w, seed, row);
    double risk = (z[0] + z[1] + z[2]) / sqrt(3.0) - gold_cut;
    double blind = logistic(blind_slope * (z[3] + .5 * z[4] * z[5] - blind_cut));
    double seen = risk * (1 - blind_gain * blind);
    c->gold[row] = risk + gold_noise * normal(seed, GOLD, 0, base) > 0;
    c->small_prob[row] = (float)logistic(small_slope * (seen + small_noise * normal(seed, SMALL, 0, row)));
    c->large_prob[row] = (float)logistic(large_slope * (risk + large_noise * normal(seed, LARGE, 0, row)));
    c->label[row] =
        (c->small_prob[row] >= 0.5f) != c->gold[row] && (c->large_prob[row] >= 0.5f) == c->gold[row];
    c->source[row] = draw_source(seed, base);
    c->group[row] = (int64_t)(sr_random_bits(seed, sr_stream(SR_STREAM_SYNTH, GROUP, 0), base) >> 1);
    uint64_t bits = sr_random_bits(seed, sr_stream(SR_STREAM_SYNTH, ID, 0), row);
    for (int i = 0; i < ID_SIZE; i++)
        c->id[row * ID_SIZE + i] = "0123456789abcdef"[bits >> (60 - 4 * i) & 15];
}

static int allocate_columns(struct sr_arena *arena, struct columns *c, size_t rows, struct sr_error *err) {
    for (int pass = 0; pass < 2; pass++) {
        c->label = sr_arena_take(arena, rows, 1);
        c->gold = sr_arena_take(arena, rows, 1);
        c->source = sr_arena_take(arena, rows, 1);
        c->small_prob = sr_arena_take(arena, rows, sizeof(float));
        c->large_prob = sr_arena_take(arena, rows, sizeof(float));
        c->group = sr_arena_take(arena, rows, sizeof(int64_t));
        c->id = sr_arena_take(arena, rows, ID_SIZE);
        if (pass == 0 && sr_arena_allocate(arena, err) < 0)
            return SR_NOMEM;
    }
    return 0;
}

static int write_columns(const struct sr_h5 *f, const struct columns *c, size_t rows, struct sr_error *err) {
    int status = sr_h5_write_column(f, "label", SR_H5_WRITE_U8, c->label, rows, err);
    if (status == 0)
        status = sr_h5_write_column(f, "gold", SR_H5_WRITE_U8, c->gold, rows, err);
    if (status == 0)
        status = sr_h5_write_column(f, "small_prob", SR_H5_WRITE_F32, c->small_prob, rows, err);
    if (status == 0)
        status = sr_h5_write_column(f, "large_prob", SR_H5_WRITE_F32, c->large_prob, rows, err);
    if (status == 0)
        status = sr_h5_write_fixed(f, "id", c->id, rows, ID_SIZE, err);
    if (status == 0)
        status = sr_h5_write_column(f, "group", SR_H5_WRITE_I64, c->group, rows, err);
    if (status == 0)
        status = sr_h5_write_column(f, "source", SR_H5_WRITE_U8, c->source, rows, err);
    if (status == 0)
        status = sr_h5_write_attribute_list(f, "source", "names", source_name, SOURCES, err);
    return status;
}

static int write_attributes(const struct sr_h5 *f, uint64_t world, struct sr_error *err) {
    char model[64], large[64];
    snprintf(model, sizeof model, "synthetic, world %llu", (unsigned long long)world);
    snprintf(large, sizeof large, "synthetic large guard, world %llu", (unsigned long long)world);
    const struct sr_pair pairs[] = {
        {"schema", "saferoute.features"},
        {"feature_model", model},
        {"feature_revision", "1"},
        {"feature_layer", "last"},
        {"feature_norm", "pre"},
        {"feature_pooling", "last"},
        {"feature_template", "none"},
        {"large_model", large},
        {"large_revision", "1"},
        {"description", "synthetic features and guards; no text stands behind them"},
    };
    int status = sr_h5_write_attribute_integer(f, "/", "version", 1, err);
    for (size_t i = 0; status == 0 && i < SR_COUNT(pairs); i++)
        status = sr_h5_write_attribute(f, "/", pairs[i].key, pairs[i].value, err);
    return status;
}

/* ---- features ---- */

/* float16 of a finite x below 65504, rounded to nearest even. */
static uint16_t to_half(float x) {
    uint32_t bits, sign;
    memcpy(&bits, &x, sizeof bits);
    sign = bits >> 16 & 0x8000u;
    bits &= 0x7fffffffu;
    if (bits < 113u << 23) /* below 2^-14: subnormal, a multiple of 2^-24 */
        return (uint16_t)(sign | (uint32_t)lrintf(fabsf(x) * 0x1p24f));
    bits += 0xfffu + (bits >> 13 & 1u);
    return (uint16_t)(sign | (bits - (112u << 23)) >> 13);
}

/* Adds noise of one deviation, nearly normal: sums of four random bytes. Four values take one Philox call. */
static void add_noise(float *x, size_t width, uint64_t seed, uint64_t row) {
    const float scale = (float)(noise_deviation / sqrt(4 * (65536.0 - 1) / 12));
    uint64_t stream = sr_stream(SR_STREAM_SYNTH, NOISE, 0),
             first = row * ((width + NOISE_WORDS - 1) / NOISE_WORDS);
    for (size_t j = 0; j < width; j += NOISE_WORDS) {
        struct sr_philox4 random = sr_philox(seed, stream, first + j / NOISE_WORDS);
        for (size_t i = 0; i < NOISE_WORDS && j + i < width; i++) {
            uint32_t v = random.v[i];
            int sum = (int)((v & 255) + (v >> 8 & 255) + (v >> 16 & 255) + (v >> 24));
            x[j + i] += scale * (float)(sum - 510);
        }
    }
}

static void draw_features(uint16_t *half, float *x, const struct world *w, uint64_t seed, uint64_t row) {
    double z[FACTORS];
    draw_latent(z, w, seed, row);
    memcpy(x, w->offset, w->width * sizeof *x);
    for (size_t k = 0; k < FACTORS; k++) {
        const float *direction = w->direction + k * w->width, factor = (float)z[k];
        for (size_t j = 0; j < w->width; j++)
            x[j] += factor * direction[j];
    }
    add_noise(x, w->width, seed, row);
    for (size_t j = 0; j < w->width; j++)
        half[j] = to_half(x[j]);
}

static int write_features(const struct sr_h5 *f, const struct world *w, const struct sr_synth *how,
                          struct sr_error *err) {
    int status = sr_h5_write_matrix(f, "features", how->rows, how->width, err);
    uint16_t *half = sr_alloc(SR_BAND_ROWS * sizeof *half, how->width, err);
    float *x = sr_alloc(SR_BAND_ROWS * sizeof *x, how->width, err);
    if (!half || !x)
        status = SR_NOMEM;
    for (size_t first = 0; status == 0 && first < how->rows; first += SR_BAND_ROWS) {
        size_t n = how->rows - first < SR_BAND_ROWS ? how->rows - first : SR_BAND_ROWS;
#pragma omp parallel for schedule(static)
        for (size_t r = 0; r < n; r++)
            draw_features(half + r * how->width, x + r * how->width, w, how->seed, first + r);
        status = sr_h5_write_rows(f, "features", half, first, n, how->width, err);
    }
    sr_free(half);
    sr_free(x);
    return status;
}

/* ---- the file ---- */

static int write_dump(const struct sr_h5 *f, const struct sr_synth *how, struct sr_error *err) {
    struct world w = {0};
    struct columns c;
    struct sr_arena arena = {0};
    int status = make_world(&w, how->world, how->width, err);
    if (status == 0)
        status = allocate_columns(&arena, &c, how->rows, err);
    if (status == 0) {
#pragma omp parallel for schedule(static)
        for (size_t row = 0; row < how->rows; row++)
            draw_row(&c, &w, how->seed, row);
        status = write_attributes(f, how->world, err);
    }
    if (status == 0)
        status = write_columns(f, &c, how->rows, err);
    if (status == 0)
        status = write_features(f, &w, how, err);
    sr_free(arena.base);
    sr_free(w.direction);
    sr_free(w.offset);
    return status;
}

int sr_synth_write(const char *path, const struct sr_synth *how, struct sr_error *err) {
    struct sr_atomic_file *target;
    struct sr_h5 *f = NULL;
    if (how->rows < 1 || how->rows > UINT32_MAX || how->width < 1 || how->width > SR_DATA_WIDTH_MAX)
        return sr_fail(
            err, SR_USAGE,
            "a dump of %zu rows of %zu features; 1 to 2^32 - 1 rows and 1 to %d features are possible",
            how->rows, how->width, SR_DATA_WIDTH_MAX);
    int status = sr_atomic_file_open(&target, path, err);
    if (status < 0)
        return status;
    status = sr_h5_create(&f, sr_atomic_file_path(target), path, err);
    if (status == 0)
        status = write_dump(f, how, err);
    return sr_h5_commit(f, target, status, err);
}
