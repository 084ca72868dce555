/* test_trust_h5_calls.c: functions of HDF5 that fail. Whatever the n-th call of one of them says, numbers
 * that are read and dumps that are written are right, or there is an error and no dump.
 *
 * The functions are defined here, in the executable, so that the dynamic linker finds them first; HDF5's own
 * calls of them go past these. Declared by hand: <hdf5.h> is included by data/h5*.c alone.
 *
 * The short form lets the first call from each place in the code fail, the long form each. A trial is a
 * process of its own: what a command notes it says at its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "data/cmd_data.h"
#include "tests/dump_fixture.h"
#include "tests/run_program.h"
#include "tests/trust.h"

#define NO_PLACE UINT64_MAX /* HADDR_UNDEF */

/* X(what it returns, what it returns where it fails, its name, parameters, arguments): those that look into
 * the file to know. */
#define READING_LIST(X)                                                                                      \
    X(int64_t, -1, H5Aopen, (int64_t a, const char *b, int64_t c), (a, b, c))                                \
    X(int, -1, H5Aexists, (int64_t a, const char *b), (a, b))                                                \
    X(int, -1, H5Aread, (int64_t a, int64_t b, void *c), (a, b, c))                                          \
    X(int64_t, -1, H5Dopen2, (int64_t a, const char *b, int64_t c), (a, b, c))                               \
    X(uint64_t, 0, H5Dget_storage_size, (int64_t a), (a))                                                    \
    X(int, -1, H5Dget_num_chunks, (int64_t a, int64_t b, uint64_t * c), (a, b, c))                           \
    X(int, -1, H5Dget_chunk_storage_size, (int64_t a, const uint64_t *b, uint64_t *c), (a, b, c))            \
    X(int, -1, H5Dget_chunk_info,                                                                            \
      (int64_t a, int64_t b, uint64_t c, uint64_t * d, unsigned *e, uint64_t *f, uint64_t *g),               \
      (a, b, c, d, e, f, g))                                                                                 \
    X(int, -1, H5Dread_chunk, (int64_t a, int64_t b, const uint64_t *c, uint32_t *d, void *e),               \
      (a, b, c, d, e))                                                                                       \
    X(int, -1, H5Dread, (int64_t a, int64_t b, int64_t c, int64_t d, int64_t e, void *f),                    \
      (a, b, c, d, e, f))                                                                                    \
    X(int, -1, H5Fget_filesize, (int64_t a, uint64_t * b), (a, b))                                           \
    X(int64_t, -1, H5Gopen2, (int64_t a, const char *b, int64_t c), (a, b, c))                               \
    X(int, -1, H5Lexists, (int64_t a, const char *b, int64_t c), (a, b, c))                                  \
    X(int, -1, H5Lget_info, (int64_t a, const char *b, void *c, int64_t d), (a, b, c, d))                    \
    X(int, -1, H5Literate, (int64_t a, int b, int c, uint64_t *d, void *e, void *f), (a, b, c, d, e, f))     \
    X(int64_t, -1, H5Oopen, (int64_t a, const char *b, int64_t c), (a, b, c))                                \
    X(int, -1, H5Oget_info, (int64_t a, void *b), (a, b))                                                    \
    X(int, -1, H5Oget_info_by_name2, (int64_t a, const char *b, void *c, unsigned d, int64_t e),             \
      (a, b, c, d, e))                                                                                       \
    X(int, -1, H5Oget_info_by_name, (int64_t a, const char *b, void *c, int64_t d), (a, b, c, d))            \
    X(int, -1, H5Aiterate2, (int64_t a, int b, int c, uint64_t *d, void *e, void *f), (a, b, c, d, e, f))

/* Those that tell what HDF5 has in memory, and do not fail: that what they say is looked at keeps memory
 * safe. */
#define KNOWING_LIST(X)                                                                                      \
    X(int64_t, -1, H5Aget_type, (int64_t a), (a))                                                            \
    X(int64_t, -1, H5Aget_space, (int64_t a), (a))                                                           \
    X(int64_t, -1, H5Dget_type, (int64_t a), (a))                                                            \
    X(int64_t, -1, H5Dget_space, (int64_t a), (a))                                                           \
    X(int64_t, -1, H5Dget_create_plist, (int64_t a), (a))                                                    \
    X(uint64_t, NO_PLACE, H5Dget_offset, (int64_t a), (a))                                                   \
    X(int64_t, -1, H5Fget_create_plist, (int64_t a), (a))                                                    \
    X(int64_t, -1, H5Fget_access_plist, (int64_t a), (a))                                                    \
    X(int, -1, H5Fget_mdc_image_info, (int64_t a, uint64_t * b, uint64_t * c), (a, b, c))                    \
    X(int, -1, H5Fget_vfd_handle, (int64_t a, int64_t b, void **c), (a, b, c))                               \
    X(int, -1, H5Fget_intent, (int64_t a, unsigned *b), (a, b))                                              \
    X(int64_t, -1, H5Iget_file_id, (int64_t a), (a))                                                         \
    X(int, -1, H5Iget_type, (int64_t a), (a))                                                                \
    X(int64_t, -1, H5Pcreate, (int64_t a), (a))                                                              \
    X(int64_t, -1, H5Pcopy, (int64_t a), (a))                                                                \
    X(int, -1, H5Pget_layout, (int64_t a), (a))                                                              \
    X(int, -1, H5Pget_chunk, (int64_t a, int b, uint64_t *c), (a, b, c))                                     \
    X(int, -1, H5Pget_nfilters, (int64_t a), (a))                                                            \
    X(int, -1, H5Pget_filter2,                                                                               \
      (int64_t a, unsigned b, unsigned *c, size_t *d, unsigned *e, size_t f, char *g, unsigned *h),          \
      (a, b, c, d, e, f, g, h))                                                                              \
    X(int, -1, H5Pget_external_count, (int64_t a), (a))                                                      \
    X(int, -1, H5Pget_sizes, (int64_t a, size_t * b, size_t * c), (a, b, c))                                 \
    X(int, -1, H5Pget_userblock, (int64_t a, uint64_t * b), (a, b))                                          \
    X(int64_t, -1, H5Pget_driver, (int64_t a), (a))                                                          \
    X(int64_t, -1, H5Screate_simple, (int a, const uint64_t *b, const uint64_t *c), (a, b, c))               \
    X(int, -1, H5Sget_simple_extent_dims, (int64_t a, uint64_t * b, uint64_t * c), (a, b, c))                \
    X(int64_t, -1, H5Sget_simple_extent_npoints, (int64_t a), (a))                                           \
    X(int, -1, H5Sselect_hyperslab,                                                                          \
      (int64_t a, int b, const uint64_t *c, const uint64_t *d, const uint64_t *e, const uint64_t *f),        \
      (a, b, c, d, e, f))                                                                                    \
    X(int64_t, -1, H5Tcopy, (int64_t a), (a))                                                                \
    X(size_t, 0, H5Tget_size, (int64_t a), (a))                                                              \
    X(int, -1, H5Tget_class, (int64_t a), (a))                                                               \
    X(int, -1, H5Tget_order, (int64_t a), (a))                                                               \
    X(int, -1, H5Tget_sign, (int64_t a), (a))                                                                \
    X(int, -1, H5Tequal, (int64_t a, int64_t b), (a, b))                                                     \
    X(int, -1, H5Tdetect_class, (int64_t a, int b), (a, b))                                                  \
    X(int, -1, H5Tis_variable_str, (int64_t a), (a))                                                         \
    X(size_t, 0, H5Tget_ebias, (int64_t a), (a))                                                             \
    X(int, -1, H5Tget_fields, (int64_t a, size_t * b, size_t * c, size_t * d, size_t * e, size_t * f),       \
      (a, b, c, d, e, f))

static const char *failing; /* the function; NULL: none */
static size_t left;         /* calls of it until one fails; 0: none does */

/* Where a function is called from while none fails: two calls, the one in the other. In shared memory. */
enum { PLACES = 512 };
static struct survey {
    bool going_on;
    size_t calls, places;
    void *place[PLACES][2];
    size_t first[PLACES]; /* its first call */
} * survey;

static __attribute__((noinline)) void note_place(void) {
    void *frame[5] = {NULL}; /* this function, fails, the one of HDF5, and two that lead there */
    size_t i = 0;
    backtrace(frame, SR_COUNT(frame));
    survey->calls++;
    while (i < survey->places && memcmp(survey->place[i], frame + 3, sizeof survey->place[i]) != 0)
        i++;
    if (i < survey->places)
        return;
    cr_assert_lt(i, PLACES);
    memcpy(survey->place[i], frame + 3, sizeof survey->place[i]);
    survey->first[i] = survey->calls;
    survey->places++;
}

static __attribute__((noinline)) bool fails(const char *name) {
    if (!failing || strcmp(name, failing) != 0)
        return false;
    if (survey->going_on)
        note_place();
    return left > 0 && --left == 0;
}

#define X(type, bad, name, parameters, arguments)                                                            \
    type name parameters;                                                                                    \
    type name parameters {                                                                                   \
        static type(*next) parameters;                                                                       \
        if (!next)                                                                                           \
            next = (type(*) parameters)(uintptr_t)dlsym(RTLD_NEXT, #name);                                   \
        return fails(#name) ? (bad) : next arguments;                                                        \
    }
READING_LIST(X)
KNOWING_LIST(X)
#undef X

#define X(type, bad, name, parameters, arguments) #name,
static const char *const reading[] = {READING_LIST(X)}, *const knowing[] = {KNOWING_LIST(X)};
#undef X

/* ---- what a dump says ---- */

static int add_features(struct sr_data *d, FILE *to, struct sr_error *err) {
    struct sr_loader *l = NULL;
    struct sr_batch b;
    const struct sr_loader_options how = {.order = SR_ORDER_FILE, .batch = 7};
    uint32_t *rows = all_rows(d->rows);
    int got = sr_loader_create(&l, d, rows, d->rows, &how, err);
    if (got == 0)
        got = sr_loader_start(l, 0, 0, err);
    while (got >= 0 && (got = sr_loader_next(l, &b, err)) > 0)
        fwrite(b.x, sizeof *b.x, b.rows * d->width, to);
    sr_loader_free(l);
    sr_free(rows);
    return got;
}

/* All values of a dump, one after the other; free. */
static int values_of(char **text, size_t *size, const char *path, struct sr_error *err) {
    struct sr_data *d = NULL;
    const struct sr_data_options how = {.label_optional = true, .one_file = true, .uint16_is_bfloat = true};
    FILE *to = open_memstream(text, size);
    int status = sr_data_open(&d, path, &how, err);
    if (status == 0) {
        for (size_t i = 0; d->id && i < d->rows; i++)
            fprintf(to, "%s\n", d->id[i]);
        for (size_t i = 0; d->source && i < d->rows; i++)
            fprintf(to, "%s\n", d->source_names[d->source[i]]);
        for (size_t i = 0; d->group && i < d->rows; i++)
            fprintf(to, "%lld\n", (long long)d->group[i]);
        for (size_t i = 0; d->small_prob && i < d->rows; i++)
            fprintf(to, "%a\n", (double)d->small_prob[i]);
        for (size_t i = 0; d->label && i < d->rows; i++)
            fprintf(to, "%d\n", d->label[i]);
        for (size_t k = 0; k < d->contract_count; k++)
            fprintf(to, "%s=%s\n", d->contract[k].key, d->contract[k].value);
        status = add_features(d, to, err);
    }
    sr_data_close(d);
    fclose(to);
    return status;
}

/* ---- trials ---- */

/* The short form has the first ones, and one in a build with sanitizers, whose processes are slow to begin.
 */
static const char *const dumps[] = {"full",   "checked_gzip",     "full_other_sources", "aliases",
                                    "bfloat", "checked_fletcher", "half_chunked",       "float_big_endian"};

static size_t dumps_tried(void) {
    return trust_times(SR_COUNT(dumps), *SR_SANITIZE ? 1 : 3);
}

struct trial {
    char path[300];
    bool exact; /* nothing may be other than without the failure */
};

/* The values of a dump are those of the trial's, read again without a failure. */
static bool are_right(const struct trial *t, const char *text, size_t bytes) {
    char *right = NULL;
    size_t right_bytes = 0;
    struct sr_error err = {0};
    failing = NULL;
    const bool same = values_of(&right, &right_bytes, t->path, &err) == 0 && bytes == right_bytes &&
                      memcmp(text, right, bytes) == 0;
    free(right);
    return same || !t->exact;
}

/* What is read is what was there, or there is a reason. */
static bool try_reading(const struct trial *t) {
    char *text = NULL;
    size_t bytes = 0;
    struct sr_error err = {0};
    const int status = values_of(&text, &bytes, t->path, &err);
    const bool noted = sr_error_noted(), /* the command ends with an error then */
        fine = status < 0 ? err.text[0] != '\0' : noted || are_right(t, text, bytes);
    free(text);
    return fine;
}

/* A command with the words of a line, silently. */
static int command(int (*run)(int argc, char **argv), char *line) {
    char *argv[8] = {NULL};
    int argc = 0;
    for (char *word; (word = strsep(&line, " "));)
        argv[argc++] = word;
    cr_assert(freopen("/dev/null", "w", stdout) && freopen("/dev/null", "w", stderr));
    return run(argc, argv);
}

/* What is written is what was there. */
static bool repack(const struct trial *t, const char *options) {
    char line[400], *text = NULL;
    size_t bytes = 0;
    struct sr_error err = {0};
    snprintf(line, sizeof line, "%s%s --out out.h5", t->path, options);
    const int status = command(sr_cmd_data_repack, line);
    failing = NULL;
    const bool fine = status != 0 ? access("out.h5", F_OK) != 0
                                  : !t->exact || (values_of(&text, &bytes, "out.h5", &err) == 0 &&
                                                  are_right(t, text, bytes));
    free(text);
    return fine;
}

static bool try_repack(const struct trial *t) {
    return repack(t, "");
}

static bool try_packing(const struct trial *t) {
    return repack(t, " --gzip 3");
}

/* Facts are not told apart: what HDF5 does not know is unknown. */
static bool try_inspect(const struct trial *t) {
    char line[400];
    snprintf(line, sizeof line, "%s --scan", t->path);
    command(sr_cmd_data_inspect, line);
    return true;
}

void __gcov_dump(void) __attribute__((weak)); /* of a build that measures coverage. NOLINT */

/* In a process of its own, which may crash, and in which nothing came before. nth 0: no call fails, and their
 * places are noted. */
static bool is_fine(bool (*try)(const struct trial *), const struct trial *t, const char *call, size_t nth) {
    int raw = 0;
    fflush(NULL);
    survey->going_on = nth == 0;
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        failing = call;
        left = nth;
        const bool right = try(t);
        if (__gcov_dump)
            __gcov_dump(); /* which _exit does not */
        _exit(!right);
    }
    cr_assert_eq(waitpid(child, &raw, 0), child);
    unlink("out.h5");
    cr_expect(WIFEXITED(raw), "%s, call %zu of %s: signal %d", t->path, nth, call, WTERMSIG(raw));
    return !WIFEXITED(raw) || WEXITSTATUS(raw) == 0;
}

static const struct way {
    const char *name;
    bool (*run)(const struct trial *);
} ways[] = {
    {"read", try_reading}, {"repack", try_repack}, {"repack --gzip", try_packing}, {"inspect", try_inspect}};

/* How often the function failed. */
static size_t each_call(const struct way *way, const struct trial *t, const char *function) {
    survey->calls = survey->places = 0;
    cr_expect(is_fine(way->run, t, function, 0), "%s of %s: wrong where nothing fails", way->name, t->path);
    const size_t n = trust_times(survey->calls, survey->places);
    for (size_t i = 0; i < n; i++) {
        const size_t nth = trust_long() ? i + 1 : survey->first[i];
        cr_expect(is_fine(way->run, t, function, nth), "%s of %s: wrong where call %zu of %s fails",
                  way->name, t->path, nth, function);
    }
    return n;
}

/* Each is called, but in the one dump of a build with sanitizers. */
static void each(const char *const *functions, size_t n, bool exact) {
    size_t failures[SR_COUNT(knowing)] = {0}, all = 0;
    survey = mmap(NULL, sizeof *survey, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(survey, MAP_FAILED);
    for (size_t i = 0; i < dumps_tried(); i++) {
        struct trial t = {.exact = exact};
        snprintf(t.path, sizeof t.path, "%s/tests/dumps/%s.h5", SR_SOURCE_DIR, dumps[i]);
        for (size_t k = 0; k < SR_COUNT(ways) * n; k++)
            failures[k % n] += each_call(&ways[k / n], &t, functions[k % n]);
    }
    munmap(survey, sizeof *survey);
    for (size_t i = 0; i < n; i++) {
        cr_expect(failures[i] > 0 || *SR_SANITIZE, "%s is not called", functions[i]);
        all += failures[i];
    }
    cr_log_info("%zu failures", all);
    cr_expect_gt(all, 2 * n, "%zu: calls of HDF5 go past these functions", all);
}

static char *folder;

static void begin(void) {
    folder = folder_begin();
    cr_assert_eq(chdir(folder), 0);
}

static void end(void) {
    cr_assert_eq(chdir("/"), 0);
    folder_end(folder);
}

TestSuite(trust_h5_calls, .init = begin, .fini = end);

Test(trust_h5_calls, what_is_in_the_file) {
    each(reading, SR_COUNT(reading), true);
}

Test(trust_h5_calls, what_is_in_memory) {
    each(knowing, SR_COUNT(knowing), false);
}
