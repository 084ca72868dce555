/* cmd_scoring.c: scores made, or taken from a file, and what a user sees meanwhile: which parts of the
 * contract differ, how far it is.
 *
 * Shared by the commands that score; what a row without a score means is for each of them to say.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <sys/stat.h>

#include "data/data.h"
#include "infer/infer.h"

static int take_scores(struct sr_scoring *s, struct sr_error *err) {
    struct sr_scores *out = &s->scores;
    out->rows = s->data->rows;
    out->prob = sr_alloc(out->rows, sizeof *out->prob, err);
    out->reason = sr_alloc(out->rows, 1, err);
    if (!out->prob || !out->reason)
        return SR_NOMEM;
    const int status = sr_data_read_scores(out->prob, s->scores_path, s->data, err);
    for (size_t i = 0; status == 0 && i < out->rows; i++) {
        out->reason[i] = isnan(out->prob[i]) ? SR_REASON_NOT_SCORED : SR_REASON_NONE;
        out->bad_rows += out->reason[i] != SR_REASON_NONE;
    }
    return status;
}

int sr_scoring_run(struct sr_scoring *s, struct sr_error *err) {
    const struct sr_pair *differs;
    for (size_t i = 0; (differs = sr_scoring_differs(s, &i));)
        sr_log_warn("%s is \"%s\" in the dump, but \"%s\" in the weights", differs->key, differs->value,
                    sr_router_metadata(s->router, differs->key));
    if (s->scores_path)
        return take_scores(s, err);
    struct sr_log_stage stage = sr_log_stage_begin("scoring");
    return sr_score_data(&s->scores, s->router, s->data, sr_log_stage_show, &stage, err);
}

/* ---- what a command writes ---- */

static bool is_file(const struct stat *file, const char *path) {
    struct stat st;
    return path && stat(path, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
}

int sr_scoring_spares(const struct sr_scoring *s, const struct sr_score_options *o, const char *option,
                      const char *path, struct sr_error *err) {
    struct stat file;
    const char *what = NULL;
    if (!path || stat(path, &file) < 0)
        return 0;
    if (is_file(&file, o->model))
        what = "the --model itself";
    if (is_file(&file, o->scores))
        what = "the --scores";
    for (size_t f = 0; f < s->data->files; f++)
        if (is_file(&file, sr_data_path(s->data, f)))
            what = "one of the --data files";
    return what ? sr_fail(err, SR_USAGE, "--%s %s is %s; name another file", option, path, what) : 0;
}
