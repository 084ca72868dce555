/* memory_trials.h: what test_trust_memory_commands.c runs besides the commands of trust_commands.h: more of
 * their options, as each asks for memory of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_TEST_MEMORY_TRIALS_H
#define SR_TEST_MEMORY_TRIALS_H

#include "tests/trust_commands.h"

#define WITH  "--model in/w.safetensors "
#define SETS  "--train in/a.h5 --val in/b.h5 "
#define TINY  "--hidden 8,4 --dropout 0.1,0.1 --batch 16 --patience 0 --checkpoint-seconds 0 --threads 1 "
#define SYNTH "data synth --rows 30 --width 8 --out out/x.h5"

/* in/hidden: two requests, whose labels and groups in/joined.csv has in another order; in/contract.json,
 * in/small.csv: a column p for the rows of in/x.npy, in/full.h5: columns of every kind. */
static inline void memory_inputs(void) {
    static const char contract[] = "{\"feature_model\": \"guard\", \"feature_layer\": \"last\"}";
    static const char joined[] = "id,label,group\nb,1,x\na,0,y\n";
    char small[16 * TRUST_TABLE] = "p\n";
    for (int i = 0; i < TRUST_TABLE; i++)
        sprintf(small + strlen(small), "0.%d\n", 1 + i % 9);
    trust_text("in/contract.json", contract, strlen(contract));
    trust_text("in/small.csv", small, strlen(small));
    trust_text("in/joined.csv", joined, strlen(joined));
    float states[6] = {1, 2, 3, 4, 5, 6};
    int64_t tokens[3] = {0};
    const struct sr_tensor hidden[] = {{"hidden_states", SR_F32, 3, {3, 1, 2}, states},
                                       {"token_ids", SR_I64, 1, {3}, tokens}};
    cr_assert_eq(mkdir("in/hidden", 0777), 0);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(sr_safetensors_write(i ? "in/hidden/b.safetensors" : "in/hidden/a.safetensors", hidden,
                                          2, NULL, 0, NULL),
                     0);
    cr_assert_eq(system("cp " SR_SOURCE_DIR "/tests/dumps/full.h5 in/full.h5"), 0);
}

static const struct trust_command memory_trials[] = {
    {"train, two threads", NULL, "train " SETS TINY "--epochs 1 --threads=2 --out out/run"},
    {"train, streamed", NULL, "train " SETS TINY "--epochs 1 --memory 1M --window 256 --out out/run"},
    {"train, two dumps", NULL,
     "train --train in/a.h5,in/zipped.h5 --val-fraction 0.3 " TINY "--epochs 1 --out out/run"},
    {"train, resume", "train " SETS TINY "--epochs 3 --max-minutes 0.00001 --out out/run",
     "train --resume out/run --max-minutes 0"},
    {"eval full", "eval " WITH "--data in/b.h5 --report out/r.html",
     "eval " WITH "--data in/a.h5 --full --report out/r.html"},
    {"eval gate", NULL, "eval " WITH "--baseline in/w2.safetensors --data in/a.h5 --json --gate 'auprc>=-1'"},
    {"headroom json", NULL, "eval --data in/a.h5 --headroom --json"},
    {"sweep risk", "sweep " WITH "--data in/a.h5 --csv out/c.csv",
     "sweep " WITH "--data in/b.h5 --rule risk=0.5@0.9 --csv out/c.csv"},
    {"infer, two dumps", "infer " WITH "--data in/b.h5 --out out/s.h5",
     "infer " WITH "--data in/a.h5,in/zipped.h5 --out out/s.h5 --memory 1M"},
    {"import contract", NULL,
     "import in/w.pt --stats in/a.h5 --contract in/contract.json --out out/w.safetensors"},
    {"import safetensors", NULL, "import in/w.safetensors --threshold 0.4 --out out/w.safetensors"},
    {"inspect two", NULL, "inspect in/w.safetensors in/w2.safetensors --json"},
    {"inspect pt", NULL, "inspect in/w.pt"},
    {"inspect dumps", NULL, "inspect in/a.h5 in/b.h5"},
    {"inspect a dump", NULL, "data inspect in/zipped.h5"},
    {"explain, dump", NULL,
     "explain --model in/narrow.safetensors --decision in/line.json --features in/table.h5 --row 0"},
    {"bench parts", NULL,
     "bench --parts machine,scoring,latency,reading --rounds 1 --seconds 0.001 --data in/a.h5 " WITH},
    {"doctor json", NULL, "doctor --json"},
    {"check config", NULL, "data check in/a.h5 in/zipped.h5 --config in/run --json"},
    {"compare rows", NULL, "data compare in/a.h5 in/zipped.h5 --by-row " WITH "--json"},
    {"compare with itself", NULL, "data compare in/a.h5 in/a.h5 --by-row"},
    {"convert csv, gzip", SYNTH, "data convert in/rows.csv --out out/x.h5 --gzip 1"},
    {"convert columns", SYNTH,
     "data convert --features in/x.npy --gold in/y.txt --small-prob in/small.csv:p --out out/x.h5"},
    {"convert one column", SYNTH,
     "data convert --features in/x.npy --gold in/y.txt --small-prob in/small.csv --out out/x.h5"},
    {"convert pt", SYNTH, "data convert --features in/w.pt:state_dict.cls.0.weight --out out/x.h5"},
    {"convert hidden", SYNTH, "data convert in/hidden --pooling mean --out out/x.h5"},
    {"convert joined", SYNTH,
     "data convert --features in/hidden --label in/joined.csv:label --group in/joined.csv:group --out "
     "out/x.h5"},
    {"convert dump", SYNTH, "data convert in/full.h5 --out out/x.h5"},
    {"convert dump away", SYNTH, "data convert in/full.h5 --out out/x.h5 --isolate"},
    {"convert zipped away", SYNTH, "data convert in/zipped.h5 --out out/x.h5 --isolate"},
    {"inspect dump away", NULL, "data inspect in/full.h5 --scan --json --isolate"},
    {"infer away", "infer " WITH "--data in/b.h5 --out out/s.h5",
     "infer " WITH "--data in/zipped.h5 --out out/s.h5 --isolate"},
    {"drop groups", SYNTH, "data drop in/a.h5 --ids in/ids.txt --out out/x.h5 --with-group"},
    {"split duplicates", "data split in/a.h5 --train out/x.h5 --test out/z.h5 --seed 8",
     "data split in/a.h5 --train out/x.h5 --test out/z.h5 --near-duplicates"},
};

#endif
