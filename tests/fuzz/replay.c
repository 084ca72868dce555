/* replay.c: runs a fuzz target on files, without a fuzzer: fuzz_NAME [--print] FILE|FOLDER...
 *
 * Folders are walked through; one that is not there is passed over, but a first argument without a file is a
 * failure. Every file is run again until no more blocks of memory are in use after it than before; where they
 * grow each time, something leaks (blocks are counted unless a sanitizer has an allocator of its own, and a
 * leak check of its own). --print: a line a file, "PATH <tab> accepted|refused <tab> digest or message", each
 * run once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/check.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define LARGEST ((size_t)64 << 20)
#define RUNS    5
#define SECONDS 60 /* a file that takes longer hangs */

static size_t files, accepted, leaks;
static bool print;
static char current[4096];

/* ---- blocks in use, of the whole process, on top of glibc's allocator ---- */

static atomic_long blocks;

#ifdef SR_FUZZ_COUNTS
/* glibc's names. NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl*) */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *p);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl*) */

static void *count(void *p) {
    atomic_fetch_add(&blocks, p != NULL);
    return p;
}

void *malloc(size_t bytes) {
    return count(__libc_malloc(bytes));
}

void *calloc(size_t n, size_t bytes) {
    return count(__libc_calloc(n, bytes));
}

void *realloc(void *p, size_t bytes) {
    void *moved = __libc_realloc(p, bytes);
    atomic_fetch_add(&blocks, p ? -(long)(!moved && bytes == 0) : (long)(moved != NULL));
    return moved;
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    return count(__libc_memalign(alignment, bytes));
}

int posix_memalign(void **p, size_t alignment, size_t bytes) {
    void *got = aligned_alloc(alignment, bytes);
    if (!got)
        return ENOMEM;
    *p = got;
    return 0;
}

void free(void *p) {
    atomic_fetch_sub(&blocks, p != NULL);
    __libc_free(p);
}
#endif

/* ---- files ---- */

/* Which file it was; the signal then does what it does. */
static void say_file(int number) {
    static const char what[] = "\nwhile replaying ";
    ssize_t n = write(STDERR_FILENO, what, sizeof what - 1);
    n += write(STDERR_FILENO, current, strlen(current));
    n += write(STDERR_FILENO, "\n", 1);
    signal(number, n > 0 ? SIG_DFL : SIG_IGN);
    raise(number);
}

static void watch(void) {
    static const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM};
    for (size_t i = 0; i < SR_COUNT(signals); i++)
        signal(signals[i], say_file);
}

/* Leaks, if every run after the first leaves more behind than the one before; libraries that keep memory for
 * later do so once or twice. */
static void run_often(const void *bytes, size_t size) {
    const long known = &fuzz_lost_by_library ? fuzz_lost_by_library : 0;
    long before, more = known + 1;
    LLVMFuzzerTestOneInput(bytes, size);
    for (int i = 0; i < RUNS && more > known; i++) {
        before = atomic_load(&blocks);
        LLVMFuzzerTestOneInput(bytes, size);
        more = atomic_load(&blocks) - before;
    }
    leaks += more > known;
    if (more > known)
        fprintf(stderr, "%s: %ld blocks of memory leak\n", current, more);
}

static int run_file(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)where;
    void *bytes;
    size_t size;
    struct sr_error err;
    if (type != FTW_F || !S_ISREG(st->st_mode))
        return 0;
    snprintf(current, sizeof current, "%s", path);
    if (sr_file_read(&bytes, &size, path, LARGEST, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    fuzz_outcome = (struct fuzz_outcome){.status = SR_OK};
    alarm(SECONDS);
    if (print)
        LLVMFuzzerTestOneInput(bytes, size);
    else
        run_often(bytes, size);
    alarm(0);
    sr_free(bytes);
    const bool taken = fuzz_outcome.status == SR_OK;
    if (print)
        printf("%s\t%s\t%s\n", path, taken ? "accepted" : "refused",
               taken ? fuzz_outcome.digest : fuzz_outcome.text);
    files++;
    accepted += taken;
    return 0;
}

int main(int argc, char **argv) {
    bool failed = false;
    print = argc > 1 && strcmp(argv[1], "--print") == 0;
    watch();
    for (int i = 1 + print; i < argc; i++) {
        const size_t before = files;
        if (access(argv[i], F_OK) == 0)
            failed = nftw(argv[i], run_file, 16, FTW_PHYS) != 0 || failed;
        if (i == 1 + print && files == before) {
            fprintf(stderr, "%s: no file to replay\n", argv[i]);
            failed = true;
        }
    }
    if (!print)
        printf("%zu files, %zu accepted, %zu refused, %zu leaks\n", files, accepted, files - accepted, leaks);
    return failed || leaks > 0 || files == 0;
}
