/* test_trust_kill_writers.c: SIGKILL while a command writes; the target is the old file or the whole new one,
 * and the next writer removes what the dead one has left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/trust.h"
#include "tests/writers.h"

static void kill_at(const struct writer *w, const struct writer_files *f, const char *folder, size_t n,
                    const char *what) {
    char when[256];
    snprintf(when, sizeof when, "%s: %s, change %zu", w->arguments, what, n);
    writer_put(folder, f->old);
    struct faulted r = run_faulted(folder, fault_text("change:%zu:%s:%s/out", n, what, folder), "%s",
                                   writer_line(w, folder, "b"));
    cr_expect_eq(r.signal, SIGKILL, "%s: %d %s", when, r.run.status, r.run.err);
    faulted_end(&r);
    writer_expect(f, folder, false, when);
    struct snapshot *s = writer_look(folder);
    const bool there = w->refuses && snapshot_find(s, f->new->file[0].name);
    snapshot_free(s);
    if (there)
        return; /* whole, as was seen, so it would be refused */
    run_fine(folder, writer_line(w, folder, "b"));
    writer_expect_new(f, folder, when);
}

static size_t kill_writer(const struct writer *w, const char *folder) {
    char out[256];
    struct writer_files f = writer_prepare(w, folder);
    writer_put(folder, f.old);
    const size_t calls = fault_count(folder, "change", fault_path(out, sizeof out, folder, "out"), "%s",
                                     writer_line(w, folder, "b"));
    const size_t times = trust_times(calls, 3);
    size_t kills = 0;
    cr_expect_geq(calls, (size_t)5, "%s: %zu", w->arguments, calls);
    for (size_t i = 0; i < times; i++, kills++) /* the last ones are renames, where it matters most */
        kill_at(w, &f, folder, calls - i * (calls - 1) / (times > 1 ? times - 1 : 1),
                i % 2 ? "kill" : "kill_after");
    for (size_t i = 0; trust_long() && i < times; i++, kills++)
        kill_at(w, &f, folder, i + 1, "kill");
    writer_files_free(&f);
    return kills;
}

Test(trust_kill_writers, old_or_new, .timeout = 1200) {
    fault_need();
    char *folder = folder_begin();
    size_t kills = 0;
    writers_begin(folder);
    for (size_t i = 0; i < SR_COUNT(writers); i++)
        kills += kill_writer(&writers[i], folder);
    cr_log_info("%zu kills of %zu writers", kills, SR_COUNT(writers));
    folder_end(folder);
}
