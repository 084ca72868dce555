# hdf5_heaps.py: damage to the heaps that strings and lists of variable length lie in.
#
# SPDX-License-Identifier: MIT
import struct

import h5py
import numpy as np

from hostile.hdf5_bytes import CHUNK, ROWS, both, dump, pairs, piece, properties, setting, virtual, x

FIRST, EACH = 16, 24  # bytes: a collection's head; an object's, with its string
DAMAGED = " cannot be read: its values lie in a heap that is damaged ("
LEFT = "what is free of it does not end where it ends"
quad = lambda x: struct.pack("<Q", x)
texts = lambda f: f.__setitem__("id", ["row %d" % i for i in range(ROWS)])
notes = lambda f: f.create_group("notes").__setitem__("text", ["a", "bc"])
lists = h5py.vlen_dtype("i4")
ragged = np.array([np.arange(i + 1, dtype="i4") for i in range(ROWS)], object)


def collections(c):
    data, at = piece("id", texts)
    c.patched("piece_short_id", data, at + 8, struct.pack("<Q", 3), "/id has another size in the file than its rows")
    begin, = struct.unpack_from("<Q", data, at)
    c.patched("texts_length", data, begin, struct.pack("<I", 2**32 - 1),
              "/id cannot be read: its values lie in a heap that is damaged (an object of it has another length")
    c.fine("texts_unwritten", setting("id", shape=(ROWS,), dtype=h5py.string_dtype()), "strings that nobody wrote are empty")

    def heap(name, at, new, wrong, commands="-"):
        """at: from the first collection on."""
        c.patched("heap_" + name, data, data.index(b"GCOL") + at, new, "/id" + DAMAGED + wrong, commands)

    def handle(name, at, new, wrong, commands="-"):
        """at: from the handle of row 5 on, which is a length, a place and a number."""
        c.patched("heap_" + name, data, begin + 5 * 16 + at, new, "/id" + DAMAGED + wrong, commands)

    free = FIRST + ROWS * EACH
    assert data[data.index(b"GCOL") + free:][:2] == b"\0\0"
    beyond = "an object of it ends behind it"
    number, length = "it has no object of the number that a row names", "an object of it has another length"
    heap("free_of_no_bytes", free + 8, quad(0), LEFT, "eval,train,repack")
    heap("free_short", free + 8, quad(4096 - free - 8), LEFT)
    heap("free_long", free + 8, quad(2**40), LEFT)
    heap("free_first", FIRST, b"\0\0", LEFT)
    heap("object_beyond", FIRST + 3 * EACH + 8, quad(4096), beyond, "eval,train,repack")
    heap("object_far", FIRST + 3 * EACH + 8, quad(2**50), beyond)
    heap("object_wraps", FIRST + 3 * EACH + 8, quad(2**64 - 1), beyond)
    heap("object_to_the_end", FIRST + 3 * EACH + 8, quad(4096 - FIRST - 3 * EACH - 16 + 1), beyond)
    heap("object_longer", FIRST + 3 * EACH + 8, quad(4096 - FIRST - 3 * EACH - 16), number)
    heap("object_grown", FIRST + 3 * EACH + 8, quad(6), length, "eval")
    heap("object_number_twice", FIRST + 3 * EACH, b"\3\0", "two objects of it have one number")
    heap("object_number_huge", FIRST + 3 * EACH, b"\xff\xff", number)
    heap("signature", 0, b"gcol", "it does not begin as one", "eval")
    heap("version", 4, b"\2", "it does not begin as one")
    heap("beyond_file", 8, quad(2**40), "it ends behind the end of the file", "eval,train,repack")
    heap("wraps", 8, quad(2**64 - 8), "it ends behind the end of the file")
    heap("of_no_bytes", 8, quad(0), "it has a size that none has")
    heap("small", 8, quad(free), "it has a size that none has")
    heap("odd", 8, quad(4097), "it has a size that none has")
    handle("row_longer", 0, struct.pack("<I", 6), length, "eval")
    handle("row_shorter", 0, struct.pack("<I", 0), length)
    handle("row_number_missing", 12, struct.pack("<I", ROWS + 1), number, "eval,train,repack")
    handle("row_number_0", 12, struct.pack("<I", 0), number)
    handle("row_number_huge", 12, struct.pack("<I", 2**32 - 1), number)
    handle("row_behind", 4, quad(2**40), "it lies behind the end of the file")
    handle("row_at_the_end", 4, quad(len(data) - 4095), "it lies behind the end of the file")
    handle("row_undefined", 4, b"\xff" * 8, "it lies behind the end of the file")
    handle("row_elsewhere", 4, quad(8), "it does not begin as one")

    def inside_one():
        """A collection within a string of another."""
        data, at = piece("id", lambda f: f.__setitem__("id", ["x" * 60000] + ["y"] * (ROWS - 1)))
        begin, = struct.unpack_from("<Q", data, at)
        inner = (data.index(b"x" * 60000) + 63) // 8 * 8
        data[inner:inner + 32] = b"GCOL\1\0\0\0" + quad(56000) + bytes(8) + quad(56000 - 16)
        data[begin + 16 + 4:begin + 16 + 12] = quad(inner)
        return data
    c.add("heap_inside_one.h5", bytes(inside_one()), 65, "/id cannot be read: its values lie in a heap that is damaged (two parts of it lie at one place")


def free_of(data):
    """Bytes that are free of the first collection."""
    start, at = data.index(b"GCOL"), FIRST
    while data[start + at:start + at + 2] != b"\0\0":
        at += 16 + (struct.unpack_from("<Q", data, start + at + 8)[0] + 7) // 8 * 8
    return struct.unpack_from("<Q", data, start + at + 8)[0]


def no_end(c, change, name, what, commands="-"):
    """The first collection's free bytes are said to be none."""
    data = dump(change)
    at = data.index(bytes(8) + quad(free_of(data)), data.index(b"GCOL"))
    c.patched("heap_" + name, data, at + 8, quad(0), what + DAMAGED + LEFT, commands)


def ends(c):
    def no_end_of_items(name, of):
        data = dump(setting("other", **of))
        at = data.index(bytes(8) + quad(free_of(data))) + 8
        data[at:at + 8] = quad(0)
        c.add("heap_items_%s.h5" % name, bytes(data), 0, "", "-", "a column that is only copied (test_trust_h5_limits.c)")

    no_end(c, lambda f: f.attrs.__setitem__("feature_model", "m"), "of_attribute", "attribute feature_model of /", "inspect,check")
    no_end(c, lambda f: [f.__setitem__("source", np.arange(ROWS) % 2), f["source"].attrs.__setitem__("names", ["a", "b"])], "of_names",
           "attribute names of source")
    no_end(c, lambda f: f["label"].attrs.__setitem__("made", "m"), "of_unused_attribute", "attribute made of /label", "repack")
    no_end(c, notes, "of_notes", "/notes/text", "repack")
    no_end(c, lambda f: f.create_group("notes").create_dataset("pair", data=pairs), "of_notes_of_pairs", "/notes/pair", "repack")
    no_end_of_items("strings", {"data": ["b%d" % i for i in range(ROWS)], "dtype": h5py.string_dtype()})
    no_end_of_items("lists", {"data": ragged, "dtype": lists})
    no_end_of_items("pairs", {"data": pairs})

    def no_end_of_sources(name, make, what, commands, without=("features",), **how):
        """To open a virtual dataset HDF5 goes to the heap."""
        data = dump(make, without, **how)
        c.patched("heap_" + name, data, data.index(bytes(8) + quad(free_of(data))) + 8, quad(0), what + " is a virtual dataset", commands)
    no_end_of_sources("of_sources", virtual("features", x, "other.h5"), "/features", "inspect,eval,repack")
    no_end_of_sources("of_sources_latest", virtual("features", x, "other.h5"), "/features", "inspect,repack", libver="latest")
    no_end_of_sources("of_sources_user_block", virtual("features", x, "other.h5"), "/features", "inspect", userblock_size=512)
    no_end_of_sources("of_sources_unused", virtual("other", x, "other.h5"), "/other", "repack", ())
    no_end_of_sources("of_sources_inside", lambda f: virtual("v", x, "other.h5")(f.create_group("notes")), "/notes/v", "repack", ())

    def filled(f):
        f.create_dataset("id", (ROWS,), h5py.string_dtype(), chunks=(CHUNK,), fillvalue="nobody")
    no_end(c, filled, "of_fill_value", "/id", "eval,repack")
    data = dump(filled)
    c.patched("heap_fill_value_number", data, data.index(struct.pack("<IQ", 6, data.index(b"GCOL"))) + 12, struct.pack("<I", 2**31 - 1),
              "/id cannot be read: its values lie in a heap that is damaged (it has no object", "eval")
    lists_of_lists = h5py.vlen_dtype(h5py.vlen_dtype("i4"))
    ragged_twice = np.array([np.array([np.arange(3, dtype="i4"), np.arange(2, dtype="i4")], object)] * 2 + [None], object)[:2]
    c.bad("heap_lists_of_lists", lambda f: f.create_group("notes").create_dataset("l", data=ragged_twice, dtype=lists_of_lists),
          "/notes/l cannot be read: it holds lists of strings or of lists", commands="repack")


def sound(c):
    def nested(f):
        kind = h5py.h5t.vlen_create(h5py.h5t.py_create(h5py.string_dtype(), logical=True))
        how = properties()
        h5py.h5d.create(f.id, b"other", kind, h5py.h5s.create_simple((ROWS,)), how)
    c.fine("heap_of_nothing", nested, "lists of strings that nobody wrote", commands="repack")
    many = lambda f: f.__setitem__("id", ["row %d " % i + "x" * (37 * i % 700) for i in range(ROWS)])

    def again(f):
        many(f)
        for i in (3, 1, 8, 3):
            f["id"][i] = "another %d" % i
    c.fine("heap_many", many, "strings of many lengths", commands="repack")
    c.fine("heap_again", again, "strings that were written once more leave numbers out", commands="repack")
    c.fine("heap_lists", both(setting("other", data=ragged, dtype=lists), setting("more", data=pairs)), "lists, and strings within values", commands="repack")
    c.fine("heap_latest", both(many, notes), "strings in a file of the latest form", libver="latest", commands="repack")
    c.fine("heap_user_block", both(many, lambda f: f.attrs.__setitem__("feature_model", "m")), "and behind bytes of somebody else", userblock_size=1024, commands="repack")
    c.fine("heap_empty", lambda f: f.__setitem__("id", [""] * (ROWS - 1) + ["a"]), "strings of no bytes")


def of_arrays(c):
    strings_in_arrays = h5py.h5t.array_create(h5py.h5t.py_create(h5py.string_dtype(), logical=True), (2,))

    def arrays(f):
        g = f.create_group("notes")
        how = properties()
        h5py.h5d.create(g.id, b"arrays", strings_in_arrays, h5py.h5s.create_simple((3,)), how)
        g["text"] = ["a", "bc"]
    c.fine("type_arrays", both(arrays, setting("other", shape=(ROWS,), dtype=np.dtype(("i4", (3,))))), "arrays, also of strings", commands="repack")
    first = np.dtype([("b", h5py.string_dtype()), ("a", "i4")])
    firsts = np.array([("b%d" % i, i) for i in range(ROWS)], first)
    no_end(c, lambda f: f.create_group("notes").create_dataset("pair", data=firsts), "of_notes_of_other_pairs", "/notes/pair", "repack")

    def written_arrays(f):
        how = properties()
        d = h5py.h5d.create(f.create_group("notes").id, b"arrays", strings_in_arrays, h5py.h5s.create_simple((3,)), how)
        d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array([[b"a", b"bc"]] * 3, object), strings_in_arrays)
    no_end(c, written_arrays, "of_notes_of_arrays", "/notes/arrays", "repack")
    none = h5py.Empty(h5py.string_dtype())
    nothing = lambda f: [f.attrs.__setitem__("none", none), f.create_group("notes").create_dataset("text", (0,), h5py.string_dtype())]
    c.fine("heap_of_no_strings", nothing, "no strings at all", commands="repack")


def behind_user_block(c):
    """Behind bytes of somebody else."""
    blocked = dump(texts, userblock_size=512)
    at = blocked.index(struct.pack("<IQ", 5, blocked.index(b"GCOL") - 512)) + 4
    c.patched("heap_row_wraps", blocked, at, b"\xff" * 8, "/id cannot be read: its values lie in a heap that is damaged (it lies behind the end of the file")


def many_chunks(c):
    def text_chunks(f):
        d = f.create_group("notes").create_dataset("text", (2049,), h5py.string_dtype(), chunks=(1,))
        d[...] = [""] * 2049
    c.bad("texts_many_chunks", text_chunks, "/notes/text has strings or lists of variable length in more than 2048 chunks without compression", commands="repack")
    c.fine("heap_scalar", lambda f: f.create_group("notes").__setitem__("text", "a"), "one string without rows", commands="repack")
