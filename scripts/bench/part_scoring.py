"""Part scoring: many rows at a time from memory, on all threads and on one.

SPDX-License-Identifier: MIT
"""
from bench import turns

NAME = "scoring"
TITLE = "Scoring in bulk"
OURS = {"SafeRoute": "float32", "SafeRoute int8": "int8"}
FORMS = {"onnxruntime": "float32", "onnxruntime int8 dynamic": "int8 dynamic", "onnxruntime int8 static": "int8 static"}
COLUMNS = [*OURS, "PyTorch", "torch.compile", *FORMS, "scikit-learn"]
NOTE = (
    "Everybody is called from Python. SafeRoute starts no thread: threads of Python split the rows. torch.compile: "
    "frozen, static shapes, max-autotune up to 8 rows. onnxruntime: IO binding. scikit-learn: predict_proba of a "
    "network of the same widths with ReLU."
)
ALSO = ("rows/s from C, float32", "of_limit float32", "rows/s from C, int8", "of_limit int8")
ROWS = (8, 64, 1024)
ALL_THREADS = (16384,)  # on one thread a second and more for a call
ALSO_AT = 1024  # where our own bench says the share of the peak, and scikit-learn is looked at


def name(rows, threads):
    return f"{rows:,} rows, {threads} thread" + "s" * (threads > 1)


def share_of_limit(bench, works):
    for got in bench.measure("scoring", 1, "--model", bench.model):
        if got["batch"] in works:
            works[got["batch"]].note(f"rows/s from C, {got['precision']}", got["rows_per_second"])
            works[got["batch"]].note(f"of_limit {got['precision']}", got["of_limit"])


def ours(python, bench, works, threads, who):
    for rows, work in works.items():
        took = python.ask(
            "score",
            weights=bench.model,
            precision=OURS[who],
            dump=bench.dump,
            rows=rows,
            threads=threads,
            seconds=bench.seconds,
        )
        work.add(who, rows / took["mean"])


def pytorch(torch, bench, works, threads, who, compiled):
    for rows, work in works.items():
        how = {"weights": bench.model, "dump": bench.dump, "rows": rows, "compiled": compiled, "threads": threads}
        torch.ask("prepare_score", autotune=not bench.args.quick, **how)
        work.add(who, rows / torch.ask("score", seconds=bench.seconds, **how)["mean"])


def onnxruntime(onnx, bench, works, threads, who):
    onnx.ask("prepare", form=FORMS[who], onnx=bench.onnx, calibration=bench.dump, folder=str(bench.folder))
    for rows, work in works.items():
        took = onnx.ask("score", form=FORMS[who], dump=bench.dump, rows=rows, threads=threads, seconds=bench.seconds)
        work.add(who, rows / took["mean"])


def sklearn(learn, bench, works, threads):
    for rows, work in works.items():
        work.add(
            "scikit-learn",
            rows / learn.ask("score", dump=bench.dump, rows=rows, threads=threads, seconds=bench.seconds)["mean"],
        )


def run(bench):
    works = []
    with bench.workers("saferoute", "torch", "onnx", "sklearn") as (python, torch, onnx, learn):
        for threads in bench.thread_counts():
            sizes = ROWS if bench.args.quick or threads < bench.threads else ROWS + ALL_THREADS
            here = {rows: turns.Work(name(rows, threads), "rows/s", True) for rows in sizes}
            some, every = {ALSO_AT: here[ALSO_AT]}, list(here.values())
            works += every
            contestants = [(who, every, lambda w=who: ours(python, bench, here, threads, w)) for who in OURS]
            contestants += [
                ("PyTorch", every, lambda: pytorch(torch, bench, here, threads, "PyTorch", False)),
                ("torch.compile", every, lambda: pytorch(torch, bench, here, threads, "torch.compile", True)),
            ]
            contestants += [(who, every, lambda w=who: onnxruntime(onnx, bench, here, threads, w)) for who in FORMS]
            contestants.append(("scikit-learn", some.values(), lambda: sklearn(learn, bench, some, threads)))
            if threads == 1:
                contestants.append(("from C", [], lambda: share_of_limit(bench, here)))
            turns.by_turns(contestants, bench.rounds)
    return works
