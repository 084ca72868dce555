# hdf5_types.py: datasets of another kind, shape or type than rows of numbers have.
#
# SPDX-License-Identifier: MIT
import h5py
import numpy as np

from hostile.hdf5_bytes import ROWS, WIDTH, label, raw, setting, x


def shapes(c):
    c.features(lambda f: f.create_group("features"), "kind_group", "/features is not a readable dataset but a group", "inspect")
    c.features(lambda f: f.__setitem__("features", np.dtype("f2")), "kind_type", "/features is not a readable dataset but a data type")
    c.labels(lambda f: f.create_group("label"), "kind_label_group", "/label is not a readable dataset but a group")
    c.features(setting("features", data=np.float32(1)), "shape_scalar", "/features has rank 0")
    c.features(setting("features", data=h5py.Empty("f2")), "shape_nothing", "/features has rank 0")
    c.features(setting("features", data=x[:, 0]), "shape_rank_1", "/features has rank 1")
    c.features(setting("features", data=x[None]), "shape_rank_3", "/features has rank 3")
    c.features(setting("features", shape=(1,) * 32, dtype="f2"), "shape_rank_32", "/features has rank 32")
    c.features(setting("features", shape=(0, WIDTH), dtype="f2"), "shape_no_rows", "/features is empty: [0, 8]", "inspect,eval,train")
    c.features(setting("features", shape=(ROWS, 0), dtype="f2"), "shape_no_width", "/features is empty: [12, 0]")
    c.features(setting("features", shape=(0, WIDTH), dtype="f2", maxshape=(None, WIDTH), chunks=(4, WIDTH)), "shape_never_grown",
               "/features is empty: [0, 8]")
    c.labels(setting("label", data=label[:-1]), "shape_label_short", "/label has 11 rows, the features have 12")
    c.labels(setting("label", data=np.uint8(1)), "shape_label_scalar", "/label has rank 0")
    c.labels(setting("label", data=h5py.Empty("u1")), "shape_label_nothing", "/label has rank 0")
    c.labels(setting("label", data=np.zeros((ROWS, 2), "u1")), "shape_label_wide", "/label has rank 2")

    def grown(f):
        d = f.create_dataset("features", (0, WIDTH), "f2", maxshape=(None, WIDTH), chunks=True)
        for i in range(0, ROWS, 3):
            d.resize(i + 3, axis=0)
            d[i:] = x[i:i + 3]
        f.create_dataset("label", data=label, maxshape=(None,))
    c.fine("shape_resized", grown, "rows that were appended are what h5py users write", ("features", "label"), "inspect")


def odd_float(c, name, fields, bias, message="/features holds float16, but"):
    """16 bits: (sign, exponent, its bits, mantissa, its bits) by place, where float16 has (15, 10, 5, 0, 10)."""
    kind = h5py.h5t.IEEE_F16LE.copy()
    kind.set_fields(*fields)
    kind.set_ebias(bias)
    c.features(raw("features", x.shape, kind, lambda how: None), "type_float_" + name, message)


def types(c):
    c.features(setting("features", data=x.astype("c8")), "type_complex", "/features holds another type")
    c.features(setting("features", data=x.astype("i4")), "type_integers", "/features holds int32")
    c.features(setting("features", data=x.astype("i2")), "type_16_bits", "bfloat16 bit patterns")
    c.features(setting("features", shape=(ROWS, WIDTH), dtype=h5py.ref_dtype), "type_references", "/features holds another type")
    c.labels(setting("label", shape=(ROWS,), dtype=h5py.regionref_dtype), "type_label_regions", "/label holds another type")
    c.labels(setting("label", data=np.array(["1"] * ROWS, "S1")), "type_label_strings", "/label holds strings")
    c.labels(setting("label", data=np.full(ROWS, 7, "u1")), "type_label_seven", "/label row 0 is 7")
    c.bad("type_reference_inside", lambda f: f.create_group("about").create_dataset("r", (3,), h5py.ref_dtype), "references to objects")
    c.bad("type_reference_attribute", lambda f: f["features"].attrs.__setitem__("scale", f["label"].ref), "references to objects", commands="repack")
    c.bad("type_lists", lambda f: f.create_dataset("id", (ROWS,), h5py.vlen_dtype("i4")), "/id holds another type")
    odd_float(c, "of_6_bits", (15, 9, 6, 0, 9), 31)
    odd_float(c, "sign_first", (0, 11, 5, 1, 10), 15)
    odd_float(c, "mantissa_first", (15, 0, 5, 5, 10), 15)
    odd_float(c, "gap", (15, 10, 5, 0, 9), 15)
    odd_float(c, "bias", (15, 10, 5, 0, 10), 14)
    odd_float(c, "bias_of_bfloat", (15, 7, 8, 0, 7), 126)
    for name, norm in (("no_leading_1", h5py.h5t.NORM_NONE), ("leading_1", h5py.h5t.NORM_MSBSET)):
        kind = h5py.h5t.IEEE_F16LE.copy()
        kind.set_norm(norm)
        c.features(raw("features", x.shape, kind, lambda how: None), "type_float_" + name, "/features holds float16, but")

    wide = h5py.h5t.STD_U64LE.copy()
    wide.set_size(16)
    c.labels(raw("label", (ROWS,), wide, lambda how: None), "type_label_of_128_bits", "/label holds uint128")

    def committed(f):
        f["half"] = np.dtype("f2")
        f.create_dataset("features", data=x, dtype=f["half"])
    c.fine("type_committed", committed, "a named type of the file itself is a type", ("features",))


def gaps(c):
    odd_float(c, "gap_above", (15, 9, 5, 0, 9), 15)
    odd_float(c, "gap_of_bfloat", (15, 6, 8, 0, 6), 127)


def read(c):
    def enum_and_bfloat(f):
        f["id"] = np.arange(ROWS) % 2 == 1
        kind = h5py.h5t.IEEE_F16LE.copy()
        kind.set_fields(15, 7, 8, 0, 7)
        kind.set_ebias(127)
        bits = (np.arange(ROWS, dtype="f4").view("u4") >> 16).astype("u2")
        raw("weight", (ROWS,), kind, lambda how: None)(f)
        f["weight"].id.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, kind)
    c.fine("type_enum_and_bfloat", enum_and_bfloat, "an enumeration of names, weights of bfloat16")
