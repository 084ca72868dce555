/* test_trust_power_writers.c: the power fails while a command writes; the disk holds the old file or the
 * whole new one, and once the command has ended the new one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/power_disk.h"
#include "tests/writers.h"

struct search {
    const struct writer *writer;
    const struct writer_files *files;
    const struct record *record;
    bool counts; /* only; else what is wrong fails the test */
    size_t states, wrong;
};

/* Every file is the old or the new one; none is gone that was there; in the end all are new. */
static const char *wrong(const struct search *t, const struct snapshot *s, bool over) {
    const struct snapshot *old = t->files->old, *new = t->files->new;
    for (size_t i = 0; i < s->n; i++) {
        const struct snapshot_file *f = &s->file[i], *before = snapshot_find(old, f->name),
                                   *after = snapshot_find(new, f->name);
        if ((before || after) && !snapshot_same(f, before) && !snapshot_same(f, after))
            return "a file is neither the old one nor the new one";
    }
    for (size_t i = 0; i < old->n; i++)
        if (!snapshot_find(s, old->file[i].name))
            return "a file is gone";
    for (size_t i = 0; over && i < new->n; i++)
        if (!snapshot_same(&new->file[i], snapshot_find(s, new->file[i].name)))
            return "the command had ended, and the new file is not there";
    return NULL;
}

static void look(void *user, const struct state *s, bool over) {
    struct search *t = user;
    struct snapshot *files = state_files(s, t->record);
    const char *what = wrong(t, files, over);
    state_files_free(files);
    t->states++;
    t->wrong += what != NULL;
    cr_expect(!what || t->counts, "%s: %s: %s", t->writer->arguments, state_text(s), what);
}

static size_t fail_at_any_moment(const struct writer *w, const char *folder) {
    struct writer_files f = writer_prepare(w, folder);
    writer_put(folder, f.old);
    struct record r = record_run(folder, "/out", writer_line(w, folder, "b"));
    struct search t = {.writer = w, .files = &f, .record = &r};
    power_states(&r, f.old, look, &t);
    cr_expect_geq(t.states, (size_t)15, "%s: %zu", w->arguments, t.states);

    struct search none = {.writer = w, .files = &f, .record = &r, .counts = true}, folders = none;
    r.no_file_syncs = true;
    power_states(&r, f.old, look, &none);
    cr_expect_gt(none.wrong, (size_t)0, "%s: without fsync of files nothing is wrong", w->arguments);
    r.no_file_syncs = false;
    r.no_folder_syncs = true;
    power_states(&r, f.old, look, &folders);
    cr_expect_gt(folders.wrong, (size_t)0, "%s: without fsync of folders nothing is wrong", w->arguments);
    record_free(&r);
    writer_files_free(&f);
    return t.states;
}

Test(trust_power_writers, old_or_new, .timeout = 1200) {
    fault_need();
    char *folder = folder_begin();
    size_t states = 0;
    writers_begin(folder);
    for (size_t i = 0; i < SR_COUNT(writers); i++)
        states += fail_at_any_moment(&writers[i], folder);
    cr_log_info("%zu states of %zu writers", states, SR_COUNT(writers));
    folder_end(folder);
}
