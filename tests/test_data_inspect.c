/* test_data_inspect.c: `saferoute data inspect` as a user runs it. What its numbers are is held against NumPy
 * in tests/consumers/test_data_inspect.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "tests/dump_fixture.h"
#include "tests/run_program.h"

#define GUARDS SR_SOURCE_DIR "/tests/vectors/eval_guards.h5"

/* What data inspect prints of a fixture; free with sr_free. */
static char *inspect(const char *folder, const char *name, const char *more) {
    char path[2048];
    struct run r = run_program(folder, "data inspect %s %s", fixture_paths(path, name), more);
    cr_assert_eq(r.status, 0, "%s: %s", name, r.err);
    cr_expect_str_empty(r.err);
    sr_free(r.err);
    return r.out;
}

static void expect_not_in(const char *text, const char *word) {
    cr_expect_null(strstr(text, word), "\"%s\" is in: %s", word, text);
}

/* Both commands have their facts from one place. */
Test(data_inspect, says_what_inspect_says) {
    char *folder = folder_begin();
    struct run one = run_program(folder, "inspect " GUARDS);
    struct run other = run_program(folder, "data inspect " GUARDS);
    cr_expect_eq(one.status, 0);
    cr_expect_eq(other.status, 0);
    cr_expect_str_eq(one.out, other.out);
    expect_in(one.out, "\nlarge_accuracy ");
    expect_in(one.out, "\nheadroom           yes  eval --headroom\n");
    run_end(&one);
    run_end(&other);
    folder_end(folder);
}

Test(data_inspect, a_dump_is_told_in_lines) {
    static const char *const lines[] = {
        "\nlayout             one piece, not compressed\n",
        "\none_row            16 bytes read, which is what is wanted\n",
        "\nsmall_accuracy     ",
        "\ntrain              yes\n",
        "\nheadroom           yes  eval --headroom\n",
        "\nverdict_head       no   data check: ",
        "missing: /verdict_head; feature_norm post\n",
    };
    char *folder = folder_begin(), path[64];
    struct run r = run_program(folder, "data inspect %s", make_synth(path, 300, 8, 3));
    cr_expect_eq(r.status, 0, "%s", r.err);
    for (size_t i = 0; i < SR_COUNT(lines); i++)
        expect_in(r.out, lines[i]);
    expect_in(r.out, " % positive, ");
    expect_in(r.out, ", accuracy small ");
    expect_not_in(r.out, "\nbad_rows");
    run_end(&r);
    unlink(path);
    folder_end(folder);
}

Test(data_inspect, chunks_say_what_a_row_costs) {
    char *folder = folder_begin();
    char *out = inspect(folder, "half_chunked", "");
    /* chunks of 5 rows and 3 of the 8 columns, 12 rows in all */
    expect_in(out, "\nlayout             chunks of 5 x 3, ");
    expect_in(out, "\none_row            3 chunks, 90 bytes ");
    expect_in(out, " for 16 bytes: 5.62 times as much\n");
    expect_in(out, "\nband_of_256        9 chunks, 270 bytes ");
    sr_free(out);
    folder_end(folder);
}

Test(data_inspect, a_scan_finds_bad_rows_and_leaves_them_out) {
    char *folder = folder_begin();
    char *out = inspect(folder, "not_finite", "--scan");
    expect_in(out, "\nbad_rows           2 with a NaN or an infinity: row 3, 7\n");
    expect_in(out, "\nduplicates         0 with the features of an earlier row, as float16\n");
    expect_in(out, "\nconstant_columns   0\n");
    expect_in(out, "\nscanned            in ");
    sr_free(out);
    folder_end(folder);
}

/* But for how long it took. */
Test(data_inspect, the_number_of_threads_changes_nothing) {
    char *folder = folder_begin(), path[64], *said[2];
    make_synth(path, 3000, 40, 5);
    for (int i = 0; i < 2; i++) {
        setenv("OMP_NUM_THREADS", i ? "3" : "1", 1);
        struct run r = run_program(folder, "data inspect %s --scan", path);
        cr_assert_eq(r.status, 0, "%s", r.err);
        char *time = strstr(r.out, "\nscanned ");
        cr_assert_not_null(time);
        *time = '\0';
        said[i] = sr_strdup(r.out, NULL);
        run_end(&r);
    }
    expect_in(said[0], "\ndata_id ");
    cr_expect_str_eq(said[0], said[1]);
    sr_free(said[0]);
    sr_free(said[1]);
    unlink(path);
    folder_end(folder);
}

/* A dump of one guard, before there is anything to learn. */
Test(data_inspect, without_labels_it_says_what_they_need) {
    char *folder = folder_begin();
    char *out = inspect(folder, "no_label", "--scan");
    expect_in(out, "\nlabels             none\n");
    expect_in(out, "\ntrain              no   missing: /label (or gold and both guards' verdicts)\n");
    expect_not_in(out, "rows of both classes");
    expect_in(out, "\ninfer              yes\n");
    expect_in(out, " (without labels)\n");
    sr_free(out);
    folder_end(folder);
}

Test(data_inspect, wrong_usage_and_files_are_refused) {
    char *folder = folder_begin(), path[2048];
    expect_failure(run_program(folder, "data inspect"), 2, "which dump?");
    expect_failure(run_program(folder, "data inspect %s --weight nosuch", fixture_paths(path, "half")), 65,
                   "no dataset /nosuch");
    expect_failure(run_program(folder, "data inspect /nowhere.h5"), 66, "/nowhere.h5");
    expect_failure(run_program(folder, "data inspect %s", fixture_paths(path, "bad_truncated")), 65,
                   "bad_truncated.h5");
    expect_failure(run_program(folder, "data inspect %s --scan", fixture_paths(path, "scores_long")), 65,
                   "no features");
    expect_failure(run_program(folder, "data inspect %s", fixture_paths(path, "bad_filter")), 65,
                   "not installed");
    char comma[256];
    snprintf(comma, sizeof comma, "%s/a,b.h5", folder);
    cr_assert_eq(symlink(fixture_paths(path, "half"), comma), 0);
    expect_failure(run_program(folder, "data inspect %s", comma), 2, "a comma stands between the names");
    folder_end(folder);
}
