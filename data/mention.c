/* mention.c: where a dump names ids besides its column of ids. See mention.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/mention.h"

#include <string.h>

#include "data/contract.h"
#include "data/h5_copy.h"

#define BAND_BYTES ((size_t)4 << 20)
#define BAND_ROWS  ((size_t)4096) /* a string of variable length takes more than its handle */

#define BETWEEN_WORDS " \t\r\n,;\"'()[]{}<>=" /* ids hold dots, dashes and colons */

struct search {
    const struct sr_wanted *wanted;
    struct sr_h5_spelling how;
    bool words;
    size_t values; /* a row */
    char *text;    /* [2 * how.bytes + 1] */
};

static bool holds_word(const struct sr_wanted *w, const char *text) {
    char word[512];
    for (; *text; text += strspn(text, BETWEEN_WORDS)) {
        const size_t n = strcspn(text, BETWEEN_WORDS);
        if (n > 0 && n < sizeof word) {
            memcpy(word, text, n);
            word[n] = '\0';
            if (sr_wanted_find(w, word) >= 0)
                return true;
        }
        text += n;
    }
    return false;
}

static bool holds(const struct search *s, const char *text) {
    return sr_wanted_find(s->wanted, text) >= 0 || (s->words && holds_word(s->wanted, text));
}

/* n values as they are in memory: of fixed size, or handles. */
static bool any_holds(const struct search *s, const void *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const char *text = s->text;
        if (s->how.bytes > 0)
            sr_h5_spell(s->text, &s->how, (const char *)rows + i * s->how.bytes);
        else
            text = ((char *const *)rows)[i];
        if (text && holds(s, text))
            return true;
    }
    return false;
}

static int search_rows(const struct search *s, struct sr_h5_items *t, size_t rows, bool *found,
                       struct sr_error *err) {
    const size_t bytes = sr_h5_items_bytes(t), most = bytes < BAND_BYTES ? BAND_BYTES / bytes : 1;
    const size_t band = most < BAND_ROWS ? most : BAND_ROWS;
    void *block = sr_alloc(band, bytes, err);
    int status = block ? 0 : SR_NOMEM;
    for (size_t first = 0; first < rows && status == 0 && !*found; first += band) {
        const size_t n = rows - first < band ? rows - first : band;
        status = sr_h5_items_read(t, block, first, n, err);
        if (status == 0) {
            *found = any_holds(s, block, n * s->values);
            sr_h5_items_release(t, block, n);
        }
    }
    sr_free(block);
    return status;
}

static int search_dataset(struct search *s, const struct sr_h5 *f, const char *name,
                          const struct sr_h5_info *info, bool *found, struct sr_error *err) {
    struct sr_h5_items *t;
    int status = sr_h5_spelling(&s->how, f, name, err);
    if (status == 0)
        status = sr_h5_items_open(&t, f, name, err);
    if (status != 0)
        return status;
    s->values = sr_h5_items_bytes(t) / info->size;
    s->text = sr_alloc(s->how.bytes + 1, 2, err);
    status = !s->text ? SR_NOMEM : s->values == 0 ? 0 : search_rows(s, t, info->shape[0], found, err);
    sr_free(s->text);
    sr_h5_items_close(t);
    return status;
}

/* A dataset of rank 0 has no rows. */
static int search_scalar(const struct search *s, const struct sr_h5 *f, const char *name, bool *found,
                         struct sr_error *err) {
    char **text;
    const int status = sr_h5_read_texts(f, name, &text, 1, err);
    if (status < 0)
        return status;
    *found = holds(s, text[0]);
    sr_free(text);
    return 0;
}

static int search_member(FILE *list, const struct sr_wanted *w, const struct sr_h5 *f, const char *name,
                         size_t rows, struct sr_error *err) {
    struct sr_h5_info info;
    bool found = false;
    int status = 0;
    if (sr_h5_info(f, name, &info, NULL) < 0 || (info.kind != SR_H5_TEXT && info.kind != SR_H5_OPAQUE))
        return 0;
    struct search s = {.wanted = w, .words = info.rank == 0 || info.shape[0] != rows};
    if (info.rank > 0)
        status = search_dataset(&s, f, name, &info, &found, err);
    else
        status = search_scalar(&s, f, name, &found, err);
    if (found)
        fprintf(list, "%s/%s", ftell(list) > 0 ? ", " : "", name);
    return status;
}

static int search_attribute(FILE *list, const struct sr_wanted *w, const struct sr_h5 *f, const char *name,
                            struct sr_error *err) {
    const struct search s = {.wanted = w, .words = true};
    char *value, **values = NULL;
    size_t n = 0;
    int status = sr_h5_attribute(f, "/", name, &value, err);
    if (status == 0 && !value)
        status = sr_h5_attribute_list(f, "/", name, &values, &n, err);
    bool found = status == 0 && value && holds(&s, value);
    for (size_t i = 0; status == 0 && values && i < n; i++)
        found = found || holds(&s, values[i]);
    if (found)
        fprintf(list, "%sthe attribute %s", ftell(list) > 0 ? ", " : "", name);
    sr_free(values);
    sr_free(value);
    return status;
}

int sr_mention_list(FILE *list, const struct sr_wanted *w, const struct sr_h5 *f, const char *column,
                    size_t rows, struct sr_error *err) {
    struct sr_h5_members members;
    char **attribute = NULL;
    size_t n = 0;
    int status = sr_h5_members(&members, f, rows, false, err);
    for (size_t i = 0; status == 0 && i < members.n; i++)
        if (strcmp(members.item[i].name, column) != 0 && members.item[i].same_as == i)
            status = search_member(list, w, f, members.item[i].name, rows, err);
    sr_h5_members_free(&members);
    if (status == 0)
        status = sr_h5_attribute_names(f, "/", &attribute, &n, err);
    for (size_t i = 0; status == 0 && i < n; i++)
        if (!sr_contract_is_key(attribute[i]))
            status = search_attribute(list, w, f, attribute[i], err);
    sr_free(attribute);
    return status;
}
