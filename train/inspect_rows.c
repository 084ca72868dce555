/* inspect_rows.c: feature dumps and scores of infer; see inspect.h. What is said of them is data's affair.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "data/data.h"
#include "train/inspect.h"

bool sr_inspect_hdf5_recognise(const struct sr_peek *p) {
    return p->n >= 8 && memcmp(p->head, SR_HDF5_MAGIC, 8) == 0;
}

/* A table whose first line has a column prob. */
bool sr_inspect_scores_recognise(const struct sr_peek *p) {
    char line[512], *rest = line;
    const size_t n = strcspn(p->head, "\r\n");
    if (p->is_folder || n == p->n || n >= sizeof line)
        return false;
    snprintf(line, sizeof line, "%.*s", (int)n, p->head);
    for (char *field; (field = strsep(&rest, ","));)
        if (strcmp(field, "prob") == 0 || strcmp(field, "\"prob\"") == 0)
            return true;
    return false;
}

int sr_inspect_scores_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                           struct sr_error *err) {
    (void)title;
    return sr_data_facts_csv(f, p->path, err);
}

int sr_inspect_hdf5_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                         struct sr_error *err) {
    return sr_data_facts_hdf5(f, title, p->path, p->how, err);
}
