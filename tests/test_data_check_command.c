/* test_data_check_command.c: saferoute data check as a user runs it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/stat.h>

#include "tests/check_dump.h"
#include "tests/run_program.h"
#include "train/config.h"

Test(data_check_command, command_says_and_exits) {
    struct plan p;
    char *folder = folder_begin();
    plan_begin(&p);
    check_dump_write(&p.a);
    check_dump_write(&p.b);
    struct run r = run_program(folder, "data check %s %s", p.a.path, p.b.path);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "nothing found in 2,400 rows of 2 files");
    run_end(&r);
    p.b.group[77] = p.b.group[78] = p.a.group[5];
    check_dump_write(&p.b);
    r = run_program(folder, "data check %s %s", p.a.path, p.b.path);
    cr_expect_eq(r.status, 1);
    expect_in(r.out, "1 serious finding in 2,400 rows of 2 files\n  A  /");
    expect_in(r.out, "SERIOUS  groups\n  1 of 2398 groups has rows in more than one file");
    expect_in(r.out, "\n    A 5  1-5\n    B 77  2-77\n  > ");
    cr_expect_str_empty(r.err);
    run_end(&r);
    r = run_program(folder, "data check --json %s %s", p.a.path, p.b.path);
    cr_expect_eq(r.status, 1);
    struct sr_json *o = parse(r.out);
    cr_expect_eq(number(o, "schema_version"), 1);
    cr_expect_eq(number(o, "serious"), 1);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(sr_json_get(o, "names"), "B")), p.b.path);
    const struct sr_json *f = sr_json_at(sr_json_get(o, "findings"), 0);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(f, "kind")), "groups");
    cr_expect_str_eq(sr_json_as_string(sr_json_get(f, "severity")), "serious");
    cr_expect_eq(number(f, "numbers.rows"), 2);
    const struct sr_json *row = sr_json_at(sr_json_get(f, "rows"), 1);
    cr_expect_eq(number(row, "row"), 77);
    cr_expect_str_eq(sr_json_as_string(sr_json_get(row, "id")), "2-77");
    sr_json_free(o);
    run_end(&r);
    check_dump_end(&p.a);
    check_dump_end(&p.b);
    folder_end(folder);
}

Test(data_check_command, command_fails_where_features_cannot_be_read) {
    char *folder = folder_begin();
    expect_failure(run_program(folder, "data check"), 2, "which dumps");
    expect_failure(run_program(folder, "data check /nowhere/x.h5"), 66, "/nowhere/x.h5");
    expect_failure(run_program(folder, "data check --near 0.5 '%s/tests/dumps/half.h5'", SR_SOURCE_DIR), 2,
                   "0.5");
    folder_end(folder);
}

Test(data_check_command, command_reads_a_runs_settings) {
    struct plan p;
    char *folder = folder_begin(), path[256];
    plan_begin(&p);
    check_dump_write(&p.a);
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    FILE *f = fopen(path, "w");
    fputs("sampler: balanced\nloss: focal\nalpha: 0.75\npos_weight: 3\nepochs: 7\n", f);
    fclose(f);
    struct run r = run_program(folder, "data check %s --config %s", p.a.path, path);
    cr_expect_eq(r.status, 1, "%s", r.err);
    expect_in(r.out,
              "SERIOUS  imbalance  A\n  positive rows are favoured more than twice (balanced draws, alpha "
              "0.75, pos_weight 3)");
    run_end(&r);
    r = run_program(folder, "data check %s --config %s", p.a.path, folder); /* the run's folder */
    cr_expect_eq(r.status, 1, "%s", r.err);
    run_end(&r);
    f = fopen(path, "w");
    fputs("sampler: none\nloss: bce\nalpha: 0.75\npos_weight: 3\n", f);
    fclose(f);
    r = run_program(folder, "data check %s --config %s", p.a.path, path);
    cr_expect_eq(r.status, 0, "%s", r.out);
    run_end(&r);
    f = fopen(path, "w");
    fputs("alpha: 2\n", f);
    fclose(f);
    expect_failure(run_program(folder, "data check %s --config %s", p.a.path, path), 2, "alpha");
    check_dump_end(&p.a);
    check_dump_end(&p.b);
    folder_end(folder);
}

/* The command knows four settings of train by heart: a file without them must mean to both the same. */
Test(data_check_command, defaults_are_those_of_train) {
    static const struct {
        const char *key, *fallback;
    } known[] = {{"sampler", "balanced"}, {"loss", "focal"}, {"alpha", "0.75"}, {"pos_weight", "1"}};
    size_t there = 0;
    for (size_t i = 0; i < SR_COUNT(known); i++)
        for (size_t k = 0; k < sr_config_count; k++)
            if (strcmp(sr_config_table[k].key, known[i].key) == 0) {
                cr_expect_str_eq(sr_config_table[k].fallback, known[i].fallback);
                there++;
            }
    cr_expect_eq(there, SR_COUNT(known));
    struct plan p;
    char *folder = folder_begin(), path[256];
    plan_begin(&p);
    check_dump_write(&p.a);
    snprintf(path, sizeof path, "%s/config.yaml", folder);
    FILE *f = fopen(path, "w");
    fputs("pos_weight: 3\n", f);
    fclose(f);
    struct run r = run_program(folder, "data check %s --config %s", p.a.path, path);
    cr_expect_eq(r.status, 1, "%s", r.err);
    expect_in(r.out, "(balanced draws, alpha 0.75, pos_weight 3)");
    run_end(&r);
    check_dump_end(&p.a);
    check_dump_end(&p.b);
    folder_end(folder);
}

/* What two files have in the same words is told once, in lines that fit a screen. */
Test(data_check_command, findings_fit_a_screen) {
    struct plan p;
    char *folder = folder_begin();
    plan_begin(&p);
    p.a.attribute[5].value = p.b.attribute[5].value = NULL;
    check_dump_write(&p.a);
    check_dump_write(&p.b);
    struct run r = run_program(folder, "data check %s %s", p.a.path, p.b.path);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "1 remark in 2,400 rows of 2 files");
    expect_in(r.out, "remark  contract  A B\n  not said: feature_template\n  > ");
    for (const char *line = r.out, *end; (end = strchr(line, '\n')); line = end + 1)
        cr_expect_leq(end - line, SR_HELP_WIDTH, "%.*s", (int)(end - line), line);
    run_end(&r);
    check_dump_end(&p.a);
    check_dump_end(&p.b);
    folder_end(folder);
}

Test(data_check_command, ids_of_rows_that_would_have_to_go) {
    struct plan p;
    char *folder = folder_begin(), path[256];
    plan_begin(&p);
    p.a.x[17 * CHECK_WIDTH] = NAN;
    p.a.x[400 * CHECK_WIDTH] = NAN;
    p.a.head_width = 0;
    check_dump_write(&p.a);
    snprintf(path, sizeof path, "%s/ids.txt", folder);
    struct run r = run_program(folder, "data check %s --ids-out %s", p.a.path, path);
    cr_expect_eq(r.status, 1, "%s", r.err);
    run_end(&r);
    r = run_program(folder, "data drop %s --ids %s --out %s/less.h5", p.a.path, path, folder);
    cr_expect_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    r = run_program(folder, "data check %s/less.h5", folder);
    cr_expect_eq(r.status, 0, "%s", r.out);
    expect_in(r.out, "nothing found in 1,198 rows of 1 file");
    run_end(&r);
    p.a.no_id = true;
    check_dump_write(&p.a);
    r = run_program(folder, "data check %s --ids-out %s", p.a.path, path);
    cr_expect_eq(r.status, 65);
    expect_in(r.out, "1 serious finding"); /* what was found is said all the same */
    expect_in(r.err, "no ids");
    run_end(&r);
    check_dump_end(&p.a);
    check_dump_end(&p.b);
    folder_end(folder);
}

Test(data_check_command, ids_do_not_replace_a_dump) {
    struct plan p;
    char *folder = folder_begin();
    struct stat before, after;
    plan_begin(&p);
    check_dump_write(&p.a);
    cr_assert_eq(stat(p.a.path, &before), 0);
    expect_failure(run_program(folder, "data check %s --ids-out %s", p.a.path, p.a.path), 2,
                   "which it would destroy");
    cr_assert_eq(stat(p.a.path, &after), 0);
    cr_expect_eq(after.st_ino, before.st_ino);
    check_dump_end(&p.a);
    check_dump_end(&p.b);
    folder_end(folder);
}

/* ---- real dumps ---- */

Test(data_check_command, real_dumps_have_nothing_serious) {
    const char *data = getenv("SAFEROUTE_DATA");
    char *folder = folder_begin(), path[512];
    snprintf(path, sizeof path, "%s/guard-train.h5", data ? data : "");
    if (!data || access(path, R_OK) != 0) {
        folder_end(folder);
        cr_skip_test("SAFEROUTE_DATA is not set: no real dumps to read");
    }
    struct run r = run_program(folder, "data check --json %s/guard-train.h5 %s/guard-val.h5", data, data);
    cr_expect_eq(r.status, 0, "%s", r.err);
    struct sr_json *o = parse(r.out);
    /* One pair of rows is the same; by comparison of all pairs (NumPy) 13 rows of val are near one of train.
     */
    const struct sr_json *all = sr_json_get(o, "findings");
    for (size_t i = 0; i < sr_json_size(all); i++) {
        const struct sr_json *f = sr_json_at(all, i);
        const char *kind = sr_json_as_string(sr_json_get(f, "kind"));
        if (strcmp(kind, "duplicates") == 0)
            cr_expect_eq(number(f, "numbers.rows"), 1);
        if (strcmp(kind, "near_duplicates") == 0 &&
            strstr(sr_json_as_string(sr_json_get(f, "text")), "another file"))
            cr_expect_float_eq(number(f, "numbers.rows"), 13, 1.5); /* two are within .001 of the limit */
        cr_expect(strcmp(kind, "duplicates") == 0 || strcmp(kind, "contradictions") == 0 ||
                      strcmp(kind, "near_duplicates") == 0 || strcmp(kind, "contract") == 0,
                  "%s", kind);
    }
    sr_json_free(o);
    run_end(&r);
    folder_end(folder);
}
