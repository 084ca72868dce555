/* saferoute.c: the front door: one program, a table of commands.
 *
 * The commands live in their topics' folders (train/cmd_train.c, ...); the list of them is SR_COMMAND_LIST. A
 * reader that goes away (saferoute ... | head) must not kill a training run half-way, so SIGPIPE is ignored
 * and a failed write becomes an exit status; so does one past the limit of `ulimit -f` (SIGXFSZ). A command
 * that is stopped takes its half-written files with it; train, which ends with a checkpoint, has handlers of
 * its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "data/data.h"
#include "nn/base/base.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
#define X(name, help) {#name, sr_cmd_##name, help},
    SR_COMMAND_LIST(X)
#undef X
};

static int print_commands(void) {
    puts("usage: saferoute COMMAND [options]\n"
         "\n"
         "Trains, measures and runs the SafeRoute router: from a small guard's last hidden state it decides "
         "which\n"
         "rows a large guard should judge instead.\n"
         "\n"
         "commands:");
    for (size_t i = 0; i < SR_COUNT(commands); i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].help);
    puts("  help       this text, or that of a command: saferoute help train\n"
         "  version    the version of this program\n"
         "\n"
         "exit status: 0 done, 1 a check said no, 2 usage, 65 bad data, 66 no such input, 70 a bug, 71 out "
         "of memory,\n"
         "74 I/O error, 75 stopped by a signal with a checkpoint");
    return SR_OK;
}

static int print_version(void) {
    puts("saferoute " SR_VERSION);
    return SR_OK;
}

static int fail_unknown(const char *name, struct sr_error *err) {
    static const char *const names[] = {
#define X(name, help) #name,
        SR_COMMAND_LIST(X)
#undef X
            "help",
        "version", NULL};
    const char *near = sr_nearest(name, names);
    return sr_fail(err, SR_USAGE, "unknown command '%.100s'%s%s%s (saferoute help lists them)", name,
                   near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* The command's own status, or -1 if there is none of that name. */
static int run_command(const char *name, int argc, char **argv) {
    for (size_t i = 0; i < SR_COUNT(commands); i++)
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc, argv);
    return -1;
}

/* `saferoute help`, `saferoute help train`, `saferoute help data synth`. */
static int help(int argc, char **argv, struct sr_error *err) {
    char option[] = "--help", *arguments[3];
    int n = 0;
    if (argc == 0 || strcmp(argv[0], "help") == 0 || strcmp(argv[0], "--help") == 0)
        return print_commands();
    for (int i = 1; i < argc && n < 2; i++)
        arguments[n++] = argv[i];
    arguments[n++] = option;
    const int exit_status = run_command(argv[0], n, arguments);
    return exit_status < 0 ? fail_unknown(argv[0], err) : exit_status;
}

static void warn_of_unknown_isa(void) {
    const char *wanted = getenv("SAFEROUTE_ISA");
    if (wanted && !sr_isa_known(wanted))
        sr_log_warn("SAFEROUTE_ISA is '%.100s', which is no instruction set known here and is ignored; base, "
                    "avx2, avx512, avx512vnni and dotprod are",
                    wanted);
}

/* Whoever started the program may have closed 0, 1 or 2 (saferoute ... >&-): else the next file that is
 * opened would be one of them, and what is printed would go into it. open takes the lowest free number, which
 * is the closed one; to print there fails. */
static void occupy(void) {
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

/* And signals do not disturb what is printed (stream.h). */
static void set_standard(void) {
    occupy();
    FILE *patient = sr_stream_open(STDOUT_FILENO, "w", &sr_stdout_failed);
    if (!patient)
        return;
    setvbuf(patient, NULL, isatty(STDOUT_FILENO) == 1 ? _IOLBF : _IOFBF, BUFSIZ);
    stdout = patient;
}

/* glibc lets blocks share pages up to the size of the largest one that was freed so far, and such pages stay:
 * a run would take a third more memory than it needs, or not, as its threads happen to meet. */
static void set_memory(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 4 << 20);
#endif
}

static void on_signal(int number) {
    sr_temporary_remove_all();
    raise(number); /* with its default again, once this returns */
}

/* libhdf5 ends so on some damaged files. What was being written is left to the next writer. */
static void on_crash(int number) {
    static const char text[] =
        "error: crashed, by a fault of this program or of a library it uses. An HDF5 file that was "
        "read may be damaged or hostile: --isolate reads it in a process of its own\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    raise(number);
}

static void handle(int number, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* A signal that whoever started us has switched off (nohup) stays off, and a sanitizer tells crashes itself.
 */
static void set_signals(void) {
    const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1}, crashes[] = {SIGSEGV, SIGBUS, SIGABRT};
    struct sigaction before;
    for (size_t i = 0; i < SR_COUNT(ends); i++)
        if (sigaction(ends[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            handle(ends[i], on_signal);
    for (size_t i = 0; i < SR_COUNT(crashes); i++)
        if (sigaction(crashes[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            handle(crashes[i], on_crash);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* True if an argument is the flag, whatever value it is given: one process too many does no harm. */
static bool wants_isolation(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], SR_ISOLATE_FLAG, sizeof SR_ISOLATE_FLAG - 1) == 0)
            return true;
    return false;
}

/* The command's exit status; that of bad data where the process of --isolate failed and the command does not
 * know, for some questions have no answer but yes and no. -1 if there is no such command. */
static int run_isolated(const char *name, int argc, char **argv) {
    struct sr_options none = {0};
    struct sr_error err = {0};
    int status = sr_isolate_begin(&err);
    if (status < 0)
        return sr_command_end(&none, status, &err);
    const int exit_status = run_command(name, argc, argv);
    status = sr_isolate_end(exit_status == sr_status_exit(SR_DATA), &err);
    return status < 0 ? sr_command_end(&none, status, &err) : exit_status;
}

static int run(int argc, char **argv) {
    struct sr_options none = {0};
    struct sr_error err = {0};
    int status;
    if (argc < 2) {
        status = sr_fail(&err, SR_USAGE, "no command given (saferoute help lists them)");
    } else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        status = help(argc - 2, argv + 2, &err);
    } else if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        status = print_version();
    } else {
        warn_of_unknown_isa();
        const bool isolated = wants_isolation(argc - 2, argv + 2);
        const int exit_status = (isolated ? run_isolated : run_command)(argv[1], argc - 2, argv + 2);
        if (exit_status >= 0)
            return exit_status;
        status = fail_unknown(argv[1], &err);
    }
    if (status > 0)
        return status;
    return sr_command_end(&none, status, &err);
}

int main(int argc, char **argv) {
    if (sr_isolate_is_reader(argc, argv)) { /* nothing is called at its exit: it may not */
        struct sr_options none = {0};
        struct sr_error err = {0};
        _exit(sr_command_end(&none, sr_isolate_read(&err), &err));
    }
    set_memory();
    set_standard();
    set_signals();
    const int exit_status = run(argc, argv);
    (void)fclose(stdout); /* flushed by sr_command_end, whose status says whether that failed */
    return exit_status;
}
