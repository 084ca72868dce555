/* cmd_scoring.c: scores made, or taken from a file, and what a user sees meanwhile: which parts of the
 * contract differ, how far it is.
 *
 * Shared by the commands that score; what a row without a score means is for each of them to say.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "data/data.h"
#include "infer/infer.h"

#define COMPARED  32    /* rows scored again, evenly spaced */
#define SAME_PROB 1e-5f /* builds differ in rounding by less, weights by more */

static int take_scores(struct sr_scoring *s, struct sr_error *err) {
    struct sr_scores *out = &s->scores;
    out->rows = s->data->rows;
    out->prob = sr_alloc(out->rows, sizeof *out->prob, err);
    out->reason = sr_alloc(out->rows, 1, err);
    if (!out->prob || !out->reason)
        return SR_NOMEM;
    const int status = sr_data_read_scores(out->prob, s->scores_path, s->data, err);
    for (size_t i = 0; status == 0 && i < out->rows; i++) {
        out->reason[i] = isnan(out->prob[i]) ? SR_REASON_NOT_SCORED : SAFEROUTE_REASON_SCORE;
        out->bad_rows += isnan(out->prob[i]) != 0;
    }
    return status;
}

/* Scores of other weights beside these would go unnoticed: a few rows tell. */
static int scores_compare(const struct sr_scoring *s, struct sr_error *err) {
    uint32_t row[COMPARED];
    struct sr_scores some = {0};
    size_t n = 0;
    for (size_t i = 0; i < COMPARED && i < s->data->rows; i++) {
        const size_t at = s->data->rows < COMPARED ? i : i * s->data->rows / COMPARED;
        if (!isnan(s->scores.prob[at]))
            row[n++] = (uint32_t)at;
    }
    int status = n > 0 ? sr_score_rows(&some, s->router, s->data, row, n, NULL, NULL, err) : 0;
    for (size_t i = 0; status == 0 && i < n; i++)
        if (!(fabsf(some.prob[i] - s->scores.prob[row[i]]) <= SAME_PROB))
            status = sr_fail(err, SR_DATA,
                             "%s: row %u has prob %.9g, but the weights give %.9g: these are scores of other "
                             "weights or features, or were rounded to fewer than six digits",
                             s->scores_path, row[i], (double)s->scores.prob[row[i]], (double)some.prob[i]);
    sr_scores_free(&some);
    return status;
}

void sr_router_compare(const struct sr_router *r, const struct sr_data *d, const char *dump,
                       const char *weights) {
    const struct sr_pair *differs;
    for (size_t i = 0; (differs = sr_router_differs(r, d, &i));)
        sr_log_warn("%s is \"%s\" in %s, but \"%s\" in %s", differs->key, differs->value, dump,
                    sr_router_metadata(r, differs->key), weights);
}

int sr_scoring_run(struct sr_scoring *s, struct sr_error *err) {
    sr_router_compare(s->router, s->data, "the dump", "the weights");
    if (s->scores_path) {
        const int status = take_scores(s, err);
        return status == 0 && s->router ? scores_compare(s, err) : status;
    }
    struct sr_log_stage stage = sr_log_stage_begin("scoring");
    return sr_score_data(&s->scores, s->router, s->data, sr_log_stage_show, &stage, err);
}

/* ---- what a command writes ---- */

static bool is_file(const struct stat *file, const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && st.st_dev == file->st_dev && st.st_ino == file->st_ino;
}

static int is_input(const struct stat *file, const struct sr_input *input, struct sr_error *err) {
    char *list, *rest;
    if (!input->is_dumps)
        return is_file(file, input->path);
    const int status = sr_data_paths(&list, input->path, NULL, 0, err);
    if (status < 0)
        return status;
    int found = 0;
    rest = list;
    for (char *path; (path = strsep(&rest, ","));)
        found |= is_file(file, path);
    sr_free(list);
    return found;
}

int sr_inputs_spare(const struct sr_input *inputs, size_t n, const char *option, const char *out,
                    struct sr_error *err) {
    struct stat file;
    if (!out || stat(out, &file) < 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        const int found = inputs[i].path ? is_input(&file, &inputs[i], err) : 0;
        if (found < 0)
            return found;
        if (found)
            return sr_fail(err, SR_USAGE,
                           "--%s %s is a file of --%s, which it would destroy; name another file", option,
                           out, inputs[i].option);
    }
    return 0;
}
