/* test_base_log.c: lines for people: where they go, what they look like, and where no bar is drawn.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <regex.h>

#include "tests/run_program.h"

static char *folder, log_path[256], err_path[256];
static struct sr_error err;

/* stderr goes to a file, which is no terminal. */
static void begin(void) {
    folder = folder_begin();
    snprintf(log_path, sizeof log_path, "%s/train.log", folder);
    snprintf(err_path, sizeof err_path, "%s/stderr", folder);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(log, .init = begin, .fini = end);

static char *log_all(void) {
    fflush(stderr);
    const int saved = dup(STDERR_FILENO), to = open(err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(to, STDERR_FILENO);
    sr_log_info("epoch %d", 3);
    sr_log_progress(0.5, "half");
    sr_log_warn("slow");
    sr_log_error("%s", "broken");
    cr_expect(!sr_log_is_terminal());
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(to);
    return slurp(err_path);
}

Test(log, lines_are_labelled_and_plain_without_a_terminal) {
    char *text = log_all();
    cr_expect_str_eq(text, "epoch 3\nwarning: slow\nerror: broken\n");
    sr_free(text);
}

Test(log, file_gets_the_same_lines_with_a_time) {
    regex_t stamped;
    cr_assert_eq(sr_log_file(log_path, &err), SR_OK);
    sr_free(log_all());
    cr_assert_eq(sr_log_file(NULL, &err), SR_OK);
    sr_free(log_all()); /* closed: must not appear */
    char *text = slurp(log_path);
    cr_assert_eq(regcomp(&stamped,
                         "^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-9:]{8}[+-][0-9]{4} epoch 3\n"
                         "[0-9T:+-]{24} warning: slow\n[0-9T:+-]{24} error: broken\n$",
                         REG_EXTENDED | REG_NOSUB),
                 0);
    cr_expect_eq(regexec(&stamped, text, 0, NULL, 0), 0, "%s", text);
    regfree(&stamped);
    sr_free(text);
}

Test(log, file_is_appended_to) {
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(sr_log_file(log_path, &err), SR_OK);
        sr_log_info("once");
        cr_assert_eq(sr_log_file(NULL, &err), SR_OK);
    }
    char *text = slurp(log_path);
    size_t lines = 0;
    for (const char *p = text; (p = strstr(p, "once\n")); p++)
        lines++;
    cr_expect_eq(lines, 2);
    sr_free(text);
    cr_expect_eq(sr_log_file("/no/such/folder/x.log", &err), SR_IO);
}

/* Where there is no bar: a line every half minute, with the time left. */
Test(log, a_stage_tells_the_time_left) {
    struct sr_log_stage stage = sr_log_stage_begin("scoring");
    cr_assert_eq(sr_log_file(log_path, &err), SR_OK);
    sr_log_stage_show(&stage, 0.1);
    stage.began -= 60;
    sr_log_stage_show(&stage, 0.2);
    stage.last_line -= 31;
    sr_log_stage_show(&stage, 0.5);
    sr_log_stage_show(&stage, 0.6);
    cr_assert_eq(sr_log_file(NULL, &err), SR_OK);
    char *text = slurp(log_path);
    cr_expect_str_eq(strchr(text, ' ') + 1, "scoring: 50 %, 1 min 00 s left\n");
    sr_free(text);
}

Test(log, names_of_strangers_do_not_steer_the_terminal) {
    cr_assert_eq(sr_log_file(log_path, &err), SR_OK);
    sr_log_info("model \"%s\"", "\033[31mred\nforged line");
    cr_assert_eq(sr_log_file(NULL, &err), SR_OK);
    char *text = slurp(log_path);
    cr_expect_str_eq(strchr(text, ' ') + 1, "model \"?[31mred?forged line\"\n");
    sr_free(text);
}

Test(log, durations_are_in_words) {
    static const struct {
        double seconds;
        const char *text;
    } known[] = {{0, "0 s"},          {3.4, "3 s"},         {59.6, "1 min 00 s"},
                 {125, "2 min 05 s"}, {4200, "1 h 10 min"}, {90000, "25 h 00 min"},
                 {-5, "0 s"},         {0.0 / 0.0, "0 s"},   {1e300, "1000000 h 00 min"}};
    char text[24];
    for (size_t i = 0; i < SR_COUNT(known); i++)
        cr_expect_str_eq(sr_log_duration(known[i].seconds, text), known[i].text);
}

Test(log, clock_goes_forward) {
    const double before = sr_log_clock();
    usleep(2000);
    cr_expect_gt(sr_log_clock(), before + .0019);
}
