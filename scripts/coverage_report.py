#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lines and branches of the parsers that tests run, from gcovr's JSON; see coverage.sh.

    gcovr -r . build/coverage --json report.json && scripts/coverage_report.py report.json [--missing]

Counted are gcov's branches: each condition of an `if` with && or || has its two. The table has two figures of them: all,
and all but those that nothing can take. What these are is written down:

- a call of HDF5 that fails on what HDF5 has opened or made itself: no file does that, only a lack of memory inside the
  library, which SECURITY.md puts out of the promises (H5_FAILS below);
- each line of scripts/coverage_unreached.txt, with its reason and the number of its branches. Where fewer are left, or the line
  is not in its file any more, that is a failure.

An allocation that fails, a read that fails and a failure passed on are no such reasons: tests/test_trust_memory*.c and
tests/test_trust_input_faults.c let them happen, and are part of the run.

data/sandbox.c is not in the list: its process may open no file, so it cannot write its counts.
"""
import json
import pathlib
import re
import sys

LINES_LEAST, BRANCHES_LEAST = 95.0, 100.0

# Every file that reads bytes that somebody else wrote: text, containers, formats, options, answers of a reader.
PARSERS = """
nn/base/json.c nn/base/json_read.c nn/base/number.c nn/base/utf8.c nn/base/calibrator.c
nn/base/option.c nn/base/option_file.c nn/base/option_text.c nn/base/safetensors.c nn/base/safetensors_header.c
data/zip_directory.c data/zip_read.c data/pickle.c data/pickle_call.c data/pickle_keys.c data/pickle_machine.c data/remarks.c
data/tensors.c data/tensors_npy.c data/tensors_pt.c data/tensors_safetensors.c data/values.c
data/csv.c data/json_grammar.c data/jsonl.c data/lines.c data/field.c data/scores_read.c data/contract.c data/contract_file.c
data/table.c data/table_csv.c data/table_dump.c data/table_hidden.c data/table_jsonl.c data/table_lines.c data/table_tensors.c
data/chunk.c data/h5_attribute.c data/h5_chunks.c data/h5_disk.c data/h5_file.c data/h5_items.c data/h5_matrix.c data/h5_open.c
data/h5_read.c data/h5_sound.c data/h5_storage.c data/h5_texts.c data/h5_ways.c
data/h5_cache.c data/h5_collections.c data/h5_count.c data/h5_header.c data/h5_heap.c data/h5_members.c data/h5_pipeline.c
data/h5_rows.c data/h5_superblock.c data/h5_walk.c
data/dump.c data/column.c data/listed.c data/paths.c data/sketch.c data/wanted.c
data/isolate_channel.c data/isolate_client.c data/isolate_columns.c data/isolate_matrix.c
data/isolate_reader.c data/isolate_start.c data/isolate_take.c
infer/import.c infer/import_network.c infer/import_order.c infer/import_stats.c infer/open.c infer/router.c
infer/cmd_explain_line.c train/checkpoint.c train/history.c train/identity.c eval/gate.c
""".split()

H5_FAILS = re.compile(r"\bH5[A-Z]+[a-z]\w*\(.*(<|>=|!=|==) 0|(<|>=) 0.*\bH5[A-Z]+[a-z]\w*\(")
UNREACHED = pathlib.Path(__file__).with_name("coverage_unreached.txt")


def unreached():
    """{(file, line of source): branches}, of "branches file: line"; lines that begin with # are reasons of those that follow."""
    known = {}
    for line in UNREACHED.read_text(encoding="utf-8").split("\n"):
        if line and not line.startswith("#"):
            path, text = line.split(": ", 1)
            branches, path = path.split(" ", 1)
            known[path, text] = int(branches)
    return known


def percent(a, b):
    return f"{a:5}/{b:5}{100 * a / max(1, b):6.1f} %"


class File:
    """Lines run, lines; branches taken, all of them, and how many a rule leaves out."""

    def __init__(self, path, lines, excused, missing):
        source = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
        self.run = self.lines = self.taken = self.branches = self.out = 0
        for x in lines:
            if x.get("gcovr/noncode"):
                continue
            text = source[x["line_number"] - 1].strip()
            never = sum(b["count"] == 0 for b in x["branches"])
            self.lines += 1
            self.run += x["count"] > 0
            self.branches += len(x["branches"])
            self.taken += len(x["branches"]) - never
            known = min(never, excused.get((path, text), 0))
            if known:
                excused[path, text] -= known
                self.out += known
                never -= known
            if never and H5_FAILS.search(text):
                self.out += never
            elif never:
                missing.append(f"{path}:{x['line_number']}: {never} of {len(x['branches'])} branches: {text}")
            if x["count"] == 0:
                missing.append(f"{path}:{x['line_number']}: line: {text}")

    def figures(self):
        return (percent(self.run, self.lines) + percent(self.taken, self.branches)
                + percent(self.taken, self.branches - self.out))

    def is_low(self):
        return 100 * self.run < LINES_LEAST * self.lines or 100 * self.taken < BRANCHES_LEAST * (self.branches - self.out)

    def add(self, other):
        for name in ("run", "lines", "taken", "branches", "out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def main(arguments):
    report = json.loads(pathlib.Path(arguments[0]).read_text(encoding="utf-8"))
    files = {f["file"]: f["lines"] for f in report["files"]}
    excused, missing, poor = unreached(), [], 0
    total = File(PARSERS[0], [], excused, missing)
    print(f"{'':28}{'lines':>19}{'branches':>19}{'that can be':>19}")
    for path in PARSERS:
        if path not in files:
            print(f"{path:28} was not run")
            poor += 1
            continue
        f = File(path, files[path], excused, missing)
        total.add(f)
        poor += f.is_low()
        print(f"{path:28}{f.figures()}{'  low' if f.is_low() else ''}")
    print(f"{f'all {len(PARSERS)} files':28}{total.figures()}")
    if "--missing" in arguments:
        print("\n".join(missing))
    stale = [f"{n} {path}: {text}" for (path, text), n in excused.items() if n > 0]
    if stale:
        print(f"FAILED: {UNREACHED.name} has branches that are taken, or not there:", *stale, sep="\n  ")
    if poor:
        print(f"FAILED: {poor} of {len(PARSERS)} files below {LINES_LEAST:g} % of lines or {BRANCHES_LEAST:g} % of the branches "
              "that can be taken")
    return 1 if poor or stale else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
