/* test_trust_hostile_run.c: malformed files given to the program, as its users would: the same message, the
 * documented exit status, nothing on stdout and no output file. See hostile.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/hostile.h"
#include "tests/hostile_parsers.h"
#include "tests/trust.h"

/* X(name in the tables, arguments; %1$s is the file, %2$s a folder of the test's own) */
#define COMMANDS(X)                                                                                          \
    X("import", "import '%1$s' --out '%2$s/out.safetensors'")                                                \
    X("eval", "eval --model '%1$s' --data '%2$s/data.h5'")                                                   \
    X("convert", "data convert '%1$s' --features '%1$s' --out '%2$s/out.h5'")                                \
    X("train", "train --config '%1$s' --train '%2$s/data.h5' --val '%2$s/data.h5' --out '%2$s/out'")         \
    X("contract", "import '%2$s/good.safetensors' --contract '%1$s' --out '%2$s/out.safetensors'")

static void copy_good(const char *folder) {
    char from[300], command[700];
    hostile_path(from, "safetensors/weights_good.safetensors");
    snprintf(command, sizeof command, "cp '%s' '%s/good.safetensors'", from, folder);
    cr_assert_eq(system(command), 0);
}

static size_t run_command(const struct hostile *h, const char *name, const char *arguments,
                          const char *folder) {
    char file[300], out[300];
    if (!hostile_runs(h, name))
        return 0;
    snprintf(file, sizeof file, "%s", h->path);
    if (sr_ends_in(file, ".pkl")) {
        snprintf(file, sizeof file, "%s/m.pt", folder);
        hostile_wrap(file, h->path);
    }
    char line[1024];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(line, sizeof line, arguments, file, folder);
#pragma GCC diagnostic pop
    hostile_expect_run(h, name, run_program(folder, "%s", line));
    for (int i = 0; i < 3; i++) {
        static const char *const outputs[] = {"out.safetensors", "out.h5", "out"};
        snprintf(out, sizeof out, "%s/%s", folder, outputs[i]);
        cr_expect_eq(access(out, F_OK), -1, "%s %s left %s", name, h->file, outputs[i]);
    }
    return 1;
}

/* Every command of the format's table, and at least so many runs. */
static void run_format(const char *format, size_t least) {
    struct hostile *list = malloc(HOSTILE_MOST * sizeof *list);
    char *folder = folder_begin();
    size_t runs = 0, listed = 0;
    cr_assert_not_null(list);
    const size_t n = hostile_load(list, format);
    copy_good(folder);
    char line[300];
    snprintf(line, sizeof line, "data synth --rows 64 --width 4 --out '%s/data.h5'", folder);
    run_fine(folder, line);
    for (size_t i = 0; i < n; i++) {
#define X(name, arguments) runs += run_command(&list[i], name, arguments, folder);
        COMMANDS(X)
#undef X
        for (const char *c = list[i].commands; *c; c++)
            listed += *c == ',';
        listed += strcmp(list[i].commands, "-") != 0;
    }
    cr_expect_eq(runs, listed, "%s.tsv names a command that no test knows", format);
    cr_expect_geq(runs, least, "%s: %zu runs", format, runs);
    folder_end(folder);
    free(list);
}

#define X(format, parse, least)                                                                              \
    Test(hostile_run, format) {                                                                              \
        run_format(#format, 4);                                                                              \
    }
HOSTILE_FORMATS(X)
#undef X

/* ---- inspect ---- */

/* Files of torch and NumPy are refused with the reason of their reader, but for what stands behind what it
 * opens, and for what is by its first bytes none of them. */
static void expect_reason(const struct hostile *h, const struct run *r) {
    static const char *const others[] = {"checksum", "of the booleans", "neither a torch.save", "is a tar"};
    const bool tensors = sr_ends_in(h->file, ".pt") || sr_ends_in(h->file, ".npy");
    for (size_t i = 0; i < SR_COUNT(others); i++)
        if (!tensors || strstr(h->message, others[i]))
            return;
    cr_expect_eq(r->status, h->status, "inspect %s: exit status %d, not %d", h->file, r->status, h->status);
    cr_expect(h->status == 0 || strstr(r->err, h->message), "inspect %s: \"%s\" is not in: %s", h->file,
              h->message, r->err);
}

/* Tells what it can of any file: it may call one unusable and end well, but not die, and not be at fault. */
static void inspect(const char *format, size_t step) {
    struct hostile *list = malloc(HOSTILE_MOST * sizeof *list);
    char *folder = folder_begin();
    cr_assert_not_null(list);
    const size_t n = hostile_load(list, format);
    for (size_t i = 0; i < n; i += step) {
        struct run r = run_program(folder, "inspect '%s'", list[i].path);
        cr_expect(r.status == 0 || r.status == 65, "inspect %s: exit status %d: %s", list[i].path, r.status,
                  r.err);
        for (const char *c = r.out; *c; c++)
            cr_expect(*c == '\n' || (unsigned char)*c >= ' ', "inspect %s: prints the byte %d", list[i].path,
                      *c);
        expect_reason(&list[i], &r);
        run_end(&r);
    }
    folder_end(folder);
    free(list);
}

Test(hostile_run, inspect_tells_or_refuses) {
    const size_t step = trust_times(1, 7);
#define X(format, parse, least) inspect(#format, step);
    HOSTILE_FORMATS(X)
#undef X
}
