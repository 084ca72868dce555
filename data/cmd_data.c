/* cmd_data.c: saferoute data: feature dumps made, looked at and written anew. A sub-command is cmd_NAME.c and
 * one line of the list in cmd_data.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "data/cmd_data.h"

void sr_print_share(const char *what, const uint8_t *column, size_t rows) {
    size_t ones = 0, known = 0;
    for (size_t i = 0; i < rows; i++) {
        ones += column[i] == 1;
        known += column[i] != SR_UNKNOWN;
    }
    printf("%s: %zu (%.1f %%)", what, ones, known ? 100 * (double)ones / (double)known : 0.0);
    if (known < rows)
        printf(", unknown: %zu", rows - known);
}

int sr_print_facts_json(struct sr_json *head, const struct sr_facts *f, struct sr_error *err) {
    sr_facts_json(head, f);
    char *text = sr_json_text(head, 1, err);
    if (text)
        puts(text);
    sr_json_free(head);
    sr_free(text);
    return text ? 0 : SR_NOMEM;
}

/* ---- saferoute data ---- */

static int run(const char *name, int argc, char **argv, bool *found) {
    *found = true;
#define X(command, help)                                                                                     \
    if (strcmp(name, #command) == 0)                                                                         \
        return sr_cmd_data_##command(argc, argv);
    SR_DATA_COMMAND_LIST(X)
#undef X
    *found = false;
    return 0;
}

#define X(command, help) "  " #command ": " help "\n"
static const struct sr_command data_command = {
    .name = "data",
    .usage = "usage: saferoute data COMMAND [options]\n\ncommands:\n" SR_DATA_COMMAND_LIST(X),
    .notes = "saferoute data COMMAND --help lists the options of one.",
};
#undef X

static int fail_unknown(const char *name, struct sr_error *err) {
#define X(command, help) #command,
    static const char *const names[] = {SR_DATA_COMMAND_LIST(X) NULL};
#undef X
    const char *nearest = name ? sr_nearest(name, names) : NULL;
    if (!name)
        return sr_fail(err, SR_USAGE, "data: which command? see saferoute data --help");
    if (nearest)
        return sr_fail(err, SR_USAGE, "data has no command %s; did you mean %s?", name, nearest);
    return sr_fail(err, SR_USAGE, "data has no command %s; see saferoute data --help", name);
}

int sr_cmd_data(int argc, char **argv) {
    struct sr_options o = {0};
    struct sr_error err = {0};
    bool found = false;
    if (argc > 0 && argv[0][0] != '-') {
        int result = run(argv[0], argc - 1, argv + 1, &found);
        if (found)
            return result;
        return sr_command_end(&o, fail_unknown(argv[0], &err), &err);
    }
    int status = sr_command_begin(&o, &data_command, NULL, argc, argv, &err);
    if (status > 0)
        status = fail_unknown(NULL, &err);
    return sr_command_end(&o, status, &err);
}
