#!/usr/bin/env python3
"""Writes tests/dumps/*.h5: small feature dumps, one for each accepted form and each kind of bad input.

The values are made up from formulas, so the tests know them: row r, column k of the features is
(8 r + k - 40) / 16, exact in every float type down to bfloat16. Needs h5py and numpy:

    python3 scripts/make_dumps.py tests/dumps

SPDX-License-Identifier: MIT
"""
import pathlib
import struct
import sys
import zlib

import h5py
import numpy as np

N, D = 12, 8
X = ((8 * np.arange(N)[:, None] + np.arange(D)[None, :] - 40) / 16).astype(np.float32)
GOLD = (np.arange(N) % 3 == 0).astype(np.uint8)
SMALL_PROB = np.where(np.arange(N) % 2 == 0, 0.5, 0.25).astype(np.float32)  # .5 counts as unsafe
LARGE_PROB = np.where((np.arange(N) % 3 == 0) ^ (np.arange(N) == 11), 0.875, 0.125).astype(np.float32)
LABEL = (((SMALL_PROB >= 0.5) != GOLD) & ((LARGE_PROB >= 0.5) == GOLD)).astype(np.uint8)
UUID = np.array([bytes([0x80 + i] * 16) for i in range(N)], dtype="V16")
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
    how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    how.set_obj_track_times(False)  # the same bytes whenever it is run
    dataset = h5py.h5d.create(group.id, name.encode(), file_type, space, how)
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
    simple("label_half_big_endian", X, LABEL.astype(">f2"))
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
        f["id"] = UUID
        f["group"] = np.array([f"twin {i // 3}" for i in range(N)], dtype="S8")
        f["source"] = np.array([["chat", "mail"][i % 2] for i in range(N)], dtype=object)
        f.attrs["feature_model"] = np.bytes_("model-a")
    with new(folder, "id_s16") as f:
        f["features"] = X
        f["label"] = LABEL
        f["id"] = np.array([f"{i:016x}" for i in range(N)], dtype="S16")
        f["group"] = np.arange(N, dtype=np.uint64) + np.uint64(2**64 - N)
        f["source"] = np.arange(N, dtype=np.int16) - 1
    with new(folder, "id_some") as f:
        f["features"], f["label"] = X, LABEL
        f["id"] = np.array(["" if i % 2 else str(i) for i in range(N)], dtype="S2")
        f["group"] = UUID
    simple("no_label", X, None)

    large = X.copy()
    large[3, 2], large[7, 7] = np.nan, np.inf
    simple("not_finite", large.astype(np.float16))


def columns(f, **more):
    """Features, gold and both guards, and whatever else is given; a value of None leaves the column out."""
    usual = {"features": X, "gold": GOLD, "small_prob": SMALL_PROB, "large_prob": LARGE_PROB}
    for name, values in (usual | more).items():
        if values is not None:
            f[name] = values


def put(values, kind, at):
    """A copy as that type, with some items replaced."""
    values = np.array(values, kind)
    for row, value in at.items():
        values[row] = value
    return values


def unknown(folder):
    small, large = SMALL_PROB >= 0.5, LARGE_PROB >= 0.5
    with new(folder, "unknown_int8") as f:
        columns(f, gold=put(GOLD, np.int8, {1: -1}), small_prob=None, large_prob=None)
        f["large_prob"] = put(LARGE_PROB, "f4", {3: np.nan})
        f["small_pred"] = put(small, np.int8, {2: -1})
    with new(folder, "unknown_float") as f:  # labels of rows 1 to 3 are known, of 4 and 5 not
        columns(f, gold=put(GOLD, "f4", {1: np.nan}), small_prob=None, large_prob=None)
        f["small_prob"] = put(SMALL_PROB, "f2", {2: np.nan})
        f["large_pred"] = put(large, "f8", {3: -1})
        f["label"] = put(LABEL, "f8", {4: np.nan, 5: -1})
    with new(folder, "unknown_gold") as f:
        columns(f, gold=np.full(N, -1, np.int8), label=LABEL)
    with new(folder, "bad_unknown_uint64") as f:
        columns(f, label=put(LABEL, np.uint64, {4: 2**64 - 1}))
    with new(folder, "bad_unknown_uint8") as f:
        columns(f, gold=put(GOLD, np.uint8, {4: 255}))


CUTS = (0.1, 0.3, 0.7)


def nearest_bfloat(x):
    """Bits of the bfloat16 nearest to a float, ties to even."""
    bits = int(np.float32(x).view(np.uint32))
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


def cuts(folder):
    """Probabilities at, just below and just above the thresholds, as the type has them, and 0, 1, NaN.
    numpy_T: what NumPy makes of prob >= T, T a Python float; for bfloat16, which it lacks, by definition."""
    for name, kind in (("half", np.float16), ("float", np.float32), ("double", np.float64)):
        at = np.array(CUTS, kind)
        rest = np.array([0, 1, np.nan], kind)
        prob = np.concatenate([np.nextafter(at, kind(0)), at, np.nextafter(at, kind(1)), rest])
        with new(folder, "cut_" + name) as f:
            columns(f, small_prob=prob, label=LABEL)
            for t in CUTS:
                f[f"numpy_{t}"] = np.where(np.isnan(prob), -1, prob >= t).astype(np.int8)
    at = np.array([nearest_bfloat(t) for t in CUTS], np.uint16)
    bits = np.concatenate([at - 1, at, at + 1, np.array([0, 0x3F80, 0x7FC0])]).astype(np.uint16)
    with new(folder, "cut_bfloat") as f:
        columns(f, small_prob=None, label=LABEL)
        raw(f, "small_prob", bits, float_type("<", BFLOAT, 127))
        for t, b in zip(CUTS, at):
            f[f"numpy_{t}"] = np.where(bits == 0x7FC0, -1, bits >= b).astype(np.int8)


PROB = ((np.arange(N) * 5 % N + 0.5) / N).astype(np.float32)  # in no order, from 1/24 to 23/24
LABEL_AT_3 = (((PROB >= 0.3) != GOLD) & ((LARGE_PROB >= 0.5) == GOLD)).astype(np.uint8)
LABEL_AT_5 = (((PROB >= 0.5) != GOLD) & ((LARGE_PROB >= 0.5) == GOLD)).astype(np.uint8)


def thresholds(folder):
    """Labels made at .3 for the small guard; "disagree" does not say so."""

    def simple(name, small, **attributes):
        with new(folder, name) as f:
            columns(f, small_prob=PROB, label=LABEL_AT_3, at_half=LABEL_AT_5)
            if small is not None:
                f.attrs["small_threshold"] = small
            f.attrs.update(attributes)

    simple("disagree", None)
    simple("threshold_double", 0.3, large_model="guard-l", large_revision="7")
    simple("threshold_float", np.float32(0.3), large_model="guard-l")
    simple("threshold_text", "0.30")
    simple("threshold_bytes", np.bytes_("3e-1"))
    simple("bad_threshold_zero", 0)
    simple("bad_threshold_above", 1.5)
    simple("bad_threshold_nan", np.nan)
    simple("bad_threshold_list", [0.3, 0.3])
    simple("bad_threshold_bool", True)
    simple("bad_threshold_text", "0.3 or so")
    simple("bad_large_model", 0.3, large_model="guard-m")
    with new(folder, "verdicts") as f:  # stored ones alone; small's were cut at .4, somewhere else
        columns(f, small_prob=None, large_prob=None)
        f["small_pred"], f["large_pred"] = SMALL_PROB >= 0.5, LARGE_PROB >= 0.5
        f.attrs["small_threshold"] = 0.4
    with new(folder, "broken_labels") as f:  # everything but features and ids
        columns(
            f,
            gold=np.array(["x"] * N, dtype="S1"),
            small_prob=np.full(N, 7.0),
            large_prob=LARGE_PROB[:5],
            label=np.full((N, 2, 2), 9),
            group=np.full(N, 0.5),
            source=np.full(N, 0.5),
            weight=np.full(N, -1),
            id=np.arange(N),
        )
        f.attrs["large_model"] = "guard-l"
        f.attrs["small_threshold"] = 0.3


def weights(folder):
    def simple(name, weight):
        with new(folder, name) as f:
            columns(f, label=LABEL, weight=weight)

    simple("weight_double", np.arange(N) / 4)
    simple("weight_uint8", np.arange(N).astype(np.uint8))
    simple("bad_weight_negative", put(np.ones(N), "f4", {3: -0.5}))
    simple("bad_weight_nan", put(np.ones(N), "f8", {4: np.nan}))
    simple("bad_weight_huge", put(np.ones(N), "f8", {5: 1e300}))


def scores(folder):
    """Scores, not dumps: more rows than are read at a time, well compressed; rows that nobody wrote."""
    prob = np.full(150_000, 0.25, np.float16)
    prob[[65_535, 65_536, -1]] = [0.5, np.nan, 0.75]
    with new(folder, "scores_long") as f:
        f.create_dataset("prob", data=prob, chunks=(100_000,), compression="gzip", compression_opts=9)
        f.create_dataset("decision", data=(prob > 0.4).astype(np.int8), chunks=(1000,), compression="gzip")
    with new(folder, "scores_unwritten") as f:
        f.create_dataset("prob", (2**25,), np.float32, chunks=(2**20,))
    with new(folder, "scores_above") as f:
        f["prob"] = np.array([0.5, np.nan, 1.5])
    for name, ids in ("opaque", UUID), ("integer", np.arange(N)), ("rank", UUID.reshape(N // 2, 2)):
        with new(folder, "scores_id_" + name) as f:
            f["prob"], f["id"] = np.full(N, 0.25, np.float32), ids
    with new(folder, "scores_scalar") as f:
        f["prob"] = 0.25
    with new(folder, "scores_group") as f:
        f.create_group("prob")


def bad(folder):
    def simple(name, features, label):
        with new(folder, "bad_" + name) as f:
            if features is not None:
                f["features"] = features
            f["label"] = label

    simple("no_features", None, LABEL)
    simple("rank_features", X.reshape(N, 2, 4), LABEL)
    simple("rank_label", X, np.stack([LABEL, LABEL], 1))
    simple("axes_label", X, LABEL.reshape(N, 1, 1, 1, 1))
    simple("opaque_features", X.view("V4"), LABEL)
    simple("text_features", np.full((N, D), b"a"), LABEL)
    with new(folder, "bad_weight_text") as f:
        f["features"], f["label"], f["weight"] = X, LABEL, np.full(N, b"a")
    with new(folder, "bad_group_float") as f:
        f["features"], f["label"], f["group"] = X, LABEL, np.arange(N, dtype=np.float32)
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


FORM_ROWS, FORM_WIDTH = 70, 10
FORM_CHUNK = (16, 4)  # the last chunk is cut short on both sides
FORM_X = ((8 * np.arange(FORM_ROWS)[:, None] + np.arange(FORM_WIDTH)[None, :] - 40) / 16).astype(np.float32)


def put_chunk(dataset, chunk, stored, mask=0):
    """The bytes of chunk (row of chunks, column of chunks) as they are to be in the file."""
    offset = tuple(c * n for c, n in zip(chunk, dataset.chunks))
    dataset.id.write_direct_chunk(offset, stored, filter_mask=mask)


def checked(folder):
    """Dumps whose every byte has a checksum: HDF5's latest format those of the metadata, the filters those of the features."""
    for name, how in (("checked_gzip", {"compression": "gzip"}), ("checked_fletcher", {"fletcher32": True})):
        with h5py.File(folder / f"{name}.h5", "w", libver=("v110", "v110")) as f:
            f.create_dataset("features", data=FORM_X[:48].astype("f2"), chunks=(16, 8), **how)
            f.create_dataset("label", data=np.arange(48, dtype="u1") % 2, chunks=(48,), **how)


def chunk_values(dataset, chunk):
    """The whole chunk, with zeros beyond the end of the dataset."""
    full = np.zeros(dataset.chunks, dataset.dtype)
    at = tuple(slice(c * n, (c + 1) * n) for c, n in zip(chunk, dataset.chunks))
    part = FORM_X[at].astype(dataset.dtype)
    full[: part.shape[0], : part.shape[1]] = part
    return full


def shuffled(values):
    return values.reshape(-1).view(np.uint8).reshape(-1, values.dtype.itemsize).T.tobytes()


def forms(folder):
    """Every way that features can lie in a file, as datasets of one: what reads them has to agree with HDF5."""
    small = {"chunks": FORM_CHUNK}
    gzip = {"chunks": FORM_CHUNK, "compression": "gzip", "shuffle": True}
    with new(folder, "forms") as f:

        def simple(name, kind, **how):
            return f.create_dataset(name, data=FORM_X.astype(kind), **how)

        for name, kind in (("half", "<f2"), ("half_big", ">f2"), ("float", "<f4"), ("float_big", ">f4")):
            simple(name, kind)
            simple(name + "_chunks", kind, **small)
            simple(name + "_gzip", kind, **gzip)
        simple("rows", "f2", chunks=(16, FORM_WIDTH))
        simple("rows_gzip", "f2", chunks=(16, FORM_WIDTH), compression="gzip", shuffle=True)
        simple("one_chunk", "f2", chunks=(FORM_ROWS, FORM_WIDTH))
        simple("one_row", "f2", chunks=(1, 3))
        simple("wide_chunk", "f2", chunks=(128, 32), maxshape=(None, None), compression="gzip")
        simple("grows", "f2", chunks=(16, FORM_WIDTH), maxshape=(None, FORM_WIDTH))
        simple("gzip_only", "f2", **small, compression="gzip", compression_opts=9)
        simple("shuffle_only", "f4", **small, shuffle=True)
        simple("fletcher", "f2", **small, fletcher32=True)
        simple("fletcher_odd", "f2", chunks=(3, 3), fletcher32=True, compression="gzip")
        simple("all_filters", "f2", **gzip, fletcher32=True)

        d = simple("masked", "f2", **gzip, fletcher32=True)  # bits: shuffle 1, gzip 2, fletcher32 4
        plain = {chunk: chunk_values(d, chunk) for chunk in ((0, 0), (1, 1), (2, 2), (3, 0))}
        put_chunk(d, (0, 0), plain[0, 0].tobytes(), 7)
        put_chunk(d, (1, 1), shuffled(plain[1, 1]), 6)
        put_chunk(d, (2, 2), zlib.compress(plain[2, 2].tobytes()), 5)
        put_chunk(d, (3, 0), zlib.compress(shuffled(plain[3, 0])), 4)

        for name, more in (("missing", {"fillvalue": 1.5}), ("missing_zero", {})):
            d = f.create_dataset(name, FORM_X.shape, "f2", **gzip, **more)
            d[:20, :4] = FORM_X[:20, :4]
            d[64:, 8:] = FORM_X[64:, 8:]

        # what only HDF5 reads
        simple("double", "f8")
        simple("double_gzip", "f8", **gzip)
        f.create_dataset("nothing", FORM_X.shape, "f2", fillvalue=2.5)
        space = h5py.h5s.create_simple(FORM_X.shape)

        def low_level(name, setting):
            how = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            how.set_obj_track_times(False)
            setting(how)
            return h5py.h5d.create(f.id, name, h5py.h5t.IEEE_F32LE, space, how)

        def deflate_before_shuffle(how):
            how.set_chunk(FORM_CHUNK)
            how.set_deflate(4)
            how.set_shuffle()

        for name, setting in (
            (b"other_order", deflate_before_shuffle),
            (b"compact", lambda how: how.set_layout(h5py.h5d.COMPACT)),
        ):
            low_level(name, setting).write(h5py.h5s.ALL, h5py.h5s.ALL, FORM_X)
        low_level(b"virtual", lambda how: how.set_virtual(space, b".", b"float", space))

    with h5py.File(folder / "user_block.h5", "w", libver=("earliest", "v110"), userblock_size=512) as f:
        f["features"] = FORM_X.astype("f2")
        f.create_dataset("chunks", data=FORM_X.astype("f2"), **gzip)

    with new(folder, "bad_forms") as f:  # of each, rows 32 to 47 cannot be read
        for name, stored in (
            ("not_zlib", b"\xff" * 40),
            ("short_zlib", zlib.compress(b"\0" * 126)),
            ("long_zlib", zlib.compress(b"\0" * 130)),
            ("cut_zlib", zlib.compress(np.arange(64, dtype="f2").tobytes())[:-9]),
            ("wrong_adler", zlib.compress(np.arange(64, dtype="f2").tobytes())[:-1] + b"\0"),
            ("huge", b"\0" * 5000),
            ("one_byte", b"x"),
        ):
            put_chunk(f.create_dataset(name, data=FORM_X.astype("f2"), **gzip), (2, 1), stored)
        d = f.create_dataset("masked_short", data=FORM_X.astype("f2"), **gzip)
        put_chunk(d, (2, 1), b"\0" * 127, 3)
        d = f.create_dataset("wrong_sum", data=FORM_X.astype("f2"), **small, fletcher32=True)
        put_chunk(d, (2, 1), bytes(range(128)) + b"\1\2\3\4")
        d = f.create_dataset("no_sum", data=FORM_X.astype("f2"), **small, fletcher32=True)
        put_chunk(d, (2, 1), b"abc")

    # chunks without filters whose size in the index is not that of their rows: rows 32 to 47
    for name, chunk, key, size in (
        ("short", (16, 4), (32, 4), 100),
        ("long", (16, 4), (32, 4), 5000),
        ("short_rows", (16, 10), (32, 0), 100),
        ("long_rows", (16, 10), (32, 0), 5000),
    ):
        path = folder / f"bad_index_{name}.h5"
        with h5py.File(path, "w", libver="earliest") as f:
            f.create_dataset("features", data=FORM_X.astype("f2"), chunks=chunk)
        right, wrong = (struct.pack("<IIQQQ", n, 0, *key, 0) for n in (2 * chunk[0] * chunk[1], size))
        bytes_ = path.read_bytes()
        assert bytes_.count(right) == 1
        path.write_bytes(bytes_.replace(right, wrong))

    # an address behind the end of the file, which version 1 headers hold without a checksum
    with h5py.File(folder / "half.h5") as f:
        offset, size = f["features"].id.get_offset(), f["features"].id.get_storage_size()
    place, moved = (n.to_bytes(8, "little") + size.to_bytes(8, "little") for n in (offset, offset + 4096))
    bytes_ = (folder / "half.h5").read_bytes()
    assert bytes_.count(place) == 1
    (folder / "bad_offset.h5").write_bytes(bytes_.replace(place, moved))


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "tests/dumps")
    folder.mkdir(parents=True, exist_ok=True)
    good(folder)
    unknown(folder)
    cuts(folder)
    thresholds(folder)
    weights(folder)
    scores(folder)
    bad(folder)
    forms(folder)
    checked(folder)
    for path in sorted(folder.glob("*.h5")):
        print(f"{path.stat().st_size:6d} {path.name}")


if __name__ == "__main__":
    main()
