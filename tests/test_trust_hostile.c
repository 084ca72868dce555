/* test_trust_hostile.c: malformed files, each refused with the message that its table says, by the parser in
 * process. See hostile.h; by the program's commands: test_trust_hostile_run.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/hostile.h"
#include "tests/hostile_parsers.h"

Test(hostile, tables_and_files_agree) {
#define X(format, parse, least) hostile_check_table(#format, least);
    HOSTILE_FORMATS(X)
#undef X
}

#define X(format, parse, least)                                                                              \
    ParameterizedTestParameters(hostile, format) {                                                           \
        return hostile_parameters(#format);                                                                  \
    }                                                                                                        \
    ParameterizedTest(struct hostile *h, hostile, format) {                                                  \
        struct sr_error err = {0};                                                                           \
        hostile_limit_memory();                                                                              \
        const double begin = hostile_cpu();                                                                  \
        const int status = parse(h->path, &err);                                                             \
        hostile_expect(h, status, &err, hostile_cpu() - begin);                                              \
    }
HOSTILE_FORMATS(X)
#undef X

/* ---- all instructions of pickle ---- */

/* Those that are run, by their bytes: what the reader's own list must say. */
static bool is_run(int byte) {
    return byte && strchr("(.}])tqrhjXJKMGNcRQsuaeb\x80\x85\x86\x87\x88\x89\x8a", byte);
}

static int read_bytes(const char *bytes, size_t n, struct sr_error *err) {
    struct sr_pickle *p = NULL;
    const int status = sr_pickle_read(&p, bytes, n, "x.pt", err);
    sr_pickle_free(p);
    return status;
}

Test(hostile, every_instruction_of_pickle_is_run_or_refused_by_its_name) {
    char path[300], name[256][32] = {{0}}, word[64];
    int byte, refused = 0;
    FILE *from = fopen(hostile_path(path, "pickle_opcodes.txt"), "r");
    cr_assert_not_null(from);
    while (fscanf(from, "%d %31s", &byte, word) == 2)
        memcpy(name[byte & 255], word, 32);
    fclose(from);
    for (byte = 0; byte < 256; byte++) {
        const char pickle[] = {'\x80', 2, (char)byte, 'o', 's', '\n', 'x', '\n', '.'};
        struct sr_error err = {0};
        cr_expect_eq(read_bytes(pickle, sizeof pickle, &err), SR_DATA, "0x%02x", (unsigned)byte);
        if (byte == 'i')
            snprintf(word, sizeof word, "asks for os.x (INST)");
        else if (*name[byte])
            snprintf(word, sizeof word, "uses the instruction %s, which", name[byte]);
        else
            snprintf(word, sizeof word, "has the byte 0x%02x, which is no instruction", (unsigned)byte);
        const bool by_name = strstr(err.text, word) != NULL;
        cr_expect_eq(by_name, !is_run(byte), "0x%02x %s: %s", (unsigned)byte, name[byte], err.text);
        refused += by_name;
    }
    cr_expect_eq(refused, 256 - 31);
}

/* ---- names that run code ---- */

static void expect_refused(const char *pickle, size_t n, const char *name) {
    struct sr_error err = {0};
    char word[192];
    snprintf(word, sizeof word, "asks for %s, ", name);
    cr_expect_eq(read_bytes(pickle, n, &err), SR_DATA, "%s", name);
    cr_expect(strstr(err.text, word), "\"%s\" is not in: %s", word, err.text);
}

Test(hostile, every_name_that_runs_code_is_refused_by_it) {
    char path[300], module[80], name[80], full[160], pickle[256];
    size_t names = 0;
    FILE *from = fopen(hostile_path(path, "pickle_globals.txt"), "r");
    cr_assert_not_null(from);
    for (; fscanf(from, "%79s %79s", module, name) == 2; names++) {
        snprintf(full, sizeof full, "%s.%s", module, name);
        const int n = snprintf(pickle, sizeof pickle,
                               "\x80\x02"
                               "c%s\n%s\n(tR.",
                               module, name);
        expect_refused(pickle, (size_t)n, full);
    }
    cr_expect_geq(names, (size_t)150, "%zu names", names);
    fclose(from);
}
