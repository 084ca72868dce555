/* test_trust_hostile_h5.c: malformed HDF5 dumps, each refused with the message that its table says: in
 * process by all that reads a dump, the same through the reader of --isolate, and some by the program's
 * commands, with and without it. See hostile.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>

#include "data/data.h"
#include "data/h5_copy.h"
#include "tests/away.h"
#include "tests/hostile.h"

#define FORMAT "hdf5"

/* What a table of commands calls them; FILE, OUT: names put in. copies: with HDF5, which --isolate refuses.
 */
static const struct {
    const char *name, *line;
    bool copies;
} commands[] = {
    {"inspect", "data inspect FILE", false},
    {"check", "data check FILE", false},
    {"eval", "eval --data FILE --headroom", false},
    {"train", "train --train FILE --val-fraction 0.5 --epochs 1 --hidden 8 --out OUT/run", false},
    {"convert", "data convert FILE --labels stored --out OUT/new.h5", false},
    {"repack", "data repack FILE --out OUT/new.h5", true},
};

static bool is_under(const struct hostile *h) {
    return strncmp(h->file, "under_", 6) == 0;
}

/* Every feature and column, as training reads them. */
static int read_rows(const struct hostile *h, struct sr_error *err) {
    struct sr_data_options options = {.label_optional = true};
    struct sr_data *d = NULL;
    struct sr_scan scan = {0};
    if (is_under(h))
        options.names.features = "g/features";
    int status = sr_data_open(&d, h->path, &options, err);
    if (status == 0)
        status = sr_data_scan(d, &scan, NULL, NULL, err);
    if (status == 0)
        sr_scan_free(&scan);
    sr_data_close(d);
    return status;
}

/* What would be copied. */
static int look_at_members(const char *path, struct sr_error *err) {
    struct sr_h5_members members;
    struct sr_h5 *f;
    int status = sr_h5_open(&f, path, err);
    if (status < 0)
        return status;
    status = sr_h5_members(&members, f, 12, false, err);
    sr_h5_members_free(&members);
    sr_h5_close(f, NULL);
    return status;
}

static void expect_dump(const struct hostile *h) {
    struct sr_error err = {0};
    hostile_limit_memory();
    const double begin = hostile_cpu();
    int status = read_rows(h, &err);
    if (status == 0)
        status = look_at_members(h->path, &err);
    hostile_expect(h, status, &err, hostile_cpu() - begin);
}

Test(hostile_h5, tables_and_files_agree) {
    hostile_check_table(FORMAT, 60);
}

ParameterizedTestParameters(hostile_h5, files) {
    return hostile_parameters(FORMAT);
}

ParameterizedTest(struct hostile *h, hostile_h5, files) {
    expect_dump(h);
}

/* a/b/c is a: a path of any length is there, but only 64 steps are taken. */
Test(hostile_h5, a_path_has_an_end) {
    char path[300], longer[600] = "a";
    struct sr_error err = {0};
    struct sr_h5 *f;
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, FORMAT "/cycle.h5"), &err), 0, "%s", err.text);
    for (size_t steps = 3; steps < 80; steps += 2) {
        strcat(longer, "/b/c");
        cr_expect_eq(sr_h5_has(f, longer), steps <= 64, "%zu steps", steps);
    }
    sr_h5_close(f, NULL);
}

/* ---- through a reader ---- */

ParameterizedTestParameters(hostile_h5, files_through_a_reader) {
    return hostile_parameters(FORMAT);
}

/* What is refused here is refused there, in the same words; what is read there is what is read here. What
 * would be copied nobody asks a reader for. */
ParameterizedTest(struct hostile *h, hostile_h5, files_through_a_reader) {
    struct away a;
    struct sr_error here = {0}, away = {0};
    char text[SR_ERROR_TEXT];
    away_begin(&a);
    const int status = read_rows(h, &away);
    cr_expect_not(a.channel.failed, "%s: %s", h->file, away.text);
    away_end(&a);
    hostile_limit_memory();
    cr_expect_eq(status, read_rows(h, &here), "%s: %d: %s, not: %s", h->file, status, away.text, here.text);
    cr_expect_str_eq(away.text, sr_utf8_clean(text, sizeof text, here.text), "%s", h->file);
}

/* ---- what HDF5 cannot tell ---- */

static struct sr_h5 *open_unlisted(void) {
    char path[300];
    struct sr_error err = {0};
    struct sr_h5 *f = NULL;
    cr_assert_eq(sr_h5_open(&f, hostile_path(path, FORMAT "/links_apart_checksum.h5"), &err), 0, "%s",
                 err.text);
    return f;
}

/* Who asks for a list is told of nothing, whoever closes the file then of the reason: with an error to pass
 * on, and without, when the command ends with it. */
static void expect_told_at_closing(void) {
    char text[300];
    struct sr_error err = {0};
    struct sr_h5 *f = open_unlisted();
    sr_h5_list(f, text, sizeof text);
    cr_expect_str_eq(text, "nothing");
    cr_expect_eq(sr_h5_close(f, &err), SR_DATA);
    cr_expect(strstr(err.text, "HDF5 cannot tell what is in it"), "%s", err.text);
    cr_expect_null(sr_error_noted());
    f = open_unlisted();
    sr_h5_list(f, text, sizeof text);
    sr_h5_close(f, NULL);
    cr_assert_not_null(sr_error_noted());
    cr_expect_eq(sr_error_noted()->status, SR_DATA);
    cr_expect(strstr(sr_error_noted()->text, "HDF5 cannot tell what is in it"), "%s", sr_error_noted()->text);
}

Test(hostile_h5, what_is_not_listed_is_told_at_closing) {
    expect_told_at_closing();
}

Test(hostile_h5, a_reader_tells_it_too) {
    struct away a;
    away_begin(&a);
    expect_told_at_closing();
    away_end(&a);
}

/* ---- through the program ---- */

/* FILE and OUT put in. */
static void fill_in(char *line, size_t size, const char *pattern, const char *file, const char *folder) {
    size_t used = 0;
    line[0] = '\0';
    while (*pattern && used + 1 < size) {
        const char *word = strncmp(pattern, "FILE", 4) == 0  ? file
                           : strncmp(pattern, "OUT", 3) == 0 ? folder
                                                             : NULL;
        used += (size_t)snprintf(line + used, size - used, "%.*s", word ? 400 : 1, word ? word : pattern);
        pattern += !word ? 1 : *pattern == 'F' ? 4 : 3;
    }
}

static void expect_command(const struct hostile *h, const char *name, const char *pattern,
                           const char *option) {
    char line[1024], *folder = folder_begin();
    fill_in(line, sizeof line, pattern, h->path, folder);
    struct run r = run_program(folder, "%s%s%s", line, is_under(h) ? " --features g/features" : "", option);
    cr_expect(!strpbrk(r.out, "\033\a\r"), "%s %s%s prints control characters", name, h->file, option);
    hostile_expect_run(h, name, r);
    folder_end(folder);
}

Test(hostile_h5, commands) {
    static struct hostile list[HOSTILE_MOST];
    const size_t n = hostile_load(list, FORMAT);
    size_t runs = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < SR_COUNT(commands); k++)
            if (hostile_runs(&list[i], commands[k].name)) {
                expect_command(&list[i], commands[k].name, commands[k].line, "");
                if (!commands[k].copies)
                    expect_command(&list[i], commands[k].name, commands[k].line, " --isolate");
                runs++;
            }
    cr_expect_gt(runs, 50, "%zu", runs);
}

/* ---- nothing is opened ---- */

/* The files that links, virtual and external datasets name are pipes here: who opened one would wait for
 * ever. */
Test(hostile_h5, files_that_are_named_are_not_opened, .timeout = 60) {
    static const char *const names[] = {"link_external_features", "virtual_features", "virtual_pattern",
                                        "external_features",      "external_two",     "under_external"};
    static const char *const named[] = {"other.h5", "other_0.h5", "other.bin", "a.bin", "b.bin"};
    char path[300], from[300], name[100], command[700], *folder = folder_begin();
    for (size_t i = 0; i < SR_COUNT(named); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, named[i]);
        cr_assert_eq(mkfifo(path, 0600), 0);
    }
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        snprintf(name, sizeof name, FORMAT "/%s.h5", names[i]);
        snprintf(command, sizeof command, "cp '%s' '%s/d.h5'", hostile_path(from, name), folder);
        cr_assert_eq(system(command), 0);
        struct run r = run_program(folder, "data inspect %s/d.h5%s", folder,
                                   strncmp(names[i], "under", 5) == 0 ? " --features g/features" : "");
        cr_expect_eq(r.status, 65, "%s: %d: %s", names[i], r.status, r.err);
        run_end(&r);
    }
    folder_end(folder);
}
