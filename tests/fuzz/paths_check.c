/* paths_check.c: lists of dumps with patterns (data/paths.c), in a folder with a few files. Inputs with a
 * slash are passed over: their patterns would walk through the whole machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "data/data.h"
#include "tests/fuzz/parsers.h"

#define ITEMS 8

static int home = -1, there = -1; /* folders: of the process, of the files */

static void begin(void) {
    static const char *const names[] = {"a.h5", "b.h5", "week-1.h5", "week-2.h5", "[x].h5", "a,b.h5"};
    home = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    there = open(fuzz_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(home >= 0 && there >= 0, "no folder");
    for (size_t i = 0; i < SR_COUNT(names); i++)
        close(openat(there, names[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
}

/* Every name of the list is there or was asked for as it stands; the counts add up. */
static void check(const char *list, const char *asked, const size_t *files) {
    size_t names = 1, counted = 0;
    for (const char *p = list; *p; p++)
        names += *p == ',';
    for (size_t i = 0; i < ITEMS; i++)
        counted += files[i];
    FUZZ_CHECK(names == counted, "%s: %zu names, counted %zu, from %s", list, names, counted, asked);
}

void fuzz_paths(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size), *list = NULL;
    struct sr_error err = {0};
    size_t files[ITEMS];
    if (home < 0)
        begin();
    FUZZ_CHECK(fchdir(there) == 0, "no folder");
    if (!strchr(text, '/') && strlen(text) < 4096 &&
        fuzz_accepted(sr_data_paths(&list, text, files, ITEMS, &err), &err)) {
        check(list, text, files);
        sr_free(list);
    }
    FUZZ_CHECK(fchdir(home) == 0, "no way back");
    sr_free(text);
}
