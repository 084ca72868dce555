/* test_base_file.c: atomic files: the old one or the whole new one, and nothing left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/run_program.h"

static char *folder, path[256];
static struct sr_error err;

/* The library calls this fsync instead of libc's, because the program's own symbols come first. It syncs
 * files as ever and refuses folders with the error a test asks for, as some file systems do. */
static int folder_refusal;

int fsync(int fd) {
    struct stat st;
    if (folder_refusal && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        errno = folder_refusal;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void begin(void) {
    folder = folder_begin();
    snprintf(path, sizeof path, "%s/out.txt", folder);
    cr_assert_eq(sr_atomic_file_write(path, "old", 3, &err), SR_OK, "%s", err.text);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(atomic_file, .init = begin, .fini = end);
TestSuite(staged, .init = begin, .fini = end);
TestSuite(file_read, .init = begin, .fini = end);

static void expect_content(const char *wanted) {
    char *text = slurp(path);
    cr_expect_str_eq(text, wanted);
    sr_free(text);
}

static size_t entries(void) {
    size_t n = 0;
    DIR *d = opendir(folder);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; /* . and .. */
}

Test(atomic_file, replaces_at_commit_and_not_before) {
    struct sr_atomic_file *f;
    cr_assert_eq(sr_atomic_file_open(&f, path, &err), SR_OK);
    fputs("new", sr_atomic_file_stream(f));
    fflush(sr_atomic_file_stream(f));
    expect_content("old");
    cr_expect_eq(entries(), 2);
    cr_expect_eq(sr_atomic_file_commit(f, &err), SR_OK);
    expect_content("new");
    cr_expect_eq(entries(), 1);
}

Test(atomic_file, discard_leaves_the_old_file_alone) {
    struct sr_atomic_file *f;
    cr_assert_eq(sr_atomic_file_open(&f, path, &err), SR_OK);
    fputs("new", sr_atomic_file_stream(f));
    sr_atomic_file_discard(f);
    expect_content("old");
    cr_expect_eq(entries(), 1);
    sr_atomic_file_discard(NULL);
}

/* A limit on the size of files makes the write fail as a full disk does. */
Test(atomic_file, a_failed_write_keeps_the_old_file) {
    struct rlimit limit = {10000, 10000};
    char *much = sr_alloc(1, 100000, NULL);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_expect_eq(sr_atomic_file_write(path, much, 100000, &err), SR_IO);
    cr_expect(strstr(err.text, "out.txt"), "%s", err.text);
    expect_content("old");
    cr_expect_eq(entries(), 1);
    sr_free(much);
}

/* The failure happens inside fwrite or only when the last buffer is flushed: both must be noticed. */
Test(atomic_file, a_small_failed_write_is_noticed_too) {
    struct rlimit limit = {2, 2};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    cr_expect_eq(sr_atomic_file_write(path, "newer", 5, &err), SR_IO);
    expect_content("old");
    cr_expect_eq(entries(), 1);
}

Test(atomic_file, bytes_written_by_name_are_committed) {
    struct sr_atomic_file *f;
    cr_assert_eq(sr_atomic_file_open(&f, path, &err), SR_OK);
    FILE *other = fopen(sr_atomic_file_path(f), "w");
    fputs("by name", other);
    fclose(other);
    cr_expect_eq(sr_atomic_file_commit(f, &err), SR_OK);
    expect_content("by name");
}

Test(atomic_file, two_writers_of_one_target_do_not_share_a_file) {
    struct sr_atomic_file *a, *b;
    cr_assert_eq(sr_atomic_file_open(&a, path, &err), SR_OK);
    cr_assert_eq(sr_atomic_file_open(&b, path, &err), SR_OK);
    fputs("first", sr_atomic_file_stream(a));
    fputs("second", sr_atomic_file_stream(b));
    cr_expect_eq(sr_atomic_file_commit(b, &err), SR_OK);
    expect_content("second");
    cr_expect_eq(sr_atomic_file_commit(a, &err), SR_OK);
    expect_content("first");
    cr_expect_eq(entries(), 1);
}

Test(atomic_file, keeps_mode_and_symbolic_link) {
    char link[256];
    struct stat st;
    snprintf(link, sizeof link, "%s/link", folder);
    cr_assert_eq(symlink("out.txt", link), 0);
    cr_assert_eq(chmod(path, 0640), 0);
    cr_expect_eq(sr_atomic_file_write(link, "new", 3, &err), SR_OK, "%s", err.text);
    expect_content("new");
    cr_expect_eq(lstat(link, &st), 0);
    cr_expect(S_ISLNK(st.st_mode));
    cr_expect_eq(stat(path, &st), 0);
    cr_expect_eq(st.st_mode & 07777, 0640);
}

Test(atomic_file, refuses_a_link_that_leads_nowhere) {
    char link[256];
    struct stat st;
    snprintf(link, sizeof link, "%s/link", folder);
    cr_assert_eq(symlink("absent.txt", link), 0);
    cr_expect_eq(sr_atomic_file_write(link, "new", 3, &err), SR_IO);
    cr_expect(strstr(err.text, "/link: it is a symbolic link that leads nowhere"), "%s", err.text);
    cr_expect_eq(lstat(link, &st), 0);
    cr_expect(S_ISLNK(st.st_mode));
    cr_expect_eq(entries(), 2);
}

/* A pipe in the test's own folder stands for every device: were it replaced, nothing outside would suffer. */
Test(atomic_file, refuses_what_is_no_regular_file) {
    struct stat st;
    char fifo[256];
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    cr_expect_eq(sr_atomic_file_write(fifo, "x", 1, &err), SR_IO);
    cr_expect_eq(stat(fifo, &st), 0);
    cr_expect(S_ISFIFO(st.st_mode));
    cr_expect_eq(sr_atomic_file_write(folder, "x", 1, &err), SR_IO);
    cr_expect_eq(sr_atomic_file_write("/no/such/folder/x", "x", 1, &err), SR_IO);
    cr_expect(strstr(err.text, "/no/such/folder/x: No such file"), "%s", err.text);
}

/* ---- folders that do not sync ---- */

static void expect_unsynced(const char *where, int why) {
    char wanted[512];
    snprintf(wanted, sizeof wanted, "%s: %s", where, strerror(why));
    cr_assert_not_null(sr_atomic_file_unsynced());
    cr_expect_str_eq(sr_atomic_file_unsynced(), wanted);
}

Test(atomic_file, a_disk_error_of_the_folder_is_a_failure_though_the_file_is_new) {
    static const int errors[] = {EIO, ENOSPC, EDQUOT};
    for (size_t i = 0; i < SR_COUNT(errors); i++) {
        char text[2] = {(char)('0' + i), '\0'};
        folder_refusal = errors[i];
        cr_expect_eq(sr_atomic_file_write(path, text, 1, &err), SR_IO);
        cr_expect(strstr(err.text, "out.txt") && strstr(err.text, "make permanent") &&
                      strstr(err.text, strerror(errors[i])),
                  "%s", err.text);
        expect_content(text);
        cr_expect_eq(entries(), 1);
    }
    cr_expect_null(sr_atomic_file_unsynced());
}

Test(atomic_file, a_folder_that_offers_no_sync_is_remembered) {
    static const int errors[] = {EINVAL, ENOTSUP, EBADF, EROFS, ENOSYS};
    cr_expect_null(sr_atomic_file_unsynced());
    for (size_t i = 0; i < SR_COUNT(errors); i++) {
        char text[2] = {(char)('0' + i), '\0'};
        folder_refusal = errors[i];
        cr_expect_eq(sr_atomic_file_write(path, text, 1, &err), SR_OK, "%s", err.text);
        expect_content(text);
        expect_unsynced(folder, EINVAL); /* the first one stays */
    }
}

Test(atomic_file, the_folder_of_a_bare_name_is_the_dot) {
    cr_assert_eq(chdir(folder), 0);
    folder_refusal = EINVAL;
    cr_expect_eq(sr_atomic_file_write("bare.txt", "x", 1, &err), SR_OK, "%s", err.text);
    expect_unsynced(".", EINVAL);
}

/* A drop box: one may write into it but not open it. Root may open anything, so it becomes somebody else. */
Test(atomic_file, a_folder_that_cannot_be_opened_is_remembered) {
    const bool root = geteuid() == 0;
    cr_assert_eq(chmod(folder, 0300), 0);
    if (root) {
        cr_assert_eq(chown(folder, 1, (gid_t)-1), 0);
        cr_assert_eq(seteuid(1), 0);
    }
    char other[300];
    snprintf(other, sizeof other, "%s/other.txt", folder);
    cr_expect_eq(sr_atomic_file_write(other, "new", 3, &err), SR_OK, "%s", err.text);
    expect_unsynced(folder, EACCES);
    if (root)
        cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(chmod(folder, 0700), 0);
}

/* Each thread writes in a folder of its own; all see one and the same first. */
static void *write_somewhere(void *where) {
    struct sr_error why;
    char name[300];
    snprintf(name, sizeof name, "%s/out", (const char *)where);
    for (int i = 0; i < 20; i++)
        if (sr_atomic_file_write(name, "x", 1, &why) < 0)
            return NULL;
    return (void *)(uintptr_t)sr_atomic_file_unsynced();
}

Test(atomic_file, threads_agree_on_the_first_folder) {
    enum { N = 4 };
    pthread_t threads[N];
    char folders[N][280];
    folder_refusal = EINVAL;
    for (int i = 0; i < N; i++) {
        snprintf(folders[i], sizeof *folders, "%s/%d", folder, i);
        cr_assert_eq(mkdir(folders[i], 0700), 0);
        cr_assert_eq(pthread_create(&threads[i], NULL, write_somewhere, folders[i]), 0);
    }
    size_t first = 0;
    for (int i = 0; i < N; i++) {
        void *seen = NULL;
        pthread_join(threads[i], &seen);
        cr_assert_not_null(seen);
        cr_expect_eq(seen, (void *)(uintptr_t)sr_atomic_file_unsynced());
        first += strncmp(sr_atomic_file_unsynced(), folders[i], strlen(folders[i])) == 0;
    }
    cr_expect_eq(first, 1, "%s", sr_atomic_file_unsynced());
}

/* What a command says at its end, on stderr. Free with sr_free. */
static char *last_words(void) {
    char words[300];
    snprintf(words, sizeof words, "%s/words", folder);
    fflush(stderr);
    const int old = dup(STDERR_FILENO), to = open(words, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert(old >= 0 && to >= 0);
    dup2(to, STDERR_FILENO);
    const int exit_status = sr_command_end(&(struct sr_options){0}, SR_OK, NULL);
    fflush(stderr);
    dup2(old, STDERR_FILENO);
    close(old);
    close(to);
    cr_expect_eq(exit_status, 0);
    return slurp(words);
}

Test(atomic_file, a_command_warns_of_the_folder_at_its_end) {
    char *text = last_words(), once[400];
    cr_expect_str_empty(text);
    sr_free(text);
    folder_refusal = EINVAL;
    for (int i = 0; i < 3; i++)
        cr_expect_eq(sr_atomic_file_write(path, "new", 3, &err), SR_OK);
    text = last_words();
    snprintf(once, sizeof once, "warning: cannot sync the folder %s: %s; ", folder, strerror(EINVAL));
    char *at = strstr(text, once);
    cr_expect(at && !strstr(at + 1, "warning"), "%s", text);
    cr_expect(strstr(text, "power failure"), "%s", text);
    sr_free(text);
}

Test(atomic_file, a_new_name_is_taken_only_where_none_is) {
    char from[256], to[256];
    snprintf(from, sizeof from, "%s/from", folder);
    snprintf(to, sizeof to, "%s/to", folder);
    cr_assert_eq(sr_atomic_file_write(from, "new", 3, &err), SR_OK);
    cr_expect_eq(sr_rename_new(from, to, &err), SR_OK, "%s", err.text);
    cr_assert_eq(sr_atomic_file_write(from, "later", 5, &err), SR_OK);
    cr_expect_eq(sr_rename_new(from, to, &err), SR_USAGE);
    char *text = slurp(to);
    cr_expect_str_eq(text, "new");
    sr_free(text);
    cr_expect_eq(sr_rename_new("/no/such", "/no/such/either", &err), SR_IO);
}

/* No file of that name could come of the work. */
Test(atomic_file, a_name_too_long_is_refused_at_once) {
    char name[257], to[512];
    memset(name, 'n', 256);
    name[256] = '\0';
    snprintf(to, sizeof to, "%s/%s", folder, name);
    struct sr_atomic_file *f;
    cr_expect_eq(sr_atomic_file_open(&f, to, &err), SR_IO);
    cr_expect(strstr(err.text, strerror(ENAMETOOLONG)), "%s", err.text);
    cr_expect_eq(entries(), (size_t)1);
}

/* As whoever is not the superuser, who may write anywhere. */
Test(atomic_file, what_can_be_written_is_told_before) {
    static const struct {
        const char *path;
        int status;
        const char *word;
    } cases[] = {{"open", SR_OK, ""},
                 {"open/", SR_OK, ""},
                 {"open/new", SR_OK, ""},
                 {"open/new/", SR_OK, ""},
                 {"open/link", SR_OK, ""},
                 {"new", SR_IO, "in the folder .: Permission denied"},
                 {"closed", SR_IO, "cannot create closed in the folder closed: Permission denied"},
                 {"closed/new", SR_IO, "in the folder closed: Permission denied"},
                 {"open/out", SR_IO, "closed: Permission denied"},
                 {"no/new", SR_IO, "there is no folder no; make it first"},
                 {"open/file/new", SR_IO, "Not a directory"}};
    cr_assert_eq(chdir(folder), 0);
    cr_assert(mkdir("open", 0777) == 0 && mkdir("closed", 0777) == 0 && chmod("open", 0777) == 0);
    cr_assert_eq(sr_atomic_file_write("open/file", "x", 1, &err), SR_OK);
    cr_assert_eq(sr_atomic_file_write("closed/file", "x", 1, &err), SR_OK);
    cr_assert(symlink("file", "open/link") == 0 && symlink("../closed/file", "open/out") == 0);
    cr_assert(chmod("closed", 0555) == 0 && chmod(".", 0555) == 0);
    const bool root = geteuid() == 0;
    if (root)
        cr_assert_eq(seteuid(65534), 0);
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        err.text[0] = '\0';
        cr_expect_eq(sr_atomic_file_possible(cases[i].path, &err), cases[i].status, "%s: %s", cases[i].path,
                     err.text);
        cr_expect(strstr(err.text, cases[i].word), "%s: %s", cases[i].path, err.text);
    }
    if (root)
        cr_assert_eq(seteuid(0), 0);
    cr_expect(chmod("closed", 0777) == 0 && chmod(".", 0777) == 0);
}

/* Names may have characters that no message has. */
Test(error, every_mention_of_a_file_is_renamed) {
    sr_fail(&err, SR_IO, "cannot make %s of %s", "a\tb.tmp/x", "a\tb.tmp/y");
    sr_error_rename(&err, "a\tb.tmp", "a\tb");
    cr_expect_str_eq(err.text, "cannot make a?b/x of a?b/y");
    sr_error_rename(&err, "nothing", "something");
    sr_error_rename(&err, "", "something");
    cr_expect_str_eq(err.text, "cannot make a?b/x of a?b/y");
    sr_error_rename(&err, "a?b", "a?b a?b");
    cr_expect_str_eq(err.text, "cannot make a?b a?b/x of a?b a?b/y");
    char name[600];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    sr_error_rename(&err, "x", name);
    cr_expect_eq(strlen(err.text), sizeof err.text - 1);
    sr_error_rename(NULL, "a", "b");
}

Test(staged, gets_its_name_or_is_gone) {
    struct sr_staged s;
    char to[256];
    snprintf(to, sizeof to, "%s/router", folder);
    for (int i = 0; i < 3; i++) { /* the first is not given its name, the third finds it taken */
        cr_assert_eq(sr_staged_open(&s, to, &err), SR_OK, "%s", err.text);
        cr_expect_str_eq(sr_path_name(s.path), "router");
        cr_assert_eq(sr_atomic_file_write(s.path, "new", 3, &err), SR_OK, "%s", err.text);
        cr_expect_eq(i == 0 ? SR_OK : sr_staged_name(&s, &err), i == 2 ? SR_USAGE : SR_OK);
        sr_fail(&err, SR_IO, "cannot read %s: %s", s.path, "why");
        cr_expect_eq(sr_staged_close(&s, i == 0 ? SR_OK : SR_IO, &err), i == 0 ? SR_OK : SR_IO);
        /* Where nothing failed there is no error that could be read. */
        cr_expect_eq(strstr(err.text, s.path) != NULL, i == 0, "%s", err.text);
        cr_expect_eq(strstr(err.text, to) != NULL, i != 0, "%s", err.text);
        cr_expect_eq(entries(), i == 0 ? (size_t)1 : (size_t)2);
    }
}

Test(file_read, reads_to_the_limit_and_no_further) {
    void *bytes;
    size_t size;
    cr_expect_eq(sr_file_read(&bytes, &size, path, 3, &err), SR_OK);
    cr_expect_eq(size, 3);
    cr_expect_str_eq(bytes, "old");
    sr_free(bytes);
    cr_expect_eq(sr_file_read(&bytes, &size, path, 2, &err), SR_DATA);
    cr_expect_null(bytes);
    cr_expect_eq(sr_file_read(&bytes, &size, folder, 100, &err), SR_NOINPUT);
    cr_expect_eq(sr_file_read(&bytes, &size, "/no/such", 100, &err), SR_NOINPUT);
    cr_expect_eq(sr_file_read(&bytes, &size, "/etc/hostname/x", 100, &err), SR_NOINPUT);
}

Test(file_read, reads_a_pipe_whose_size_nobody_knows) {
    char fifo[256], command[600];
    void *bytes;
    size_t size;
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    cr_assert_eq(mkfifo(fifo, 0600), 0);
    snprintf(command, sizeof command, "head -c 50000 /dev/zero > '%s' &", fifo);
    cr_assert_eq(system(command), 0);
    cr_expect_eq(sr_file_read(&bytes, &size, fifo, 1 << 20, &err), SR_OK, "%s", err.text);
    cr_expect_eq(size, 50000);
    sr_free(bytes);
}
