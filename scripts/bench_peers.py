#!/usr/bin/env python3
"""How fast SafeRoute is beside PyTorch, onnxruntime and scikit-learn: the same work, by turns, on this machine.

    scripts/bench_peers.py --data train.h5 --val val.h5 --json peers.json        # about 15 minutes
    scripts/bench_peers.py --only latency,scoring --rounds 3
    scripts/bench_peers.py --quick                                               # does it run?

Parts:
    training   one optimiser step, batch 64, 256 and 1024, all threads and one
    update     clipping and AdamW alone
    epochs     30 epochs in whole processes, start to saved weights (without --data on a synthetic dump)
    latency    one row, p50 and p99
    scoring    8 to 16,384 rows from memory
    file       a float16 dump, reading included
    memory     peak of a training process that holds its dump in memory

Before anything is timed the results are compared: logits of 256 rows by everybody, and six training steps from the
same weights. Where they differ nothing is timed. Then every contestant has its turn in every round, in a process of
its own; who is not measured is stopped. Variables that make a library choose less than the CPU has
(OPENBLAS_CORETYPE, OMP_...) are taken out of everybody's environment. What is not installed is left out, and said.
The tables on stdout are Markdown.

Ours is measured by `saferoute bench` (step, update, one row from C), by `saferoute train` and `infer` as whole
processes, and through Python for many rows. Peers: torch, onnxruntime with onnx, scikit-learn, each with NumPy and
h5py.

Status 1 where results differ, or where something wanted was not reached; 2 wrong usage.

SPDX-License-Identifier: MIT
"""
import argparse
import json
import pathlib
import sys
import tempfile
import time

from bench import checks, prepare, report, turns, wanted
from bench import part_epochs, part_file, part_latency, part_memory, part_scoring, part_training, part_update

PARTS = {
    p.NAME: p for p in (part_training, part_update, part_epochs, part_latency, part_scoring, part_file, part_memory)
}
SCORE = {"latency", "scoring", "file"}
TRAIN = {"training", "update", "epochs"}


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/saferoute")
    parser.add_argument("--library", help="libsaferoute.so; else the one beside the program")
    parser.add_argument("--data", help="dump that part epochs trains on")
    parser.add_argument("--val", help="dump that it validates on")
    parser.add_argument("--model", help="router to score with; else one that is trained for an epoch")
    parser.add_argument("--peer-model", help="another one for the peers, with which results must come out as different")
    parser.add_argument("--only", default=",".join(PARTS), help="some of the parts")
    parser.add_argument("--rounds", type=int, help="5, with --quick 1")
    parser.add_argument("--epochs", type=int, default=30, help="of part epochs")
    parser.add_argument("--rows", type=int, help="of parts file and memory (50,000)")
    parser.add_argument(
        "--quick", action="store_true", help="short measurements and small dumps, to see whether it runs"
    )
    parser.add_argument("--json", metavar="FILE", help="every figure of every round, for programs")
    args = parser.parse_args()
    args.only = [part.strip() for part in args.only.split(",")]
    unknown = [part for part in args.only if part not in PARTS]
    if unknown:
        parser.error(f"--only {unknown[0]}: no such part; there are {', '.join(PARTS)}")
    if bool(args.data) != bool(args.val):
        parser.error("--data and --val go together")
    args.rounds = args.rounds or (1 if args.quick else 5)
    args.rows = args.rows or (2000 if args.quick else 50_000)
    return args


def same(bench):
    """Compares what everybody computes; prints it."""
    bench.say("comparing results")
    found = checks.scoring(bench) if SCORE & set(bench.args.only) else []
    found += checks.training(bench) if TRAIN & set(bench.args.only) else []
    if found:
        print(report.checks_table(found), flush=True)
    return found


def machine(bench):
    try:
        return bench.measure("machine", bench.threads)
    except turns.Missing:
        said = json.loads(bench.run("doctor", "--json")["stdout"])
        return said | {"isa": said["kernels"]}


def measure(bench):
    done = {}
    for name in bench.args.only:
        began = time.monotonic()
        bench.say(f"{name} ...")
        done[name] = PARTS[name].run(bench)
        bench.say(f"{name}: {time.monotonic() - began:.0f} s")
        print(report.table(PARTS[name], done[name]), flush=True)
    return done


def save(path, bench, **what):
    parts = {name: report.works_json(works) for name, works in what.pop("parts").items()}
    out = {
        "schema_version": 1,
        "rounds": bench.rounds,
        "threads": bench.threads,
        "taken_out": turns.taken_out(),
        "versions": bench.facts,
        "parts": parts,
    } | what
    pathlib.Path(path).write_text(json.dumps(out, indent=1) + "\n")


def main():
    args = parse()
    with tempfile.TemporaryDirectory() as folder:
        bench = prepare.Bench(args, folder)
        found = same(bench)
        different = [c["name"] for c in found if not c.get("same", True)]
        if different:
            sys.exit("not the same results: " + "; ".join(different) + ". Nothing was timed")
        here = machine(bench)
        parts = measure(bench)
        verdicts = wanted.verdicts(wanted.Results(parts, bench.threads))
        print(report.wanted_table(verdicts))
        print(report.machine_lines(here, bench.facts, bench.rounds, turns.taken_out()))
        if args.json:
            save(args.json, bench, machine=here, checks=found, parts=parts, wanted=verdicts)
    return 0 if wanted.all_reached(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
