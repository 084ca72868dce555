/* saferoute.h: the SafeRoute router inside a serving process.
 *
 * A small safety guard has judged a prompt; the router reads its last hidden state and says whether the large
 * guard should judge it too. It answers one question: is this row one that the small guard gets wrong and
 * the large one gets right?
 *
 *     struct saferoute_router *router;
 *     struct saferoute_error why;
 *     if (saferoute_open(&router, "router.safetensors", NULL, &why) < 0)
 *         log("%s", why.text);                        // router is NULL now, and that is fine, see below
 *
 *     struct saferoute_decision d;
 *     saferoute_decide(router, &d, &(struct saferoute_rows){.features = hidden, .dtype = SAFEROUTE_FLOAT32,
 *                      .rows = 1, .width = 2048}, NULL);
 *     if (d.large) ask_the_large_guard();
 *
 * It fails closed: saferoute_decide has no error. Whatever is wrong (no router, another width, a NaN,
 * features far from those of training) the row goes to the large guard, and the reason says why.
 *
 * The library starts no thread, uses no OpenMP and no BLAS, prints nothing, keeps no global state that
 * changes, and allocates nothing while it decides. It takes at most 64 KiB of stack in a call of one row or a
 * few (of the published network 7 of float32 and 3 of 16 bits, or 5 of either where it computes in int8), and
 * at most 400 KiB in one of more: threads with a smaller stack call with few. A router does not change once
 * it is open: any number of threads, and processes forked after it was opened, may decide with it at once.
 * Callers who want several threads on one batch split its rows. A row's result is the same bits alone or
 * among others, whatever the vector width of the CPU.
 *
 * In structs that callers fill zero means the default, and reserved members are 0: `= {0}` is right and stays
 * right. Structs do not change their size within a major version.
 * Version: semantic; the names below change only with the major one, which is the SONAME.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SAFEROUTE_H
#define SAFEROUTE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SAFEROUTE_API __attribute__((visibility("default")))
#else
#define SAFEROUTE_API
#endif

/* ---- errors ---- */

/* What opening and reading return; the program's statuses of the same names. */
enum saferoute_status {
    SAFEROUTE_OK = 0,
    SAFEROUTE_USAGE = -2,   /* an argument that makes no sense: an option out of range, NULL */
    SAFEROUTE_DATA = -3,    /* a damaged file, or one that is no router */
    SAFEROUTE_NOINPUT = -4, /* no such file */
    SAFEROUTE_BUG = -5,     /* the self-test failed: this build computes something else on this CPU */
    SAFEROUTE_NOMEM = -6,
    SAFEROUTE_IO = -7
};

#define SAFEROUTE_ERROR_TEXT 512

struct saferoute_error {
    int status;
    char text[SAFEROUTE_ERROR_TEXT]; /* one line: what, where, why, what to do */
};

/* ---- opening ---- */

struct saferoute_router;

/* Of features. None is 0, so that a forgotten dtype is a reason to fail closed and not a wrong length. */
enum saferoute_dtype { SAFEROUTE_FLOAT32 = 1, SAFEROUTE_BFLOAT16 = 2, SAFEROUTE_FLOAT16 = 4 };

/* What the network computes in. AS_STORED: float32, or what `saferoute export --dtype` wrote. BFLOAT16:
 * bfloat16 weights, half the memory. INT8: int8 weights with a scale for each output, rows quantised on the
 * fly; a quarter of the memory; integer sums, so the same bits on every CPU. */
enum saferoute_precision {
    SAFEROUTE_AS_STORED,
    SAFEROUTE_COMPUTE_FLOAT32,
    SAFEROUTE_COMPUTE_BFLOAT16,
    SAFEROUTE_COMPUTE_INT8
};

/* What happens to rows whose features are far from those of training (saferoute_decision.range above the
 * router's limit). ROUTE: they go to the large guard, reason OUT_OF_RANGE. COUNT: they are decided by their
 * score and counted. OFF: not looked at, range is 0, and a row takes 7 % fewer multiplications in the
 * published network. Routers without stored statistics (imported without --stats) have no such check. */
enum saferoute_range { SAFEROUTE_RANGE_ROUTE, SAFEROUTE_RANGE_COUNT, SAFEROUTE_RANGE_OFF };

struct saferoute_options {
    enum saferoute_precision precision;
    enum saferoute_range range;
    float range_cap; /* the share of recent rows, above 0, that OUT_OF_RANGE may send to the large guard; past
                        it the reason is OVERLOAD, and such a row is large too unless the caller makes it
                        small. At least 1,024 rows are counted on. 0: no cap. Counted in the saferoute_stats
                        given to saferoute_decide; without one there is no cap */
    float explore;   /* the share of rows, 0..1, that goes to the large guard whatever the score says */
    uint64_t explore_seed; /* another seed explores other rows */
    int has_threshold;     /* 1: `threshold` replaces the stored one */
    float threshold;       /* 0..1 */
    uint64_t reserved[4];  /* 0 */
};

/* Opens a router (the safetensors file of `saferoute train`, `sweep --out` or `export`). It is checked,
 * folded, quantised and has computed its self-test when this returns. options may be NULL. On failure *out is
 * NULL, the status is returned and the error (may be NULL) says why. */
SAFEROUTE_API int saferoute_open(struct saferoute_router **out, const char *path,
                                 const struct saferoute_options *options, struct saferoute_error *error);

/* The same from the bytes of such a file, which are not needed afterwards. */
SAFEROUTE_API int saferoute_open_memory(struct saferoute_router **out, const void *bytes, size_t size,
                                        const struct saferoute_options *options,
                                        struct saferoute_error *error);
SAFEROUTE_API void saferoute_close(struct saferoute_router *router); /* NULL is fine */

SAFEROUTE_API size_t saferoute_width(const struct saferoute_router *router); /* features a row; 0 of NULL */
/* What it computes in, never AS_STORED but for NULL. */
SAFEROUTE_API enum saferoute_precision saferoute_precision(const struct saferoute_router *router);
/* The range above which a row is out of range; 0 of NULL, and where the file has no statistics of training
 * (as of `export --to safetensors` and `hf`): such a router has no range check. */
SAFEROUTE_API float saferoute_range_limit(const struct saferoute_router *router);
/* The threshold that holds: given, stored, or .6 where none was chosen. NaN of NULL. */
SAFEROUTE_API float saferoute_threshold(const struct saferoute_router *router);
/* SHA-256 of the whole file in 64 hex digits, which says weights, threshold and calibration; "" of NULL. This
 * and the next live as long as the router. */
SAFEROUTE_API const char *saferoute_artefact(const struct saferoute_router *router);
/* A value of the file's metadata ("feature_norm", "threshold_rule", ...), or NULL where it says nothing of
 * it. */
SAFEROUTE_API const char *saferoute_metadata(const struct saferoute_router *router, const char *key);

/* ---- deciding ---- */

struct saferoute_rows {
    const void *features; /* row i at (const char *)features + i * stride, aligned to its dtype or not */
    enum saferoute_dtype dtype;
    size_t rows, width;   /* width must be the router's */
    ptrdiff_t stride;     /* bytes from row to row; 0: no gaps */
    const uint64_t *key;  /* [rows] saferoute_key of each row's id, which decides what is explored and is
                             logged; NULL: nothing is explored, key is 0 */
    uint64_t reserved[2]; /* 0 */
};

/* Why a decision is what it is. SCORE: prob against the threshold. Every other one means large. */
#define SAFEROUTE_REASON_LIST(X)                                                                             \
    X(SCORE, "the score decided")                                                                            \
    X(EXPLORE, "explored: would have been small, goes to the large guard for its label")                     \
    X(NO_ROUTER, "there is no router")                                                                       \
    X(NO_FEATURES, "there are no features")                                                                  \
    X(WIDTH, "the row has another number of features than the router reads")                                 \
    X(NOT_FINITE, "a feature is NaN or infinite")                                                            \
    X(OVERFLOW, "features so large that the network overflows")                                              \
    X(OUT_OF_RANGE, "features far from those of training (another model, layer, norm or kind of text?)")     \
    X(OVERLOAD, "as OUT_OF_RANGE, past the cap: large all the same, unless the caller decides otherwise")

#define SAFEROUTE_REASON_ENUM(name, text) SAFEROUTE_REASON_##name,
enum saferoute_reason { SAFEROUTE_REASON_LIST(SAFEROUTE_REASON_ENUM) SAFEROUTE_REASON_COUNT };

SAFEROUTE_API const char *saferoute_reason_name(int reason); /* "OUT_OF_RANGE"; "UNKNOWN" of no reason */
SAFEROUTE_API const char *saferoute_reason_text(int reason); /* as in the list; static storage */

struct saferoute_decision {
    uint8_t artefact[32]; /* SHA-256 of the router's file; zeros without one */
    uint64_t key;         /* the row's, or 0 */
    float logit;          /* output of the network; NaN where there is none */
    float prob;           /* 1/(1+exp(-logit)); NaN where there is none */
    float calibrated;     /* prob as the router's calibration corrects it, without effect on the decision; NaN
                             where it has none */
    float threshold;      /* large if prob > threshold */
    float range; /* how far the features are from those of training; above range_limit: out of it. 0: not
                    looked at */
    float range_limit;  /* 0: this router has no range check */
    uint8_t large;      /* 1: to the large guard, 0: the small guard's verdict stands */
    uint8_t reason;     /* enum saferoute_reason */
    uint8_t precision;  /* enum saferoute_precision the logit was computed in, never AS_STORED */
    uint8_t range_mode; /* enum saferoute_range */
    uint8_t reserved[12];
};

struct saferoute_stats;

/* Fills out[0..rows). Never fails: every row gets a decision. router NULL: all large, reason NO_ROUTER.
 * stats (may be NULL) is counted up. */
SAFEROUTE_API void saferoute_decide(const struct saferoute_router *router, struct saferoute_decision *out,
                                    const struct saferoute_rows *rows, struct saferoute_stats *stats);

/* logit[0..rows), NaN for rows that saferoute_decide would not score (no router, another width, not finite).
 */
SAFEROUTE_API void saferoute_logits(const struct saferoute_router *router, float *logit,
                                    const struct saferoute_rows *rows);

/* 64 bits of an id (a request id, a hash of the prompt): FNV-1a, finished by a mixing step. Never 0. */
SAFEROUTE_API uint64_t saferoute_key(const void *id, size_t size);

/* The decision as one line of JSON without a line break, for the log; id (may be NULL) is put into it, bytes
 * that are not printable ASCII escaped. Returns the length it needs without the NUL, as snprintf does; out
 * holds at most size bytes of it with the NUL. SAFEROUTE_JSON_SIZE is enough with an id of up to 128 bytes.
 * `saferoute explain` replays such a line. */
#define SAFEROUTE_JSON_SIZE 1536
SAFEROUTE_API size_t saferoute_decision_json(char *out, size_t size,
                                             const struct saferoute_decision *decision, const char *id);

/* ---- counting ---- */

#define SAFEROUTE_LOGIT_BUCKETS                                                                              \
    32 /* of .5 from -8 to 8, with their upper ends; the first and last hold all beyond */

/* Counters, owned by the caller, zeroed to begin with; one thread at a time. Threads have one each and add
 * them up. */
struct saferoute_stats {
    uint64_t rows, large;
    uint64_t reason[16];   /* by enum saferoute_reason */
    uint64_t out_of_range; /* rows above the limit, whatever the mode made of them */
    uint64_t logit[SAFEROUTE_LOGIT_BUCKETS];
    double logit_sum; /* of the finite ones */
    /* What range_cap is measured on: rows and OUT_OF_RANGE ones of late; both are halved when rows reaches
     * 8,192. */
    uint64_t recent_rows, recent_routed;
    uint64_t reserved[8]; /* 0 */
};

SAFEROUTE_API void saferoute_stats_add(struct saferoute_stats *total, const struct saferoute_stats *part);

/* The counters in Prometheus' text format (saferoute_rows_total, saferoute_large_total,
 * saferoute_decisions_total{reason="..."}, saferoute_logit histogram). Returns and cuts as
 * saferoute_decision_json does. */
#define SAFEROUTE_PROMETHEUS_SIZE 8192
SAFEROUTE_API size_t saferoute_stats_prometheus(char *out, size_t size, const struct saferoute_stats *stats);

/* ---- replacing a router in a running process ---- */

/* A place that holds the router in use. Readers take it, decide, and give it back; saferoute_reload swaps. */
struct saferoute_slot;

/* An empty slot (its router is NULL: everything goes to the large guard). NULL without memory. */
SAFEROUTE_API struct saferoute_slot *saferoute_slot_create(void);
/* No thread may use it any more. Closes its router. */
SAFEROUTE_API void saferoute_slot_destroy(struct saferoute_slot *slot);

/* Opens path and, if that and its self-test succeed, puts it in place of the slot's router, which is closed
 * when its last user has given it back. On failure the slot keeps what it has; SAFEROUTE_DATA also where the
 * new router reads another width than the one it would replace, or its file names another feature_layer,
 * feature_norm or feature_pooling. Any thread, also while others decide. */
SAFEROUTE_API int saferoute_reload(struct saferoute_slot *slot, const char *path,
                                   const struct saferoute_options *options, struct saferoute_error *error);

/* The router in use, never closed before it is given back; NULL if there is none yet, which saferoute_decide
 * takes. No lock is held while it is in use. */
SAFEROUTE_API const struct saferoute_router *saferoute_acquire(struct saferoute_slot *slot);
SAFEROUTE_API void saferoute_release(const struct saferoute_router *router); /* NULL is fine */

/* Of this header; saferoute_version says that of the library: "0.1.0". */
#define SAFEROUTE_VERSION_MAJOR 0
#define SAFEROUTE_VERSION_MINOR 1
#define SAFEROUTE_VERSION_PATCH 0
SAFEROUTE_API const char *saferoute_version(void);

#ifdef __cplusplus
}
#endif

#endif
