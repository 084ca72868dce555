/* bench_router.h: the router that scoring and latency are measured with, in every precision.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_BENCH_ROUTER_H
#define SR_BENCH_ROUTER_H

#include "infer/infer.h"
#include "train/bench.h"

#define SR_BENCH_PRECISIONS 3 /* float32, bfloat16, int8 */

struct sr_bench_router {
    const char *precision; /* "float32", ... */
    const struct saferoute_router *router;
    size_t numbers; /* weights, each of which a row is multiplied with once */
    size_t bytes;   /* they take */
};

/* As saferoute_open gives them: all precisions that the file can be computed in, for a folded file its own.
 */
struct sr_bench_routers {
    struct sr_bench_router of[SR_BENCH_PRECISIONS];
    size_t n;
    size_t width;
    char title[256]; /* what they are made of */
};

/* Of b->model, or of made-up weights of the published shape, with a range check of the usual size. Errors of
 * opening; SR_IO where made-up weights cannot be written to a temporary file. Free with
 * sr_bench_routers_close, also after a failure. */
int sr_bench_routers_open(struct sr_bench_routers *r, const struct sr_bench *b, struct sr_error *err);
void sr_bench_routers_close(struct sr_bench_routers *r);

/* Seconds that scoring `rows` rows takes one thread at least: the products at the peak of its arithmetic
 * (FMA; the int8 dot product for int8), or reading the weights once, whichever is longer. */
int sr_bench_router_least(double *seconds, const struct sr_bench_router *r, size_t rows, struct sr_bench *b,
                          struct sr_error *err);

#endif
