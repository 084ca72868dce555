"""Part update: clipping by the global norm and AdamW's step over the 2.76 million parameters.

SPDX-License-Identifier: MIT
"""
from bench import turns

NAME = "update"
TITLE = "Clip and AdamW"
WAYS = {"PyTorch": "default", "PyTorch foreach": "foreach", "PyTorch fused": "fused"}
COLUMNS = ["SafeRoute", *WAYS]
NOTE = (
    "Both within training steps of 256 rows, which leave the caches as they do. PyTorch: clip_grad_norm_ and "
    "AdamW.step; by default AdamW takes the tensors one by one on a CPU."
)


def name(threads):
    return f"2,758,145 parameters, {threads} thread" + "s" * (threads > 1)


def ours(bench, work, threads):
    found = [t for t in bench.measure("training", threads) if t["batch"] == 256 and t["threads"] == threads]
    work.add("SafeRoute", found[0]["update_ms"])
    work.note("update_of_limit", found[0]["update_of_limit"])


def pytorch(torch, bench, work, threads, who):
    took = torch.ask(
        "update", weights=bench.model, dump=bench.dump, adamw=WAYS[who], threads=threads, seconds=bench.seconds
    )
    work.add(who, 1000 * took)


def run(bench):
    works = []
    with bench.workers("torch") as (torch,):
        for threads in bench.thread_counts():
            work = turns.Work(name(threads), "ms", False)
            works.append(work)
            turns.by_turns(
                [("SafeRoute", [work], lambda: ours(bench, work, threads))]
                + [(who, [work], lambda who=who: pytorch(torch, bench, work, threads, who)) for who in WAYS],
                bench.rounds,
            )
    return works
