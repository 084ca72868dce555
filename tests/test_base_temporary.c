/* test_base_temporary.c: temporary files: gone with a program that is stopped, swept up after one that was
 * killed, and nobody else's touched.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/run_program.h"

static char *folder;
static char target[128];
static struct sr_error err;

static void begin(void) {
    folder = folder_begin();
    snprintf(target, sizeof target, "%s/out.h5", folder);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(temporary, .init = begin, .fini = end);

/* Number of a process that is no more. */
static pid_t dead(void) {
    const pid_t child = fork();
    if (child == 0)
        _exit(0);
    waitpid(child, NULL, 0);
    return child;
}

static void path_of(char path[512], const char *name, pid_t pid, const char *rest) {
    snprintf(path, 512, "%s/%s%d%s", folder, name, (int)pid, rest);
}

/* A file of that name; the descriptor stays open. */
static int make(const char *name, pid_t pid, const char *rest) {
    char path[512];
    path_of(path, name, pid, rest);
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    cr_assert_geq(fd, 0, "%s", path);
    return fd;
}

static bool is_there(const char *name, pid_t pid, const char *rest) {
    char path[512];
    path_of(path, name, pid, rest);
    return access(path, F_OK) == 0;
}

Test(temporary, leftovers_of_the_dead_are_swept) {
    const pid_t gone = dead();
    close(make(".out.h5.", gone, ".1a2b.tmp"));
    close(make(".out.h5.", gone, ".ff.tmp"));
    cr_assert_eq(sr_atomic_file_write(target, "new", 3, &err), 0, "%s", err.text);
    cr_expect_not(is_there(".out.h5.", gone, ".1a2b.tmp"));
    cr_expect_not(is_there(".out.h5.", gone, ".ff.tmp"));
}

/* A long name goes into the temporary one in part. */
Test(temporary, those_of_a_long_name_are_swept) {
    char name[251], path[512];
    struct sr_atomic_file *f;
    memset(name, 'n', 250);
    name[250] = '\0';
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(sr_atomic_file_open(&f, path, &err), 0, "%s", err.text);
    const char *made = strrchr(sr_atomic_file_path(f), '/') + 1;
    const size_t begin = (size_t)(strstr(made, "n.") - made) + 2; /* of the process's number */
    snprintf(name, sizeof name, "%.*s", (int)begin, made);
    sr_atomic_file_discard(f);
    const pid_t gone = dead();
    close(make(name, gone, ".1a2b.tmp"));
    cr_assert_eq(sr_atomic_file_write(path, "new", 3, &err), 0, "%s", err.text);
    cr_expect_not(is_there(name, gone, ".1a2b.tmp"));
}

Test(temporary, what_is_not_ours_or_not_dead_stays) {
    static const struct {
        const char *name, *rest;
    } others[] = {{".out.h5.", ".1a2b.bak"}, {".out.h5.", ".xyz.tmp"},     {".out.h5.", "..tmp"},
                  {".out.h5.", ".tmp"},      {".out.h5.x", ".1a2b.tmp"},   {".out.h5.-", ".1a2b.tmp"},
                  {"out.h5.", ".1a2b.tmp"},  {".out.h5.bak.", ".1a.tmp"},  {".other.h5.", ".1a2b.tmp"},
                  {".out.h", ".1a2b.tmp"},   {".out.h5.", ".1a2b.tmp.gz"}, {".out.h5.0x", ".1a2b.tmp"}};
    const pid_t gone = dead();
    for (size_t i = 0; i < SR_COUNT(others); i++)
        close(make(others[i].name, gone, others[i].rest));
    close(make(".out.h5.", getppid(), ".1.tmp"));
    cr_assert_eq(sr_atomic_file_write(target, "new", 3, &err), 0, "%s", err.text);
    for (size_t i = 0; i < SR_COUNT(others); i++)
        cr_expect(is_there(others[i].name, gone, others[i].rest), "%sPID%s", others[i].name, others[i].rest);
    cr_expect(is_there(".out.h5.", getppid(), ".1.tmp"), "that of a living process");
}

/* In a container the program that was killed had the number that this one has. */
Test(temporary, those_of_one_with_this_number_are_swept) {
    struct sr_atomic_file *f;
    cr_assert_eq(sr_atomic_file_open(&f, target, &err), 0);
    close(make(".out.h5.", getpid(), ".1.tmp"));
    cr_assert_eq(sr_atomic_file_write(target, "new", 3, &err), 0, "%s", err.text);
    cr_expect_not(is_there(".out.h5.", getpid(), ".1.tmp"));
    cr_expect_eq(access(sr_atomic_file_path(f), F_OK), 0, "that of another thread");
    cr_assert_eq(sr_atomic_file_commit(f, &err), 0, "%s", err.text);
}

/* Writers that see each other's numbers as gone, as from containers: each by a sweep of its own number. */
static int write_often(void) {
    const char *name = "out.h5";
    int status = 0;
    for (int i = 0; i < 300 && status == 0; i++) {
        struct sr_atomic_file *f;
        sr_temporary_sweep_names(folder, &name, 1);
        status = sr_atomic_file_open(&f, target, &err);
        if (status < 0)
            return status;
        sr_temporary_sweep_names(folder, &name, 1);
        sr_atomic_file_seal(f, &err);
        sr_temporary_sweep_names(folder, &name, 1);
        status = sr_atomic_file_commit(f, &err);
    }
    return status;
}

Test(temporary, writers_in_containers_do_not_sweep_each_other) {
    pid_t child[4];
    for (size_t i = 0; i < SR_COUNT(child); i++)
        if ((child[i] = fork()) == 0)
            _exit(write_often() < 0 ? 1 : 0);
    for (size_t i = 0; i < SR_COUNT(child); i++) {
        int status;
        waitpid(child[i], &status, 0);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    }
}

/* A process of another container has a number that means nothing here; its lock says that it lives. */
Test(temporary, what_is_locked_stays) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const pid_t gone = dead();
    const int fd = make(".out.h5.", gone, ".1a2b.tmp");
    cr_assert_eq(fcntl(fd, F_OFD_SETLK, &whole), 0);
    cr_assert_eq(sr_atomic_file_write(target, "new", 3, &err), 0);
    cr_expect(is_there(".out.h5.", gone, ".1a2b.tmp"));
    close(fd);
    cr_assert_eq(sr_atomic_file_write(target, "new", 3, &err), 0);
    cr_expect_not(is_there(".out.h5.", gone, ".1a2b.tmp"));
}

/* What a writer holds while it writes: the lock, against a sweep, and against nobody who opens it by name. */
Test(temporary, a_writer_holds_a_lock) {
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct sr_atomic_file *f;
    cr_assert_eq(sr_atomic_file_open(&f, target, &err), 0);
    const int fd = open(sr_atomic_file_path(f), O_RDWR);
    cr_assert_geq(fd, 0);
    cr_expect_eq(fcntl(fd, F_OFD_SETLK, &whole), -1);
    close(fd);
    sr_atomic_file_discard(f);
}

Test(temporary, only_what_is_open_is_removed_at_the_end) {
    struct sr_atomic_file *f, *g;
    cr_assert_eq(sr_atomic_file_write(target, "old", 3, &err), 0);
    for (int i = 0; i < 100; i++) { /* places are given back */
        cr_assert_eq(sr_atomic_file_open(&f, target, &err), 0);
        sr_atomic_file_discard(f);
    }
    cr_assert_eq(sr_atomic_file_open(&f, target, &err), 0);
    cr_assert_eq(sr_atomic_file_open(&g, target, &err), 0);
    sr_temporary_remove_all();
    cr_expect_eq(access(sr_atomic_file_path(f), F_OK), -1);
    cr_expect_eq(access(sr_atomic_file_path(g), F_OK), -1);
    char *old = slurp(target);
    cr_expect_str_eq(old, "old");
    sr_free(old);
    sr_atomic_file_discard(f);
    sr_atomic_file_discard(g);
}

/* ---- the program ---- */

static size_t temporaries(void) {
    char command[256];
    snprintf(command, sizeof command, "test -z \"$(ls -A %s | grep tmp)\"", folder);
    return system(command) == 0 ? 0 : 1;
}

/* The program as it reads a pipe, of which the last rows have not come; *pipe: where to write them. */
static pid_t start(int *pipe, void (*handler)(int)) {
    const char row[] = "{\"id\": \"somebody\", \"features\": [1, 2], \"label\": 0}\n";
    char from[128];
    snprintf(from, sizeof from, "%s/rows.jsonl", folder);
    cr_assert_eq(mkfifo(from, 0600), 0);
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGHUP, handler);
        execl(SR_PROGRAM, "saferoute", "data", "convert", from, "--out", target, (char *)NULL);
        _exit(127);
    }
    *pipe = open(from, O_WRONLY);
    cr_assert_geq(*pipe, 0);
    cr_assert_eq(write(*pipe, row, sizeof row - 1), (ssize_t)(sizeof row - 1));
    while (temporaries() == 0)
        usleep(1000);
    return child;
}

Test(temporary, a_signal_takes_the_half_file_along) {
    const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < SR_COUNT(numbers); i++) {
        char from[128];
        int status, pipe;
        const pid_t child = start(&pipe, SIG_DFL);
        kill(child, numbers[i]);
        waitpid(child, &status, 0);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == numbers[i], "it must die of the signal itself");
        cr_expect_eq(temporaries(), 0, "signal %d", numbers[i]);
        cr_expect_eq(access(target, F_OK), -1);
        close(pipe);
        snprintf(from, sizeof from, "%s/rows.jsonl", folder);
        unlink(from);
    }
}

Test(temporary, a_signal_that_is_switched_off_stays_off) {
    int status, pipe;
    const pid_t child = start(&pipe, SIG_IGN); /* as nohup does */
    kill(child, SIGHUP);
    close(pipe);
    waitpid(child, &status, 0);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    cr_expect_eq(access(target, F_OK), 0);
}
