"""Ours as Python calls it: libsaferoute by infer/python/saferoute.py. For rows in bulk threads of Python split them.

Asked by scripts/bench/turns.py, SAFEROUTE_LIBRARY naming the library. `score` is the call of C alone through
ctypes with its arguments made before, `decide_one` what the README shows.

SPDX-License-Identifier: MIT
"""
import concurrent.futures
import ctypes
import pathlib
import sys

import worker

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "infer" / "python"))


class Saferoute:
    def __init__(self):
        import numpy as np
        import saferoute

        self.np, self.saferoute = np, saferoute
        self.open, self.ready, self.pools = {}, {}, {}

    def facts(self):
        return {"saferoute": self.saferoute.__version__}

    def features(self, path, rows):
        import h5py

        with h5py.File(path) as f:
            x = f["features"][:rows].astype(self.np.float32)
        return self.np.resize(x, (rows, x.shape[1]))  # a small dump serves large batches

    def router(self, weights, precision):
        if (weights, precision) not in self.open:
            self.open[weights, precision] = self.saferoute.Router.open(weights, precision=precision)
        return self.open[weights, precision]

    def call(self, weights, precision, dump, rows, threads):
        """A function of no arguments that makes the logits of all rows, and the array they go to."""
        key = weights, precision, dump, rows, threads
        if key in self.ready:
            return self.ready[key]
        s, router, x = self.saferoute, self.router(weights, precision), self.features(dump, rows)
        out, each, parts = self.np.zeros(rows, self.np.float32), -(-rows // threads), []
        for at in range(0, rows, each):
            part = s._rows(x[at : at + each])
            parts.append((router._handle.pointer, ctypes.c_void_p(out[at:].ctypes.data), ctypes.byref(part), part))
        logits = s._library.saferoute_logits
        if threads == 1:
            pointer, to, what, _ = parts[0]
            self.ready[key] = (lambda: logits(pointer, to, what)), out, parts, x
        else:
            pool = self.pools.setdefault(threads, concurrent.futures.ThreadPoolExecutor(threads))
            self.ready[key] = (lambda: list(pool.map(lambda p: logits(p[0], p[1], p[2]), parts))), out, parts, x
        return self.ready[key]

    def logits(self, weights, precision, dump, rows, threads=1):
        call, out, *_ = self.call(weights, precision, dump, rows, threads)
        call()
        return out.tolist()

    def score(self, weights, precision, dump, rows, threads, seconds):
        """Seconds a call of `rows` rows."""
        return worker.timed(self.call(weights, precision, dump, rows, threads)[0], seconds)

    def decide_one(self, weights, precision, dump, seconds):
        router, x = self.router(weights, precision), self.features(dump, 1)[0]
        return worker.timed(lambda: router.decide_one(x, id="request-1"), seconds)


if __name__ == "__main__":
    worker.serve(Saferoute, ["h5py", "numpy", "saferoute"])
