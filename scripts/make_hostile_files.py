#!/usr/bin/env python3
# make_hostile_files.py: writes tests/hostile: malformed files, a folder a format, and a table of what is expected.
#
#   python3 scripts/make_hostile_files.py [FORMAT ...]        all formats, or these (needs nothing but Python)
#
# A format is a module of scripts/hostile with a function cases(c), which calls
#
#   c.add("name.ext", bytes, 65, "a telling part of the message", commands="import,inspect", why="where it is read")
#
# for each. A folder is emptied first, so that no file stays without a line. The same bytes every time.
#
# SPDX-License-Identifier: MIT
import importlib
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "tests", "hostile")
FORMATS = ["pt", "pickle", "safetensors", "npy", "yaml", "csv", "jsonl", "json"]


class Cases:
    def __init__(self, format):
        self.format = format
        self.folder = os.path.join(ROOT, format)
        self.lines = []
        self.names = set()
        os.makedirs(self.folder, exist_ok=True)
        for name in os.listdir(self.folder):
            os.remove(os.path.join(self.folder, name))

    def add(self, name, content, status, message, commands="-", why=None):
        """status 0: the file is read; why says so in the table."""
        assert name not in self.names, name
        assert (status == 0) == (why is not None), name
        self.names.add(name)
        with open(os.path.join(self.folder, name), "wb") as to:
            to.write(content)
        if why:
            self.lines.append("# " + why)
        self.lines.append("\t".join([name, str(status), commands, message]))

    def write(self):
        with open(os.path.join(ROOT, self.format + ".tsv"), "w", encoding="utf-8") as to:
            to.write("# file\texit status\tcommands\tmessage; made by scripts/make_hostile_files.py\n")
            to.write("\n".join(self.lines) + "\n")


def main():
    for format in sys.argv[1:] or FORMATS:
        cases = Cases(format)
        importlib.import_module("hostile." + format + "_files").cases(cases)
        cases.write()
        print(format, len(cases.names))


main()
