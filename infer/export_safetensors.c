/* export_safetensors.c: the network's tensors alone, as safetensors; or those of a rounded router (folded.c).
 *
 * A weights file may hold more than the state dict (stats., calibration.); PyTorch's load_state_dict refuses
 * what it does not know. The metadata, threshold and contract among it, goes along; the tensors are the same
 * bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/export_config.h"

static bool starts_with(const struct sr_tensor *t, const char *start) {
    return strncmp(t->name, start, strlen(start)) == 0;
}

/* The state dict alone; of a rounded router its folded layers, which PyTorch has no use for, and what the
 * range check needs. */
static size_t collect(struct sr_tensor *list, const struct sr_export *e) {
    const char *kept = e->rounded ? "stats." : "cls.";
    size_t n = e->rounded ? sr_folded_tensors(list, e->rounded) : 0;
    for (size_t i = 0; i < sr_safetensors_count(e->file); i++)
        if (starts_with(sr_safetensors_at(e->file, i), kept))
            list[n++] = *sr_safetensors_at(e->file, i);
    return n;
}

/* Threshold and rule are written anew; what else is said of a threshold goes with the one it is true of. */
static bool stays(const struct sr_export *e, const char *key) {
    if (strcmp(key, "threshold") == 0 || strcmp(key, "threshold_rule") == 0 ||
        strcmp(key, SR_FOLDED_KEY) == 0 || strcmp(key, SR_FOLDED_INPUTS) == 0 ||
        (strcmp(key, SR_RANGE_LIMIT) == 0 && !e->rounded)) /* goes with the statistics */
        return false;
    return strncmp(key, "threshold_", 10) != 0 || sr_export_of_threshold(e, key);
}

int sr_export_safetensors_write(const struct sr_export *e, const char *folder, struct sr_error *err) {
    char path[SR_EXPORT_PATH], threshold[SR_DECIMAL_TEXT];
    const size_t count = sr_safetensors_count(e->file);
    size_t pairs;
    const struct sr_pair *metadata = sr_safetensors_pairs(e->file, &pairs);
    struct sr_tensor *list = sr_alloc(count + (size_t)SR_FOLDED_TENSORS, sizeof *list, err);
    struct sr_pair *own = sr_alloc(pairs + 4, sizeof *own, err);
    int status = list && own ? 0 : SR_NOMEM;
    if (status == 0) {
        const size_t n = collect(list, e);
        size_t m = 0;
        for (size_t i = 0; i < pairs; i++)
            if (stays(e, metadata[i].key))
                own[m++] = metadata[i];
        own[m++] = (struct sr_pair){"threshold",
                                    e->has_threshold ? sr_decimal_float(threshold, e->threshold) : NULL};
        own[m++] = (struct sr_pair){"threshold_rule", e->threshold_rule};
        own[m++] = (struct sr_pair){SR_FOLDED_KEY, e->rounded ? sr_router_precision(e->rounded) : NULL};
        own[m++] = (struct sr_pair){SR_FOLDED_INPUTS, e->rounded ? sr_folded_inputs(e->rounded) : NULL};
        status = sr_export_path(path, folder, e->name, err) ? sr_safetensors_write(path, list, n, own, m, err)
                                                            : SR_DATA;
    }
    sr_free(own);
    sr_free(list);
    return status;
}

static int logits(void *user, float *logit, const float *x, size_t rows, struct sr_error *err) {
    (void)err;
    sr_router_logits(user, logit, x, rows);
    return 0;
}

int sr_export_safetensors_check(const struct sr_export *e, const char *folder, struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    struct sr_router *r = NULL;
    struct sr_export same = *e;
    same.router = e->rounded ? e->rounded : e->router;
    if (!sr_export_path(path, folder, e->name, err))
        return SR_DATA;
    int status = sr_router_open(&r, path, err);
    if (status == 0)
        status = sr_export_compare(&same, path, 0, logits, r, err);
    sr_router_close(r);
    return status;
}
