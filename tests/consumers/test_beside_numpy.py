# SPDX-License-Identifier: MIT
"""libsaferoute beside the OpenBLAS that a wheel of NumPy brings: neither touches the other's numbers or threads.

One process multiplies matrices with NumPy in some threads and decides with the library in others; both get the bits
they get alone. The library itself loads no OpenBLAS and no OpenMP, and does not change what NumPy says of its own.
"""
import ctypes
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

SECONDS = 3
THREADS = 3


def numpy_openblas():
    """The OpenBLAS that this process has loaded: name of its file, threads, core; empty without one."""
    found = []
    with open("/proc/self/maps", encoding="utf-8") as maps:
        paths = {line.split(None, 5)[5].strip() for line in maps if "openblas" in line and "/" in line}
    for path in sorted(paths):
        library = ctypes.CDLL(path)
        for prefix, suffix in (("scipy_", "64_"), ("", "64_"), ("", "")):
            name = f"{prefix}openblas_get_num_threads{suffix}"
            if hasattr(library, name):
                corename = getattr(library, f"{prefix}openblas_get_corename{suffix}")
                corename.restype = ctypes.c_char_p
                found.append((os.path.basename(path), getattr(library, name)(), corename()))
                break
    return found


BEFORE = numpy_openblas()  # tests are collected before one of them loads the library
beside_openblas = pytest.mark.skipif(not BEFORE, reason="this NumPy has no OpenBLAS to run beside")


@beside_openblas
def test_scores_and_products_are_those_of_each_alone(opened, router):
    x = np.ascontiguousarray(router.x, dtype=np.float32)
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 300, 300))
    wanted_product, wanted_scores = a @ b, opened.route(x).logit.copy()
    wrong, counts, stop = [], [0, 0], threading.Event()

    def multiply():
        while not stop.is_set():
            counts[0] += 1
            if not np.array_equal(a @ b, wanted_product):
                wrong.append("a product is another")

    def decide():
        while not stop.is_set():
            counts[1] += 1
            if opened.route(x).logit.tobytes() != wanted_scores.tobytes():
                wrong.append("a score is another")

    threads = [threading.Thread(target=f) for f in [multiply, decide] * THREADS]
    for thread in threads:
        thread.start()
    stop.wait(SECONDS)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong, sorted(set(wrong))
    assert min(counts) > 0
    assert numpy_openblas() == BEFORE
    assert opened.route(x).logit.tobytes() == wanted_scores.tobytes()


LOAD = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.saferoute_version.restype = ctypes.c_char_p
assert library.saferoute_version()
names = {line.rsplit("/", 1)[-1].strip() for line in open("/proc/self/maps") if "/" in line}
print("\\n".join(sorted(n for n in names if any(w in n for w in ("blas", "gomp", "libomp", "hdf5", "zip", "yaml")))))
"""


def test_the_library_brings_no_openblas_of_its_own():
    path = os.environ.get("SAFEROUTE_LIBRARY")
    if not path:
        pytest.skip("SAFEROUTE_LIBRARY does not name the library")
    # ctypes itself loads none of these
    done = subprocess.run([sys.executable, "-c", LOAD, os.path.abspath(path)], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


@beside_openblas
def test_numpy_keeps_its_own(saferoute):
    """The program chooses a core of OpenBLAS in its own process; a Python that starts it keeps what it has."""
    environment = dict(os.environ)
    np.ones((64, 64)) @ np.ones((64, 64))
    saferoute("doctor")
    assert numpy_openblas() == BEFORE
    assert dict(os.environ) == environment
