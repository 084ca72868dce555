#!/usr/bin/env python3
"""Writes tests/dumps/*.h5: small feature dumps, one for each accepted form and each kind of bad input.

The values are made up from formulas, so the tests know them: row r, column k of the features is
(8 r + k - 40) / 16, exact in every float type down to bfloat16. Needs h5py and numpy:

    python3 scripts/make_dumps.py tests/dumps

SPDX-License-Identifier: MIT
"""
import pathlib
import sys

import h5py
import numpy as np

N, D = 12, 8
X = ((8 * np.arange(N)[:, None] + np.arange(D)[None, :] - 40) / 16).astype(np.float32)
GOLD = (np.arange(N) % 3 == 0).astype(np.uint8)
SMALL_PROB = np.where(np.arange(N) % 2 == 0, 0.5, 0.25).astype(np.float32)  # .5 counts as unsafe
LARGE_PROB = np.where((np.arange(N) % 3 == 0) ^ (np.arange(N) == 11), 0.875, 0.125).astype(np.float32)
LABEL = (((SMALL_PROB >= 0.5) != GOLD) & ((LARGE_PROB >= 0.5) == GOLD)).astype(np.uint8)
SOURCES = ["forum", "news", "chat"]


def bfloat_bits(x):
    return (x.view(np.uint32) >> 16).astype(np.uint16)  # exact: the low half is zero


def float_type(order, precision_fields, bias):
    """A 16-bit HDF5 float type: numpy's float16, or bfloat16 when the fields say so."""
    t = h5py.h5t.IEEE_F32BE.copy() if order == ">" else h5py.h5t.IEEE_F32LE.copy()
    t.set_fields(*precision_fields)
    t.set_size(2)
    t.set_ebias(bias)
    return t


BFLOAT = (15, 7, 8, 0, 7)


def raw(group, name, bits, file_type):
    """A dataset of a type numpy does not have, written bit by bit."""
    space = h5py.h5s.create_simple(bits.shape)
    dataset = h5py.h5d.create(group.id, name.encode(), file_type, space)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ascontiguousarray(bits), file_type)


def new(folder, name):
    return h5py.File(folder / f"{name}.h5", "w", libver=("earliest", "v110"))


def good(folder):
    def simple(name, features, label=LABEL, **more):
        with new(folder, name) as f:
            f.create_dataset("features", data=features, **more)
            if label is not None:
                f["label"] = label

    simple("half", X.astype(np.float16))
    simple("half_big_endian", X.astype(">f2"))
    simple("half_chunked", X.astype(np.float16), chunks=(5, 3), compression="gzip", shuffle=True)
    simple("float", X)
    simple("float_big_endian", X.astype(">f4"))
    simple("double", X.astype(np.float64))
    simple("bfloat_uint16", bfloat_bits(X))
    simple("bfloat_int16", bfloat_bits(X).view(np.int16))
    for name, order in (("bfloat", "<"), ("bfloat_big_endian", ">")):
        with new(folder, name) as f:
            raw(f, "features", bfloat_bits(X).astype(order + "u2"), float_type(order, BFLOAT, 127))
            f["label"] = LABEL
    with new(folder, "bfloat_opaque") as f:
        f["features"] = bfloat_bits(X).view(np.dtype("V2"))
        f["label"] = LABEL

    simple("label_bool", X, LABEL.astype(bool))
    simple("label_int64", X, LABEL.astype(np.int64))
    simple("label_double", X, LABEL.astype(np.float64))
    simple("label_half", X, LABEL.astype(np.float16))
    simple("label_column", X, LABEL.reshape(N, 1))
    with new(folder, "aliases") as f:
        f["hidden_states"] = X
        f["y"] = LABEL
    with new(folder, "other_names") as f:
        f["deep/activations"] = X
        f["route"] = LABEL

    with new(folder, "full") as f:
        f["features"] = X.astype(np.float16)
        f["gold"] = GOLD
        f["small_prob"] = SMALL_PROB
        f["large_prob"] = LARGE_PROB.astype(np.float16)
        f["id"] = np.array([f"row-{i:02d}" for i in range(N)], dtype=object)
        f["group"] = np.arange(N, dtype=np.int64) // 2
        f["source"] = (np.arange(N) % 3).astype(np.uint8)
        f["source"].attrs["names"] = SOURCES
        f.attrs["feature_model"] = "model-a"
        f.attrs["feature_layer"] = np.int32(-1)
    with new(folder, "full_other_sources") as f:
        f["features"] = X
        f["gold"] = GOLD
        f["small_prob"] = SMALL_PROB
        f["small_pred"] = 1 - (SMALL_PROB >= 0.5).astype(np.uint8)  # wins over small_prob
        f["large_pred"] = (LARGE_PROB >= 0.5).astype(np.uint8)
        f["id"] = np.array([bytes([0x80 + i] * 16) for i in range(N)], dtype="V16")
        f["group"] = np.array([f"twin {i // 3}" for i in range(N)], dtype="S8")
        f["source"] = np.array([["chat", "mail"][i % 2] for i in range(N)], dtype=object)
        f.attrs["feature_model"] = np.bytes_("model-a")
    with new(folder, "id_s16") as f:
        f["features"] = X
        f["label"] = LABEL
        f["id"] = np.array([f"{i:016x}" for i in range(N)], dtype="S16")
        f["group"] = np.arange(N, dtype=np.uint64) + np.uint64(2**64 - N)
        f["source"] = np.arange(N, dtype=np.int16) - 1
    simple("no_label", X, None)

    large = X.copy()
    large[3, 2], large[7, 7] = np.nan, np.inf
    simple("not_finite", large.astype(np.float16))


def bad(folder):
    def simple(name, features, label):
        with new(folder, "bad_" + name) as f:
            if features is not None:
                f["features"] = features
            f["label"] = label

    simple("no_features", None, LABEL)
    simple("rank_features", X.reshape(N, 2, 4), LABEL)
    simple("rank_label", X, np.stack([LABEL, LABEL], 1))
    simple("row_count", X, LABEL[:11])
    simple("label_two", X, np.where(np.arange(N) == 4, 2, LABEL))
    simple("label_half", X, np.where(np.arange(N) == 5, 0.5, LABEL))
    simple("label_text", X, np.array(["a"] * N, dtype="S1"))
    simple("zero_rows", X[:0], LABEL[:0])
    simple("zero_width", X[:, :0], LABEL)
    simple("width", X[:, :7], LABEL)
    simple("integers", X.astype(np.int32), LABEL)
    with new(folder, "bad_prob") as f:
        f["features"], f["label"] = X, LABEL
        f["small_prob"] = np.where(np.arange(N) == 6, 1.5, 0.5)
    with new(folder, "bad_two_aliases") as f:
        f["X"], f["embeddings"], f["label"] = X, X, LABEL
    with new(folder, "bad_source") as f:
        f["features"], f["label"] = X, LABEL
        f["source"] = np.arange(N, dtype=np.uint8)
        f["source"].attrs["names"] = SOURCES
    with new(folder, "bad_contract") as f:
        f["features"], f["label"] = X, LABEL
        f.attrs["feature_model"] = "model-b"
    with new(folder, "bad_group_for_dataset") as f:
        f.create_group("features")
        f["label"] = LABEL
    with new(folder, "bad_damaged") as f:
        f.create_dataset("features", data=X, chunks=(4, D), compression="gzip")
        f["label"] = LABEL
        chunk = f["features"].id.get_chunk_info(1)
        offset, size = chunk.byte_offset, chunk.size
    with new(folder, "bad_filter") as f:
        f.create_dataset("features", data=X, chunks=(4, D), compression="lzf")  # known to h5py alone
        f["label"] = LABEL
    damaged = folder / "bad_damaged.h5"
    bytes_ = bytearray(damaged.read_bytes())
    bytes_[offset : offset + size] = b"\xff" * size
    damaged.write_bytes(bytes_)
    (folder / "bad_truncated.h5").write_bytes((folder / "half.h5").read_bytes()[:1500])
    (folder / "bad_foreign.h5").write_bytes(b"row,label\n0,1\n")
    (folder / "bad_empty.h5").write_bytes(b"")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/dumps")
    folder.mkdir(parents=True, exist_ok=True)
    good(folder)
    bad(folder)
    for path in sorted(folder.glob("*.h5")):
        print(f"{path.stat().st_size:6d} {path.name}")


if __name__ == "__main__":
    main()
