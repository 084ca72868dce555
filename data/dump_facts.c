/* dump_facts.c: what is known of a dump, as facts; see dump_facts.h.
 *
 * The columns of a dump are read, its features are not: how many rows are damaged is for a scan to say.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/dump_facts.h"

#include <string.h>

#include "data/amplification.h"
#include "data/capability.h"
#include "data/column.h"
#include "data/contract.h"
#include "data/role.h"
#include "data/set.h"

#define BAD_RATIO 2.0 /* times the bytes of a band: then laying the rows anew pays at once */

const char *sr_size_text(char text[SR_SIZE_TEXT], double bytes) {
    static const char *const units[] = {"kB", "MB", "GB", "TB", "PB"};
    size_t unit = 0;
    if (bytes < 1000) {
        snprintf(text, SR_SIZE_TEXT, "%.0f bytes", bytes);
        return text;
    }
    for (bytes /= 1000; bytes >= 999.5 && unit + 1 < SR_COUNT(units); unit++)
        bytes /= 1000;
    snprintf(text, SR_SIZE_TEXT,
             bytes < 9.995   ? "%.2f %s"
             : bytes < 99.95 ? "%.1f %s"
                             : "%.0f %s",
             bytes, units[unit]);
    return text;
}

/* ---- rows ---- */

/* One dataset a line, N for the number of rows: "features [N,2048] float16". */
static void add_columns(struct sr_facts *f, const char *columns, size_t rows) {
    char lines[sizeof((struct sr_look *)0)->columns], count[32];
    const size_t digits = (size_t)snprintf(count, sizeof count, "[%zu", rows);
    size_t n = 0;
    for (const char *c = columns; *c; c++) {
        if (strncmp(c, ", ", 2) == 0) {
            lines[n++] = '\n';
            c++;
        } else if (strncmp(c, count, digits) == 0 && strchr(",]", c[digits])) {
            lines[n++] = '[';
            lines[n++] = 'N';
            c += digits - 1;
        } else {
            lines[n++] = *c;
        }
    }
    lines[n] = '\0';
    sr_facts_add(f, "datasets", sr_json_string(columns), "%s", lines);
}

static void add_rows(struct sr_facts *f, const struct sr_data *d, const struct sr_look *l) {
    sr_facts_section(f, "rows");
    sr_facts_count(f, "rows", d->rows);
    sr_facts_add(f, "features", sr_json_integer((int64_t)d->width), "%zu a row, kept as %s, %.1f MB",
                 d->width, sr_data_feature_type(d), (double)sr_data_bytes(d) / 1e6);
    add_columns(f, l->columns, d->rows);
    sr_facts_add(f, "groups", sr_json_bool(d->group != NULL), "%s",
                 d->group ? "yes: rows of one are not split" : "none");
    sr_facts_add(f, "sources", sr_json_integer((int64_t)d->sources), "%zu", d->sources);
}

/* ---- how features lie in the file ---- */

static void add_layout(struct sr_facts *f, const struct sr_h5_storage *s) {
    const char *filters = *s->filters ? s->filters : "not compressed";
    if (s->kind == SR_H5_CHUNKS)
        sr_facts_add(f, "layout", sr_json_string("chunks"), "chunks of %llu x %llu, %s",
                     (unsigned long long)s->chunk[0], (unsigned long long)s->chunk[1], filters);
    else
        sr_facts_add(f, "layout", sr_json_string("one piece"), "one piece, not compressed");
    struct sr_json *chunk = s->kind == SR_H5_CHUNKS ? sr_json_array() : sr_json_null();
    for (int i = 0; s->kind == SR_H5_CHUNKS && i < 2; i++)
        sr_json_append(chunk, sr_json_integer((int64_t)s->chunk[i]));
    sr_facts_add(f, "chunk", chunk, "%s", "");
    sr_facts_hush(f);
    sr_facts_text(f, "filters", filters);
    sr_facts_hush(f);
}

/* "64 chunks, 3.20 MB unpacked for 4.10 kB: 782 times as much" */
static void add_amplification(struct sr_facts *f, const char *key, const struct sr_amplification *a,
                              const struct sr_h5_storage *s) {
    char bytes[SR_SIZE_TEXT], wanted[SR_SIZE_TEXT];
    struct sr_json *value = sr_json_object();
    sr_json_set(value, "chunks", sr_json_number(a->chunks));
    sr_json_set(value, "bytes", sr_json_number(a->bytes));
    sr_json_set(value, "wanted", sr_json_number(a->wanted));
    sr_json_set(value, "ratio", sr_json_number(a->ratio));
    sr_size_text(bytes, a->bytes);
    sr_size_text(wanted, a->wanted);
    if (s->kind == SR_H5_CHUNKS && a->ratio != 1)
        sr_facts_add(f, key, value, "%.3g chunk%s, %s %s for %s: %.*f times as much%s", a->chunks,
                     a->chunks == 1 ? "" : "s", bytes, s->packed ? "unpacked" : "read", wanted,
                     a->ratio < 100 ? 2 : 0, a->ratio, a->is_kept ? ", but kept for all others" : "");
    else
        sr_facts_add(f, key, value, "%s read, which is what is wanted", wanted);
}

/* Mostly read as zeros without a word. */
static void add_holes(struct sr_facts *f, const struct sr_h5_storage *s) {
    char n[SR_COUNT_TEXT], all[SR_COUNT_TEXT];
    if (s->unwritten > 0 && s->kind == SR_H5_CHUNKS)
        sr_facts_add(f, "missing", sr_json_integer((int64_t)s->unwritten),
                     "%s of %s chunks were never written: they are read as zeros, or as the fill value",
                     sr_count_text(n, s->unwritten), sr_count_text(all, s->pieces));
    else if (s->unwritten > 0)
        sr_facts_add(f, "missing", sr_json_integer(1),
                     "the features were never written: they are read as zeros, or as the fill value");
}

static int add_storage(struct sr_facts *f, const struct sr_data *d, struct sr_error *err) {
    const struct sr_dump *dump = d->in->dump[0];
    const char *name = dump->features_name;
    char stored[SR_SIZE_TEXT], values[SR_SIZE_TEXT];
    struct sr_h5_info info;
    struct sr_h5_storage s;
    int status = sr_h5_info(dump->file, name, &info, err);
    if (status < 0 || (status = sr_h5_storage(dump->file, name, &s, err)) < 0)
        return status;
    const struct sr_amplification row = sr_amplification_of(&info, &s, 1),
                                  band = sr_amplification_of(&info, &s, SR_BAND_ROWS);
    sr_facts_section(f, "storage");
    add_layout(f, &s);
    sr_facts_add(f, "stored", sr_json_number((double)s.bytes), "%s in the file for %s of features",
                 sr_size_text(stored, (double)s.bytes),
                 sr_size_text(values, (double)d->rows * (double)d->width * (double)info.size));
    add_amplification(f, "one_row", &row, &s);
    add_amplification(f, "band_of_256", &band, &s);
    add_holes(f, &s);
    if (band.ratio >= BAD_RATIO && !band.is_kept)
        sr_facts_add(f, "advice", sr_json_string("repack"),
                     "saferoute data repack: training reads bands of 256 rows, and these lie scattered");
    return 0;
}

/* ---- what can be done with it ---- */

static void add_use(struct sr_facts *f, const struct sr_capability *c, unsigned lacks) {
    char text[256] = "";
    size_t used = 0;
    struct sr_json *value = sr_json_object(), *missing = sr_json_array();
    for (unsigned need = 0; need < SR_NEEDS; need++) {
        if (!(c->needs & lacks & 1u << need))
            continue;
        sr_json_append(missing, sr_json_string(sr_need_text(need)));
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? "; " : "", sr_need_text(need));
    }
    sr_json_set(value, "usable", sr_json_bool(used == 0));
    sr_json_set(value, "missing", missing);
    const char *gap = *c->what ? "  " : "", *stop = *c->what ? ";" : " ";
    if (used > 0)
        sr_facts_add(f, c->key, value, "no %s%s%s missing: %s", gap, c->what, stop, text);
    else
        sr_facts_add(f, c->key, value, "yes%s%s", gap, c->what);
}

static void add_uses(struct sr_facts *f, const struct sr_data *d, const struct sr_troubles *troubles) {
    const unsigned lacks = sr_capability_lacks(d, troubles);
    sr_facts_section(f, "uses");
    for (size_t i = 0; i < SR_CAPABILITIES; i++)
        add_use(f, &sr_capabilities[i], lacks);
}

/* ---- the dump ---- */

static void add_contract(struct sr_facts *f, const struct sr_data *d) {
    sr_facts_section(f, "contract");
    for (int k = 0; k < SR_CONTRACT_KEYS; k++)
        sr_facts_text(f, sr_contract_key(k), sr_contract_value(d, k));
}

int sr_dump_facts(struct sr_facts *f, const char **title, struct sr_data **d, const char *path,
                  const struct sr_data_options *how, struct sr_error *err) {
    struct sr_look l;
    struct sr_troubles troubles = {0};
    struct sr_data_options options = *how;
    options.label_optional = true;
    options.troubles = &troubles;
    *d = NULL;
    int status = sr_look_hdf5(&l, path, err);
    if (status < 0)
        return status;
    if (l.is_scores) {
        *title = "scores of infer";
        sr_score_facts(f, &l);
        add_columns(f, l.columns, l.rows);
        return 0;
    }
    *title = "feature dump";
    if ((status = sr_data_open(d, path, &options, err)) < 0)
        return status;
    add_rows(f, *d, &l);
    status = add_storage(f, *d, err);
    sr_label_facts(f, *d, &troubles);
    add_contract(f, *d);
    add_uses(f, *d, &troubles);
    return status;
}

int sr_data_facts_hdf5(struct sr_facts *f, const char **title, const char *path,
                       const struct sr_data_options *how, struct sr_error *err) {
    struct sr_data *d;
    const int status = sr_dump_facts(f, title, &d, path, how, err);
    sr_data_close(d);
    return status;
}
