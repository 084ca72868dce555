/* check.c: files in memory, outcomes and messages for fuzz targets; see check.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/fuzz/check.h"

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES 4

struct fuzz_outcome fuzz_outcome;

static bool is_failure(int status) {
    switch (status) {
#define X(name, value, exit_status, meaning) case value:
        SR_STATUS_LIST(X)
#undef X
        return status != SR_OK && status != SR_BUG;
    default:
        return false;
    }
}

bool fuzz_accepted(int status, const struct sr_error *err) {
    fuzz_outcome = (struct fuzz_outcome){.status = status < 0 ? status : SR_OK};
    if (status >= 0)
        return true;
    FUZZ_CHECK(is_failure(status), "status %d: %s", status, err->text);
    FUZZ_CHECK(err->status == status, "the status is %d, the error's %d", status, err->status);
    FUZZ_CHECK(memchr(err->text, '\0', sizeof err->text) && err->text[0], "status %d has no message", status);
    fuzz_check_printable(err->text, "a message");
    FUZZ_CHECK(!strchr(err->text, '\n'), "a message of more than a line: %s", err->text);
    memcpy(fuzz_outcome.text, err->text, sizeof fuzz_outcome.text);
    return false;
}

void fuzz_check_printable(const char *text, const char *what) {
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        FUZZ_CHECK((*p >= ' ' && *p != 0x7f) || *p == '\n', "%s has the control character %#x at byte %zu",
                   what, (unsigned)*p, (size_t)(p - (const unsigned char *)text));
}

static void fill(int fd, const void *data, size_t size) {
    FUZZ_CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0, "there is no file to write to");
    for (size_t done = 0; done < size;) {
        const ssize_t n = pwrite(fd, (const char *)data + done, size - done, (off_t)done);
        FUZZ_CHECK(n > 0, "the file is full");
        done += (size_t)n;
    }
}

const char *fuzz_file(int number, const void *data, size_t size) {
    static int fd[FILES] = {-1, -1, -1, -1};
    static char path[FILES][32];
    if (fd[number] < 0)
        fd[number] = memfd_create("fuzz", MFD_CLOEXEC);
    fill(fd[number], data, size);
    snprintf(path[number], sizeof path[number], "/proc/self/fd/%d", fd[number]);
    return path[number];
}

static char folder[128];
static pid_t owner;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where) {
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

static void remove_folder(void) {
    if (getpid() == owner)
        nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_folder(void) {
    if (!folder[0]) {
        const char *shared = getenv("TMPDIR");
        snprintf(folder, sizeof folder, "%s/sr_fuzz_XXXXXX", shared && strlen(shared) < 80 ? shared : "/tmp");
        FUZZ_CHECK(mkdtemp(folder), "%s cannot be made", folder);
        owner = getpid();
        atexit(remove_folder);
    }
    return folder;
}

const char *fuzz_file_named(const void *data, size_t size, const char *ending) {
    static char path[FILES][256];
    static const char *ending_of[FILES];
    static int fd[FILES];
    int i = 0;
    while (i < FILES && ending_of[i] && strcmp(ending_of[i], ending) != 0)
        i++;
    FUZZ_CHECK(i < FILES, "too many endings");
    if (!ending_of[i]) {
        ending_of[i] = ending;
        snprintf(path[i], sizeof path[i], "%s/f%s", fuzz_folder(), ending);
        fd[i] = open(path[i], O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    }
    fill(fd[i], data, size);
    return path[i];
}

uint8_t fuzz_byte(struct fuzz_bytes *b) {
    if (b->left == 0)
        return 0;
    b->left--;
    return *b->at++;
}

char *fuzz_text(const void *data, size_t size) {
    char *text = sr_alloc(size + 1, 1, NULL);
    FUZZ_CHECK(text, "out of memory");
    if (size > 0)
        memcpy(text, data, size);
    return text;
}
