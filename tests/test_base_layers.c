/* test_base_layers.c: who may include whom, who may print, and where foreign headers live: the rules of the
 * source tree.
 *
 * Reads every .c and .h file of the tree. A rule that nobody checks is a wish.
 *
 * SPDX-License-Identifier: MIT
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <glob.h>

#include "tests/run_program.h"

#define PATH 512

/* A source file of the tree. */
struct source {
    char path[PATH];  /* "infer/score.c" */
    char folder[64];  /* "infer", "nn/base", "" for the top */
    const char *name; /* "score.c", into path */
    char *text;
    bool program; /* part of the program, not of a library: may print and may join the libraries */
};

static void source_describe(struct source *s) {
    static const char *const joints[] = {"score.c", "stats.c", "saferoute.c", NULL};
    const char *slash = strrchr(s->path, '/');
    snprintf(s->folder, sizeof s->folder, "%.*s", slash ? (int)(slash - s->path) : 0, s->path);
    s->name = slash ? slash + 1 : s->path;
    s->program = strncmp(s->name, "cmd_", 4) == 0 || strncmp(s->name, "export", 6) == 0 ||
                 strncmp(s->name, "import", 6) == 0 || sr_is_listed(s->name, joints) ||
                 strcmp(s->folder, "train") == 0;
}

/* Comments and the contents of strings become spaces, so that words in them do not count; #include lines are
 * kept. */
static void blank_prose(char *text) {
    for (char *p = text; *p; p++) {
        if (strncmp(p, "#include", 8) == 0) {
            p += strcspn(p, "\n") - 1;
        } else if (strncmp(p, "/*", 2) == 0) {
            char *end = strstr(p, "*/");
            for (; p < end; p++)
                *p = *p == '\n' ? '\n' : ' ';
        } else if (strncmp(p, "//", 2) == 0) {
            for (; p[1] && p[1] != '\n'; p++)
                *p = ' ';
        } else if (*p == '\'') {
            p += p[1] == '\\' ? 3 : 2;
        } else if (*p == '"') {
            for (p++; *p && *p != '"'; p++) {
                if (*p == '\\')
                    *p++ = ' ';
                *p = ' ';
            }
        }
    }
}

static void each_source(void (*check)(const struct source *)) {
    static const char *const patterns[] = {"saferoute.c", "nn/*.[ch]",    "nn/base/*.[ch]", "data/*.[ch]",
                                           "eval/*.[ch]", "infer/*.[ch]", "train/*.[ch]"};
    for (size_t i = 0; i < SR_COUNT(patterns); i++) {
        glob_t found;
        cr_assert_eq(chdir(SR_SOURCE_DIR), 0);
        cr_assert_eq(glob(patterns[i], 0, NULL, &found), 0, "no files: %s", patterns[i]);
        for (size_t k = 0; k < found.gl_pathc; k++) {
            struct source s = {.text = slurp(found.gl_pathv[k])};
            snprintf(s.path, sizeof s.path, "%s", found.gl_pathv[k]);
            source_describe(&s);
            blank_prose(s.text);
            check(&s);
            sr_free(s.text);
        }
        globfree(&found);
    }
}

/* The next #include at or behind *at: its file into name, and whether it is in quotes. */
static bool next_include(const char **at, char name[PATH], bool *quoted) {
    while ((*at = strstr(*at, "#include"))) {
        const char *open = *at + 8 + strspn(*at + 8, " ");
        *at = open;
        if (*open != '"' && *open != '<')
            continue;
        *quoted = *open == '"';
        snprintf(name, PATH, "%.*s", (int)strcspn(open + 1, "\">\n"), open + 1);
        return true;
    }
    return false;
}

/* ---- layers ---- */

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* The folder a file of ours lies in: "nn/base" for "nn/base/error.h". */
static void folder_of(char folder[64], const char *include) {
    const char *slash = strrchr(include, '/');
    snprintf(folder, 64, "%.*s", slash ? (int)(slash - include) : 0, include);
}

static bool is_door(const char *include) {
    static const char *const doors[] = {"nn/nn.h",       "data/data.h",   "eval/eval.h",
                                        "infer/infer.h", "train/train.h", NULL};
    return sr_is_listed(include, doors);
}

/* NULL, or which rule a file of `folder` breaks by including it. */
static const char *include_breaks(const struct source *s, const char *include) {
    static const char *const siblings[] = {"nn", "data", "eval", "infer", NULL};
    char to[64];
    folder_of(to, include);
    if (strcmp(to, s->folder) == 0)
        return NULL;
    if (strcmp(s->folder, "nn/base") == 0)
        return "the floor includes nothing above it";
    if (strcmp(to, "nn/base") == 0)
        return NULL;
    if (!is_door(include))
        return "across folders only a folder's door is included";
    if (sr_is_listed(s->folder, siblings) && !s->program)
        return "nn, data, eval and infer are siblings and meet only in the program";
    if (strcmp(to, "train") == 0)
        return "nothing lies above train but the front door";
    return NULL;
}

static void check_includes(const struct source *s) {
    char include[PATH];
    const char *at = s->text, *rule;
    for (bool quoted; next_include(&at, include, &quoted);)
        if (quoted) {
            rule = include_breaks(s, include);
            cr_expect_null(rule, "%s includes %s: %s", s->path, include, rule);
        }
}

Test(layers, are_kept) {
    each_source(check_includes);
}

/* The check itself: each kind of violation is one. */
Test(layers, violations_would_be_seen) {
    static const struct {
        const char *path, *include;
        bool fine;
    } cases[] = {
        {"data/set.c", "data/h5.h", true},          {"data/set.c", "nn/base/base.h", true},
        {"data/set.c", "nn/base/error.h", true},    {"data/set.c", "nn/nn.h", false},
        {"nn/model.c", "data/data.h", false},       {"infer/fold.c", "nn/nn.h", false},
        {"infer/score.c", "data/data.h", true},     {"infer/score.c", "data/h5.h", false},
        {"eval/cmd_eval.c", "infer/infer.h", true}, {"eval/cmd_eval.c", "train/train.h", false},
        {"train/loop.c", "nn/nn.h", true},          {"train/loop.c", "data/sequence.h", false},
        {"nn/base/json.c", "nn/nn.h", false},       {"nn/base/json.c", "data/data.h", false},
        {"saferoute.c", "nn/base/base.h", true},    {"eval/eval.h", "infer/infer.h", false},
    };
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        struct source s = {0};
        snprintf(s.path, sizeof s.path, "%s", cases[i].path);
        source_describe(&s);
        cr_expect_eq(include_breaks(&s, cases[i].include) == NULL, cases[i].fine, "%s includes %s",
                     cases[i].path, cases[i].include);
    }
}

/* ---- foreign headers ---- */

/* Each in one module: what replaces the library replaces one file. */
static const struct {
    const char *header, *home; /* home: beginning of the path */
} foreign[] = {{"cblas.h", "nn/blas.c"},
               {"hdf5.h", "data/h5"},
               {"jansson.h", "nn/base/json"},
               {"onnx.pb-c.h", "infer/export_onnx"},
               {"protobuf-c/protobuf-c.h", "infer/export_onnx"},
               {"yaml.h", "nn/base/option_file.c"},
               {"libdeflate.h", "data/chunk"},
               {"seccomp.h", "data/sandbox.c"},
               {"zip.h", "data/zip.c"}};
static int foreign_seen[SR_COUNT(foreign)];

static void check_foreign(const struct source *s) {
    char include[PATH];
    const char *at = s->text;
    for (bool quoted; next_include(&at, include, &quoted);)
        for (size_t i = 0; i < SR_COUNT(foreign); i++)
            if (strcmp(include, foreign[i].header) == 0) {
                cr_expect(starts_with(s->path, foreign[i].home), "%s includes %s, whose home is %s", s->path,
                          include, foreign[i].home);
                foreign_seen[i]++;
            }
}

Test(layers, foreign_headers_have_one_home) {
    each_source(check_foreign);
    for (size_t i = 0; i < SR_COUNT(foreign); i++)
        cr_expect_gt(foreign_seen[i], 0, "%s is included nowhere: is this list out of date?",
                     foreign[i].header);
}

/* ---- printing and exiting ---- */

/* Calls that only the program makes; libraries return a status. */
static const char *const calls[] = {"printf",      "puts",         "putchar",        "perror", "exit",
                                    "_exit",       "abort",        "stdout",         "stderr", "sr_log_info",
                                    "sr_log_warn", "sr_log_error", "sr_log_progress"};

static bool part_of_word(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

/* Where `word` stands alone in code, or NULL. Not where an attribute says that a function is printf-like, nor
 * where a system call is named and not made. */
static const char *find_word(const char *text, const char *word) {
    const size_t n = strlen(word);
    for (const char *p = text; (p = strstr(p, word)); p += n) {
        const bool attribute = p - text >= 7 && strncmp(p - 7, "format(", 7) == 0;
        const bool name = p - text >= 9 && strncmp(p - 9, "SCMP_SYS(", 9) == 0;
        if (!attribute && !name && !(p > text && part_of_word(p[-1])) && !part_of_word(p[n]))
            return p;
    }
    return NULL;
}

static void check_calls(const struct source *s) {
    static const char *const may_print[] = {"saferoute.c", "log.c", "log.h", "command.c", "command.h", NULL};
    if (starts_with(s->name, "cmd_") || sr_is_listed(s->name, may_print))
        return;
    for (size_t i = 0; i < SR_COUNT(calls); i++) {
        const char *at = find_word(s->text, calls[i]);
        cr_expect_null(at, "%s is a library's and says: %.60s", s->path, at);
    }
}

Test(layers, libraries_neither_print_nor_exit) {
    each_source(check_calls);
}

Test(layers, words_in_comments_and_strings_do_not_count) {
    char text[] =
        "/* printf */ s = \"exit \\\" puts\"; // abort\n c = '\"'; fprintf(to); sprintf(a); exit(1);";
    blank_prose(text);
    cr_expect_null(find_word(text, "printf"));
    cr_expect_null(find_word(text, "puts"));
    cr_expect_null(find_word(text, "abort"));
    cr_expect_not_null(find_word(text, "exit"));
    cr_expect_not_null(find_word(text, "fprintf"));
}

/* ---- names ---- */

static char names[512][64];
static size_t names_seen;

static void check_name(const struct source *s) {
    cr_assert_lt(names_seen, SR_COUNT(names));
    for (size_t i = 0; i < names_seen; i++)
        cr_expect_str_neq(names[i], s->name, "two files are called %s", s->name);
    snprintf(names[names_seen++], sizeof *names, "%s", s->name);
}

Test(layers, file_names_are_unique) {
    each_source(check_name);
    cr_expect_gt(names_seen, 40);
}
