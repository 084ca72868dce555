#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lines and branches of the parsers that tests run, from gcovr's JSON; see coverage.sh.

    gcovr -r . build/coverage --json report.json && scripts/coverage_report.py report.json [--missing]

Counted are gcov's branches: each condition of an `if` with && or || has its two. Those that no input reaches do not
count, which a rule below says by the line they are on, each for its reason. The rules are few, so that a branch that
has no test is not taken for one: what they take is shown in a column of its own.
"""
import json
import pathlib
import re
import sys

LINES_LEAST, BRANCHES_LEAST = 95.0, 100.0

# Every file that reads bytes that somebody else wrote: text, containers, formats, options.
PARSERS = """
nn/base/json.c nn/base/number.c nn/base/utf8.c nn/base/option.c nn/base/option_file.c nn/base/option_text.c
nn/base/safetensors.c nn/base/safetensors_header.c
data/zip.c data/pickle.c data/pickle_call.c data/pickle_machine.c
data/tensors.c data/tensors_npy.c data/tensors_pt.c data/tensors_safetensors.c data/values.c
data/csv.c data/jsonl.c data/lines.c data/field.c data/scores_read.c data/contract_file.c
data/table.c data/table_csv.c data/table_hidden.c data/table_jsonl.c data/table_lines.c data/table_tensors.c
data/chunk.c data/h5_attribute.c data/h5_chunks.c data/h5_file.c data/h5_items.c data/h5_matrix.c data/h5_read.c
data/h5_storage.c data/dump.c data/column.c
infer/import.c infer/import_network.c infer/import_order.c infer/import_stats.c infer/open.c infer/router.c
""".split()

RULES = [
    ("an allocation that fails: tests/test_trust_memory*.c lets each fail, on another build",
     re.compile(r"\bsr_(re)?alloc\(|\bsr_strdup\(|\bsr_arena_allocate\(|\bSR_NOMEM\b")),
    ("a call of HDF5 that fails though the file was opened: its own failures are out of the promise",
     re.compile(r"\bH5[A-Z]+[a-z]\w*\(.*(<|>=|!=|==) 0|(<|>=) 0.*\bH5[A-Z]+[a-z]\w*\(|\b(id|space|type|plist|file)s? (<|>=) 0")),
    ("a failure passed on, which counts where it is found",
     re.compile(r"\bstatus (<|==|!=) (0|SR_OK)\b|\bstatus [<>] 0\b")),
]
# if (!p) on the line before one that returns SR_NOMEM or leaves for `out`
NO_MEMORY = re.compile(r"^\s*(return|goto)\b.*(SR_NOMEM|NULL)|status = SR_NOMEM")


def rule_of(source, number):
    line = source[number - 1]
    following = source[number] if number < len(source) else ""
    if re.search(r"if \(!", line) and NO_MEMORY.search(following) and "NOMEM" in following:
        return 0
    for i, (_, pattern) in enumerate(RULES):
        if pattern.search(line):
            return i
    return None


def main(arguments):
    show = "--missing" in arguments
    report = json.loads(pathlib.Path(arguments[0]).read_text(encoding="utf-8"))
    files = {f["file"]: f for f in report["files"]}
    poor, missing, ruled = [], [], [0] * len(RULES)
    totals = [0, 0, 0, 0]
    print(f"{'':34}{'lines':>16}{'branches':>18}{'left out':>10}")
    for path in PARSERS:
        if path not in files:
            print(f"{path:34}was not run")
            poor.append(path)
            continue
        source = pathlib.Path(path).read_text(encoding="utf-8").split("\n")
        lines = [x for x in files[path]["lines"] if not x.get("gcovr/noncode")]
        run = sum(x["count"] > 0 for x in lines)
        branches = taken = out = 0
        for x in lines:
            number = x["line_number"]
            for branch in x["branches"]:
                if branch["count"] == 0 and (rule := rule_of(source, number)) is not None:
                    out += 1
                    ruled[rule] += 1
                    continue
                branches += 1
                taken += branch["count"] > 0
                if branch["count"] == 0:
                    missing.append(f"{path}:{number}: branch: {source[number - 1].strip()}")
            if x["count"] == 0:
                missing.append(f"{path}:{number}: line: {source[number - 1].strip()}")
        of_lines, of_branches = 100 * run / max(1, len(lines)), 100 * taken / max(1, branches)
        low = of_lines < LINES_LEAST or of_branches < BRANCHES_LEAST
        if low:
            poor.append(path)
        totals = [a + b for a, b in zip(totals, (run, len(lines), taken, branches))]
        print(f"{path:34}{run:4}/{len(lines):4}{of_lines:6.1f} %{taken:6}/{branches:4}{of_branches:6.1f} %{out:8}"
              f"{'  low' if low else ''}")
    print(f"all {len(PARSERS)} files: {totals[0]}/{totals[1]} lines ({100 * totals[0] / totals[1]:.1f} %), "
          f"{totals[2]}/{totals[3]} branches ({100 * totals[2] / totals[3]:.1f} %)")
    for (reason, _), n in zip(RULES, ruled):
        print(f"left out: {n:4} branches: {reason}")
    if show:
        print("\n".join(missing))
    if poor:
        print(f"FAILED: {len(poor)} of {len(PARSERS)} files below {LINES_LEAST:g} % of lines or "
              f"{BRANCHES_LEAST:g} % of branches")
    return 1 if poor else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print(__doc__.strip(), file=sys.stderr)
        sys.exit(2)
    sys.exit(main(sys.argv[1:]))
