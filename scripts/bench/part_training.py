"""Part training: one optimiser step with data in memory, batch 64, 256 and 1024, on all threads and on one.

SPDX-License-Identifier: MIT
"""
from bench import turns

NAME = "training"
TITLE = "Training step"
COLUMNS = ["SafeRoute", "PyTorch", "PyTorch fused", "torch.compile", "scikit-learn"]
NOTE = (
    "float32, the published recipe (focal loss, BatchNorm, dropout, clipping to 1, AdamW), batches gathered "
    "beforehand on both sides. PyTorch: AdamW as it is by default, and `fused=True`, which torch.compile has, too "
    "(network and loss compiled). scikit-learn: MLPClassifier.partial_fit, same widths, but no BatchNorm, GELU or "
    "dropout."
)
ALSO = ("forward_of_peak", "backward_of_peak", "gemm_forward_of_peak", "gemm_backward_of_peak", "step_of_peak")
BATCHES = (64, 256, 1024)
ALSO_AT = 256  # the batch of the recipe, at which compiler and scikit-learn are looked at


def name(batch, threads):
    return f"batch {batch}, {threads} thread" + "s" * (threads > 1)


def ours(bench, works, threads):
    found = {(t["batch"], t["threads"]): t for t in bench.measure("training", threads)}
    for batch, work in works.items():
        got = found[batch, threads]
        work.add("SafeRoute", got["rows_per_second"])
        for key in ALSO:
            work.note(key, got[key])


def pytorch(torch, bench, works, threads, who, adamw, compiled=False):
    for batch, work in works.items():
        how = {"batch": batch, "adamw": adamw, "compiled": compiled, "threads": threads}
        torch.ask("prepare_step", weights=bench.model, dump=bench.dump, **how)
        work.add(who, batch / torch.ask("step", seconds=bench.seconds, **how)["mean"])


def sklearn(worker, bench, works, threads):
    for batch, work in works.items():
        took = worker.ask("step", dump=bench.dump, batch=batch, threads=threads, seconds=bench.seconds)
        work.add("scikit-learn", batch / took["mean"])


def run(bench):
    works = []
    with bench.workers("torch", "sklearn") as (torch, learn):
        for threads in bench.thread_counts():
            here = {batch: turns.Work(name(batch, threads), "rows/s", True) for batch in BATCHES}
            some = {ALSO_AT: here[ALSO_AT]}
            works += here.values()
            turns.by_turns(
                [
                    ("SafeRoute", here.values(), lambda: ours(bench, here, threads)),
                    ("PyTorch", here.values(), lambda: pytorch(torch, bench, here, threads, "PyTorch", "default")),
                    (
                        "PyTorch fused",
                        here.values(),
                        lambda: pytorch(torch, bench, here, threads, "PyTorch fused", "fused"),
                    ),
                    (
                        "torch.compile",
                        some.values(),
                        lambda: pytorch(torch, bench, some, threads, "torch.compile", "fused", True),
                    ),
                    ("scikit-learn", some.values(), lambda: sklearn(learn, bench, some, threads)),
                ],
                bench.rounds,
            )
    return works
