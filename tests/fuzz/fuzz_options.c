/* fuzz_options.c: arguments of a command line (nn/base/option*.c): the input's lines are argv. An input that
 * begins with '#' is read by a small table of operands and flags that repeat, any other by that of `saferoute
 * train`.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "tests/fuzz/config_check.h"

#define ARGUMENTS 64

struct small {
    char *first, *rest;
    int64_t n;
    bool on;
};

static const struct sr_option small_table[] = {
    {"first", SR_OPTION_TEXT, offsetof(struct small, first), .operand = true, .help = "the first word"},
    {"rest", SR_OPTION_TEXT, offsetof(struct small, rest), .operand = true, .repeats = true,
     .help = "the others"},
    {"n", SR_OPTION_INTEGER, offsetof(struct small, n), .fallback = "3", .min = -5, .max = 5,
     .help = "a number"},
    {"on", SR_OPTION_SWITCH, offsetof(struct small, on), .flag_only = true, .help = "a switch"},
};

static void run_small(int argc, char **argv) {
    struct small s;
    struct sr_options o;
    struct sr_error err = {0};
    FUZZ_CHECK(sr_options_begin(&o, small_table, SR_COUNT(small_table), &s, &err) == 0, "%s", err.text);
    if (fuzz_accepted(sr_options_arguments(&o, argc, argv, &err), &err))
        FUZZ_CHECK(s.n >= -5 && s.n <= 5, "n %lld", (long long)s.n);
    sr_options_end(&o);
}

static void run_config(int argc, char **argv) {
    struct sr_config c;
    struct sr_options o;
    struct sr_error err = {0};
    FUZZ_CHECK(sr_options_begin(&o, sr_config_table, sr_config_count, &c, &err) == 0, "%s", err.text);
    if (fuzz_accepted(sr_options_arguments(&o, argc, argv, &err), &err)) {
        fuzz_config_check(&o);
        FUZZ_CHECK(sr_options_arguments(&o, argc, argv, &err) == 0, "taken once, but not twice: %s",
                   err.text);
    }
    sr_options_end(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = fuzz_text(data, size), *argv[ARGUMENTS + 1], *rest = text;
    const bool is_small = *text == '#';
    int argc = 0;
    for (rest += is_small; argc < ARGUMENTS && rest;)
        argv[argc++] = strsep(&rest, "\n");
    argv[argc] = NULL;
    (is_small ? run_small : run_config)(argc, argv);
    sr_free(text);
    return 0;
}
