#!/usr/bin/env python3
"""How fast features are read, against h5py: four forms of one float16 dump, every reading as float32.

    scripts/bench_reading.py                          # 100,000 rows of 2048, about 5 minutes and 2 GB of disk
    scripts/bench_reading.py --rows 20000 --rounds 3 --json reading.json

The forms: in one piece, in chunks of 256 whole rows, the same with shuffle and gzip 4, and chunks as h5py chooses
them (chunks=True). Before anything is timed, values are compared by checksum. Then, in rounds and by turns, the file
being in the system's cache:

    saferoute    `saferoute bench`, from opening the file to the last row
    h5py         f["features"][...].astype(float32), whole or in blocks of whole chunks, whichever is faster
    HDF5         f["features"].astype("float32")[...], HDF5's own conversion, of the first --hdf5-rows rows

Needs h5py and NumPy. Status 1 where saferoute is slower than h5py, or not 5 times as fast as HDF5.

SPDX-License-Identifier: MIT
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

WIDTH = 2048
BAND = 256
FORMS = {
    "one piece": {},
    "chunks": {"chunks": (BAND, WIDTH)},
    "gzip": {"chunks": (BAND, WIDTH), "compression": "gzip", "compression_opts": 4, "shuffle": True},
    "h5py's chunks": {"chunks": True},
}


def write(path, rows, how):
    """Rows like hidden states: a few strong directions and noise. The same values in every form."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((16, WIDTH), dtype=np.float32)
    with h5py.File(path, "w") as f:
        d = f.create_dataset("features", (rows, WIDTH), np.float16, **how)
        step = (d.chunks or (BAND, WIDTH))[0]
        for begin in range(0, rows, step):
            draws = np.random.default_rng([1, begin // step])
            n = min(step, rows - begin)
            d[begin : begin + n] = values(draws, n, directions)
        return d.chunks


def values(draws, n, directions):
    return draws.standard_normal((n, 16), dtype=np.float32) @ directions / 4 + draws.standard_normal(
        (n, WIDTH), dtype=np.float32
    )


def checksum(x, first):
    """Part of the checksum of `saferoute bench --help` of rows from `first` on."""
    bits = x.view(np.uint32).astype(np.uint64)
    by_row = (bits * np.arange(1, WIDTH + 1, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
    return int((by_row * np.arange(first + 1, first + 1 + len(x), dtype=np.uint64)).sum(dtype=np.uint64))


def blocks(path):
    """Blocks of about 2048 rows that begin and end with chunks."""
    with h5py.File(path) as f:
        d = f["features"]
        chunk = d.chunks[0] if d.chunks else BAND
        step = max(1, round(2048 / chunk)) * chunk
        for begin in range(0, len(d), step):
            yield begin, d[begin : begin + step].astype(np.float32)


def h5py_whole(path, rows):
    with h5py.File(path) as f:
        return len(f["features"][...].astype(np.float32))


def h5py_blocks(path, rows):
    return sum(len(x) for _, x in blocks(path))


def hdf5(path, rows):
    with h5py.File(path) as f:
        return len(f["features"].astype("float32")[:rows])


def timed(read, path, rows):
    began = time.perf_counter()
    n = read(path, rows)
    return n / (time.perf_counter() - began)


def ours(program, path):
    run = subprocess.run([program, "bench", "--parts", "reading", "--data", path, "--rounds", "1", "--json"], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(run.stderr)
    return json.loads(run.stdout)["reading"]


def same_values(program, path):
    theirs = sum(checksum(x, begin) for begin, x in blocks(path)) % 2**64
    return ours(program, path)["checksum"] == f"{theirs:016x}"


def measure(program, path, args):
    rates = {"saferoute": [], "h5py": [], "HDF5": []}
    for _ in range(args.rounds):
        rates["saferoute"].append(ours(program, path)["rows_per_second"])
        rates["h5py"].append(max(timed(h5py_whole, path, 0), timed(h5py_blocks, path, 0)))
        rates["HDF5"].append(timed(hdf5, path, min(args.rows, args.hdf5_rows)))
    return rates


def summary(rates, name):
    """Median and range of rows/s, and of the ratio of saferoute's to theirs, round by round."""
    mine, theirs = rates["saferoute"], rates[name]
    ratio = [a / b for a, b in zip(mine, theirs)]
    return {
        "rows_per_second": statistics.median(theirs),
        "range": [min(theirs), max(theirs)],
        "ratio": statistics.median(ratio),
        "ratio_range": [min(ratio), max(ratio)],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default="build/release/saferoute")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--hdf5-rows", type=int, default=20_000, help="rows that HDF5's own conversion is timed on")
    parser.add_argument("--forms", default=",".join(FORMS), help="some of: " + ", ".join(FORMS))
    parser.add_argument("--json", metavar="FILE", help="the same numbers for programs")
    args = parser.parse_args()

    result, slow = {}, False
    print(f"{args.rows} rows of {WIDTH} float16 to float32, rows/s: median [range] of {args.rounds} rounds; ratio of")
    print(f"saferoute's to theirs. h5py {h5py.__version__}, NumPy {np.__version__}, HDF5's own on {args.hdf5_rows} rows.")
    with tempfile.TemporaryDirectory() as folder:
        for form in args.forms.split(","):
            path = str(pathlib.Path(folder) / "features.h5")
            chunks = write(path, args.rows, FORMS[form])
            if not same_values(args.program, path):
                sys.exit(f"{form}: h5py and saferoute read different values")
            rates = measure(args.program, path, args)
            result[form] = {name: summary(rates, name) for name in rates} | {"chunks": chunks}
            print(f"\n{form}{' ' + str(chunks) if chunks else ''}")
            for name in rates:
                s = result[form][name]
                low, high = s["range"]
                ratio = "" if name == "saferoute" else "  {:.2f}x [{:.2f}, {:.2f}]".format(s["ratio"], *s["ratio_range"])
                print(f"  {name:10} {s['rows_per_second']:9.0f} [{low:.0f}, {high:.0f}]{ratio}", flush=True)
            slow |= result[form]["h5py"]["ratio"] < 1 or result[form]["HDF5"]["ratio"] < 5
            pathlib.Path(path).unlink()
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"schema_version": 1, "rows": args.rows, "forms": result}, indent=1))
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
