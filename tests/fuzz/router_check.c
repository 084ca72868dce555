/* router_check.c: opening a router as a serving process does (infer/), and deciding with what was accepted.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>

#include "infer/infer.h"
#include "tests/fuzz/parsers.h"

#define ROWS 3

static void check_decision(const struct saferoute_router *r, const struct saferoute_decision *d) {
    static char json[SAFEROUTE_JSON_SIZE];
    FUZZ_CHECK(d->large <= 1 && d->reason < SAFEROUTE_REASON_COUNT, "large %d, reason %d", d->large,
               d->reason);
    FUZZ_CHECK(d->threshold == saferoute_threshold(r), "another threshold than the router's");
    if (d->reason == SAFEROUTE_REASON_SCORE)
        FUZZ_CHECK(isfinite(d->logit) && d->prob >= 0 && d->prob <= 1 && d->large == (d->prob > d->threshold),
                   "logit %g, prob %g, threshold %g, large %d", (double)d->logit, (double)d->prob,
                   (double)d->threshold, d->large);
    else
        FUZZ_CHECK(d->large == 1, "reason %d, and yet small", d->reason);
    FUZZ_CHECK(isnan(d->calibrated) || (d->calibrated >= 0 && d->calibrated <= 1), "calibrated %g",
               (double)d->calibrated);
    FUZZ_CHECK(saferoute_decision_json(json, sizeof json, d, "id") < sizeof json, "a line that is too long");
    fuzz_check_printable(json, "a decision's line");
}

static void check_router(const struct saferoute_router *r) {
    const size_t width = saferoute_width(r);
    struct saferoute_decision d[ROWS];
    float *x = sr_alloc(ROWS * width, sizeof *x, NULL);
    FUZZ_CHECK(x && width > 0, "width %zu", width);
    FUZZ_CHECK(saferoute_threshold(r) >= 0 && saferoute_threshold(r) <= 1, "threshold %g",
               (double)saferoute_threshold(r));
    FUZZ_CHECK(strlen(saferoute_artefact(r)) == 64, "artefact '%s'", saferoute_artefact(r));
    for (size_t i = 0; i < ROWS * width; i++)
        x[i] = i < width ? 0 : (float)(i % 7) - 3;
    x[ROWS * width - 1] = 1e38f;
    saferoute_decide(
        r, d,
        &(struct saferoute_rows){.features = x, .dtype = SAFEROUTE_FLOAT32, .rows = ROWS, .width = width},
        NULL);
    for (size_t i = 0; i < ROWS; i++)
        check_decision(r, &d[i]);
    sr_free(x);
}

void fuzz_router(const uint8_t *data, size_t size) {
    static const enum saferoute_precision precisions[] = {SAFEROUTE_AS_STORED, SAFEROUTE_COMPUTE_BFLOAT16,
                                                          SAFEROUTE_COMPUTE_INT8};
    struct saferoute_error error = {0};
    struct sr_error err;
    struct saferoute_router *r = NULL;
    const struct saferoute_options o = {.precision = precisions[size % SR_COUNT(precisions)]};
    const int status = saferoute_open_memory(&r, data, size, &o, &error);
    err.status = error.status;
    memcpy(err.text, error.text, sizeof err.text);
    if (fuzz_accepted(status, &err))
        check_router(r);
    else
        FUZZ_CHECK(!r, "a refused router is there");
    saferoute_close(r);
}
