# hdf5_members.py: names, attributes and groups of a dump.
#
# SPDX-License-Identifier: MIT
import struct

import h5py
import numpy as np

from hostile.hdf5_bytes import ROWS, addresses, dump, label


def names(c):
    strange = lambda f: [f.create_dataset(name, data=label) for name in (b"a\x1b[31mb\r", b"\xff\xfe", "\u202e\u0007x".encode())]
    c.bad("name_control", strange, "holds: a?[31mb? [12] uint8", ("features", "label"))
    c.bad("name_long", lambda f: f.create_dataset("n" * 60000, data=label), "the file holds: label [12] uint8, nnnn", ("features",))
    c.bad("name_control_link", lambda f: f.__setitem__(b"a\x1b]0;b\x07", h5py.SoftLink("/label")), "/a?]0;b? is a soft link")
    c.bad("name_control_attribute", lambda f: f.attrs.__setitem__("a\x1b[2Jb", f["label"].ref), "attribute a?[2Jb of /")
    escape = lambda f: f.attrs.__setitem__("feature_model", "a\x1b]0;b\x07" + "c" * 60000)
    c.fine("attribute_escape", escape, "text of a stranger is shown without its control characters", commands="inspect")


def attributes(c):
    c.fine("attribute_array", lambda f: f.attrs.__setitem__("feature_model", np.zeros((50, 50))), "a contract that is no text is not known")
    def unwritten(f):
        f["source"] = np.arange(ROWS) % 2
        h5py.h5a.create(f["source"].id, b"names", h5py.h5t.py_create(h5py.string_dtype(), logical=True), h5py.h5s.create_simple((2,)))
    named = lambda names: lambda f: [f.__setitem__("source", np.arange(ROWS) % 2), f["source"].attrs.__setitem__("names", names)]
    c.fine("attribute_names_numbers", named([1, 2]), "names that are no texts are none")
    c.fine("attribute_names_empty", named(h5py.Empty("S1")), "names that are not there are none")
    c.fine("attribute_names_none", named(np.zeros(0, "S1")), "a list of no names is none")
    c.fine("attribute_names_fixed", named(np.array([b"abc", b"d", b"efg"])), "names of fixed length")
    c.fine("attribute_names_unwritten", unwritten, "names that nobody wrote are empty")
    of_names = dump(named(np.array([b"abc", b"d", b"efg"])))
    c.patched("attribute_names_long", of_names, of_names.index(b"\x13\x01\0\0\3\0\0\0") + 4, struct.pack("<I", 2**24),
              "attribute names of source cannot be read")
    of_names = dump(named(["abc", "d"]))
    c.patched("attribute_names_behind", of_names, of_names.index(struct.pack("<IQ", 3, of_names.index(b"GCOL"))) + 4, struct.pack("<Q", 2**40),
              "attribute names of source cannot be read")
    c.bad("attribute_names", lambda f: [f.__setitem__("source", np.arange(ROWS)), f["source"].attrs.__setitem__("names", ["a", "b"])],
          "its attribute names lists only 2")


def cycle(f):
    b = f.create_group("a").create_group("b")
    b["c"] = f["a"]


def nesting(c):
    def deep(levels):
        def change(f):
            g = f
            for _ in range(levels):
                g = g.create_group("g")
        return change
    c.bad("deep_groups", deep(70), "/g holds groups within groups more than 64 deep", commands="repack", libver="latest")
    c.fine("cycle", cycle, "a group that holds itself is copied once", commands="repack")


def line(c):
    escape = lambda f: f.attrs.__setitem__("feature_layer", "a\nlabels             as stored")
    c.fine("attribute_line", escape, "a line of a stranger's text is not shown as one of ours (test_trust_h5_limits.c)")


def within(c):
    rows_inside = lambda f: f.create_group("about").create_dataset("x", data=label)
    c.fine("inside_rows", rows_inside, "who picks rows is told of rows in a group (test_data_h5.c)")
    deep_many = lambda f: [f.create_group("many/%d" % i) for i in range(140)]
    c.fine("groups_many", deep_many, "more objects than there is room for at first", commands="repack", libver=("v110", "v110"))
    data = dump(cycle)
    at, = addresses(data, "a")
    assert data[at] == 1 and data[at + 4] == 2
    c.patched("cycle_unsaid", data, at + 4, b"\1", "/a holds itself without saying so; the file is damaged", "repack")


def more_attributes(c):
    named_list = dump(lambda f: f["label"].attrs.__setitem__("made", ["a", "b", "c"]))
    at = named_list.index(b"made\0")
    dims = named_list.index(struct.pack("<Q", 3), at)
    c.patched("attribute_of_2_61", named_list, dims, struct.pack("<Q", 2**61), "attribute made of /label cannot be read: it has no shape that memory could hold", "repack")
    assert named_list[at - 6:at - 4] == b"\5\0"
    c.patched("attribute_of_no_name", named_list, at - 6, b"\1\0" + named_list[at - 4:at] + b"\0", "cannot be opened", "repack")


def too_many_groups(c):
    c.bad("groups_too_many", lambda f: [f.create_group("many/%d" % i) for i in range(4096)], "/many holds more than 4096 groups, which are not copied", libver="latest")
