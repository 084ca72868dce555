"""Is it the same work? What the contestants compute is compared before anything is timed.

Scoring: logits of 256 rows. Training: six full-batch steps from the same weights, without dropout, twice: the loss of
each, which from the second on tells of the gradient, the clipping, the schedule and AdamW before it, and the logits
behind them.

SPDX-License-Identifier: MIT
"""
import csv
import json
import math

from bench import turns

ROWS = 256
# float32 sums of 2,048 products in another order; seen 1.3e-6
LOGITS = 1e-4
# int8 is each quantiser's own rounding: no bound of its error, but the network has to be the same one
INT8_CORRELATION = 0.95
STEPS = 6
# Gradient norm clipped to: relative difference of a loss that rounding may make. 1 clips nothing here; seen 5e-7,
# while an eps of AdamW of 1.1e-8 makes 6e-6 and a decay of .009 8e-6. .2 clips the first steps and not the later
# ones; seen 1.4e-5, and .202 makes 4e-3
LOSSES = {1.0: 5e-6, 0.2: 5e-5}
# A bias in front of a BatchNorm has a gradient of 0, which AdamW turns from rounding noise into steps of lr;
# running_mean follows them by a tenth a step only, so that they reach the logits of eval mode; seen 1.4e-4
TRAINED_LOGITS = 1e-3


def correlation(a, b):
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    cov = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b))
    return cov / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


def compare(ours, theirs):
    if not all(map(math.isfinite, ours + theirs)):
        return {"max_difference": math.inf, "correlation": 0.0}
    return {
        "max_difference": max(abs(x - y) for x, y in zip(ours, theirs, strict=True)),
        "correlation": correlation(ours, theirs),
    }


def judge(name, got, within):
    return got | {"name": name, "same": bool(within)}


def scores(bench, weights):
    """Logits of the program itself."""
    out = bench.folder / "check.csv"
    bench.run("infer", "--model", weights, "--data", bench.dump256, "--out", out)
    with open(out, newline="") as f:
        return [float(row["logit"]) for row in csv.DictReader(f)]


def scoring(bench):
    """[{name, max_difference, correlation, same}]; a peer that is missing has "missing"."""
    ours, dump = scores(bench, bench.model), bench.dump256
    found = []

    def check(name, logits, exact):
        try:
            got = compare(ours, logits())
        except turns.Missing as why:
            found.append({"name": name, "missing": str(why)})
            return
        found.append(
            judge(name, got, got["max_difference"] <= LOGITS if exact else got["correlation"] >= INT8_CORRELATION)
        )

    check("SafeRoute int8", lambda: scores(bench, bench.model_int8), False)
    with bench.workers("saferoute", "torch", "onnx") as (python, torch, onnx):
        check(
            "SafeRoute from Python",
            lambda: python.ask("logits", weights=bench.model, precision="float32", dump=dump, rows=ROWS),
            True,
        )
        for name, compiled in ("PyTorch", False), ("torch.compile", True):
            check(
                name,
                lambda: torch.ask("logits", weights=bench.peer_model, dump=dump, rows=ROWS, compiled=compiled),
                True,
            )
        for form in "float32", "int8 dynamic", "int8 static":

            def logits():
                onnx.ask("prepare", form=form, onnx=bench.onnx, calibration=bench.dump, folder=str(bench.folder))
                return onnx.ask("logits", form=form, dump=dump, rows=ROWS)

            check("onnxruntime" + ("" if form == "float32" else " " + form), logits, form == "float32")
    return found


def losses(bench, clip):
    """Ours: the loss of each step, and the logits behind them."""
    run = bench.folder / f"steps-{clip}"
    data = ("--train", bench.dump256, "--val", bench.dump, "--out", run)
    how = {"recipe": "seed", "sampler": "none", "batch": ROWS, "dropout": 0, "epochs": STEPS, "patience": 0}
    flags = [x for key in how for x in (f"--{key}", how[key])]
    bench.run("train", "--init", bench.model, *data, *flags, "--clip", clip)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row["train/loss"] for row in rows if row["epoch"] > 0], scores(bench, run / "last.safetensors")


def training(bench):
    found = []
    with bench.workers("torch") as (torch,):
        for clip, bound in LOSSES.items():
            name = f"{STEPS} steps, clip {clip:g}"
            ours, logits = losses(bench, clip)
            try:
                theirs = torch.ask("losses", weights=bench.peer_model, dump=bench.dump256, steps=STEPS, clip=clip)
            except turns.Missing as why:
                return [{"name": f"PyTorch, {name}", "missing": str(why)}]
            each = [abs(a - b) / b for a, b in zip(ours, theirs["losses"], strict=True)]
            worst = {"max_relative": max(each), "ours": ours, "theirs": theirs["losses"]}
            found.append(judge(f"PyTorch, losses of {name}", worst, all(x <= bound for x in each)))
            got = compare(logits, theirs["logits"])
            found.append(judge(f"PyTorch, logits after {name}", got, got["max_difference"] <= TRAINED_LOGITS))
    return found
