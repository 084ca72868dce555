/* test_train_resume.c: runs that are gone on with after something in their folder was damaged, lost or
 * changed: the result is the run's own, or the command says what is wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "nn/nn.h"
#include "tests/small_run.h"

/* The first epoch stays the best: nothing is learnt. */
#define STILL "--lr 1e-12 --eta-min 1e-12 "

static void put(const char *path, const char *text) {
    struct sr_error err = {0};
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), &err), 0, "%s", err.text);
}

static void copy(const char *to, const char *from) {
    struct sr_error err = {0};
    cr_assert_eq(sr_file_copy(to, from, (size_t)1 << 26, &err), 0, "%s", err.text);
}

/* folder/name; four of them at a time. */
static const char *at(const char *folder, const char *name) {
    static char path[4][256];
    static int i;
    return fault_path(path[i = (i + 1) % 4], sizeof path[0], folder, name);
}

static struct run resume(const char *folder, const char *run) {
    return run_program(folder, "train --resume '%s/%s'", folder, run);
}

static bool same_file(const char *a, const char *b) {
    void *bytes[2];
    size_t size[2];
    cr_assert_eq(sr_file_read(&bytes[0], &size[0], a, (size_t)1 << 26, NULL), 0, "%s", a);
    cr_assert_eq(sr_file_read(&bytes[1], &size[1], b, (size_t)1 << 26, NULL), 0, "%s", b);
    const bool same = size[0] == size[1] && memcmp(bytes[0], bytes[1], size[0]) == 0;
    sr_free(bytes[0]);
    sr_free(bytes[1]);
    return same;
}

/* ---- the result ---- */

Test(train_resume, a_good_router_is_not_replaced_by_garbage, .timeout = 120) {
    char *folder = folder_begin();
    small_run_dumps(folder);
    run_fine(folder, small_run_begin(folder, "sd", "--seeds 2 --seed 1"));
    copy(at(folder, "good"), at(folder, "sd/best.safetensors"));
    put(at(folder, "sd/seed-1/best.safetensors"), "garbage\n");
    put(at(folder, "sd/seed-2/best.safetensors"), "garbage\n");
    expect_failure(resume(folder, "sd"), 65, "best.safetensors");
    cr_expect(same_file(at(folder, "sd/best.safetensors"), at(folder, "good")));
    folder_end(folder);
}
