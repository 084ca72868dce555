"""Part latency: one row at a time on one thread, p50 and p99.

SPDX-License-Identifier: MIT
"""
from bench import turns

NAME = "latency"
TITLE = "One row"
PYTHON = ("float32", "int8")
FORMS = ("float32", "int8 dynamic", "int8 static")
COLUMNS = [
    "SafeRoute",
    "SafeRoute int8",
    "SafeRoute bfloat16",
    "SafeRoute, Python",
    "SafeRoute int8, Python",
    "PyTorch",
    "torch.compile",
    "onnxruntime",
    "onnxruntime int8 dynamic",
    "onnxruntime int8 static",
]
NOTE = (
    "One thread. SafeRoute: saferoute_decide called from C; Python: the bare call of the library through ctypes; "
    "`decide_one` is below. onnxruntime: run_with_iobinding with everything bound beforehand; int8 by its own "
    "quantisers. torch.compile: frozen, max-autotune."
)
ALSO = (
    "decide_one float32, us",
    "decide_one int8, us",
    "onnxruntime computing nothing, IO binding, us",
    "onnxruntime computing nothing, session.run, us",
)
P50, P99 = "p50", "p99"


def ours(bench, works):
    for got in bench.measure("latency", 1, "--model", bench.model):
        if got["callers"] != 1:
            continue
        who = "SafeRoute" + ("" if got["precision"] == "float32" else " " + got["precision"])
        works[P50].add(who, got["p50_us"])
        works[P99].add(who, got["p99_us"])
        works[P50].note(f"of_limit {got['precision']}", got["of_limit"])


def add(works, who, took):
    works[P50].add(who, 1e6 * took["p50"])
    works[P99].add(who, 1e6 * took["p99"])


def ours_in_python(python, bench, works, precision):
    how = {"weights": bench.model, "precision": precision, "dump": bench.dump}
    who = "SafeRoute" + " int8" * (precision == "int8")
    add(works, who + ", Python", python.ask("score", rows=1, threads=1, seconds=bench.seconds, **how))
    works[P50].note(f"decide_one {precision}, us", 1e6 * python.ask("decide_one", seconds=bench.seconds, **how)["p50"])


def pytorch(torch, bench, works, who, compiled):
    how = {"weights": bench.model, "dump": bench.dump, "rows": 1, "compiled": compiled, "threads": 1}
    torch.ask("prepare_score", autotune=not bench.args.quick, **how)
    add(works, who, torch.ask("score", seconds=bench.seconds, **how))


def onnxruntime(onnx, bench, works, who, form):
    onnx.ask("prepare", form=form, onnx=bench.onnx, calibration=bench.dump, folder=str(bench.folder))
    add(works, who, onnx.ask("score", form=form, dump=bench.dump, rows=1, threads=1, seconds=bench.seconds))
    if form == "float32":
        noop = onnx.ask("noop", seconds=bench.seconds)
        works[P50].note("onnxruntime computing nothing, IO binding, us", 1e6 * noop["bound"])
        works[P50].note("onnxruntime computing nothing, session.run, us", 1e6 * noop["run"])


def run(bench):
    works = {name: turns.Work(name, "us", False) for name in (P50, P99)}
    both = list(works.values())
    with bench.workers("saferoute", "torch", "onnx") as (python, torch, onnx):
        contestants = [("SafeRoute", both, lambda: ours(bench, works))]
        for precision in PYTHON:
            who = "SafeRoute" + " int8" * (precision == "int8") + ", Python"
            contestants.append((who, both, lambda p=precision: ours_in_python(python, bench, works, p)))
        for who, compiled in ("PyTorch", False), ("torch.compile", True):
            contestants.append((who, both, lambda w=who, c=compiled: pytorch(torch, bench, works, w, c)))
        for form in FORMS:
            who = "onnxruntime" + ("" if form == "float32" else " " + form)
            contestants.append((who, both, lambda w=who, f=form: onnxruntime(onnx, bench, works, w, f)))
        turns.by_turns(contestants, bench.rounds)
    return both
