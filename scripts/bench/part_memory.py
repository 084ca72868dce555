"""Part memory: the peak of a training process that holds its dump in memory, less the dump.

SPDX-License-Identifier: MIT
"""
import shutil
import sys

from bench import prepare, turns

NAME = "memory"
TITLE = "Memory of training"
COLUMNS = ["SafeRoute", "PyTorch fused"]
NOTE = (
    "Peak resident memory of the process (as wait4 reports it) less the bytes of the dump's float16 features. PyTorch "
    "keeps them as float32, which it computes in."
)
ALSO = ("MB of the features", "peak MB of SafeRoute", "peak MB of PyTorch fused")
STEPS = 20
ROUNDS = 2  # a peak of memory hardly varies


def name(rows):
    return f"above the dump of {rows:,} rows"


def add(bench, work, who, run):
    features = (bench.args.rows + 256) * 2048 * 2
    work.add(who, (run["peak_bytes"] - features) / 1e6)
    work.note(f"peak MB of {who}", run["peak_bytes"] / 1e6)
    work.note("MB of the features", features / 1e6)


def ours(bench, work):
    folder = bench.folder / "memory"
    shutil.rmtree(folder, ignore_errors=True)
    run = bench.run(
        "train",
        "--train",
        bench.big,
        "--val",
        bench.dump256,
        "--out",
        folder,
        "--epochs",
        1,
        "--epoch-rows",
        256 * STEPS,
    )
    if not any("in memory" in line for _, line in run["stderr"]):
        raise turns.Missing("not enough free memory: the dump was streamed")
    add(bench, work, "SafeRoute", run)


def pytorch(bench, work):
    try:
        run = turns.run(
            sys.executable,
            prepare.PYTORCH_TRAIN,
            "--train",
            bench.big,
            "--val",
            bench.dump256,
            "--out",
            bench.folder / "best.pt",
            "--epochs",
            1,
            "--epoch-rows",
            256 * STEPS,
        )
    except RuntimeError as why:
        raise turns.Missing(str(why)[-300:]) from why
    add(bench, work, "PyTorch fused", run)


def run(bench):
    work = turns.Work(name(bench.args.rows), "MB", False)
    turns.by_turns(
        [("SafeRoute", [work], lambda: ours(bench, work)), ("PyTorch fused", [work], lambda: pytorch(bench, work))],
        min(ROUNDS, bench.rounds),
    )
    return [work]
