/* checkpoint_check.c: resuming a run from a checkpoint (train/checkpoint.c), of a network of 3-2-1. What is
 * accepted is saved and loaded again: the same place in the run, the same numbers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/fuzz/parsers.h"
#include "train/checkpoint.h"

static struct sr_model *model;
static real *moments;

static void begin(void) {
    const struct sr_model_spec spec = {.in = 3, .n_hidden = 1, .hidden = {2}, .dropout = {.1}};
    struct sr_error err = {0};
    FUZZ_CHECK(sr_model_create(&model, &spec, 4, &err) == 0, "%s", err.text);
    moments = sr_alloc(2 * model->n_params, sizeof *moments, NULL);
    FUZZ_CHECK(moments, "out of memory");
}

static struct sr_state state(void) {
    return (struct sr_state){.model = model, .exp_avg = moments, .exp_avg_sq = moments + model->n_params};
}

static void check_again(struct sr_state *s, const struct sr_identity *id) {
    struct sr_state again = state();
    struct sr_error err = {0};
    char path[160], warning[256];
    const size_t bytes = model->n_params * sizeof(real);
    real *before = sr_alloc(bytes, 1, NULL);
    FUZZ_CHECK(before, "out of memory");
    memcpy(before, model->params, bytes);
    snprintf(path, sizeof path, "%s/checkpoint", fuzz_folder());
    FUZZ_CHECK(sr_checkpoint_save(path, s, id, &err) == 0, "%s", err.text);
    FUZZ_CHECK(sr_checkpoint_load(path, &again, id, warning, &err) == 0, "%s", err.text);
    FUZZ_CHECK(memcmp(before, model->params, bytes) == 0, "other parameters");
    /* the same bits, and no padding between them.
     * NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-*) */
    FUZZ_CHECK(memcmp(&s->at, &again.at, sizeof again.at) == 0, "another position");
    FUZZ_CHECK(s->history.n == again.history.n, "another history");
    for (size_t i = 0; i < again.history.n; i++)
        /* the same bits. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-*) */
        FUZZ_CHECK(memcmp(&s->history.epoch[i], &again.history.epoch[i], sizeof *again.history.epoch) == 0,
                   "row %zu", i);
    sr_history_free(&again.history);
    sr_free(before);
}

void fuzz_checkpoint(const uint8_t *data, size_t size) {
    static const struct sr_identity id = {
        .config = "a", .train_id = "b", .val_id = "c", .rows = "d", .products = "e"};
    struct sr_error err = {0};
    char warning[256];
    if (!model)
        begin();
    struct sr_state s = state();
    const char *path = fuzz_file(0, data, size);
    if (fuzz_accepted(sr_checkpoint_load(path, &s, &id, warning, &err), &err)) {
        FUZZ_CHECK(s.at.best >= 0 && (uint64_t)s.at.best <= s.history.n && s.at.epoch >= 0 && s.at.step >= 0,
                   "a position that is none");
        check_again(&s, &id);
    }
    sr_history_free(&s.history);
}
