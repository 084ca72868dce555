/* test_data_rewrite.c: data repack, drop, split, label and merge as a user runs them: what they say, and what
 * they refuse. That everything in a file is kept is held by tests/consumers/test_data_commands.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>
#include <sys/resource.h>

#include "tests/convert_sample.h"

enum { ROWS = 400, WIDTH = 64 };

static void begin(void) {
    char command[128];
    convert_begin();
    snprintf(command, sizeof command, "data synth --out a.h5 --rows %d --width %d --seed 3", ROWS, WIDTH);
    run_fine(".", command);
}

TestSuite(rewrite, .init = begin, .fini = convert_end);

static bool same_bytes(const char *a, const char *b) {
    void *x, *y;
    size_t nx, ny;
    cr_assert_eq(sr_file_read(&x, &nx, a, (size_t)1 << 26, NULL), 0);
    cr_assert_eq(sr_file_read(&y, &ny, b, (size_t)1 << 26, NULL), 0);
    const bool same = nx == ny && memcmp(x, y, nx) == 0;
    sr_free(x);
    sr_free(y);
    return same;
}

/* A dump of one row more than `rows`, whose last feature is big. */
static void write_big(const char *name, float big) {
    float x[3][2] = {{1, 2}, {3, -4}, {5, big}};
    const uint8_t label[3] = {0, 1, 0};
    struct sr_error err = {0};
    struct sr_h5 *f;
    const struct sr_h5_layout layout = {.type = SR_FEATURE_FLOAT, .rows = 3, .width = 2};
    cr_assert_eq(sr_h5_create(&f, name, name, &err), 0, "%s", err.text);
    cr_assert_eq(sr_h5_write_layout(f, "features", &layout, 0, &err), 0);
    cr_assert_eq(sr_h5_write_rows(f, "features", x, 0, 3, 2, &err), 0);
    cr_assert_eq(sr_h5_write_column(f, "label", SR_H5_WRITE_U8, label, 3, &err), 0);
    cr_assert_eq(sr_h5_close(f, &err), 0);
}

/* ---- repack ---- */

Test(rewrite, repack_says_what_became_of_the_size) {
    struct run r = run_program(".", "data repack a.h5 --out b.h5 --gzip 4 --band 100");
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "a.h5: 400 rows of 64 features, float16 in one piece, ");
    expect_in(r.out, "b.h5: float16 in chunks of [100, 64], shuffle, gzip 4, ");
    run_end(&r);
    r = run_program(".", "data repack b.h5 --out b.h5 --dtype float32");
    expect_in(r.out, "b.h5: float32 in one piece, ");
    run_end(&r);
}

Test(rewrite, repack_refuses_what_float16_does_not_hold) {
    write_big("big.h5", 65520); /* the smallest that rounds up to infinity */
    write_text("old.h5", "old");
    expect_failure(
        run_program(".", "data repack big.h5 --out old.h5 --dtype float16"), 65,
        "big.h5: 1 feature value is beyond what float16 holds, first 65520 in row 2; use --dtype float32");
    char *old = slurp("old.h5");
    cr_expect_str_eq(old, "old");
    sr_free(old);
    write_big("big.h5", 65519);
    run_fine(".", "data repack big.h5 --out old.h5 --dtype float16");
    run_fine(".", "data repack big.h5 --out old.h5 --dtype bfloat16");
}

Test(rewrite, a_full_disk_leaves_the_old_file) {
    const struct rlimit limit = {20000, 20000};
    cr_assert_eq(system("cp a.h5 kept.h5 && cp a.h5 old.h5"), 0);
    setrlimit(RLIMIT_FSIZE, &limit);
    expect_failure(run_program(".", "data repack a.h5 --out a.h5 --dtype float32"), 74, "a.h5");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --test old.h5"), 74, "t.h5");
    cr_expect(same_bytes("a.h5", "kept.h5"));
    cr_expect(same_bytes("old.h5", "kept.h5"));
    cr_expect_eq(access("t.h5", F_OK), -1);
    cr_expect_eq(system("test $(ls -A | grep -c tmp) = 0"), 0, "a temporary file was left");
}

static mode_t mode_of(const char *path) {
    struct stat st;
    cr_assert_eq(stat(path, &st), 0, "%s", path);
    return st.st_mode & 0777;
}

/* A dump that others may not read must not become one they may. */
Test(rewrite, new_files_are_no_more_open_than_the_old) {
    static const char *const commands[] = {
        "repack a.h5 --out new.h5",         "label a.h5 --out new.h5",
        "drop a.h5 --ids ids --out new.h5", "split a.h5 --train new.h5 --test test.h5",
        "merge a.h5 score.h5 --out new.h5", "convert features.npy --out new.h5"};
    struct sr_data *d = open_paths("a.h5", NULL);
    write_text("ids", d->id[3]);
    sr_data_close(d);
    cr_assert_eq(system("cp a.h5 score.h5"), 0);
    write_features();
    umask(022);
    for (size_t i = 0; i < SR_COUNT(commands); i++)
        for (int strict = 0; strict < 2; strict++) {
            char command[128];
            snprintf(command, sizeof command, "data %s", commands[i]);
            chmod("a.h5", strict ? 0600 : 0664);
            chmod("features.npy", strict ? 0600 : 0664);
            unlink("new.h5");
            run_fine(".", command);
            cr_expect_eq(mode_of("new.h5"), strict ? 0600 : 0644, "%s", command);
        }
    chmod("new.h5", 0640); /* what is replaced keeps its mode */
    run_fine(".", "data repack a.h5 --out new.h5");
    cr_expect_eq(mode_of("new.h5"), 0640);
}

/* A comma separates the names of a list, but what is one file's name is no list; nor is it a pattern. */
Test(rewrite, names_with_commas) {
    static const char *const commands[] = {
        "repack 'a,*.h5' --out b,c.h5",         "label 'a,*.h5' --out b,c.h5",
        "drop 'a,*.h5' --ids ids --out b,c.h5", "split 'a,*.h5' --train b,c.h5 --test 'e,[f.h5'",
        "merge a.h5 score.h5 --out b,c.h5",     "convert features.npy --out b,c.h5",
        "synth --out b,c.h5 --rows 9 --width 8"};
    struct sr_data *d = open_paths("a.h5", NULL);
    write_text("ids", d->id[3]);
    sr_data_close(d);
    write_features();
    cr_assert_eq(system("cp a.h5 score.h5; cp a.h5 'a,*.h5'"), 0);
    for (size_t i = 0; i < SR_COUNT(commands); i++) {
        char command[128];
        snprintf(command, sizeof command, "data %s", commands[i]);
        unlink("b,c.h5");
        run_fine(".", command);
        cr_expect_eq(access("b,c.h5", F_OK), 0, "%s", command);
    }
    expect_failure(run_program(".", "data merge 'a,*.h5' score.h5 --out no.h5"), 66,
                   "none may have one in it");
    expect_failure(run_program(".", "data split a.h5,score.h5 --train t.h5 --test e.h5"), 66,
                   "a.h5,score.h5");
}

/* ---- drop ---- */

Test(rewrite, drop_in_place_and_of_twins) {
    struct sr_data *d = open_paths("a.h5", NULL);
    char text[200];
    size_t twins = 0;
    for (size_t i = 0; i < ROWS; i++)
        twins += d->group[i] == d->group[7] && i != 7;
    snprintf(text, sizeof text, "  %s \r\n\nnobody\n%s\n", d->id[7], d->id[7]);
    write_text("ids", text);
    struct run r = run_program(".", "data drop a.h5 --ids ids --out b.h5 --with-group");
    cr_expect_eq(r.status, 0, "%s", r.err);
    snprintf(text, sizeof text, "b.h5: %zu rows; 1 dropped for 1 ids", ROWS - 1 - twins);
    expect_in(r.out, text);
    expect_in(r.out, "1 ids were not there: nobody\n");
    run_end(&r);
    run_fine(".", "data drop a.h5 --ids ids --out a.h5");
    struct sr_data *left = open_paths("a.h5", NULL);
    cr_expect_eq(left->rows, ROWS - 1);
    for (size_t i = 0; i < left->rows; i++)
        cr_expect_str_eq(left->id[i], d->id[i + (i >= 7)]);
    expect_failure(run_program(".", "data drop a.h5 --ids ids --out c.h5"), 1, "none of the 2 ids");
    cr_expect_eq(access("c.h5", F_OK), -1);
    sr_data_close(left);
    sr_data_close(d);
}

Test(rewrite, drop_reads_standard_input_and_refuses_to_leave_nothing) {
    struct sr_data *d = open_paths("a.h5", NULL);
    FILE *f = fopen("all", "w");
    for (size_t i = 0; i < ROWS; i++)
        fprintf(f, "%s\n", d->id[i]);
    fclose(f);
    sr_data_close(d);
    expect_failure(run_program(".", "data drop a.h5 --ids all --out b.h5"), 65, "no row would be left");
    expect_failure(run_program(".", "data drop a.h5 --ids - --out b.h5"), 65, "holds no ids");
    cr_expect_eq(system("head -n 5 all | '" SR_PROGRAM "' data drop a.h5 --ids - --out b.h5 >out"), 0);
    d = open_paths("b.h5", NULL);
    cr_expect_eq(d->rows, ROWS - 5);
    sr_data_close(d);
    write_big("plain.h5", 1);
    expect_failure(run_program(".", "data drop plain.h5 --ids all --out b.h5"), 65, "no dataset /id");
}

/* ---- split ---- */

Test(rewrite, split_says_what_is_in_the_parts) {
    struct run r = run_program(".", "data split a.h5 --train t.h5 --calibration c.h5 --test e.h5");
    cr_expect_eq(r.status, 0, "%s", r.err);
    struct sr_data *d = open_paths("t.h5,c.h5,e.h5", NULL);
    cr_expect_eq(d->rows, ROWS);
    sr_data_close(d);
    d = open_paths("e.h5", NULL);
    char line[100];
    size_t positives = 0;
    for (size_t i = 0; i < d->rows; i++)
        positives += d->label[i];
    snprintf(line, sizeof line, "%zu (%.1f %%)", positives, 100 * (double)positives / (double)d->rows);
    expect_in(r.out, line);
    sr_data_close(d);
    run_end(&r);
}

Test(rewrite, split_refuses_what_cannot_be) {
    expect_failure(run_program(".", "data split a.h5 --train t.h5"), 2, "one part is no split");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --test ./t.h5"), 2, "are the same file");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --test ./a.h5"), 2, "is the dump to split");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --test e.h5 --fractions 0.7,0.1"), 2,
                   "add up to 0.8");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --test e.h5 --fractions 0.7,0.15,0.15"), 2,
                   "3 numbers for 2 parts");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --test e.h5 --fractions 0.999,0.001"), 65,
                   "test would have no rows");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --calibration c.h5 --hold-out-source x"), 2,
                   "so --test is needed");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --test e.h5 --cosine 0.9"), 2,
                   "what --near-duplicates looks for");
    const char *const held =
        "data split a.h5 --train t.h5 --test e.h5 --hold-out-source source-0 --fractions";
    expect_failure(run_program(".", "%s 0.8,0.2", held), 2, "all that are left are training rows");
    expect_failure(run_program(".", "%s 0.6,0.2,0.2 --calibration c.h5", held), 2, "give two, for train");
    expect_failure(run_program(".", "data split a.h5 --train t.h5 --test gone/e.h5"), 74, "gone/e.h5");
    cr_expect_eq(access("t.h5", F_OK), -1); /* although it was complete */
}

Test(rewrite, fractions_beside_sources_held_out_are_of_the_rest) {
    struct sr_data *d = open_paths("a.h5", NULL);
    char command[300];
    size_t held = 0;
    for (size_t i = 0; i < ROWS; i++)
        held += d->source[i] == d->source[0];
    snprintf(command, sizeof command,
             "data split a.h5 --train t.h5 --calibration c.h5 --test e.h5 --hold-out-source '%s' "
             "--fractions 0.5,0.5",
             d->source_names[d->source[0]]);
    sr_data_close(d);
    run_fine(".", command);
    d = open_paths("e.h5", NULL);
    const size_t test = d->rows; /* with twins of other sources */
    sr_data_close(d);
    cr_expect_geq(test, held);
    d = open_paths("c.h5", NULL); /* half of each label, rounded */
    cr_expect_float_eq((double)d->rows, .5 * (double)(ROWS - test), 2);
    sr_data_close(d);
}

/* ---- label ---- */

Test(rewrite, label_counts_the_cells_and_stores_the_threshold) {
    struct sr_data_options cut = {.labels = SR_LABELS_DERIVED, .small_threshold = .25};
    struct sr_data *d = open_paths("a.h5", &cut);
    struct run r = run_program(".", "data label a.h5 --out b.h5 --small-threshold 0.25");
    cr_expect_eq(r.status, 0, "%s", r.err);
    size_t cell[2][2] = {{0, 0}, {0, 0}};
    for (size_t i = 0; i < ROWS; i++)
        cell[d->small_pred[i] == d->gold[i]][d->large_pred[i] == d->gold[i]]++;
    expect_in(r.out,
              "b.h5: 400 rows; labels derived from gold and verdicts; unsafe from: small guard 0.25 (given), "
              "large guard 0.5 (default)");
    const char *const what[] = {"both guards right", "small guard only", "large guard only (label 1)",
                                "none"};
    const size_t n[] = {cell[1][1], cell[1][0], cell[0][1], cell[0][0]};
    for (int i = 0; i < 4; i++) {
        char line[80];
        snprintf(line, sizeof line, "  %-28s %8zu  %5.1f %%\n", what[i], n[i], 100 * (double)n[i] / ROWS);
        expect_in(r.out, line);
    }
    run_end(&r);
    struct sr_data *again = open_paths("b.h5", NULL); /* no option is needed any more */
    cr_expect_arr_eq(again->label, d->label, ROWS);
    cr_expect_float_eq(again->small_cut.at, .25, 0);
    sr_data_close(again);
    sr_data_close(d);
}

Test(rewrite, label_needs_what_labels_follow_from) {
    write_big("plain.h5", 1);
    expect_failure(run_program(".", "data label plain.h5 --out b.h5"), 65, "gold");
    expect_failure(run_program(".", "data label a.h5 --out b.h5 --harm-price -1"), 2, "harm");
}

/* ---- merge ---- */

Test(rewrite, merge_needs_two_files_with_ids) {
    write_big("plain.h5", 1);
    expect_failure(run_program(".", "data merge a.h5 --out b.h5"), 2, "one file alone");
    expect_failure(run_program(".", "data merge a.h5 plain.h5 --out b.h5"), 65, "plain.h5: no dataset /id");
    expect_failure(run_program(".", "data merge a.h5 gone.h5 --out b.h5"), 66, "gone.h5");
    run_fine(".", "data merge a.h5 a.h5 --out b.h5"); /* nothing differs, nothing is new */
    struct sr_data *a = open_paths("a.h5", NULL), *b = open_paths("b.h5", NULL);
    struct sr_scan of_a = scan_of(a), of_b = scan_of(b);
    cr_expect_str_eq(of_a.data_id, of_b.data_id);
    sr_scan_free(&of_a);
    sr_scan_free(&of_b);
    sr_data_close(a);
    sr_data_close(b);
}
