# SPDX-License-Identifier: MIT
"""Dumps that the `saferoute data` commands write anew, read by h5py: equal values, types and attributes.

The dumps are as h5py users make them: strings of variable and fixed length, opaque ids, booleans, compound types, float16
in the chunks that h5py chooses, columns nobody knows.
"""
import hashlib
import time

import pytest

h5py = pytest.importorskip("h5py")
np = pytest.importorskip("numpy")

ROWS, WIDTH = 1500, 48
MAIN = {"plain": {}, "h5py": {"chunks": True}, "gzip": {"chunks": True, "compression": "gzip", "shuffle": True},
        "bands": {"chunks": (256, WIDTH)}}


def write_dump(path, seed=0, layout="plain", rows=ROWS, ids="text", width=WIDTH, dtype=np.float16):
    """A dump with everything that a command has to carry over."""
    rng = np.random.default_rng(seed)
    layout = dict(MAIN[layout])
    with h5py.File(path, "w") as f:
        f.create_dataset("features", data=rng.standard_normal((rows, width)).astype(dtype), **layout)
        f.create_dataset("features_layer_12", data=rng.standard_normal((rows, width)).astype(np.float32))
        small, large = rng.random(rows).astype(np.float32), rng.random(rows).astype(np.float16)
        gold = rng.integers(0, 2, rows)
        f["gold"] = gold.astype(bool)  # an enumeration
        f["small_prob"], f["large_prob"] = small, large
        wrong = (small >= 0.5) != gold
        f["label"] = (wrong & ((large >= np.float16(0.5)) == gold)).astype(np.int8)
        if ids == "text":
            f["id"] = [f"prompt-{i}-ü" for i in range(rows)]
        elif ids == "fixed":
            f["id"] = np.array([f"{i:016x}" for i in range(rows)], dtype="S16")
        else:
            f["id"] = np.array([hashlib.md5(str(i).encode()).digest() for i in range(rows)], dtype="V16")
        f["group"] = (np.arange(rows) // 3).astype(np.uint32)
        f["source"] = rng.integers(0, 3, rows).astype(np.uint8)
        f["source"].attrs["names"] = ["web", "chat", "red team"]
        f["source"].attrs["made"] = np.array([1, 2, 3])
        f.create_dataset("prompt", data=[f"text {i}" * (i % 5) for i in range(rows)], compression="gzip")
        f.create_dataset("tokens", data=rng.integers(0, 99, (rows, 7, 2)), dtype=">i2", fillvalue=-7)
        f["pair"] = np.array([(i, i / 2, f"p{i}") for i in range(rows)],
                             dtype=[("a", "<i4"), ("b", "<f8"), ("s", h5py.string_dtype())])
        f.create_dataset("ragged", (rows,), dtype=h5py.vlen_dtype(np.int16))
        for i in range(0, rows, 2):
            f["ragged"][i] = np.arange(i % 4)
        f["weight"] = np.ones((rows, 1), np.float32)
        f["verdict_head"] = rng.standard_normal((2, width)).astype(np.float32)
        f["verdict_head"].attrs["tokens"] = ["safe", "unsafe"]
        f["about/author"] = "somebody"
        f["about"].attrs["year"] = 2025
        f["empty"] = h5py.Empty("f4")
        f["total"] = 17
        f.attrs["feature_model"] = "guard"
        f.attrs["feature_norm"] = "post"
        f.attrs["small_threshold"] = 0.5
        f.attrs["nothing"] = h5py.Empty("S1")
        f.attrs["list"] = ["a", "bc"]
    return path


def same_value(a, b):
    """Equal in every bit, NaN too, strings by their text, ragged rows one by one."""
    if isinstance(a, h5py.Empty):
        return isinstance(b, h5py.Empty)
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype.hasobject and a.dtype.names:
        return all(same_value(a[name], b[name]) for name in a.dtype.names)
    if a.dtype.hasobject:
        return all(np.array_equal(x, y) for x, y in zip(a.ravel(), b.ravel()))
    return a.tobytes() == b.tobytes()


def same_attributes(a, b, but=()):
    assert set(a.attrs) - set(but) == set(b.attrs) - set(but)
    for name in set(a.attrs) - set(but):
        assert same_value(a.attrs[name], b.attrs[name]), name
        assert a.attrs.get_id(name).dtype == b.attrs.get_id(name).dtype, name


def same_file(old, new, rows, but=(), but_attributes=()):
    """Every object of old is in new, with the rows of an index array (rows of the root's columns), and nothing else."""
    with h5py.File(old) as a, h5py.File(new) as b:
        same_attributes(a, b, but_attributes)
        assert set(a) - set(but) == set(b) - set(but)
        n = len(a["features"])
        for name in set(a) - set(but):
            same_attributes(a[name], b[name])
            if isinstance(a[name], h5py.Group):
                assert {k: v[()] for k, v in a[name].items()} == {k: v[()] for k, v in b[name].items()}
                continue
            assert a[name].dtype == b[name].dtype and a[name].id.get_type().equal(b[name].id.get_type()), name
            whole = a[name].shape is None or a[name].shape[:1] != (n,)
            old_value = a[name][()] if whole else a[name][()][rows]
            assert same_value(old_value, b[name][()]), name
            if not whole:
                assert same_value(a[name].fillvalue, b[name].fillvalue), name


@pytest.mark.parametrize("layout", MAIN)
@pytest.mark.parametrize("ids", ["text", "fixed", "opaque"])
def test_repack_keeps_everything(saferoute, tmp_path, layout, ids):
    old, new = write_dump(tmp_path / "old.h5", layout=layout, ids=ids), tmp_path / "new.h5"
    saferoute("data", "repack", old, "--out", new)
    same_file(old, new, np.arange(ROWS))
    with h5py.File(new) as f:
        assert f["features"].chunks is None
    saferoute("data", "repack", new, "--out", new, "--gzip", 5, "--band", 100)
    same_file(old, new, np.arange(ROWS))
    with h5py.File(new) as f:
        for name in "features", "features_layer_12":
            assert f[name].chunks == (100, WIDTH) and f[name].compression_opts == 5 and f[name].shuffle
        assert f["prompt"].compression == "gzip" and f["tokens"].compression is None
    saferoute("data", "repack", new, "--out", new, "--band", 64)
    with h5py.File(new) as f:
        assert f["features"].chunks == (64, WIDTH) and f["features"].compression is None
    same_file(old, new, np.arange(ROWS))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4", ">f2", "<f2"])
def test_repack_to_another_type(saferoute, tmp_path, dtype):
    old, new = write_dump(tmp_path / "old.h5", dtype=dtype), tmp_path / "new.h5"
    with h5py.File(old) as f:
        x, layer = f["features"][()], f["features_layer_12"][()]
    saferoute("data", "repack", old, "--out", new, "--dtype", "float16")
    with h5py.File(new) as f:
        assert f["features"].dtype == "<f2" and f["features_layer_12"].dtype == "<f2"
        assert same_value(f["features"][()], x.astype("<f2"))
        assert same_value(f["features_layer_12"][()], layer.astype("<f2"))
    same_file(old, new, np.arange(ROWS), but=("features", "features_layer_12"))
    saferoute("data", "repack", old, "--out", new, "--dtype", "float32", "--gzip", 1)
    with h5py.File(new) as f:
        assert same_value(f["features"][()], x.astype("<f4"))
    saferoute("data", "repack", old, "--out", new)
    same_file(old, new, np.arange(ROWS))


def test_same_rows_same_bytes(saferoute, tmp_path):
    old = write_dump(tmp_path / "old.h5", layout="gzip")
    saferoute("data", "repack", old, "--out", tmp_path / "a.h5", "--gzip", 3)
    time.sleep(1.1)  # HDF5 counts seconds
    saferoute("data", "repack", old, "--out", tmp_path / "b.h5", "--gzip", 3)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


@pytest.mark.parametrize("layout", MAIN)
@pytest.mark.parametrize("ids", ["text", "fixed", "opaque"])
def test_drop(saferoute, tmp_path, layout, ids):
    old, new = write_dump(tmp_path / "old.h5", layout=layout, ids=ids), tmp_path / "new.h5"
    gone = np.random.default_rng(1).permutation(ROWS)[:200]
    with h5py.File(old) as f:
        names = [v.hex() if isinstance(v, (np.void, bytes)) and ids == "opaque" else
                 (v if isinstance(v, bytes) else v.tobytes()).decode() for v in
                 ([x.tobytes() for x in f["id"][()]] if ids == "opaque" else f["id"][()])]
    (tmp_path / "ids").write_text("".join(f"{names[i]}\n" for i in gone) + "\nnobody\n", encoding="utf-8")
    out = saferoute("data", "drop", old, "--ids", tmp_path / "ids", "--out", new)
    assert "200 dropped for 200 ids" in out and "1 ids were not there: nobody" in out
    same_file(old, new, np.setdiff1d(np.arange(ROWS), gone))
    saferoute("data", "drop", old, "--ids", tmp_path / "ids", "--out", new, "--with-group")
    same_file(old, new, np.flatnonzero(~np.isin(np.arange(ROWS) // 3, gone // 3)))


def parts_of(old, paths):
    """Row numbers of each written part, by its ids."""
    with h5py.File(old) as f:
        number = {v: i for i, v in enumerate(f["id"][()])}
    rows = []
    for path in paths:
        with h5py.File(path) as f:
            rows.append(np.array([number[v] for v in f["id"][()]]))
    return rows


def split(saferoute, old, folder, *more, parts=("train", "calibration", "test"), **status):
    paths = [folder / f"{part}.h5" for part in parts]
    out = saferoute("data", "split", old, *[x for p, path in zip(parts, paths) for x in (f"--{p}", path)], *more, **status)
    return paths, out


@pytest.mark.parametrize("layout", MAIN)
def test_split(saferoute, tmp_path, layout):
    old = write_dump(tmp_path / "old.h5", layout=layout)
    paths, out = split(saferoute, old, tmp_path)
    rows = parts_of(old, paths)
    assert sorted(np.concatenate(rows)) == list(range(ROWS))
    assert [len(r) for r in rows] == [1050, 225, 225]
    with h5py.File(old) as f:
        label, group, source = f["label"][()], f["group"][()], f["source"][()]
    for r, path, name in zip(rows, paths, ("train", "calibration", "test")):
        assert np.all(np.diff(r) > 0)
        same_file(old, path, r, but_attributes=("split", "split_seed"))
        with h5py.File(path) as f:
            assert f.attrs["split"] == name and f.attrs["split_seed"] == "1"
        assert str(len(r)) in out
    for i, r in enumerate(rows):
        for s in rows[i + 1:]:
            assert not set(group[r]) & set(group[s])
    for r in rows[1:]:
        assert abs(label[r].mean() - label.mean()) < 1.5 / len(r)
        for s in range(3):  # groups of three rows leave a little open
            assert abs((source[r] == s).mean() - (source == s).mean()) < 0.05
    first = [p.read_bytes() for p in paths]
    split(saferoute, old, tmp_path)
    assert [p.read_bytes() for p in paths] == first
    split(saferoute, old, tmp_path, "--seed", 2)
    assert paths[2].read_bytes() != first[2]


def test_split_holds_sources_out(saferoute, tmp_path):
    old = write_dump(tmp_path / "old.h5")
    with h5py.File(old, "a") as f:
        f["group"][...] = np.arange(ROWS)
        f["group"][0] = 1
        source = f["source"][()]
    paths, _ = split(saferoute, old, tmp_path, "--hold-out-source", "red team")
    train, calibration, test = parts_of(old, paths)
    held = set(np.flatnonzero(source == 2))
    if held & {0, 1}:
        held |= {0, 1}
    assert set(test) == held
    assert abs(len(calibration) / (len(train) + len(calibration)) - 0.15) < 0.005
    assert "did you mean red team?" in split(saferoute, old, tmp_path, "--hold-out-source", "red tem", status=2)[1]
    assert parts_of(old, paths)[2].tolist() == test.tolist()


def test_split_keeps_near_duplicates_together(saferoute, tmp_path):
    old = write_dump(tmp_path / "old.h5", width=80)
    with h5py.File(old, "a") as f:
        del f["group"]
        f["features"][700:1400] = f["features"][0:700]
    paths, _ = split(saferoute, old, tmp_path, "--near-duplicates", parts=("train", "test"))
    train, test = (set(r) for r in parts_of(old, paths))
    assert test and all((i in test) == (i + 700 in test) for i in range(700))
    paths, _ = split(saferoute, old, tmp_path, parts=("train", "test"))
    train, test = (set(r) for r in parts_of(old, paths))
    assert not all((i in test) == (i + 700 in test) for i in range(700))


def test_split_of_unknown_and_absent_labels(saferoute, tmp_path):
    old = write_dump(tmp_path / "old.h5")
    with h5py.File(old, "a") as f:
        f["label"][::5] = -1
    paths, _ = split(saferoute, old, tmp_path, "--fractions", "0.5,0.25,0.25")
    for r in parts_of(old, paths)[1:]:
        assert abs(np.isin(r, np.arange(0, ROWS, 5)).mean() - 0.2) < 0.02
    with h5py.File(old, "a") as f:
        for name in "label", "gold":
            del f[name]
    paths, _ = split(saferoute, old, tmp_path, "--fractions", "0.5,0.5", parts=("train", "test"))
    assert [len(r) for r in parts_of(old, paths)] == [750, 750]


def cells(old, small_at, large_at):
    """label and harm of every row, cut in the types of the columns, as NumPy compares."""
    with h5py.File(old) as f:
        gold = f["gold"][()].astype(bool)
        small = f["small_prob"][()] >= small_at
        large = f["large_prob"][()] >= np.float16(large_at)
    return ((small != gold) & (large == gold)).astype(np.int8), (small == gold) & (large != gold)


def test_label(saferoute, tmp_path):
    old, new = write_dump(tmp_path / "old.h5"), tmp_path / "new.h5"
    out = saferoute("data", "label", old, "--out", new)
    assert "all 1500 labels that were known before stayed" in out
    same_file(old, new, np.arange(ROWS), but=("label",))
    label, harm = cells(old, 0.5, 0.5)
    with h5py.File(new) as f:
        assert np.array_equal(f["label"][()], label)
    with h5py.File(old, "a") as f:
        f["small_pred"] = (f["small_prob"][()] >= 0.5).astype(np.uint8)
        f["label"].attrs["by"] = "hand"
        before = f["label"][()]
    out = saferoute("data", "label", old, "--out", new, "--small-threshold", 0.25, "--harm-price", 5)
    label, harm = cells(old, 0.25, 0.5)
    changed = np.flatnonzero(label != before)
    assert f"{len(changed)} of 1500 labels that were known before changed, the first in row {changed[0]}" in out
    assert f" {label.sum()} " in out and f"{harm.sum()} rows that only the small guard has right weigh 5 times" in out
    same_file(old, new, np.arange(ROWS), but=("label", "small_pred", "weight"),
              but_attributes=("small_threshold", "harm_price"))
    with h5py.File(new) as f, h5py.File(old) as g:
        assert np.array_equal(f["label"][()], label) and f["label"].attrs["by"] == "hand"
        assert np.array_equal(f["small_pred"][()], g["small_prob"][()] >= 0.25)
        assert np.array_equal(f["weight"][()], np.where(harm, 5, 1))
        assert f.attrs["small_threshold"] == "0.25" and f.attrs["harm_price"] == "5"
    assert "holds a harm price already" in saferoute("data", "label", new, "--out", new, status=65)


def test_label_of_unknown_values(saferoute, tmp_path):
    old, new = write_dump(tmp_path / "old.h5"), tmp_path / "new.h5"
    with h5py.File(old, "a") as f:
        f["small_prob"][3:7] = np.nan
        f["labels"] = f["label"][()]
        del f["label"]
    out = saferoute("data", "label", old, "--out", new)
    assert "not known (label -1)                4" in out
    with h5py.File(new) as f:
        assert "labels" not in f and f["label"].dtype == np.int8
        assert np.array_equal(np.flatnonzero(f["label"][()] == -1), [3, 4, 5, 6])


SMALL_PASS = ("features", "features_layer_12", "small_prob", "verdict_head", "id", "group", "source", "gold", "about")
LARGE_PASS = ("large_prob", "id", "gold", "source", "prompt", "pair", "ragged", "tokens")


def passes(folder, order):
    """What two passes of extraction leave of one dump: the large guard's rows in another order and no features."""
    whole = write_dump(folder / "whole.h5")
    small, large = folder / "small.h5", folder / "large.h5"
    with h5py.File(whole) as f, h5py.File(small, "w") as a, h5py.File(large, "w") as b:
        for name in SMALL_PASS:
            f.copy(name, a)
        for name in LARGE_PASS:
            dcpl = f[name].id.get_create_plist()
            b.create_dataset(name, data=f[name][()][order], dtype=f[name].dtype, fillvalue=f[name].fillvalue
                             if name == "tokens" else None, compression="gzip" if dcpl.get_nfilters() else None)
        del b["source"]
        b["source"] = [["web", "chat", "red team"][v] for v in f["source"][()][order]]  # the same, said otherwise
        del b["gold"]
        b["gold"] = f["gold"][()][order].astype(np.float32)
        a.attrs["feature_model"] = "guard"
        a.attrs["large_threshold"] = 0.5
        b.attrs["large_threshold"] = "0.50"
        b.attrs["large_model"] = "big"
        a.attrs["extract_settings"], b.attrs["extract_settings"] = "1", "2"
    return whole, small, large


def test_merge(saferoute, tmp_path):
    order = np.random.default_rng(3).permutation(ROWS)
    whole, small, large = passes(tmp_path, order)
    new = tmp_path / "new.h5"
    out = saferoute("data", "merge", small, large, "--out", new)
    assert "large_prob, pair, prompt, ragged, tokens" in out
    assert "root attributes that differ and are the first file's: extract_settings" in out
    with h5py.File(whole, "a") as f:
        for name in "empty", "label", "total", "weight":
            del f[name]
        for name in list(f.attrs):
            del f.attrs[name]
        f.attrs["feature_model"], f.attrs["large_model"] = "guard", "big"
        f.attrs["large_threshold"], f.attrs["extract_settings"] = 0.5, "1"
    same_file(whole, new, np.arange(ROWS))
    saferoute("data", "merge", large, small, "--out", new, "--labels", "derived")  # features in another order
    with h5py.File(whole) as f, h5py.File(new) as g:
        for name in ("features", "features_layer_12", "large_prob", "group", "id", "prompt"):
            assert same_value(f[name][()][order], g[name][()]), name


def test_merge_refuses_what_differs(saferoute, tmp_path):
    order = np.random.default_rng(3).permutation(ROWS)
    _, small, large = passes(tmp_path, order)
    new = tmp_path / "new.h5"
    new.write_bytes(b"old")
    with h5py.File(large, "a") as f:
        f["gold"][5] = 1 - f["gold"][5]
        f["gold"][9] = 1 - f["gold"][9]
    first = min(order[5], order[9])
    text = saferoute("data", "merge", small, large, "--out", new, status=65)
    assert f'differ in 2 of 1500 rows, first id "prompt-{first}-ü" (rows {first} and ' in text
    assert new.read_bytes() == b"old"
    out = saferoute("data", "merge", small, large, "--out", new, "--prefer-first")
    assert f"an earlier file has it otherwise: gold of {large}" in out
    with h5py.File(small) as f, h5py.File(new) as g:
        assert same_value(f["gold"][()], g["gold"][()])
    with h5py.File(large, "a") as f:
        f.attrs["feature_model"] = "another"
        f["gold"][5], f["gold"][9] = 1 - f["gold"][5], 1 - f["gold"][9]
    assert 'feature_model is "guard", but "another" in' in saferoute("data", "merge", small, large, "--out", new, status=65)
    assert "is one of the files" in saferoute("data", "merge", small, large, "--out", large, status=2)


def test_merge_of_rows_in_common(saferoute, tmp_path):
    order = np.random.default_rng(3).permutation(ROWS)[:900]
    whole, small, large = passes(tmp_path, order)
    with h5py.File(large, "a") as f:
        f["id"][4] = "nobody"
    new = tmp_path / "new.h5"
    text = saferoute("data", "merge", small, large, "--out", new, status=65)
    assert f"601 ids of {small} are not in {large}, and 1 the other way round" in text
    out = saferoute("data", "merge", small, large, "--out", new, "--common")
    assert "601 rows left out" in out and "1 rows left out" in out
    kept = np.sort(np.delete(order, 4))
    with h5py.File(whole) as f, h5py.File(new) as g:
        for name in ("features", "large_prob", "id", "tokens"):
            assert same_value(f[name][()][kept], g[name][()]), name
    with h5py.File(large, "a") as f:
        f["id"][4] = f["id"][5]
    assert "is there twice" in saferoute("data", "merge", small, large, "--out", new, status=65)


def test_links_and_references_are_refused(saferoute, tmp_path):
    old, new = write_dump(tmp_path / "old.h5", rows=20), tmp_path / "new.h5"

    def refused(make, word, command=("repack",)):
        (tmp_path / "a.h5").write_bytes(old.read_bytes())
        with h5py.File(tmp_path / "a.h5", "a") as f:
            make(f)
        assert word in saferoute("data", *command, tmp_path / "a.h5", "--out", new, status=65)
        assert not new.exists()

    def scale(f):
        f["label"].make_scale("rows")
        f["features"].dims[0].attach_scale(f["label"])

    refused(lambda f: f.__setitem__("soft", h5py.SoftLink("/label")), "/soft is a soft link")
    refused(lambda f: f.__setitem__("there", h5py.ExternalLink("b.h5", "/x")), "/there is an external link")
    refused(lambda f: f["about"].__setitem__("soft", h5py.SoftLink("/label")), "/about/soft is a soft link")
    refused(scale, "holds references")
    refused(lambda f: f.__setitem__("ref", np.array([f["label"].ref] * 20, dtype=h5py.ref_dtype)), "holds references")
    (tmp_path / "ids").write_text("prompt-3-ü\n", encoding="utf-8")
    refused(lambda f: f.__setitem__("about/row", np.arange(20)), "/about/row has 20 rows as the features have",
            ("drop", "--ids", tmp_path / "ids"))
    with h5py.File(old, "a") as f:
        f["about/row"] = np.arange(20)
    saferoute("data", "repack", old, "--out", new)  # all rows: nothing to choose
    with h5py.File(new) as f:
        assert np.array_equal(f["about/row"][()], np.arange(20))


def test_two_names_stay_one_dataset(saferoute, tmp_path):
    old, new = write_dump(tmp_path / "old.h5"), tmp_path / "new.h5"
    with h5py.File(old, "a") as f:
        f["X_of_old_code"] = f["features"]
    saferoute("data", "repack", old, "--out", new, "--dtype", "float16")
    same_file(old, new, np.arange(ROWS), but=("features_layer_12",))
    with h5py.File(new) as f:
        assert f["features"] == f["X_of_old_code"]


def test_drop_of_an_id_that_is_there_twice(saferoute, tmp_path):
    old, new = write_dump(tmp_path / "old.h5"), tmp_path / "new.h5"
    with h5py.File(old, "a") as f:
        f["id"][700] = "prompt-3-ü"
    (tmp_path / "ids").write_text("prompt-3-ü\nprompt-3-ü\n", encoding="utf-8")
    assert "2 dropped for 1 ids" in saferoute("data", "drop", old, "--ids", tmp_path / "ids", "--out", new)
    same_file(old, new, np.delete(np.arange(ROWS), [3, 700]))


def test_bfloat16_patterns(saferoute, tmp_path):
    old, new = tmp_path / "old.h5", tmp_path / "new.h5"
    x = np.random.default_rng(5).standard_normal((300, 16)).astype(np.float32)
    with h5py.File(old, "w") as f:
        f["features"] = (x.view(np.uint32) >> 16).astype(np.uint16)
        f["label"] = np.arange(300) % 2
    assert "--uint16-is-bfloat" in saferoute("data", "repack", old, "--out", new, "--dtype", "float32", status=65)
    saferoute("data", "repack", old, "--out", new, "--dtype", "float32", "--uint16-is-bfloat")
    with h5py.File(new) as f:
        assert same_value(f["features"][()], (x.view(np.uint32) & 0xFFFF0000).view(np.float32))
    saferoute("data", "repack", old, "--out", new, "--uint16-is-bfloat", "--gzip", 2)
    same_file(old, new, np.arange(300))
