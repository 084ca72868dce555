/* writers.h: every command that writes files, as what is done to one may be done to each.
 *
 * folder/a and folder/b hold inputs of the same names with other content, so that a writer writes other bytes
 * from b than from a; it writes into folder/out and nowhere else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_WRITERS_H
#define SR_TEST_WRITERS_H

#include "tests/small_run.h"

/* % is the folder of the inputs, @ that of the results, # a number that is another for other inputs. */
struct writer {
    const char *arguments;
    bool refuses;       /* what is there already */
    const char *itself; /* the input that stands in for an older result: the command replaces it */
};

static const struct writer writers[] = {
    {"export --model %/w.safetensors --to pt --threshold 0.5 --out @/r.pt", false, NULL},
    {"export --model %/w.safetensors --to onnx --threshold 0.5 --out @/r.onnx", false, NULL},
    {"export --model %/w.safetensors --to c --threshold 0.5 --out @/r.c", false, NULL},
    {"export --model %/w.safetensors --to safetensors --threshold 0.5 --out @/r.safetensors", false, NULL},
    {"export --model %/w.safetensors --to card --threshold 0.5 --out @/r.md", false, NULL},
    {"export --model %/w.safetensors --to hf --threshold 0.5 --out @/hf", false, NULL},
    {"sweep --model %/w.safetensors --data %/d.h5 --rule f1 --out @/w.safetensors", true, NULL},
    {"sweep --model %/w.safetensors --data %/d.h5 --csv @/c.csv", false, NULL},
    {"infer --model %/w.safetensors --data %/d.h5 --out @/s.csv", false, NULL},
    {"infer --model %/w.safetensors --data %/d.h5 --out @/s.h5", false, NULL},
    {"eval --model %/w.safetensors --data %/d.h5 --report @/r.html", false, NULL},
    {"import %/r.pt --out @/w.safetensors", true, NULL},
    {"data convert %/rows.jsonl --out @/d.h5", false, NULL},
    {"data repack %/d.h5 --dtype float32 --gzip 1 --band 64 --out @/d.h5", false, NULL},
    {"data repack @/d.h5 --dtype float32 --out @/d.h5", false, "d.h5"},
    {"data split %/d.h5 --train @/t.h5 --test @/u.h5", false, NULL},
    {"data label %/d.h5 --harm-price 2 --out @/d.h5", false, NULL},
    {"data merge %/d.h5 %/e.h5 --out @/d.h5", false, NULL},
    {"data drop %/d.h5 --ids %/ids --out @/d.h5", false, NULL},
    {"data synth --rows 90 --width 8 --world # --out @/d.h5", false, NULL},
};

/* input: "a" or "b". */
static inline const char *writer_line(const struct writer *w, const char *folder, const char *input) {
    static char line[1024];
    size_t n = 0;
    for (const char *p = w->arguments; *p; p++)
        n += (size_t)(*p == '#' ? snprintf(line + n, sizeof line - n, "%d", *input)
                      : *p == '%' || *p == '@'
                          ? snprintf(line + n, sizeof line - n, "%s/%s", folder, *p == '%' ? input : "out")
                          : snprintf(line + n, sizeof line - n, "%c", *p));
    return line;
}

__attribute__((format(printf, 1, 2))) static inline void writers_shell(const char *format, ...) {
    char command[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    cr_assert_eq(system(command), 0, "%s", command);
}

static inline void writers_input(const char *folder, const char *input, int seed) {
    char line[1024], more[32];
    writers_shell("mkdir '%s/%s'", folder, input);
    snprintf(line, sizeof line, "data synth --rows 200 --width 16 --seed %d --out '%s/%s/d.h5'", seed, folder,
             input);
    run_fine(folder, line);
    writers_shell(
        "cp '%s/%s/d.h5' '%s/%s/e.h5' && printf '{\"id\":\"%d\",\"features\":[1,%d],\"label\":0}\n' "
        ">'%s/%s/rows.jsonl'",
        folder, input, folder, input, seed, seed, folder, input);
    snprintf(more, sizeof more, "--epochs 1 --seed %d", seed);
    run_fine(folder, small_run_begin(folder, "run", more));
    writers_shell("mv '%s/run/best.safetensors' '%s/%s/w.safetensors' && rm -r '%s/run'", folder, folder,
                  input, folder);
    snprintf(line, sizeof line,
             "export --model '%s/%s/w.safetensors' --to pt --threshold 0.5 --out '%s/%s/r.pt'", folder, input,
             folder, input);
    run_fine(folder, line);
    snprintf(line, sizeof line,
             "infer --model '%s/%s/w.safetensors' --data '%s/%s/d.h5' --out '%s/scores.csv'", folder, input,
             folder, input, folder);
    run_fine(folder, line);
    writers_shell("sed -n 3,9p '%s/scores.csv' | cut -d, -f2 >'%s/%s/ids'", folder, folder, input);
}

static inline void writers_begin(const char *folder) {
    small_run_dumps(folder);
    writers_input(folder, "a", 1);
    writers_input(folder, "b", 2);
}

/* What a writer finds before it, and what it leaves; taken of the folder out. Free with snapshot_free. */
struct writer_files {
    struct snapshot *old, *new;
};

static inline struct snapshot *writer_look(const char *folder) {
    char path[256];
    return snapshot_take(fault_path(path, sizeof path, folder, "out"));
}

static inline void writer_put(const char *folder, const struct snapshot *s) {
    char path[256];
    snapshot_restore(s, fault_path(path, sizeof path, folder, "out"));
}

static inline struct writer_files writer_prepare(const struct writer *w, const char *folder) {
    struct writer_files f;
    writers_shell("rm -rf '%s/out' && mkdir '%s/out'", folder, folder);
    if (w->itself)
        writers_shell("cp '%s/b/%s' '%s/out'", folder, w->itself, folder);
    else if (!w->refuses)
        run_fine(folder, writer_line(w, folder, "a"));
    f.old = writer_look(folder);
    run_fine(folder, writer_line(w, folder, "b"));
    f.new = writer_look(folder);
    cr_assert_gt(f.new->n, (size_t)0, "%s", w->arguments);
    return f;
}

static inline void writer_files_free(struct writer_files *f) {
    snapshot_free(f->old);
    snapshot_free(f->new);
}

/* Every file is the old one or the whole new one; with `clean` there is no other. */
static inline void writer_expect(const struct writer_files *f, const char *folder, bool clean,
                                 const char *when) {
    struct snapshot *s = writer_look(folder);
    for (size_t i = 0; i < s->n; i++) {
        const struct snapshot_file *is = &s->file[i], *old = snapshot_find(f->old, is->name),
                                   *new = snapshot_find(f->new, is->name);
        cr_expect(old || new || !clean, "%s: %s was left behind", when, is->name);
        cr_expect((!old && !new) || snapshot_same(is, old) || snapshot_same(is, new),
                  "%s: %s is neither the old file nor the new one", when, is->name);
    }
    for (size_t i = 0; i < f->old->n; i++)
        cr_expect(snapshot_find(s, f->old->file[i].name), "%s: %s is gone", when, f->old->file[i].name);
    snapshot_free(s);
}

/* The new files, whole and alone. */
static inline void writer_expect_new(const struct writer_files *f, const char *folder, const char *when) {
    struct snapshot *s = writer_look(folder);
    for (size_t i = 0; i < f->new->n; i++)
        cr_expect(snapshot_same(&f->new->file[i], snapshot_find(s, f->new->file[i].name)),
                  "%s: %s is not as it should be", when, f->new->file[i].name);
    for (size_t i = 0; i < s->n; i++)
        cr_expect(snapshot_find(f->new, s->file[i].name), "%s: %s was left behind", when, s->file[i].name);
    snapshot_free(s);
}

#endif
