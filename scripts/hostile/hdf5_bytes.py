# hdf5_bytes.py: a sound HDF5 dump, and the ways to write and to damage one. Needs h5py and numpy.
#
# SPDX-License-Identifier: MIT
import os
import struct
import tempfile

import h5py
import numpy as np

ROWS, WIDTH = 12, 8
CHUNK = 4  # rows
x = ((8 * np.arange(ROWS)[:, None] + np.arange(WIDTH)[None, :] - 40) / 16).astype(np.float16)
label = (np.arange(ROWS) % 2).astype(np.uint8)
half = h5py.h5t.IEEE_F16LE
gzip = {"compression": "gzip"}
pair = np.dtype([("a", "i4"), ("b", h5py.string_dtype())])
pairs = np.array([(i, "b%d" % i) for i in range(ROWS)], pair)


def written(make, **how):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.h5")
        with h5py.File(path, "w", **{"libver": "earliest", **how}) as f:
            make(f)
        with open(path, "rb") as file:
            return bytearray(file.read())


def opened(data, look):
    """look(f) of the file of these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "a.h5")
        with open(path, "wb") as file:
            file.write(data)
        with h5py.File(path) as f:
            return look(f)


def dump(change=None, without=(), **how):
    """A sound dump, but for what change(f) puts into it."""
    def make(f):
        for name, values in (("features", x), ("label", label)):
            if name not in without:
                f[name] = values
        if change:
            change(f)
    return written(make, **how)


class Dumps:
    """The table of cases, and its lines for dumps: sound ones, but for what change(f) puts into them."""

    def __init__(self, c):
        self.add = c.add

    def bad(self, name, change, message, without=(), commands="-", status=65, why=None, **how):
        self.add(name + ".h5", bytes(dump(change, without, **how)), status, message, commands, why)

    def fine(self, name, change, why, without=(), commands="-", **how):
        self.bad(name, change, "", without, commands, 0, why, **how)

    def features(self, change, name, message, commands="-", **how):
        self.bad(name, change, message, ("features",), commands, **how)

    def labels(self, change, name, message, commands="-", **how):
        self.bad(name, change, message, ("label",), commands, **how)

    def patched(self, name, data, at, new, message, commands="-"):
        data = bytearray(data)
        data[at:at + len(new)] = new
        self.add(name + ".h5", bytes(data), 65, message, commands)


def setting(name, **how):
    return lambda f: f.create_dataset(name, **how)


def both(*changes):
    return lambda f: [change(f) for change in changes]


def properties():
    """Of a dataset, without HDF5's times of change."""
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_obj_track_times(False)
    return how


def raw(name, shape, kind, setup, values=None, maxshape=None):
    """A dataset whose properties setup(list) gives."""
    def change(f):
        how = properties()
        setup(how)
        space = h5py.h5s.create_simple(shape, maxshape) if maxshape else h5py.h5s.create_simple(shape)
        d = h5py.h5d.create(f.id, name.encode(), kind, space, how)
        if values is not None:
            d.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(values))
    return change


def virtual(name, values, source):
    def whole(how):
        space = h5py.h5s.create_simple(values.shape)
        how.set_virtual(space, source.encode(), b"real", space)
    return raw(name, values.shape, h5py.h5t.py_create(values.dtype), whole)


def piece(name, change=None):
    """A dump, and where in it the place and the bytes of a dataset in one piece are written."""
    def place(f):
        of = f[name].id
        return struct.pack("<QQ", of.get_offset(), of.get_storage_size())
    data = dump(change)
    key = opened(data, place)
    assert data.count(key) == 1
    return data, data.index(key)


def addresses(data, *names):
    return opened(data, lambda f: [h5py.h5o.get_info(f[name].id).addr for name in names])


def lookup3(data):
    """HDF5's checksum of metadata: Jenkins' lookup3, hashlittle, begun with 0."""
    def rotate(v, n):
        return (v << n | v >> (32 - n)) & 0xFFFFFFFF
    a = b = c = (0xDEADBEEF + len(data)) & 0xFFFFFFFF
    data = bytes(data)
    while len(data) > 12:
        x, y, z = struct.unpack("<III", data[:12])
        a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
        a = ((a - c) & 0xFFFFFFFF) ^ rotate(c, 4); c = (c + b) & 0xFFFFFFFF
        b = ((b - a) & 0xFFFFFFFF) ^ rotate(a, 6); a = (a + c) & 0xFFFFFFFF
        c = ((c - b) & 0xFFFFFFFF) ^ rotate(b, 8); b = (b + a) & 0xFFFFFFFF
        a = ((a - c) & 0xFFFFFFFF) ^ rotate(c, 16); c = (c + b) & 0xFFFFFFFF
        b = ((b - a) & 0xFFFFFFFF) ^ rotate(a, 19); a = (a + c) & 0xFFFFFFFF
        c = ((c - b) & 0xFFFFFFFF) ^ rotate(b, 4); b = (b + a) & 0xFFFFFFFF
        data = data[12:]
    x, y, z = struct.unpack("<III", data.ljust(12, b"\0"))
    a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
    c = ((c ^ b) - rotate(b, 14)) & 0xFFFFFFFF
    a = ((a ^ c) - rotate(c, 11)) & 0xFFFFFFFF
    b = ((b ^ a) - rotate(a, 25)) & 0xFFFFFFFF
    c = ((c ^ b) - rotate(b, 16)) & 0xFFFFFFFF
    a = ((a ^ c) - rotate(c, 4)) & 0xFFFFFFFF
    b = ((b ^ a) - rotate(a, 14)) & 0xFFFFFFFF
    c = ((c ^ b) - rotate(b, 24)) & 0xFFFFFFFF
    return struct.pack("<I", c)
