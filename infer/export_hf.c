/* export_hf.c: a folder ready to upload to Hugging Face: weights, config.json, model card.
 *
 * Weights are those of export_safetensors.c. Card and config tell of that file, not of the one it was made
 * from: hashes, and whether there are statistics of training, are those of what lies beside them. Weights of
 * int8 or bfloat16 are refused: PyTorch could not load them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "infer/export_card.h"

/* e as the weights file in the folder has it: calls `what` for config and card with it. */
static int with_written(const struct sr_export *e, const char *folder,
                        int (*config)(const struct sr_export *e, const char *folder, const char *name,
                                      struct sr_error *err),
                        int (*card)(const struct sr_export *e, const char *folder, const char *name,
                                    struct sr_error *err),
                        struct sr_error *err) {
    char path[SR_EXPORT_PATH];
    struct sr_safetensors *file;
    if (!sr_export_path(path, folder, SR_CARD_WEIGHTS, err))
        return SR_DATA;
    int status = sr_safetensors_open(&file, path, err);
    if (status < 0)
        return status;
    struct sr_router *router = NULL;
    if ((status = sr_router_open(&router, path, err)) < 0) {
        sr_safetensors_close(file);
        return status;
    }
    struct sr_export own = *e;
    own.file = file;
    own.router = router;
    status = config(&own, folder, SR_EXPORT_CONFIG_NAME, err);
    if (status == 0)
        status = card(&own, folder, SR_CARD_NAME, err);
    sr_router_close(router);
    sr_safetensors_close(file);
    return status;
}

int sr_export_hf_write(const struct sr_export *e, const char *folder, struct sr_error *err) {
    struct sr_export weights = *e;
    weights.name = SR_CARD_WEIGHTS;
    int status = sr_export_unrounded(e, err);
    if (status < 0 ||
        (status = sr_export_spare(e, SR_EXPORT_CONFIG_NAME, sr_export_config_is_ours, err)) < 0 ||
        (status = sr_export_spare(e, SR_CARD_NAME, sr_card_is_ours, err)) < 0)
        return status;
    status = sr_export_safetensors_write(&weights, folder, err);
    return status < 0 ? status : with_written(e, folder, sr_export_config_write, sr_card_write, err);
}

int sr_export_hf_check(const struct sr_export *e, const char *folder, struct sr_error *err) {
    struct sr_export weights = *e;
    weights.name = SR_CARD_WEIGHTS;
    const int status = sr_export_safetensors_check(&weights, folder, err);
    return status < 0 ? status : with_written(e, folder, sr_export_config_check, sr_card_check, err);
}
