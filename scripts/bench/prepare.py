"""What is compared with what: router, exports and dumps of one run of scripts/bench_peers.py, made by the program
itself.

SPDX-License-Identifier: MIT
"""
import contextlib
import functools
import json
import os
import pathlib
import sys

from bench import turns

TRAIN_ROWS = 4000  # of the dump that steps and scoring take rows from
PYTORCH_TRAIN = turns.HERE / "pytorch_train.py"


class Bench:
    """Settings and files of a run. Files are made when they are first asked for."""

    def __init__(self, args, folder):
        self.args, self.folder = args, pathlib.Path(folder)
        self.program = pathlib.Path(args.program).resolve()
        self.library = pathlib.Path(args.library or self.program.parent / "libsaferoute.so").resolve()
        self.threads = len(os.sched_getaffinity(0))
        self.rounds = args.rounds
        self.seconds = 0.05 if args.quick else 0.3  # of a measurement
        self.facts = {}  # peer: what it says of itself

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def thread_counts(self):
        """All, and 1."""
        return [self.threads, 1] if self.threads > 1 else [1]

    # ---- ours ----

    def run(self, *arguments):
        return turns.run(self.program, *arguments)

    @functools.cached_property
    def has_parts(self):
        return "--parts" in self.run("bench", "--help")["stdout"]

    def measure(self, part, threads, *more):
        """One round of a part of `saferoute bench`, as its JSON has it."""
        if not self.has_parts:
            raise turns.Missing("this program's bench has no --parts")
        out = self.run(
            "bench", "--parts", part, "--threads", threads, "--rounds", 1, "--seconds", self.seconds, "--json", *more
        )
        return json.loads(out["stdout"])[part]

    # ---- files ----

    def synth(self, name, rows, seed):
        path = self.folder / name
        self.run("data", "synth", "--out", path, "--rows", rows, "--seed", seed)
        return str(path)

    @functools.cached_property
    def dump(self):
        return self.synth("train.h5", 800 if self.args.quick else TRAIN_ROWS, 1)

    @functools.cached_property
    def dump256(self):
        return self.synth("256.h5", 256, 3)

    @functools.cached_property
    def big(self):
        """For scoring from a file, and for memory."""
        return self.synth("big.h5", self.args.rows, 2)

    @functools.cached_property
    def model(self):
        """A router without statistics of training: no range check, which no peer makes. With --model that file's."""
        source = self.args.model
        if not source:
            run = self.folder / "made"
            self.run("train", "--train", self.dump, "--val-fraction", 0.2, "--epochs", 1, "--out", run)
            source = run / "best.safetensors"
        return self.export(source, "safetensors", "model.safetensors")

    @functools.cached_property
    def peer_model(self):
        return (
            self.export(self.args.peer_model, "safetensors", "peer.safetensors") if self.args.peer_model else self.model
        )

    @functools.cached_property
    def model_int8(self):
        return self.export(self.model, "safetensors", "int8.safetensors", "--dtype", "int8", "--data", self.dump)

    @functools.cached_property
    def onnx(self):
        return self.export(self.peer_model, "onnx", "model.onnx")

    def export(self, source, to, name, *more):
        path = self.folder / name
        self.run("export", "--model", source, "--to", to, "--out", path, "--threshold", 0.6, *more)
        return str(path)

    # ---- peers ----

    def worker(self, peer):
        """The peer's process; who asks a missing one gets Missing."""
        try:
            worker = turns.Worker(
                peer,
                self.folder / f"{peer}.log",
                SAFEROUTE_LIBRARY=self.library,
                TORCHINDUCTOR_CACHE_DIR=self.folder / "inductor",
            )
        except turns.Missing as why:
            return Absent(str(why))
        self.facts[peer] = worker.ask("facts")
        return worker

    @contextlib.contextmanager
    def workers(self, *peers):
        started = []
        try:
            for peer in peers:
                started.append(self.worker(peer))
            yield started
        finally:
            for worker in started:
                worker.close()


class Absent:
    """In place of the worker of a peer that is not installed."""

    def __init__(self, why):
        self.why = why

    def ask(self, do, **request):
        raise turns.Missing(self.why)

    def close(self):
        pass
