/* test_data_command.c: saferoute data as a user runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/dump_fixture.h"
#include "tests/run_program.h"

Test(data_command, synth_writes_what_it_says) {
    char *folder = folder_begin(), path[256], line[128];
    struct run r = run_program(folder, "data synth --out '%s/a.h5' --rows 500 --width 20 --seed 3", folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.out, "500 rows of 20 float16 features"), "%s", r.out);
    snprintf(path, sizeof path, "%s/a.h5", folder);
    struct sr_data *d = open_paths(path, NULL);
    cr_expect_eq(d->rows, 500);
    cr_expect_eq(d->width, 20);
    size_t positives = 0, unsafe = 0;
    for (size_t i = 0; i < d->rows; i++) {
        positives += d->label[i];
        unsafe += d->gold[i];
    }
    snprintf(line, sizeof line, "large guard right): %zu (%.1f %%), unsafe: %zu (%.1f %%)\n", positives,
             (double)positives / 5, unsafe, (double)unsafe / 5);
    cr_expect(strstr(r.out, line), "no '%s' in %s", line, r.out);
    run_end(&r);
    sr_data_close(d);
    folder_end(folder);
}

Test(data_command, help_lists_the_commands) {
    char *folder = folder_begin();
    struct run r = run_program(folder, "data --help");
    cr_expect_eq(r.status, 0);
    cr_expect(strstr(r.out, "synth"), "%s", r.out);
    run_end(&r);
    r = run_program(folder, "data synth --help");
    cr_expect_eq(r.status, 0);
    cr_expect(strstr(r.out, "--world"), "%s", r.out);
    run_end(&r);
    folder_end(folder);
}

Test(data_command, wrong_usage) {
    char *folder = folder_begin();
    expect_failure(run_program(folder, "data"), 2, "which command");
    expect_failure(run_program(folder, "data syth"), 2, "did you mean synth?");
    expect_failure(run_program(folder, "data synth"), 2, "--out");
    expect_failure(run_program(folder, "data synth --out x.h5 --rows 0"), 2, "--rows");
    expect_failure(run_program(folder, "data synth --out %s/x.h5 --rows 1 --width 65537", folder), 2,
                   "--width");
    expect_failure(run_program(folder, "data synth --out /nowhere/x.h5"), 74, "/nowhere/x.h5");
    folder_end(folder);
}
