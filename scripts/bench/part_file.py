"""Part file: every row of a float16 dump is read and scored.

SPDX-License-Identifier: MIT
"""
from bench import turns

NAME = "file"
TITLE = "Scoring a float16 dump"
COLUMNS = ["SafeRoute", "SafeRoute int8", "PyTorch"]
NOTE = (
    "SafeRoute: all of the process `saferoute infer --out scores.h5`, start, reading, scoring and writing. PyTorch: a "
    "process that runs already, h5py in blocks of 2,048 rows, astype(float32), network, sigmoid; no start-up, nothing "
    "written. The file is in the system's cache."
)


def name(rows, threads):
    return f"{rows:,} rows, {threads} thread" + "s" * (threads > 1)


def ours(bench, work, threads, who, weights):
    out = bench.folder / "scores.h5"
    took = bench.run("infer", "--model", weights, "--data", bench.big, "--threads", threads, "--out", out)
    work.add(who, bench.args.rows / took["seconds"])
    work.note(f"peak MB of {who}", took["peak_bytes"] / 1e6)


def pytorch(torch, bench, work, threads):
    took = torch.ask("file", weights=bench.model, dump=bench.big, threads=threads)
    work.add("PyTorch", took["rows"] / took["seconds"])


def run(bench):
    works = []
    with bench.workers("torch") as (torch,):
        for threads in bench.thread_counts():
            work = turns.Work(name(bench.args.rows, threads), "rows/s", True)
            works.append(work)
            turns.by_turns(
                [
                    ("SafeRoute", [work], lambda: ours(bench, work, threads, "SafeRoute", bench.model)),
                    ("SafeRoute int8", [work], lambda: ours(bench, work, threads, "SafeRoute int8", bench.model_int8)),
                    ("PyTorch", [work], lambda: pytorch(torch, bench, work, threads)),
                ],
                bench.rounds,
            )
    return works
