/* test_base_command.c: the front door: help, version, unknown names, a reader that goes away.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sys/stat.h>

#include "tests/run_program.h"

static char *folder;

static void begin(void) {
    folder = folder_begin();
}

static void end(void) {
    folder_end(folder);
}

TestSuite(front_door, .init = begin, .fini = end);

static void expect_output(const char *arguments, const char *word) {
    struct run r = run_program(folder, "%s", arguments);
    cr_expect_eq(r.status, 0, "%s: %d %s", arguments, r.status, r.err);
    cr_expect(strstr(r.out, word), "%s: \"%s\" is not in: %s", arguments, word, r.out);
    cr_expect_str_empty(r.err);
    run_end(&r);
}

Test(front_door, version) {
    expect_output("version", "saferoute " SR_VERSION "\n");
    expect_output("--version", "saferoute " SR_VERSION "\n");
}

Test(front_door, help_lists_every_command) {
#define X(name, help)                                                                                        \
    expect_output("help", "  " #name);                                                                       \
    expect_output("--help", help);                                                                           \
    expect_output("help " #name, "saferoute " #name);                                                        \
    expect_output(#name " --help", "saferoute " #name);                                                      \
    expect_output(#name " -h", "saferoute " #name);
    SR_COMMAND_LIST(X)
#undef X
    expect_output("help data synth", "saferoute data synth");
    expect_output("help help", "usage: saferoute COMMAND");
    expect_output("help --help", "usage: saferoute COMMAND");
}

Test(front_door, doctor_says_where_its_limits_come_from) {
    expect_output("doctor", "\nprocessors_source    ");
    expect_output("doctor", "\nmemory_source        ");
    expect_output("doctor --json", "\"processors_source\": ");
}

Test(front_door, wrong_usage_is_status_2) {
    expect_failure(run_program(folder, "%s", ""), 2, "no command");
    expect_failure(run_program(folder, "trian"), 2, "did you mean train");
    expect_failure(run_program(folder, "help trian"), 2, "did you mean train");
    expect_failure(run_program(folder, "zzz"), 2, "unknown command 'zzz'");
    expect_failure(run_program(folder, "doctor --jsno"), 2, "did you mean --json?");
    expect_failure(run_program(folder, "doctor --jsno"), 2, "saferoute doctor --help");
    expect_failure(run_program(folder, "doctor x"), 2, "unexpected argument 'x'");
}

/* stdout may be full, closed, or a pipe nobody reads: each is an I/O error, not a signal and not success. */
Test(front_door, output_that_cannot_be_written_is_status_74) {
    static const char *const wrecks[] = {
        "'%s' help > /dev/full 2> '%s/err'", "'%s' help >&- 2> '%s/err'",
        "'%s' doctor --json > /dev/full 2> '%s/err'",
        "{ sleep .2; '%s' help 2> '%s/err'; echo $? > status; } | true; exit $(cat status)"};
    char command[512], path[64];
    cr_assert_eq(chdir(folder), 0);
    for (size_t i = 0; i < SR_COUNT(wrecks); i++) {
        snprintf(command, sizeof command, wrecks[i], SR_PROGRAM, folder);
        const int raw = system(command);
        cr_expect(WIFEXITED(raw) && WEXITSTATUS(raw) == 74, "%s: %d", command, WEXITSTATUS(raw));
        snprintf(path, sizeof path, "%s/err", folder);
        char *text = slurp(path);
        cr_expect(strstr(text, "cannot write to standard output"), "%s", text);
        sr_free(text);
    }
}

/* What stderr says once the signal has ended a program that waits for whoever writes its settings. */
static char *end_waiting(int number) {
    char command[512];
    snprintf(command, sizeof command,
             "timeout -k 1 60 sh -c \"ulimit -c 0; '%s' train --config settings --out run 2> err & "
             "exec 3> settings; kill -%d \\$!; wait \\$!\"",
             SR_PROGRAM, number);
    const int raw = system(command);
    cr_expect(WIFEXITED(raw) && WEXITSTATUS(raw) == 128 + number, "%s: %d", command, WEXITSTATUS(raw));
    return slurp("err");
}

Test(front_door, signals_end_a_program_that_waits) {
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT};
    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(mkfifo("settings", 0600), 0);
    char *text = end_waiting(SIGTERM);
    cr_expect_str_empty(text);
    sr_free(text);
    if (*SR_SANITIZE)
        cr_skip_test("a sanitizer tells crashes itself");
    for (size_t i = 0; i < SR_COUNT(crashes); i++) {
        text = end_waiting(crashes[i]);
        cr_expect(strstr(text, "error: crashed") && strstr(text, "--isolate"), "%s", text);
        sr_free(text);
    }
}

/* ---- how a command ends ---- */

static int end_with(int status, const char *text) {
    struct sr_options none = {0};
    struct sr_error err = {.status = status};
    snprintf(err.text, sizeof err.text, "%s", text);
    return sr_command_end(&none, status, &err);
}

Test(command, ends_with_the_exit_status_of_its_failure) {
    cr_expect_eq(end_with(SR_OK, ""), 0);
    cr_expect_eq(end_with(3, ""), 0);
    cr_expect_eq(end_with(SR_NO, "below the gate"), 1);
    cr_expect_eq(end_with(SR_DATA, "bad"), 65);
    cr_expect_eq(end_with(SR_STOPPED, "stopped"), 75);
    cr_expect_eq(sr_command_end(&(struct sr_options){0}, SR_NOMEM, NULL), 71);
}

Test(front_door, an_unknown_instruction_set_is_warned_of) {
    setenv("SAFEROUTE_ISA", "avx1024", 1);
    struct run r = run_program(folder, "doctor");
    cr_expect_eq(r.status, 0, "%s", r.err);
    cr_expect(strstr(r.err, "warning: SAFEROUTE_ISA is 'avx1024'"), "%s", r.err);
    run_end(&r);
    setenv("SAFEROUTE_ISA", "base", 1);
    r = run_program(folder, "doctor");
    cr_expect_str_empty(r.err);
    run_end(&r);
}
