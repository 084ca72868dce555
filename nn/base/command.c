/* command.c: how every sub-command begins and ends; see command.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nn/base/atomic_file.h"
#include "nn/base/command.h"
#include "nn/base/json.h"
#include "nn/base/log.h"

static bool help_wanted(int argc, char **argv) {
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

/* The text with one newline at its end. */
static void print_paragraph(const char *text) {
    const size_t length = strlen(text);
    printf("%s%s", text, length > 0 && text[length - 1] == '\n' ? "" : "\n");
}

static void print_help(const struct sr_command *command) {
    print_paragraph(command->usage);
    if (command->count > 0)
        puts("\noptions:");
    sr_options_help(command->table, command->count, stdout);
    if (command->notes) {
        putchar('\n');
        print_paragraph(command->notes);
    }
}

/* What cannot be written is told before hours of work. */
static int check_outputs(const struct sr_options *o, struct sr_error *err) {
    int status = SR_OK;
    for (size_t i = 0; status == SR_OK && i < o->count; i++) {
        const char *path = o->table[i].output ? *(char **)((char *)o->values + o->table[i].offset) : NULL;
        if (path && *path)
            status = sr_atomic_file_possible(path, err);
    }
    return status;
}

int sr_command_begin(struct sr_options *o, const struct sr_command *command, void *values, int argc,
                     char **argv, struct sr_error *err) {
    struct sr_error why;
    int status = sr_options_begin(o, command->table, command->count, values, err);
    if (status < 0)
        return status;
    if (help_wanted(argc, argv)) {
        print_help(command);
        return 0;
    }
    status = sr_options_arguments(o, argc, argv, &why);
    if (status < 0)
        return sr_fail(err, status, "%.400s (saferoute %s --help lists the options)", why.text,
                       command->name);
    status = check_outputs(o, err);
    return status < 0 ? status : 1;
}

int sr_stdout_failed;

/* What was printed may still sit in a buffer whose pipe or disk is gone. */
static int flush_stdout(void) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return SR_OK;
    sr_log_error("cannot write to standard output: %s", strerror(sr_stdout_failed ? sr_stdout_failed
                                                                 : errno          ? errno
                                                                                  : EIO));
    return SR_IO;
}

static const char *meaning(int status) {
    switch (status) {
#define X(name, value, exit_status, meaning)                                                                 \
    case value:                                                                                              \
        return meaning;
        SR_STATUS_LIST(X)
#undef X
    default:
        return "a status that nobody knows";
    }
}

static void warn_of_unsynced(void) {
    const char *folder = sr_atomic_file_unsynced();
    if (folder)
        sr_log_warn("cannot sync the folder %s; the files written there are whole, but after a power failure "
                    "or a crash of the machine soon after, the old ones may be back",
                    folder);
}

int sr_command_end(struct sr_options *o, int status, const struct sr_error *err) {
    sr_options_end(o);
    if (status >= 0 && sr_json_lost()) /* of what was shown, something may be missing */
        status = SR_NOMEM;
    sr_json_forget();
    const int flushed = flush_stdout();
    warn_of_unsynced();
    const struct sr_error *noted = sr_error_noted();
    if (status >= 0 && noted) {
        sr_log_error("%s", noted->text);
        return sr_status_exit(noted->status);
    }
    if (status >= 0)
        return sr_status_exit(flushed);
    const char *text = err && err->status == status && err->text[0] ? err->text : meaning(status);
    if (status == SR_NO || status == SR_STOPPED)
        sr_log_info("%s", text);
    else
        sr_log_error("%s", text);
    return sr_status_exit(flushed < 0 && status == SR_NO ? flushed : status);
}
