"""Turns: contestants in processes of their own, of which one runs at a time, and what was measured of them.

A contestant that is not asked is stopped (SIGSTOP), so that threads of its pool that spin while they wait take
nothing from the one that is measured. In every round each contestant is asked once, and every round begins with
another one.

This module and all that scripts/bench_peers.py imports need the standard library alone: a small process that starts
others adds nothing to their peak memory, which the system hands on from parent to child.

SPDX-License-Identifier: MIT
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
WEAKENING = ("OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "DNNL_", "ONEDNN_", "ATEN_CPU_CAPABILITY", "SAFEROUTE_ISA")


class Missing(Exception):
    """This contestant is not installed, or cannot do what it was asked."""


def environment(**more):
    """That of every contestant, ours too: without variables that make a library choose less than the CPU has."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(WEAKENING)}
    return kept | {key: str(value) for key, value in more.items()}


def taken_out():
    return sorted(key for key in os.environ if key.startswith(WEAKENING))


class Worker:
    """A peer_*.py in a process of its own."""

    def __init__(self, peer, log, **variables):
        self.log = open(log, "ab+")
        self.process = subprocess.Popen(
            [sys.executable, HERE / f"peer_{peer}.py"],
            env=environment(**variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.peer = peer
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.log.seek(0)
            raise Missing(f"{self.peer} ended: " + self.log.read().decode(errors="replace").strip()[-500:])
        self.process.send_signal(signal.SIGSTOP)
        answer = json.loads(line)
        if "result" not in answer:
            raise Missing(answer.get("missing") or answer["error"])
        return answer["result"]

    def ask(self, do, **request):
        self.process.send_signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps({"do": do} | request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as why:  # it died when somebody else asked it
            raise Missing(f"{self.peer} ended before") from why
        return self._answer()

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.stdin.close()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


@dataclasses.dataclass
class Work:
    """One line of a table: the same work by every contestant, a figure a round."""

    name: str
    unit: str
    more_is_better: bool
    figures: dict = dataclasses.field(default_factory=dict)  # contestant: [a figure a round]
    missing: dict = dataclasses.field(default_factory=dict)  # contestant: why there is no figure
    also: dict = dataclasses.field(default_factory=dict)  # name: [a figure a round], measured on the way

    def add(self, who, value):
        self.figures.setdefault(who, []).append(value)

    def note(self, name, value):
        self.also.setdefault(name, []).append(value)

    def median(self, who):
        return statistics.median(self.figures[who]) if self.figures.get(who) else None

    def ratio(self, ours, theirs):
        """How many times better ours is: the median over the rounds, and their range. None where one is missing."""
        a, b = self.figures.get(ours), self.figures.get(theirs)
        if not a or not b:
            return None
        each = [x / y if self.more_is_better else y / x for x, y in zip(a, b)]
        return statistics.median(each), min(each), max(each)


def by_turns(contestants, rounds):
    """contestants: [(name, works it has figures for, call)]. Who fails once is not asked again, and it is said why."""
    out = set()
    for turn in range(rounds):
        first = turn % len(contestants)
        for who, works, call in contestants[first:] + contestants[:first]:
            if who in out:
                continue
            try:
                call()
            except Missing as why:
                out.add(who)
                for work in works:
                    work.figures.pop(who, None)
                    work.missing[who] = str(why)


@contextlib.contextmanager
def interrupted_later():
    """A Ctrl-C that comes within has its effect at the end, so that what is begun within is known to who ends it. One that
    is ignored stays so, for the process that is started, too."""
    came, handler = [], signal.getsignal(signal.SIGINT)
    if callable(handler):
        signal.signal(signal.SIGINT, lambda *what: came.append(what))
    try:
        yield
    finally:
        if callable(handler):
            signal.signal(signal.SIGINT, handler)
        if came:
            handler(*came[0])


def run(*command):
    """A whole process: when it began (time.time), seconds, peak memory in bytes, stdout. RuntimeError with its stderr
    where it fails."""
    with tempfile.TemporaryFile("w+") as out:
        began_at, began = time.time(), time.perf_counter()
        process = None
        try:
            with interrupted_later():
                process = subprocess.Popen(
                    list(map(str, command)),
                    stdout=out,
                    stderr=subprocess.PIPE,
                    stdin=subprocess.DEVNULL,
                    env=environment(),
                    text=True,
                )
            lines = [(time.perf_counter() - began, line) for line in process.stderr]  # with the time each came
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # who is interrupted leaves nobody behind
            if process:
                process.kill()
                process.wait()
            raise
        seconds = time.perf_counter() - began
        out.seek(0)
        stdout = out.read()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(
            f"{' '.join(map(str, command))}: status {process.returncode}\n" + "".join(x for _, x in lines)
        )
    return {"began": began_at, "seconds": seconds, "peak_bytes": usage.ru_maxrss * 1024, "stdout": stdout, "stderr": lines}
