/* open.c: the shipped library's own view of a router: opening with a self-test, and what it says of itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "infer/router.h"

/* The two error structs have the same statuses and the same room. */
_Static_assert(SAFEROUTE_ERROR_TEXT == SR_ERROR_TEXT, "texts would be cut");
_Static_assert((int)SAFEROUTE_USAGE == (int)SR_USAGE && (int)SAFEROUTE_DATA == (int)SR_DATA &&
                   (int)SAFEROUTE_NOINPUT == (int)SR_NOINPUT && (int)SAFEROUTE_BUG == (int)SR_BUG &&
                   (int)SAFEROUTE_NOMEM == (int)SR_NOMEM && (int)SAFEROUTE_IO == (int)SR_IO,
               "a status has another number");

/* Binary compatible: these grow into their reserved members and no further. */
_Static_assert(sizeof(struct saferoute_options) == 64 && sizeof(struct saferoute_rows) == 64 &&
                   sizeof(struct saferoute_decision) == 80 && sizeof(struct saferoute_stats) == 496,
               "a struct of saferoute.h has another size");
_Static_assert(SAFEROUTE_REASON_COUNT <= 16, "saferoute_stats has no counter for the last reasons");

#define TEST_ROWS 2

static int report(struct saferoute_error *to, int status, const struct sr_error *from) {
    if (to) { /* names in a file of strangers must not write lines of their own into a log */
        to->status = status;
        sr_utf8_clean(to->text, sizeof to->text, status < 0 ? from->text : "");
    }
    return status;
}

static bool is_share(float x) {
    return x >= 0 && x <= 1; /* not NaN */
}

static int check_options(const struct saferoute_options *o, struct sr_error *err) {
    if (!o)
        return 0;
    if ((int)o->precision < SAFEROUTE_AS_STORED || o->precision > SAFEROUTE_COMPUTE_INT8)
        return sr_fail(err, SR_USAGE, "options.precision is %d, which is none of enum saferoute_precision",
                       o->precision);
    if ((int)o->range < SAFEROUTE_RANGE_ROUTE || o->range > SAFEROUTE_RANGE_OFF)
        return sr_fail(err, SR_USAGE, "options.range is %d, which is none of enum saferoute_range", o->range);
    if (!is_share(o->range_cap) || !is_share(o->explore))
        return sr_fail(err, SR_USAGE,
                       "options.range_cap is %g and options.explore %g; both are shares, 0 to 1",
                       (double)o->range_cap, (double)o->explore);
    for (size_t i = 0; i < SR_COUNT(o->reserved); i++)
        if (o->reserved[i] != 0)
            return sr_fail(err, SR_USAGE,
                           "options.reserved is not 0: begin with struct saferoute_options o = {0}");
    if (o->has_threshold && !is_share(o->threshold))
        return sr_fail(err, SR_USAGE, "options.threshold is %g, not a number from 0 to 1",
                       (double)o->threshold);
    return 0;
}

/* Rows that look like features, scored by this CPU's kernels and by the plain ones: the same bits. */
int sr_router_self_test(struct sr_router *r, const char *path, struct sr_error *err) {
    const size_t width = sr_router_width(r);
    float logit[2][TEST_ROWS], *x = sr_alloc(TEST_ROWS * width, sizeof *x, err);
    if (!x)
        return SR_NOMEM;
    for (size_t i = 0; i < TEST_ROWS * width; i++) {
        const size_t feature = i % width;
        const float u = (float)(sr_random_uniform(1, sr_stream(SR_STREAM_TEST, 1, 0), i) * 2 - 1);
        x[i] = r->range.known && r->range.inverse[feature] > 0
                   ? r->range.mean[feature] + u / r->range.inverse[feature]
                   : u;
    }
    const struct sr_kernels *kernels = r->kernels;
    const struct sr_vec *vec = r->vec;
    sr_router_logits(r, logit[0], x, TEST_ROWS);
    r->kernels = sr_kernels_for(SR_ISA_BASE);
    r->vec = sr_vec_for(SR_ISA_BASE);
    sr_router_logits(r, logit[1], x, TEST_ROWS);
    r->kernels = kernels;
    r->vec = vec;
    sr_free(x);
    for (size_t i = 0; i < TEST_ROWS; i++)
        if (!isfinite(logit[0][i]))
            return sr_fail(err, SR_DATA,
                           "%s: self-test: row %zu has no finite logit: the weights are damaged or "
                           "their training diverged",
                           path, i);
    /* the same bits, not the same number.
     * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
    if (memcmp(logit[0], logit[1], sizeof logit[0]) != 0)
        return sr_fail(
            err, SR_BUG,
            "%s: self-test: the kernels for this CPU give the logit %.9g, the plain ones %.9g; set "
            "SAFEROUTE_ISA=base and report this",
            path, (double)logit[0][0], (double)logit[1][0]);
    return 0;
}

static int finish(struct saferoute_router **out, struct sr_router *r, int status, const char *path,
                  struct saferoute_error *error, struct sr_error *err) {
    if (status == 0 && (status = sr_router_self_test(r, path, err)) < 0)
        sr_router_close(r);
    if (out)
        *out = status == 0 ? (struct saferoute_router *)r : NULL;
    return report(error, status, err);
}

int saferoute_open(struct saferoute_router **out, const char *path, const struct saferoute_options *options,
                   struct saferoute_error *error) {
    struct sr_error err = {0};
    struct sr_router *r = NULL;
    int status = path && out ? check_options(options, &err) : sr_fail(&err, SR_USAGE, "out or path is NULL");
    if (status == 0)
        status = sr_router_open_with(&r, path, options, &err);
    return finish(out, r, status, path, error, &err);
}

int saferoute_open_memory(struct saferoute_router **out, const void *bytes, size_t size,
                          const struct saferoute_options *options, struct saferoute_error *error) {
    struct sr_error err = {0};
    struct sr_router *r = NULL;
    int status =
        bytes && out ? check_options(options, &err) : sr_fail(&err, SR_USAGE, "out or bytes is NULL");
    if (status == 0)
        status = sr_router_open_bytes(&r, bytes, size, "router in memory", options, &err);
    return finish(out, r, status, "router in memory", error, &err);
}

void saferoute_close(struct saferoute_router *router) {
    sr_router_close((struct sr_router *)router);
}

size_t saferoute_width(const struct saferoute_router *router) {
    return router ? sr_router_width(sr_router_of(router)) : 0;
}

enum saferoute_precision saferoute_precision(const struct saferoute_router *router) {
    return router ? (enum saferoute_precision)sr_router_of(router)->precision : SAFEROUTE_AS_STORED;
}

float saferoute_range_limit(const struct saferoute_router *router) {
    return router && sr_router_of(router)->range.known ? sr_router_of(router)->range.limit : 0;
}

float saferoute_threshold(const struct saferoute_router *router) {
    return router ? sr_router_of(router)->threshold : NAN;
}

const char *saferoute_artefact(const struct saferoute_router *router) {
    return router ? sr_router_artefact(sr_router_of(router)) : "";
}

const char *saferoute_metadata(const struct saferoute_router *router, const char *key) {
    return router && key ? sr_router_metadata(sr_router_of(router), key) : NULL;
}

/* ---- words ---- */

const char *saferoute_reason_name(int reason) {
    static const char *const names[] = {
#define X(name, text) #name,
        SAFEROUTE_REASON_LIST(X)
#undef X
    };
    return reason >= 0 && reason < SAFEROUTE_REASON_COUNT ? names[reason] : "UNKNOWN";
}

const char *saferoute_reason_text(int reason) {
    static const char *const texts[] = {
#define X(name, text) text,
        SAFEROUTE_REASON_LIST(X)
#undef X
    };
    return reason >= 0 && reason < SAFEROUTE_REASON_COUNT ? texts[reason] : "unknown";
}

const char *saferoute_version(void) {
    return SR_VERSION;
}
