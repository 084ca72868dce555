/* test_trust_flips_h5.c: dumps with one bit changed.
 *
 * Each (flips.h) is read in a process of its own, by the raw way and by HDF5, which must agree where both
 * read. (HDF5 takes a chunk that its index does not find for one never written, the raw way does not; HDF5
 * refuses a compression level out of range, which the raw way does not need.) Where every byte has a checksum
 * (HDF5's latest format, and gzip or fletcher32 chunks) the features are refused or the same.
 *
 * HDF5 itself may crash or hang on what it decodes; that is counted, and with --isolate the program must
 * refuse the same file, or read it where what HDF5 takes from behind its memory happens to be there. Reading
 * raw rows is ours and may not: a crash there fails. Each file is also read through a reader of --isolate,
 * which must give the same values or the same reason.
 *
 * SPDX-License-Identifier: MIT
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "data/h5.h"
#include "tests/away.h"
#include "tests/dump_fixture.h"
#include "tests/flips.h"
#include "tests/run_program.h"

#define VALUES (1 << 20) /* that a dump of a few KB may claim to hold; more is not read here */
#define MEMORY ((rlim_t)1 << 30)

static char *folder;

static void begin(void) {
    folder = folder_begin();
}

static void end(void) {
    folder_end(folder);
}

TestSuite(flips_h5, .init = begin, .fini = end);

/* ---- one file, read in a process of its own ---- */

enum stage { OPENING, RAW, BY_HDF5, COLUMNS, DONE };
static const char *const stage_name[] = {"opening it", "reading raw rows", "reading by HDF5",
                                         "reading columns", "the end"};

/* What the reading process leaves in memory shared with this one. */
struct outcome {
    enum stage stage;     /* that it came to */
    int status;           /* of the features */
    bool agree;           /* the same values both ways; one may refuse what the other takes */
    char hex[65];         /* shape and values of the raw way */
    struct sr_error why;  /* of the features */
    struct sr_error last; /* of the columns */
    int columns;          /* status of the columns */
};

static int read_matrix(float *to, struct sr_h5_matrix *m, size_t rows, struct sr_error *err) {
    return sr_h5_matrix_read(m, to, 0, rows, SR_FEATURE_FLOAT, err);
}

static void hash_values(char hex[65], const struct sr_h5_info *info, const float *x, size_t n) {
    struct sr_sha256 s;
    sr_sha256_begin(&s);
    sr_sha256_add(&s, info->shape, 2 * sizeof info->shape[0]);
    sr_sha256_add(&s, x, n * sizeof *x);
    sr_sha256_end(&s, hex);
}

static int read_both_ways(struct outcome *o, struct sr_h5_matrix *m, const struct sr_h5_info *info) {
    const size_t rows = (size_t)info->shape[0], n = rows * (size_t)info->shape[1];
    float *raw = sr_alloc(n, sizeof *raw, NULL), *slow = sr_alloc(n, sizeof *slow, NULL);
    struct sr_error err;
    o->stage = RAW;
    const int status = read_matrix(raw, m, rows, &o->why);
    o->stage = BY_HDF5;
    sr_h5_matrix_through_hdf5(m);
    const int other = read_matrix(slow, m, rows, &err);
    o->agree = status < 0 || other < 0 || memcmp(raw, slow, n * sizeof *raw) == 0;
    hash_values(o->hex, info, raw, n);
    sr_free(raw);
    sr_free(slow);
    return status;
}

static int read_features(struct outcome *o, const char *path) {
    struct sr_h5 *f;
    struct sr_h5_info info;
    struct sr_h5_matrix *m = NULL;
    int status = sr_h5_open(&f, path, &o->why);
    if (status < 0)
        return status;
    status = sr_h5_info(f, "features", &info, &o->why);
    if (status == 0 && (info.rank != 2 || info.shape[0] > VALUES || info.shape[1] > VALUES ||
                        info.shape[0] * info.shape[1] > VALUES || info.shape[0] * info.shape[1] == 0))
        status = sr_fail(&o->why, SR_DATA, "no features of this shape are looked for");
    if (status == 0)
        status = sr_h5_matrix_open(&m, f, "features",
                                   info.kind == SR_H5_BFLOAT ? SR_FEATURE_BFLOAT
                                   : info.kind == SR_H5_HALF ? SR_FEATURE_HALF
                                                             : SR_FEATURE_FLOAT,
                                   &o->why);
    if (status == 0)
        status = read_both_ways(o, m, &info);
    sr_h5_matrix_close(m);
    sr_h5_close(f, NULL);
    return status;
}

static void read_all(struct outcome *o, const char *path) {
    const struct sr_data_options options = {.label_optional = true};
    struct sr_data *d = NULL;
    o->agree = true;
    o->status = read_features(o, path);
    o->stage = COLUMNS;
    o->columns = sr_data_open(&d, path, &options, &o->last);
    sr_data_close(d);
    o->stage = DONE;
}

/* The signal that ended the reading process, or 0. */
static int read_apart(struct outcome *o, const char *path) {
    const rlim_t seconds = (rlim_t)trust_seconds();
    const struct rlimit cpu = {seconds, seconds}, core = {0, 0}, memory = {MEMORY, MEMORY};
    int raw;
    memset(o, 0, sizeof *o);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        setrlimit(RLIMIT_CPU, &cpu);
        setrlimit(RLIMIT_CORE, &core);
        if (!*SR_SANITIZE)
            setrlimit(RLIMIT_DATA, &memory);
        sr_isolate_use(NULL); /* whatever the parent has */
        sr_cpu_team(1);       /* threads that wait for each other are most of the time of so small a file */
        read_all(o, path);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &raw, 0), child);
    return WIFSIGNALED(raw) ? WTERMSIG(raw) : WEXITSTATUS(raw);
}

/* ---- flipping ---- */

struct subject {
    const char *name; /* in tests/dumps */
    bool checked;     /* every byte has a checksum, but for labels */
};

static void expect_isolated(const char *path, const char *when) {
    struct run r = run_program(folder, "data inspect --isolate --scan '%s'", path);
    cr_expect(r.status == 65 || r.status == 0, "%s: with --isolate %d: %s", when, r.status, r.err);
    run_end(&r);
}

/* ---- through a reader ---- */

/* HDF5 ran out of memory, of which a reader may have more. */
static bool lacked_memory(const struct outcome *o) {
    static const char lack[] = "(HDF5: memory allocation failed";
    return strstr(o->why.text, lack) || strstr(o->last.text, lack);
}

/* HDF5's own reasons, behind ours, may come from behind its memory. */
static bool same_words(const char *here, const char *there) {
    const char *end = strstr(here, "(HDF5: ");
    return strncmp(there, here, end ? (size_t)(end - here) : SR_ERROR_TEXT) == 0;
}

static bool by_hdf5(const char *reason) {
    return strstr(reason, "(HDF5: ");
}

/* Where HDF5 found fault with a list of strings, another process may find other bytes behind its memory, or
 * its end. */
static bool same_columns(const struct outcome *here, const struct outcome *there) {
    return by_hdf5(here->last.text) || by_hdf5(there->last.text) ||
           strstr(there->last.text, "its reader (--isolate) died of signal") ||
           (there->columns == here->columns && strcmp(here->last.text, there->last.text) == 0);
}

/* HDF5 runs in a circle: here until it has no memory and finds fault with the file, a reader until its time
 * is over. */
static bool ran_on(const struct outcome *here, const struct outcome *there) {
    return (by_hdf5(here->why.text) || by_hdf5(here->last.text)) &&
           strstr(there->last.text, "its reader (--isolate) took more than");
}

static bool same_there(const struct outcome *here, const struct outcome *there) {
    return there->status == here->status && there->agree == here->agree &&
           same_words(here->why.text, there->why.text) && same_columns(here, there) &&
           (here->status < 0 || strcmp(there->hex, here->hex) == 0);
}

/* One reader reads file after file; what comes of one that has read others before must come of a new one too.
 */
static void expect_away(struct away *a, const char *path, const char *when, const struct outcome *here) {
    struct outcome there = {0};
    read_all(&there, path);
    if (!lacked_memory(here) && !same_there(here, &there)) {
        away_end(a);
        away_begin(a);
        there = (struct outcome){0};
        read_all(&there, path);
    }
    const bool fine = lacked_memory(here) || ran_on(here, &there) || same_there(here, &there);
    cr_expect(fine, "%s: --isolate says else", when);
    if (!fine) {
        cr_log_error("here %d %s, %d %s", here->status, here->why.text, here->columns, here->last.text);
        cr_log_error("away %d %s, %d %s", there.status, there.why.text, there.columns, there.last.text);
    }
    if (a->channel.failed) {
        away_end(a);
        away_begin(a);
    }
}

struct trial {
    const struct subject *s;
    char good[65];     /* the hash of the whole file's features */
    struct outcome *o; /* in shared memory */
    struct away away;
    size_t refused, died;
};

static void expect_flip(const char *path, size_t bit, void *context) {
    struct trial *t = context;
    struct outcome *o = t->o;
    char when[128];
    const int ended = read_apart(o, path);
    snprintf(when, sizeof when, "%s, bit %zu, %s", t->s->name, bit, stage_name[o->stage]);
    if (ended) {
        cr_log_info("%s: ended by signal or status %d", when, ended);
        cr_expect_neq(o->stage, RAW, "%s: ended by %d", when, ended);
        expect_isolated(path, when);
        t->died++;
        return;
    }
    t->refused += o->status < 0;
    expect_away(&t->away, path, when, o);
    cr_expect(o->agree, "%s: the raw way and HDF5 differ (%d %s)", when, o->status, o->why.text);
    cr_expect(o->status == 0 || o->why.text[0], "%s: refused without a reason", when);
    cr_expect(o->status == 0 || o->status == SR_DATA, "%s: status %d: %s", when, o->status, o->why.text);
    cr_expect(o->columns == 0 || (o->columns == SR_DATA && o->last.text[0]), "%s: status %d: %s", when,
              o->columns, o->last.text);
    if (t->s->checked && o->status == 0)
        cr_expect_str_eq(o->hex, t->good, "%s: features are read, and not the same", when);
}

static void copy_dump(char path[300], const char *name) {
    char command[700];
    snprintf(path, 300, "%s/%s.h5", folder, name);
    snprintf(command, sizeof command, "cp '%s/tests/dumps/%s.h5' '%s'", SR_SOURCE_DIR, name, path);
    cr_assert_eq(system(command), 0);
}

static void flip_bits(const struct subject *s) {
    char path[300];
    struct outcome *o = mmap(NULL, sizeof *o, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct trial t = {.s = s, .o = o};
    cr_assert_neq(o, MAP_FAILED);
    copy_dump(path, s->name);
    cr_assert_eq(read_apart(o, path), 0);
    cr_assert(o->status == 0 && o->agree && o->columns == 0, "%s: %s%s", s->name, o->why.text, o->last.text);
    memcpy(t.good, o->hex, sizeof t.good);
    away_begin(&t.away);
    const size_t n = flips_each(path, 300, expect_flip, &t);
    away_end(&t.away);
    munmap(o, sizeof *o);
    cr_expect_gt(t.refused, (size_t)0);
    cr_log_info("%s: %zu flips, %zu refused, %zu that HDF5 did not survive", s->name, n, t.refused, t.died);
}

Test(flips_h5, one_piece) {
    flip_bits(&(struct subject){"half", false});
}

Test(flips_h5, shuffled_and_zipped) {
    flip_bits(&(struct subject){"half_chunked", false});
}

/* A dump of the old format with so many names that the index of them has several children. */
static void write_many(const char *path) {
    static const uint8_t gold[3] = {0, 1, 0};
    struct sr_h5 *f;
    struct sr_error err = {0};
    char name[16];
    int status = sr_h5_create(&f, path, path, &err);
    for (int i = 0; status == 0 && i < 20; i++) {
        snprintf(name, sizeof name, "%c%d", 'a' + i, i);
        status = sr_h5_write_column(f, name, SR_H5_WRITE_U8, gold, SR_COUNT(gold), &err);
    }
    if (status == 0)
        status = sr_h5_write_column(f, "gold", SR_H5_WRITE_U8, gold, SR_COUNT(gold), &err);
    if (status == 0)
        status = sr_h5_write_matrix(f, "features", SR_COUNT(gold), 4, &err);
    cr_assert(status == 0 && sr_h5_close(f, &err) == 0, "%s", err.text);
}

/* The keys of the node at `at` of the index of a group's names, of HDF5's old format: a place in the names'
 * heap before and behind each child. They have no checksum, but what is listed must be found by them. */
static void flip_keys(const char *path, const unsigned char *node, size_t at, const struct run *whole) {
    const size_t children = node[6] + 256u * node[7];
    const int fd = open(path, O_WRONLY);
    size_t refused = 0;
    cr_assert_geq(fd, 0);
    for (size_t bit = 0; bit < (children + 1) * 64; bit++) {
        const size_t byte = 24 + bit / 64 * 16 + bit % 64 / 8;
        const unsigned char flipped = (unsigned char)(node[byte] ^ 1 << bit % 8);
        cr_assert_eq(pwrite(fd, &flipped, 1, (off_t)(at + byte)), 1);
        struct run r = run_program(folder, "data inspect --isolate --json '%s'", path);
        cr_expect(r.status == 65 || (r.status == 0 && strcmp(r.out, whole->out) == 0), "bit %zu: %d %s%s",
                  bit, r.status, r.out, r.err);
        refused += r.status == 65;
        run_end(&r);
        cr_assert_eq(pwrite(fd, &node[byte], 1, (off_t)(at + byte)), 1);
    }
    close(fd);
    cr_expect(refused > 0);
}

Test(flips_h5, an_index_of_names) {
    static const char tree[6] = "TREE";
    char path[300];
    void *bytes;
    size_t size, nodes = 0;
    snprintf(path, sizeof path, "%s/many.h5", folder);
    write_many(path);
    cr_assert_eq(sr_file_read(&bytes, &size, path, (size_t)1 << 20, NULL), 0);
    struct run whole = run_program(folder, "data inspect --isolate --json '%s'", path);
    cr_assert_eq(whole.status, 0, "%s", whole.err);
    for (const char *p = bytes; (p = memmem(p, size - (size_t)(p - (char *)bytes), tree, sizeof tree)); p++) {
        flip_keys(path, (const unsigned char *)p, (size_t)(p - (char *)bytes), &whole);
        nodes += p[6] > 1;
    }
    cr_expect(nodes > 0);
    run_end(&whole);
    sr_free(bytes);
}

Test(flips_h5, every_column) {
    flip_bits(&(struct subject){"full", false});
}

Test(flips_h5, zipped_with_every_checksum) {
    flip_bits(&(struct subject){"checked_gzip", true});
}

Test(flips_h5, fletcher32_with_every_checksum) {
    flip_bits(&(struct subject){"checked_fletcher", true});
}
