/* cmd_scoring.c: what a user sees while a command scores: which parts of the contract differ, how far it is.
 *
 * Shared by the commands that score; what a row without a score means is for each of them to say.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/data.h"
#include "infer/infer.h"

static void show_progress(void *user, double fraction) {
    (void)user;
    sr_log_progress(fraction, "scoring");
}

int sr_scoring_run(struct sr_scoring *s, struct sr_error *err) {
    const struct sr_pair *differs;
    for (size_t i = 0; (differs = sr_scoring_differs(s, &i));)
        sr_log_warn("%s is \"%s\" in the dump, but \"%s\" in the weights", differs->key, differs->value,
                    sr_router_metadata(s->router, differs->key));
    return sr_score_data(&s->scores, s->router, s->data, show_progress, NULL, err);
}
