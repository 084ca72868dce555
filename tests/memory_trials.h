/* memory_trials.h: what test_trust_memory_commands.c runs the program's commands with. Inputs lie in in/,
 * what is written in out/.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_MEMORY_TRIALS_H
#define SR_TEST_MEMORY_TRIALS_H

#include <stdbool.h>

struct trial {
    const char *command, *arguments;
    const char *old; /* files that are there before, to be replaced: "out/a.csv out/b.csv" */
    bool random;     /* what it prints is another thing each time */
};

#define RUN  "out/run"
#define WITH "--model in/w.safetensors "
#define TINY                                                                                                 \
    "--hidden 8,4 --dropout 0.1,0.1 --batch 16 --epochs 3 --patience 0 --checkpoint-seconds 0 --threads 1 "
#define SETS "--train in/train.h5 --val in/val.h5 "

/* Training last: a run of it takes longest, and what others have come through is not tried again. */
static const struct trial trials[] = {
    {"eval", WITH "--data in/test.h5 --json", "", false},
    {"eval", WITH "--data in/test.h5 --full --report out/r.html", "out/r.html", false},
    {"eval", WITH "--baseline in/w2.safetensors --data in/test.h5 --json --gate auprc>=-1", "", false},
    {"eval", "--data in/test.h5 --headroom --json", "", false},
    {"eval", "--data in/test.h5 --headroom", "", false},
    {"sweep", WITH "--data in/val.h5 --rule f1 --out out/w2.safetensors --json", "", false},
    {"sweep", WITH "--data in/val.h5 --rule risk=0.5@0.9 --csv out/s.csv", "out/s.csv", false},
    {"sweep", WITH "--data in/val.h5", "", false},
    {"infer", WITH "--data in/test.h5 --out out/s.csv", "out/s.csv", false},
    {"infer", WITH "--data in/test.h5,in/gzip.h5 --out out/s.h5 --memory 1M", "out/s.h5", false},
    {"import", "in/w.pt --stats in/train.h5 --contract in/contract.json --out out/w.safetensors", "", false},
    {"import", "in/w.safetensors --threshold 0.4 --out out/w.safetensors", "", false},
#define SR_EXPORT(name, ending, help)                                                                        \
    {"export", WITH "--to " #name " --out out/new" ending, "out/new" ending, false},
#include "infer/exports.def"
#undef SR_EXPORT
    {"export", WITH "--to safetensors --dtype int8 --data in/val.h5 --out out/w.safetensors",
     "out/w.safetensors", false},
    {"inspect", "in/w.safetensors in/w2.safetensors --json", "", false},
    {"inspect", "in/w.pt", "", false},
    {"inspect", "in/run", "", false},
    {"inspect", "in/train.h5 in/test.h5", "", false},
    {"explain", WITH "--decision in/line.json --features in/test.h5 --row 3", "", false},
    {"bench", "--parts machine,scoring,latency,reading --rounds 1 --seconds 0.001 --data in/test.h5 " WITH,
     "", true},
    {"doctor", "", "", true},
    {"doctor", "--json", "", true},
    {"data", "check in/train.h5 in/test.h5 in/val.h5 --ids-out out/ids.txt", "out/ids.txt", false},
    {"data", "check in/train.h5 in/gzip.h5 --config in/run --json", "", false},
    {"data", "compare in/test.h5 in/gzip.h5 --by-row " WITH "--json", "", false},
    {"data", "compare in/test.h5 in/test.h5 --by-row", "", false},
    {"data", "convert in/rows.jsonl --out out/d.h5", "out/d.h5", false},
    {"data", "convert in/rows.csv --out out/d.h5 --gzip 1", "out/d.h5", false},
    {"data", "convert --features in/x.npy --gold in/gold.txt --small-prob in/small.csv:p --out out/d.h5",
     "out/d.h5", false},
    {"data", "convert --features in/w.pt:state_dict.cls.0.weight --out out/d.h5", "out/d.h5", false},
    {"data", "drop in/train.h5 --ids in/ids.txt --out out/d.h5 --with-group", "out/d.h5", false},
    {"data", "inspect in/train.h5 --scan --json", "", true},
    {"data", "inspect in/gzip.h5", "", false},
    {"data", "label in/train.h5 --out out/d.h5 --harm-price 2", "out/d.h5", false},
    {"data", "merge in/train.h5 in/again.h5 --out out/d.h5", "out/d.h5", false},
    {"data", "repack in/train.h5 --out out/d.h5 --dtype float32 --gzip 2", "out/d.h5", false},
    {"data", "split in/train.h5 --train out/a.h5 --test out/b.h5 --near-duplicates", "out/a.h5 out/b.h5",
     false},
    {"data", "synth --out out/d.h5 --rows 32 --width 8", "out/d.h5", false},
    {"data", "inspect in/train.h5 --scan --json --isolate", "", true},
    {"data", "inspect in/full.h5 --json --isolate", "", true},
    {"data", "convert in/gzip.h5 --out out/d.h5 --isolate", "out/d.h5", false},
    {"data", "convert in/full.h5 --out out/d.h5", "out/d.h5", false},
    {"data", "convert in/full.h5 --out out/d.h5 --isolate", "out/d.h5", false},
    {"infer", WITH "--data in/gzip.h5 --out out/s.h5 --isolate", "out/s.h5", false},
    {"train", SETS "--out out/run " TINY "--epochs 1 --threads=2", "", true},
    {"train", SETS "--out out/run --memory 1M --window 256 " TINY, "", true},
    {"train", "--train in/train.h5,in/gzip.h5 --val-fraction 0.3 --out out/run " TINY, "", true},
    {"train", SETS "--out out/run --init in/w.safetensors --epochs 2 --batch 16", "", true},
    {"train", SETS "--out out/run --seeds 2 " TINY, "", true},
    {"train", "--resume out/run --max-minutes 0", "out/run", true},
};

#endif
