/* exported_c.h: a router exported as C into a folder, and commands run there, such as a compiler.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_EXPORTED_C_H
#define SR_TEST_EXPORTED_C_H

#include "tests/run_program.h"

#define WEIGHTS SR_SOURCE_DIR "/tests/vectors/router_weights.safetensors"
#define STRICT  "-std=c99 -pedantic -Wall -Wextra -Werror"

static const char *const compilers[] = {"gcc", "clang"};

static inline bool have(const char *compiler) {
    char command[128];
    snprintf(command, sizeof command, "command -v %s >/dev/null", compiler);
    return system(command) == 0;
}

static inline void need(const char *compiler) {
    if (!have(compiler))
        cr_skip_test("%s is not installed: exported C was not compiled with it", compiler);
}

/* The exit status of a shell command run in the folder; what it says goes to folder/log. */
__attribute__((format(printf, 2, 3))) static inline int in_folder(const char *folder, const char *format,
                                                                  ...) {
    char arguments[1024], command[2048];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    snprintf(command, sizeof command, "cd '%s' && { %s; } >log 2>&1 </dev/null", folder, arguments);
    const int raw = system(command);
    return WIFEXITED(raw) ? WEXITSTATUS(raw) : -1;
}

static inline void expect_status(const char *folder, int got, int want) {
    char path[128];
    snprintf(path, sizeof path, "%s/log", folder);
    char *log = slurp(path);
    for (char *p = log; *p; p++)
        *p = (*p >= ' ' && *p < 127) || *p == '\n' ? *p : '?'; /* Criterion hangs on what is not UTF-8 */
    cr_expect_eq(got, want, "status %d, not %d: %.2000s", got, want, log);
    sr_free(log);
}

static inline void export_as(const char *folder, const char *weights, const char *name) {
    struct run r =
        run_program(folder, "export --to c --model '%s' --threshold .5 --out %s/%s", weights, folder, name);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
}

#endif
