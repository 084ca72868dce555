/* command.h: what every sub-command of the program shares.
 *
 * A command NAME is the function sr_cmd_NAME in its topic's cmd_NAME.c, and one line of the list below. It
 * gets the arguments behind its name and returns the program's exit status. Its skeleton:
 *
 *     int sr_cmd_eval(int argc, char **argv) {
 *         struct eval_options opts;
 *         struct sr_options o;
 *         struct sr_error err = {0};
 *         int status = sr_command_begin(&o, &command, &opts, argc, argv, &err);
 *         if (status > 0)
 *             status = run(&opts, &err);
 *         return sr_command_end(&o, status, &err);
 *     }
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_COMMAND_H
#define SR_COMMAND_H

#include "nn/base/error.h"
#include "nn/base/option.h"

/* X(name, one line of help) */
#define SR_COMMAND_LIST(X)                                                                                   \
    X(train, "train a router from feature dumps")                                                            \
    X(eval, "measure a router on a dump")                                                                    \
    X(sweep, "choose the threshold by what it is to achieve")                                                \
    X(infer, "probability and decision for every row of a dump")                                             \
    X(import, "take over a router that PyTorch saved")                                                       \
    X(export, "write a router in the format that another program reads")                                     \
    X(inspect, "what a file is, and what differs between two")                                               \
    X(explain, "make a logged decision again, and say whether it is the same")                               \
    X(data, "feature dumps: make, look at, check, split, merge, compare, write anew")                        \
    X(bench, "how fast this machine trains, scores and reads, and its limits")                               \
    X(doctor, "this machine as the program sees it")

#define X(name, help) int sr_cmd_##name(int argc, char **argv);
SR_COMMAND_LIST(X)
#undef X

struct sr_command {
    const char *name;  /* "eval", "data synth" */
    const char *usage; /* printed by --help above the options: usage line, blank line, what it does */
    const char *notes; /* printed below the options (examples, exit status), or NULL */
    const struct sr_option *table;
    size_t count;
};

/* Defaults, then flags. 1: go on; 0: --help or -h was asked for and printed to stdout; negative: SR_USAGE in
 * err. */
int sr_command_begin(struct sr_options *o, const struct sr_command *command, void *values, int argc,
                     char **argv, struct sr_error *err);

/* Prints err to stderr if status is negative, flushes stdout (a failed write is SR_IO), frees o, and returns
 * the exit status of the program. SR_NO prints its text without "error:". Warns if a folder could not be
 * synced (sr_atomic_file_unsynced). */
int sr_command_end(struct sr_options *o, int status, const struct sr_error *err);

/* errno of the first write to stdout that failed, or 0: stdio forgets it. The program's own stdout notes it.
 */
extern int sr_stdout_failed;

#endif
