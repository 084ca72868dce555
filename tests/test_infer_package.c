/* test_infer_package.c: libsaferoute as others get it: installed, found by find_package and pkg-config,
 * linked shared and static by a program that has nothing else of ours, and what the two libraries show and
 * need.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/run_program.h"

#define WEIGHTS SR_SOURCE_DIR "/tests/vectors/router_weights.safetensors"

/* Runs a command of the shell in the folder; what it printed, free with free. */
__attribute__((format(printf, 2, 3))) static char *shell(const char *folder, const char *format, ...) {
    char command[2048], whole[4096];
    char *text = calloc(1, 1 << 20);
    va_list list;
    va_start(list, format);
    vsnprintf(command, sizeof command, format, list);
    va_end(list);
    snprintf(whole, sizeof whole, "cd '%s' && { %s; } 2>&1", folder, command);
    FILE *f = popen(whole, "r");
    cr_assert_not_null(f);
    const size_t n = fread(text, 1, (1 << 20) - 1, f);
    text[n] = '\0';
    while (fgetc(f) != EOF) { /* so that the command can end */
    }
    const int status = pclose(f);
    cr_assert_eq(status, 0, "%s: %s", command, text);
    return text;
}

static void write_text(const char *folder, const char *name, const char *text) {
    char path[512];
    struct sr_error err;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), &err), 0, "%s", err.text);
}

static const char program[] =
    "#include <saferoute.h>\n"
    "#include <stdio.h>\n"
    "int main(int argc, char **argv) {\n"
    "    struct saferoute_router *router;\n"
    "    struct saferoute_error why;\n"
    "    struct saferoute_rows rows = {0};\n"
    "    struct saferoute_decision d;\n"
    "    float x[16] = {1, 2, 3};\n"
    "    if (argc != 2 || saferoute_open(&router, argv[1], NULL, &why) < 0) return 1;\n"
    "    rows.features = x; rows.dtype = SAFEROUTE_FLOAT32; rows.rows = 1; rows.width = "
    "saferoute_width(router);\n"
    "    saferoute_decide(router, &d, &rows, NULL);\n"
    "    printf(\"%s %s %.9g\\n\", saferoute_version(), saferoute_reason_name(d.reason), (double)d.logit);\n"
    "    saferoute_close(router);\n"
    "    return 0;\n"
    "}\n";

static const char project[] = "cmake_minimum_required(VERSION 3.20)\n"
                              "project(consumer C)\n"
                              "set(CMAKE_C_STANDARD 99)\n"
                              "set(CMAKE_C_EXTENSIONS OFF)\n"
                              "find_package(saferoute 0.1 REQUIRED)\n"
                              "add_executable(with_shared main.c)\n"
                              "target_link_libraries(with_shared PRIVATE saferoute::saferoute)\n"
                              "add_executable(with_static main.c)\n"
                              "target_link_libraries(with_static PRIVATE saferoute::saferoute_static)\n";

/* Installs into folder/prefix; free the folder with folder_end. */
static char *install(void) {
    char *folder = folder_begin();
    if (strlen(SR_SANITIZE) > 0)
        cr_skip_test("libraries built with sanitizers need theirs");
    free(
        shell(folder, "cmake --install '%s' --prefix '%s/prefix' --component library", SR_BUILD_DIR, folder));
    write_text(folder, "main.c", program);
    return folder;
}

/* The one line that a consumer prints, of a router that is the same however it is linked. */
static void expect_run(const char *folder, const char *name) {
    static char first[128];
    char *text = shell(
        folder, "LD_LIBRARY_PATH=$(dirname \"$(find \"$PWD/prefix\" -name libsaferoute.so)\") '%s' '%s'",
        name, WEIGHTS);
    cr_expect_eq(strncmp(text, SR_VERSION " SCORE ", strlen(SR_VERSION " SCORE ")), 0, "%s: %s", name, text);
    if (first[0])
        cr_expect_str_eq(text, first, "%s", name);
    snprintf(first, sizeof first, "%s", text);
    free(text);
}

Test(infer_package, is_found_by_cmake) {
    char *folder = install();
    write_text(folder, "CMakeLists.txt", project);
    free(shell(folder, "cmake -S . -B b -DCMAKE_PREFIX_PATH=\"$PWD/prefix\" -DCMAKE_C_FLAGS='-Wall -Wextra "
                       "-pedantic -Werror' && cmake --build b"));
    expect_run(folder, "b/with_shared");
    expect_run(folder, "b/with_static");
    folder_end(folder);
}

Test(infer_package, is_found_by_pkg_config) {
    char *folder = install();
    static const char compile[] =
        "export PKG_CONFIG_PATH=$(dirname \"$(find \"$PWD/prefix\" -name saferoute.pc)\") && "
        "cc -std=c99 -pedantic -Wall -Wextra -Werror main.c -o %s $(pkg-config --cflags saferoute) %s";
    char command[1024];
    snprintf(command, sizeof command, compile, "shared", "$(pkg-config --libs saferoute)");
    free(shell(folder, "%s", command));
    expect_run(folder, "./shared");
    snprintf(command, sizeof command, compile, "static",
             "$(pkg-config --static --libs saferoute | sed 's/-lsaferoute/-l:libsaferoute.a/')");
    free(shell(folder, "%s", command));
    expect_run(folder, "./static");
    char *needs = shell(folder, "ldd ./static");
    cr_expect_null(strstr(needs, "libsaferoute"), "%s", needs);
    free(needs);
    folder_end(folder);
}

Test(infer_package, a_cpp_program_can_include_it) {
    char *folder = install();
    free(shell(folder, "cp main.c main.cc && c++ -std=c++11 -Wall -pedantic -Werror -fsyntax-only -I "
                       "prefix/include main.cc"));
    folder_end(folder);
}

/* Words of a text, one a line, each of which must begin with one of the list. */
static void expect_words(char *text, const char *const *list) {
    size_t n = 0;
    for (char *rest = text, *word; (word = strsep(&rest, " \n\t"));) {
        size_t i = 0;
        if (!*word)
            continue;
        while (list[i] && strncmp(word, list[i], strlen(list[i])) != 0)
            i++;
        cr_expect_not_null(list[i], "\"%s\" is not to be there", word);
        n++;
    }
    cr_expect_gt(n, 0);
    free(text);
}

#define SHARED "\"$(find prefix -name libsaferoute.so)\""
#define STATIC "\"$(find prefix -name libsaferoute.a)\""

Test(infer_package, shows_nothing_but_its_interface) {
    static const char *const ours[] = {"saferoute_", "SAFEROUTE_0", NULL};
    char *folder = install();
    expect_words(shell(folder, "nm -D --defined-only " SHARED " | awk '{print $NF}'"), ours);
    expect_words(shell(folder, "nm -g --defined-only " STATIC " | awk 'NF == 3 {print $NF}'"), ours);
    char *shown =
             shell(folder, "nm -D --defined-only " SHARED " | awk '{print $NF}' | sed 's/@.*//' | grep -v "
                           "SAFEROUTE | sort"),
         *declared = shell(folder, "sed -n '/^SAFEROUTE_API/s/.*\\b\\(saferoute_[a-z_]*\\)(.*/\\1/p' "
                                   "prefix/include/saferoute.h | sort");
    cr_expect_str_eq(shown, declared, "all that the header declares, and no more");
    free(shown);
    free(declared);
    char *files = shell(folder, "ls prefix/include");
    cr_expect_str_eq(files, "saferoute.h\n");
    free(files);
    folder_end(folder);
}

Test(infer_package, needs_libc_libm_and_jansson) {
    static const char *const libraries[] = {"linux-vdso", "libc.so",         "libm.so",       "libjansson",
                                            "ld-linux",   "/lib64/ld-linux", "/lib/ld-linux", NULL};
    char *folder = install();
    expect_words(shell(folder, "ldd " SHARED " | awk '{print $1}'"), libraries);
    char *name = shell(folder, "readelf -d " SHARED " | grep SONAME");
    cr_expect(strstr(name, "[libsaferoute.so.0]"), "%s", name);
    free(name);
    folder_end(folder);
}

/* It prints nothing, ends nothing, starts no thread. */
Test(infer_package, calls_nothing_that_it_must_not) {
    static const char *const never[] = {"puts",           "printf",   "vprintf",   "putchar", "perror",
                                        "exit",           "_exit",    "abort",     "stdout",  "stderr",
                                        "pthread_create", "fork",     "system",    "omp_",    "GOMP_",
                                        "cblas_",         "gotoblas", "setlocale", "signal",  "sigaction"};
    char *folder = install();
    char *text = shell(folder, "nm -D --undefined-only " SHARED " | awk '{print $NF}' | sed 's/@.*//'");
    cr_expect(strstr(text, "json_object"), "is this a list of symbols? %s", text);
    for (char *rest = text, *word; (word = strsep(&rest, "\n"));)
        for (size_t i = 0; i < SR_COUNT(never); i++) {
            const bool prefix = never[i][strlen(never[i]) - 1] == '_';
            cr_expect(prefix ? strncmp(word, never[i], strlen(never[i])) != 0 : strcmp(word, never[i]) != 0,
                      "%s", word);
        }
    free(text);
    folder_end(folder);
}
