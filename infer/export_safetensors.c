/* export_safetensors.c: the network's tensors alone, as safetensors.
 *
 * A weights file may hold more than the state dict (stats., calibration.); PyTorch's load_state_dict refuses
 * what it does not know. The metadata, threshold and contract among it, goes along; the tensors are the same
 * bits.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "infer/export_config.h"

static bool is_weight(const struct sr_tensor *t) {
    return strncmp(t->name, "cls.", 4) == 0;
}

/* Threshold and rule are written anew; what else is said of a threshold goes with the one it is true of. */
static bool stays(const struct sr_export *e, const char *key) {
    if (strcmp(key, "threshold") == 0 || strcmp(key, "threshold_rule") == 0)
        return false;
    return strncmp(key, "threshold_", 10) != 0 || sr_export_of_threshold(e, key);
}

int sr_export_safetensors_write(const struct sr_export *e, const char *folder, struct sr_error *err) {
    char path[SR_EXPORT_PATH], threshold[SR_DECIMAL_TEXT];
    const size_t count = sr_safetensors_count(e->file);
    size_t n = 0, pairs;
    const struct sr_pair *metadata = sr_safetensors_pairs(e->file, &pairs);
    struct sr_tensor *list = sr_alloc(count, sizeof *list, err);
    struct sr_pair *own = sr_alloc(pairs + 2, sizeof *own, err);
    int status = list && own ? 0 : SR_NOMEM;
    for (size_t i = 0; status == 0 && i < count; i++)
        if (is_weight(sr_safetensors_at(e->file, i)))
            list[n++] = *sr_safetensors_at(e->file, i);
    if (status == 0) {
        size_t m = 0;
        for (size_t i = 0; i < pairs; i++)
            if (stays(e, metadata[i].key))
                own[m++] = metadata[i];
        own[m++] = (struct sr_pair){"threshold",
                                    e->has_threshold ? sr_decimal_float(threshold, e->threshold) : NULL};
        own[m++] = (struct sr_pair){"threshold_rule", e->threshold_rule};
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
    if (!sr_export_path(path, folder, e->name, err))
        return SR_DATA;
    int status = sr_router_open(&r, path, err);
    if (status == 0)
        status = sr_export_compare(e, path, 0, logits, r, err);
    sr_router_close(r);
    return status;
}
