"""What is wanted of which figure, and whether it was reached.

SPDX-License-Identifier: MIT
"""
import statistics

from bench import part_epochs, part_file, part_latency, part_memory, part_scoring, part_training, part_update


class Results:
    """Works by part and name. What was not measured is None everywhere."""

    def __init__(self, parts, threads):
        self.parts, self.threads = parts, threads

    def work(self, part, name):
        return next((w for w in self.parts.get(part.NAME, []) if w.name == name), None)

    def ratio(self, part, name, ours, theirs):
        work = self.work(part, name)
        got = work and work.ratio(ours, theirs)
        return got[0] if got else None

    def median(self, part, name, who):
        work = self.work(part, name)
        return work.median(who) if work else None

    def also(self, part, name, what):
        work = self.work(part, name)
        return statistics.median(work.also[what]) if work and work.also.get(what) else None


def share(a, b):
    return a / b if a and b else None


def inverse(ratio):
    """Of a time: ours as a share of theirs, where ratio says how many times shorter ours is."""
    return 1 / ratio if ratio else None


def measured(r):
    """[(what, measured, sign, wanted, unit)]; the figures are aims set for two cores of the machine."""
    step, one, every = (part_training.name(256, n) for n in (r.threads, 1, r.threads))
    update, bulk1, bulk = part_update.name(r.threads), part_scoring.name(1024, 1), part_scoring.name(1024, r.threads)
    epochs = next((w.name for w in r.parts.get("epochs", []) if w.unit == "s"), "")
    file = next((w.name for w in r.parts.get("file", [])), "")
    memory = next((w.name for w in r.parts.get("memory", [])), "")
    p50, p99 = part_latency.P50, part_latency.P99
    return [
        ("training, batch 256, against PyTorch", r.ratio(part_training, step, "SafeRoute", "PyTorch"), ">=", 2.0, "x"),
        (
            "the same with PyTorch's fused AdamW",
            r.ratio(part_training, step, "SafeRoute", "PyTorch fused"),
            ">=",
            2.0,
            "x",
        ),
        (
            "products of the forward pass, of the FMA peak",
            r.also(part_training, step, "gemm_forward_of_peak"),
            ">=",
            0.85,
            "",
        ),
        (
            "products of the backward pass, of the FMA peak",
            r.also(part_training, step, "gemm_backward_of_peak"),
            ">=",
            0.80,
            "",
        ),
        (
            f"scaling 1 to {r.threads} threads, training, batch 256",
            share(r.median(part_training, every, "SafeRoute"), r.median(part_training, one, "SafeRoute"))
            if r.threads > 1
            else None,
            ">=",
            1.8,
            "x",
        ),
        (
            f"{epochs or 'epochs'}, start to saved weights, against PyTorch",
            r.ratio(part_epochs, epochs, "SafeRoute", "PyTorch fused"),
            ">=",
            2.0,
            "x",
        ),
        ("start to the first step", r.median(part_epochs, part_epochs.FIRST, "SafeRoute"), "<=", 0.3, "s"),
        (
            "clip and AdamW, against PyTorch's default",
            r.ratio(part_update, update, "SafeRoute", "PyTorch"),
            ">=",
            3.0,
            "x",
        ),
        (
            "clip and AdamW, against PyTorch's fused",
            r.ratio(part_update, update, "SafeRoute", "PyTorch fused"),
            ">=",
            1.2,
            "x",
        ),
        (
            "one row, float32, of onnxruntime's time",
            inverse(r.ratio(part_latency, p50, "SafeRoute", "onnxruntime")),
            "<=",
            0.7,
            "",
        ),
        (
            "or: of the time that reading the weights takes at least",
            r.also(part_latency, p50, "of_limit float32"),
            ">=",
            0.85,
            "",
        ),
        (
            "one row, int8, of onnxruntime float32's time",
            inverse(r.ratio(part_latency, p50, "SafeRoute int8", "onnxruntime")),
            "<=",
            0.2,
            "",
        ),
        (
            "one row, int8, p99 of p50",
            share(r.median(part_latency, p99, "SafeRoute int8"), r.median(part_latency, p50, "SafeRoute int8")),
            "<=",
            1.5,
            "x",
        ),
        (
            "bulk, float32, of the FMA peak (1,024 rows, 1 thread)",
            r.also(part_scoring, bulk1, "of_limit float32"),
            ">=",
            0.85,
            "",
        ),
        (
            "bulk, int8, against PyTorch float32 (1,024 rows, 1 thread)",
            r.ratio(part_scoring, bulk1, "SafeRoute int8", "PyTorch"),
            ">=",
            3.0,
            "x",
        ),
        (
            f"the same on {r.threads} threads",
            r.ratio(part_scoring, bulk, "SafeRoute int8", "PyTorch") if r.threads > 1 else None,
            ">=",
            3.0,
            "x",
        ),
        (
            "from a file, float32, against h5py and PyTorch",
            r.ratio(part_file, file, "SafeRoute", "PyTorch"),
            ">=",
            1.0,
            "x",
        ),
        (
            "from a file, int8, against h5py and PyTorch",
            r.ratio(part_file, file, "SafeRoute int8", "PyTorch"),
            ">=",
            3.0,
            "x",
        ),
        ("memory of training above its dump", r.median(part_memory, memory, "SafeRoute"), "<=", 80.0, "MB"),
    ]


def verdicts(results):
    """Of what was measured. "reached" of each; of the two figures for one row in float32 either will do."""
    found = [
        {
            "what": what,
            "measured": value,
            "sign": sign,
            "wanted": wanted,
            "unit": unit,
            "reached": value >= wanted if sign == ">=" else value <= wanted,
        }
        for what, value, sign, wanted, unit in measured(results)
        if value is not None
    ]
    for before, after in zip(found, found[1:]):
        if after["what"].startswith("or: "):
            before["either"] = after["either"] = before["reached"] or after["reached"]
    return found


def all_reached(found):
    return all(v.get("either", v["reached"]) for v in found)
