/* library_selftest.c: libsaferoute.so opens a weights file and gives the same logits on every architecture.
 *
 *   library_selftest [INSTRUCTION SET]
 *
 * The file is built in memory: three hidden layers with BatchNorm and the range of training's rows. Each row
 * is scored alone and all together, from float32, bfloat16 and float16 features, in every precision. Hashed
 * are logits and ranges, not probabilities: those come from the C library's exp, which may differ in its last
 * place.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "infer/saferoute.h"
#include "tests/hash_fill.h"
#include "tests/selftest.h"

enum { WIDTH = 77, ROWS = 37, DIRECTIONS = 5, LAYERS = 4, TENSORS = 64 };
static const size_t widths[LAYERS + 1] = {WIDTH, 45, 24, 16, 1};

/* A safetensors file: 8 bytes of length, the header in JSON, the tensors. */
static struct {
    char header[8192];
    size_t header_size, items;
    float data[16384];
    uint32_t tensors;
    char bytes[8 + sizeof(char[8192]) + sizeof(float[16384])];
} file;

static void header_add(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    file.header_size += (size_t)vsnprintf(file.header + file.header_size,
                                          sizeof file.header - file.header_size, format, arguments);
    va_end(arguments);
}

/* (outputs, inputs) of hashed numbers, or (outputs) where inputs is 0. */
static float *tensor_add(const char *name, size_t outputs, size_t inputs, double scale, double offset) {
    const size_t items = outputs * (inputs ? inputs : 1), end = 4 * (file.items + items);
    float *x = file.data + file.items;
    header_add("%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu", file.tensors ? "," : "{", name, outputs);
    if (inputs)
        header_add(",%zu", inputs);
    header_add("],\"data_offsets\":[%zu,%zu]}", 4 * file.items, end);
    hash_fill(x, items, 100 + file.tensors, scale, offset);
    file.items += items;
    file.tensors++;
    return x;
}

static void layer_add(size_t l, size_t in, size_t out) {
    static const struct {
        const char *what;
        double scale, offset;
    } norm[] = {{"weight", .3, 1}, {"bias", .5, 0}, {"running_mean", .5, 0}, {"running_var", .75, 1.5}};
    char name[64];
    snprintf(name, sizeof name, "cls.%zu.weight", 4 * l);
    tensor_add(name, out, in, 2 / sqrt((double)in), 0);
    snprintf(name, sizeof name, "cls.%zu.bias", 4 * l);
    tensor_add(name, out, 0, .1, 0);
    for (size_t i = 0; l + 1 < LAYERS && i < SR_COUNT(norm); i++) {
        snprintf(name, sizeof name, "cls.%zu.%s", 4 * l + 1, norm[i].what);
        tensor_add(name, out, 0, norm[i].scale, norm[i].offset);
    }
}

/* Directions along the first features. */
static void range_add(void) {
    float *basis, *range;
    tensor_add("stats.mean", WIDTH, 0, .5, 0);
    tensor_add("stats.var", WIDTH, 0, .5, 1);
    basis = tensor_add("stats.basis", DIRECTIONS, WIDTH, 0, 0);
    for (size_t k = 0; k < DIRECTIONS; k++)
        basis[k * WIDTH + k] = 1;
    range = tensor_add("stats.range", 3, 0, 0, 0);
    range[0] = .2f;
    range[1] = 4;
    range[2] = .01f;
}

static size_t file_build(void) {
    for (size_t l = 0; l < LAYERS; l++)
        layer_add(l, widths[l], widths[l + 1]);
    range_add();
    header_add("}");
    while (file.header_size % 8)
        header_add(" ");
    const uint64_t length = file.header_size;
    memcpy(file.bytes, &length, 8);
    memcpy(file.bytes + 8, file.header, length);
    memcpy(file.bytes + 8 + length, file.data, 4 * file.items);
    return 8 + length + 4 * file.items;
}

static uint64_t hash_rows(uint64_t hash, const struct saferoute_router *router,
                          const struct saferoute_rows *rows) {
    struct saferoute_decision out[ROWS];
    saferoute_decide(router, out, rows, NULL);
    for (size_t i = 0; i < rows->rows; i++) {
        hash = selftest_hash(hash, &out[i].logit, sizeof out[i].logit);
        hash = selftest_hash(hash, &out[i].range, sizeof out[i].range);
    }
    return hash;
}

/* Of all rows together; 0, which fails, where one by one they give other bits. */
static uint64_t hash_block(uint64_t hash, const struct saferoute_router *router, const void *features,
                           enum saferoute_dtype dtype) {
    const size_t size = dtype == SAFEROUTE_FLOAT32 ? 4 : 2;
    struct saferoute_rows rows = {.features = features, .dtype = dtype, .rows = ROWS, .width = WIDTH};
    const uint64_t together = hash_rows(hash, router, &rows);
    uint64_t alone = hash;
    rows.rows = 1;
    for (size_t i = 0; i < ROWS; i++) {
        rows.features = (const char *)features + i * WIDTH * size;
        alone = hash_rows(alone, router, &rows);
    }
    return together == alone ? together : 0;
}

static uint64_t run(enum saferoute_precision precision) {
    static float x[ROWS * WIDTH];
    static uint16_t halves[2][ROWS * WIDTH]; /* bfloat16, float16 */
    static size_t size;
    const struct saferoute_options options = {.precision = precision, .range = SAFEROUTE_RANGE_COUNT};
    struct saferoute_router *router;
    struct saferoute_error why;
    if (!size)
        size = file_build();
    if (saferoute_open_memory(&router, file.bytes, size, &options, &why) != SAFEROUTE_OK) {
        printf("%s\n", why.text);
        return 0;
    }
    hash_fill(x, ROWS * WIDTH, 1, 2.1, 0);
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        halves[0][i] = (uint16_t)(bits >> 16);
        halves[1][i] = (uint16_t)((hash_bits(2, i) & 0x83ffu) | (14u + hash_bits(3, i) % 2) << 10);
    }
    uint64_t hash = hash_block(SELFTEST_START, router, x, SAFEROUTE_FLOAT32);
    hash = hash_block(hash, router, halves[0], SAFEROUTE_BFLOAT16);
    hash = hash_block(hash, router, halves[1], SAFEROUTE_FLOAT16);
    saferoute_close(router);
    return hash;
}

static uint64_t run_float32(void) {
    return run(SAFEROUTE_COMPUTE_FLOAT32);
}
static uint64_t run_bfloat16(void) {
    return run(SAFEROUTE_COMPUTE_BFLOAT16);
}
static uint64_t run_int8(void) {
    return run(SAFEROUTE_COMPUTE_INT8);
}

static const struct selftest_case cases[] = {
    {"router float32", run_float32, 0x48e342a25ffdfdbe},
    {"router bfloat16", run_bfloat16, 0x2fc66cd443fd9e2b},
    {"router int8", run_int8, 0x71ce2e95a68576ce},
};

int main(int argc, char **argv) {
    const char *asked = selftest_asks(argc, argv);
    return selftest_run(cases, SR_COUNT(cases), asked ? asked : "chosen");
}
