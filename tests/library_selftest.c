/* library_selftest.c: libsaferoute.so opens a weights file and gives the same logits on every architecture.
 *
 *   library_selftest [INSTRUCTION SET]
 *
 * The file is built in memory (router_bytes.h). Each row is scored alone and all together, from float32,
 * bfloat16 and float16 features, in every precision. Hashed are logits and ranges, not probabilities: those
 * come from the C library's exp, which may differ in its last place.
 *
 * SPDX-License-Identifier: MIT
 */
#include "infer/saferoute.h"
#include "tests/router_bytes.h"
#include "tests/selftest.h"

enum { WIDTH = ROUTER_WIDTH, ROWS = 37 };

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
    static uint16_t brain[ROWS * WIDTH], half[ROWS * WIDTH];
    static struct router_bytes file;
    const struct saferoute_options options = {.precision = precision, .range = SAFEROUTE_RANGE_COUNT};
    struct saferoute_router *router;
    struct saferoute_error why;
    if (!file.size)
        router_bytes_make(&file, 100);
    if (saferoute_open_memory(&router, file.bytes, file.size, &options, &why) != SAFEROUTE_OK) {
        printf("%s\n", why.text);
        return 0;
    }
    router_rows_fill((struct router_rows){x, brain, half}, ROWS);
    uint64_t hash = hash_block(SELFTEST_START, router, x, SAFEROUTE_FLOAT32);
    hash = hash_block(hash, router, brain, SAFEROUTE_BFLOAT16);
    hash = hash_block(hash, router, half, SAFEROUTE_FLOAT16);
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
