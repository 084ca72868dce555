"""Part epochs: whole processes, from their start to saved weights: `saferoute train` and
scripts/bench/pytorch_train.py.

SPDX-License-Identifier: MIT
"""
import csv
import json
import shutil
import sys

from bench import prepare, turns

NAME = "epochs"
TITLE = "Training from start to saved weights"
COLUMNS = ["SafeRoute", "PyTorch fused"]
NOTE = (
    "Whole processes, start-up, imports and reading included; patience off, validated after every epoch, the best "
    "weights saved. To the first step: until the first optimiser step is done."
)
ALSO = ("AUPRC of SafeRoute", "AUPRC of PyTorch", "peak MB of SafeRoute", "peak MB of PyTorch")
TIMED_AT = 25  # steps that are done when the line "duration" of `saferoute train` comes (cmd_train_screen.c)


def whole(epochs):
    return f"{epochs} epochs"


FIRST = "to the first step"


def first_step(run, folder):
    """Seconds from the start of the process to the end of its first step: when the line behind step 25 came, less 24
    steps of the mean of its epoch (timing.csv). None where that line did not come."""
    at = [seconds for seconds, line in run["stderr"] if line.startswith("duration")]
    with open(folder / "timing.csv", newline="") as f:
        epoch = next(csv.DictReader(f))
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    if not at:
        return None
    return at[0] - (TIMED_AT - 1) * float(epoch["train_seconds"]) / rows[0]["step"]


def ours(bench, works, data, epochs):
    folder = bench.folder / "epochs"
    shutil.rmtree(folder, ignore_errors=True)
    run = bench.run(
        "train", "--train", data[0], "--val", data[1], "--out", folder, "--epochs", epochs, "--patience", 0, "--json"
    )
    works[0].add("SafeRoute", run["seconds"])
    works[0].note("AUPRC of SafeRoute", json.loads(run["stdout"])["auprc"])
    works[0].note("peak MB of SafeRoute", run["peak_bytes"] / 1e6)
    first = first_step(run, folder)
    if first is None:
        works[1].missing["SafeRoute"] = "fewer than 25 steps an epoch"
    else:
        works[1].add("SafeRoute", first)


def pytorch(bench, works, data, epochs):
    try:
        run = turns.run(
            sys.executable,
            prepare.PYTORCH_TRAIN,
            "--train",
            data[0],
            "--val",
            data[1],
            "--out",
            bench.folder / "best.pt",
            "--epochs",
            epochs,
        )
    except RuntimeError as why:
        raise turns.Missing(str(why)[-300:]) from why
    said = json.loads(run["stdout"])
    works[0].add("PyTorch fused", run["seconds"])
    works[0].note("AUPRC of PyTorch", said["auprc"])
    works[0].note("peak MB of PyTorch", run["peak_bytes"] / 1e6)
    works[1].add("PyTorch fused", said["began"] - run["began"] + said["first_step_seconds"])


def run(bench):
    data = (bench.args.data, bench.args.val) if bench.args.data else (bench.dump, bench.dump256)
    epochs = 2 if bench.args.quick else bench.args.epochs
    works = [turns.Work(whole(epochs), "s", False), turns.Work(FIRST, "s", False)]
    turns.by_turns(
        [
            ("SafeRoute", works, lambda: ours(bench, works, data, epochs)),
            ("PyTorch fused", works, lambda: pytorch(bench, works, data, epochs)),
        ],
        bench.rounds,
    )
    return works
