"""A contestant's process: answers requests that scripts/bench/turns.py sends, one line of JSON each way.

A peer_*.py makes a class whose public methods are what can be asked, and ends with worker.serve(Class, modules).
What a library prints goes to stderr, so that it cannot mix with answers. A library that is not there is an answer,
not an error.

SPDX-License-Identifier: MIT
"""
import ctypes
import importlib
import json
import os
import signal
import sys
import time

WARM_SHARE = 0.2  # of the time of a measurement, spent before it: caches, thread pools, clock frequency
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def timed(call, seconds):
    """Calls for about so long. {"p50", "p99", "mean"} in seconds a call, and how many calls."""
    clock = time.perf_counter_ns
    warm = clock() + int(1e9 * WARM_SHARE * seconds)
    call()
    while clock() < warm:
        call()
    took, end = [], clock() + int(1e9 * seconds)
    while not took or clock() < end:
        began = clock()
        call()
        took.append(clock() - began)
    mean = sum(took) / len(took)
    took.sort()
    at = {"p50": took[len(took) // 2], "p99": took[min(len(took) - 1, len(took) * 99 // 100)], "mean": mean}
    return {name: value / 1e9 for name, value in at.items()} | {"calls": len(took)}


def end_with_parent():
    """A worker is stopped most of the time, and would stay so for ever if its parent were killed. Linux only."""
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    except (AttributeError, OSError):
        pass


def serve(make, modules):
    end_with_parent()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**what):
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    try:
        for name in modules:
            importlib.import_module(name)
        contestant = make()
    except ImportError as why:
        return answer(missing=str(why))
    answer(result="ready")
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer(result=getattr(contestant, request.pop("do"))(**request))
        except Exception as why:  # a peer that fails is a line of the table, and the others go on
            answer(error=f"{type(why).__name__}: {why}"[:500])
