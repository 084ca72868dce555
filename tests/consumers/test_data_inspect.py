# SPDX-License-Identifier: MIT
"""data inspect and data compare against h5py and NumPy: layouts as h5py makes them, moments, rates, cosines."""
import json
import subprocess

import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

ROWS, WIDTH, BAND = 1500, 96, 256

LAYOUTS = {
    "one_piece": {},
    "auto": {"chunks": True},
    "auto_gzip": {"chunks": True, "compression": "gzip", "shuffle": True},
    "bands": {"chunks": (256, WIDTH), "compression": "gzip", "compression_opts": 1},
    "columns": {"chunks": (ROWS, 10), "compression": "gzip"},
    "ragged": {"chunks": (300, 37), "fletcher32": True},
}


def columns(n, seed):
    """Columns of n rows: a NumPy array for each name."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 2, n).astype("u1")
    return {
        "gold": gold,
        "small_prob": rng.uniform(size=n).astype("f4"),
        "large_prob": np.clip(0.35 * gold + rng.uniform(0, 0.65, n), 0, 1).astype("f4"),
        "source": np.array([f"source-{i % 3}" for i in range(n)], dtype="S"),
        "id": np.array([f"row-{i:05d}" for i in range(n)], dtype="S"),
    }


def write(path, x, of, layout=None, attributes=None):
    with h5py.File(path, "w") as f:
        f.create_dataset("features", data=x, **(layout or {}))
        for name, values in of.items():
            f[name] = values
        f.attrs.update(attributes or {})
    return path


@pytest.fixture(scope="module")
def features():
    rng = np.random.default_rng(3)
    return (rng.normal(size=(ROWS, WIDTH)) * rng.uniform(0.1, 3, WIDTH) + rng.normal(size=WIDTH)).astype("f2")


@pytest.fixture
def inspect(saferoute):
    return lambda *arguments: json.loads(saferoute("data", "inspect", "--json", *arguments))


@pytest.fixture
def compare(saferoute):
    return lambda *arguments: json.loads(saferoute("data", "compare", "--json", *arguments))


def touched(dataset, first, n):
    """Chunks that rows first .. first+n meet, and the bytes these hold, counted in h5py's own chunks."""
    chunk = dataset.chunks
    found = sum(1 for _ in dataset.iter_chunks(np.s_[first:first + n, :]))
    return found, found * chunk[0] * chunk[1] * dataset.dtype.itemsize


@pytest.mark.parametrize("name", LAYOUTS)
def test_read_amplification_is_that_of_the_chunks(inspect, features, tmp_path, name):
    path = write(tmp_path / "d.h5", features, columns(ROWS, 1), LAYOUTS[name])
    said = inspect(path)["storage"]
    with h5py.File(path) as f:
        dataset = f["features"]
        assert said["stored"] == dataset.id.get_storage_size()
        if dataset.chunks is None:
            assert said["layout"] == "one piece" and said["chunk"] is None
            assert said["one_row"]["ratio"] == said["band_of_256"]["ratio"] == 1
            return
        assert tuple(said["chunk"]) == dataset.chunks
        row = touched(dataset, ROWS // 2, 1)
        bands = [touched(dataset, first, min(BAND, ROWS - first)) for first in range(0, ROWS, BAND)]
        wanted = ROWS * WIDTH * dataset.dtype.itemsize
        dataset_rows = dataset.shape[0]
    assert (said["one_row"]["chunks"], said["one_row"]["bytes"]) == row
    assert said["one_row"]["wanted"] == WIDTH * 2
    assert said["band_of_256"]["chunks"] == pytest.approx(np.mean([c for c, _ in bands]))
    assert said["band_of_256"]["ratio"] == pytest.approx(sum(b for _, b in bands) / wanted)
    # The reader keeps one strip of chunks: where that has all rows nothing is read twice.
    assert ("advice" in said) == (said["band_of_256"]["ratio"] >= 2 and dataset_rows > said["chunk"][0])


def test_filters_are_named(inspect, features, tmp_path):
    names = {
        "one_piece": "not compressed", "auto": "not compressed", "auto_gzip": "shuffle, gzip 4", "bands": "gzip 1",
        "columns": "gzip 4", "ragged": "fletcher32",
    }
    for name, wanted in names.items():
        path = write(tmp_path / f"{name}.h5", features, columns(ROWS, 1), LAYOUTS[name])
        assert inspect(path)["storage"]["filters"] == wanted


def test_the_scan_finds_what_numpy_finds(inspect, features, tmp_path):
    x = features.astype("f4")
    x[7, 3], x[1400, 0] = np.nan, np.inf
    x[8] = x[7]  # bad rows are copies of nothing
    x[40], x[900], x[901] = x[12], x[12], x[899]
    said = inspect(write(tmp_path / "d.h5", x, columns(ROWS, 1), LAYOUTS["ragged"]), "--scan")["scan"]
    good = np.delete(x, [7, 8, 1400], axis=0).astype("f8")
    assert said["bad_rows"] == {
        "rows": 3, "first": [{"row": r, "id": f"row-{r:05d}"} for r in (7, 8, 1400)]}
    assert said["duplicates"]["rows"] == 3
    assert [(d["row"], d["of"]["row"]) for d in said["duplicates"]["first"]] == [(40, 12), (900, 12), (901, 899)]
    # Sums of 1,497 doubles in another order: a few units in the last place.
    mean, deviation, length = good.mean(axis=0), good.std(axis=0), np.linalg.norm(good, axis=1)
    close = {"rel": 1e-10, "abs": 1e-12}
    assert said["mean"] == pytest.approx(good.mean(), **close)
    assert said["deviation"] == pytest.approx(good.std(), **close)
    assert said["column_means"] == pytest.approx({"min": mean.min(), "max": mean.max()}, **close)
    assert said["column_deviations"] == pytest.approx({"min": deviation.min(), "max": deviation.max()}, **close)
    # Lengths are kept as float32.
    wanted = {"min": length.min(), "max": length.max(), "median": np.median(length)}
    assert said["row_lengths"] == pytest.approx(wanted, rel=1e-6)
    assert said["constant_columns"] == 0


def test_rates_and_accuracies_are_those_of_the_columns(inspect, features, tmp_path):
    of = columns(ROWS, 5)
    said = inspect(write(tmp_path / "d.h5", features, of))
    small, large, gold = of["small_prob"] >= 0.5, of["large_prob"] >= 0.5, of["gold"] == 1
    label = (small != gold) & (large == gold)
    assert said["labels"]["positive"] == {"ones": label.sum(), "known": ROWS}
    assert said["labels"]["small_accuracy"] == pytest.approx((small == gold).mean(), rel=1e-12)
    for s in range(3):
        mine = of["source"] == f"source-{s}".encode()
        got = {one["name"]: one for one in said["sources"]["list"]}[f"source-{s}"]
        assert (got["rows"], got["positives"]) == (mine.sum(), label[mine].sum())
        assert got["unsafe"] == pytest.approx(gold[mine].mean(), rel=1e-12)
        assert got["small_accuracy"] == pytest.approx((small == gold)[mine].mean(), rel=1e-12)
        assert got["large_accuracy"] == pytest.approx((large == gold)[mine].mean(), rel=1e-12)


def test_all_sources_are_told_by_size(inspect, saferoute, features, tmp_path):
    long = "x" * 300
    names = [f"s{i % 27}" for i in range(ROWS - 40)] + [long + "a"] * 20 + [long + "b"] * 19 + ["..."]
    of = columns(ROWS, 5) | {"source": np.array(names, dtype="S")}
    path = write(tmp_path / "d.h5", features, of)
    said = inspect(path)["sources"]["list"]
    assert [one["rows"] for one in said] == sorted((names.count(n) for n in set(names)), reverse=True)
    assert {one["name"]: one["rows"] for one in said} == {n: names.count(n) for n in set(names)}
    assert "and 6 smaller ones" in saferoute("data", "inspect", path)


# What is wrong with a dump, and what cannot be done with it for that. None: the column is not there.
USES = {
    "whole": ({}, set()),
    "unknown_labels": ({"label": np.full(ROWS, -1, "i1"), "gold": None}, {"train", "eval", "sweep", "headroom", "label"}),
    "one_class": ({"label": np.zeros(ROWS, "i1"), "gold": None}, {"train", "sweep", "headroom", "label"}),
    "unknown_gold": ({"gold": np.full(ROWS, -1, "i1")}, {"train", "eval", "sweep", "headroom"}),
    "disagreeing": ({"label": np.arange(ROWS) % 2}, {"train", "eval", "sweep", "headroom"}),
    "bad_weight": ({"weight": np.full(ROWS, -1.0)}, {"train", "eval", "sweep", "headroom", "label"}),
}


@pytest.mark.parametrize("name", USES)
def test_uses_are_what_the_commands_say(inspect, program, saferoute, features, tmp_path, name):
    plain = write(tmp_path / "plain.h5", features, columns(ROWS, 5))
    saferoute("train", "--train", plain, "--val-fraction", "0.3", "--out", tmp_path / "run", "--epochs", 1, "--hidden", 4)
    model = tmp_path / "run" / "best.safetensors"
    change, refused = USES[name]
    of = {k: v for k, v in (columns(ROWS, 5) | change).items() if v is not None}
    path = write(tmp_path / "d.h5", features, of)
    commands = {
        "train": ["train", "--train", path, "--val-fraction", "0.3", "--out", tmp_path / "again", "--epochs", 1, "--hidden", 4],
        "eval": ["eval", "--model", model, "--data", path],
        "sweep": ["sweep", "--model", model, "--data", path, "--rule", "f1"],
        "infer": ["infer", "--model", model, "--data", path, "--out", tmp_path / "o.csv"],
        "headroom": ["eval", "--data", path, "--headroom"],
        "label": ["data", "label", path, "--out", tmp_path / "labelled.h5"],
    }
    uses = inspect(path)["uses"]
    for use, arguments in commands.items():
        usable = uses["relabel" if use == "label" else use]["usable"]
        done = subprocess.run([str(program), *map(str, arguments)], capture_output=True, text=True, check=False)
        assert usable == (use not in refused), use
        if name == "unknown_labels" and use == "eval" or name == "unknown_gold" and use == "eval":
            assert "0 labelled" in done.stdout  # there is nothing to say, which is no failure
        else:
            assert done.returncode == (0 if usable else 65), (use, done.stderr)


def test_rows_that_are_not_there_are_told(inspect, tmp_path):
    of = columns(ROWS, 5)
    with h5py.File(tmp_path / "holes.h5", "w") as f:
        f.create_dataset("features", (ROWS, WIDTH), "f2", chunks=(100, WIDTH), compression="gzip")[:450] = 1
        f.update(of)
    assert inspect(tmp_path / "holes.h5")["storage"]["missing"] == 10
    with h5py.File(tmp_path / "never.h5", "w") as f:
        f.create_dataset("features", (ROWS, WIDTH), "f2")
        f.update(of)
    assert inspect(tmp_path / "never.h5")["storage"]["missing"] == 1


def test_values_of_other_files_are_refused(saferoute, tmp_path):
    layout = h5py.VirtualLayout((ROWS, WIDTH), "f2")
    layout[:] = h5py.VirtualSource("source.h5", "x", (ROWS, WIDTH))
    with h5py.File(tmp_path / "source.h5", "w") as f:
        f["x"] = np.ones((ROWS, WIDTH), "f2")
    with h5py.File(tmp_path / "virtual.h5", "w") as f:
        f.create_virtual_dataset("features", layout)
    (tmp_path / "values.bin").write_bytes(bytes(ROWS * WIDTH * 2))
    with h5py.File(tmp_path / "external.h5", "w") as f:
        f.create_dataset("features", (ROWS, WIDTH), "f2", external=[("values.bin", 0, ROWS * WIDTH * 2)])
    for kind in "virtual", "external":
        assert f"/features is {'an' if kind == 'external' else 'a'} {kind} dataset" in saferoute(
            "data", "inspect", tmp_path / f"{kind}.h5", status=65)


def test_uses_follow_from_the_columns(inspect, features, tmp_path):
    of = columns(ROWS, 5)
    whole = inspect(write(tmp_path / "d.h5", features, of))["uses"]
    assert {use for use, of_use in whole.items() if not of_use["usable"]} == {"by_group", "weights", "verdict_head"}
    del of["large_prob"], of["source"]
    of["verdict_head"] = np.zeros((2, WIDTH), "f4")
    path = write(tmp_path / "e.h5", features, of, attributes={"feature_norm": "post"})
    part = inspect(path)["uses"]
    assert {use for use, of_use in part.items() if of_use["usable"]} == {"infer", "entropy", "by_id", "verdict_head"}
    path = write(tmp_path / "f.h5", features, of, attributes={"feature_norm": "pre"})
    assert inspect(path)["uses"]["verdict_head"] == {"usable": False, "missing": ["feature_norm post"]}
    assert part["headroom"]["missing"] == ["/large_prob or /large_pred"]


@pytest.mark.parametrize("memory", ["0", "auto"])
def test_cosines_are_those_of_numpy(compare, features, tmp_path, memory):
    rng = np.random.default_rng(9)
    x, of = features.astype("f4"), columns(ROWS, 5)
    y = x + rng.normal(0, 0.05, x.shape).astype("f4")
    order = rng.permutation(ROWS)[:ROWS - 40]
    a = write(tmp_path / "a.h5", x, of, LAYOUTS["auto_gzip"])
    b = write(tmp_path / "b.h5", y[order], {k: v[order] for k, v in of.items()}, LAYOUTS["ragged"])
    said = compare(a, b, "--memory", memory)
    both = np.sort(order)
    p, q = x[both].astype("f8"), y[both].astype("f8")
    cosine = (p * q).sum(axis=1) / np.linalg.norm(p, axis=1) / np.linalg.norm(q, axis=1)
    assert said["rows"]["in_both"] == len(both) and said["rows"]["only_a"]["rows"] == 40
    assert said["rows"]["only_a"]["first"]["row"] == np.setdiff1d(np.arange(ROWS), order)[0]
    got = said["features"]
    wanted = {"min": cosine.min(), "p1": np.quantile(cosine, 0.01), "median": np.median(cosine)}
    assert got["cosine"] == pytest.approx(wanted, rel=1e-12)
    assert [w["row"] for w in got["lowest_cosines"]] == list(both[np.argsort(cosine)[:5]])
    off = np.abs(p - q)
    pair, feature = np.unravel_index(off.argmax(), off.shape)
    assert (got["largest_difference"]["row"], got["largest_difference"]["feature"]) == (both[pair], feature)
    assert got["largest_difference"]["value"] == pytest.approx(off.max(), rel=1e-6)  # kept as float32
    longer = np.maximum(np.linalg.norm(p, axis=1), np.linalg.norm(q, axis=1))
    relative = np.linalg.norm(p - q, axis=1) / longer
    assert got["row_difference"]["value"] == pytest.approx(relative.max(), rel=1e-6)
    assert said["verdict"]["verdict"] == "differ"


@pytest.mark.parametrize("scale", ["unit_b", "unit_a", "constant", "same"])
def test_a_scaled_version_is_called_one(compare, features, tmp_path, scale):
    x, of = features.astype("f4"), columns(ROWS, 5)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    a, b = {"unit_b": (x, unit), "unit_a": (unit, x), "constant": (x, 7 * x), "same": (x, x)}[scale]
    files = [write(tmp_path / f"{i}.h5", values.astype("f2"), of) for i, values in enumerate((a, b))]
    said = compare(*files)
    assert said["features"]["scale"] == scale
    assert said["verdict"]["verdict"] == ("same" if scale == "same" else "differ")


@pytest.mark.parametrize("labels", ["checked", "stored", "derived"])
def test_labels_that_disagree_or_are_not_there_are_compared_all_the_same(compare, features, tmp_path, labels):
    of = columns(ROWS, 5)
    bare = write(tmp_path / "bare.h5", features, {"id": of["id"]})
    apart = write(tmp_path / "apart.h5", features, of | {"label": np.arange(ROWS) % 2})
    said = compare(bare, apart, "--labels", labels)
    assert said["features"]["largest_difference"]["value"] == 0
    assert said["columns"]["label"] is None and "label" in said["verdict"]["reasons"][0]
    assert ("disagree with gold" in "".join(said["columns"]["trouble_b"])) == (labels == "checked")
    assert said["columns"]["trouble_a"] == []


def test_a_column_that_cannot_be_used_is_not_called_the_same(compare, features, tmp_path):
    path = write(tmp_path / "d.h5", features, columns(ROWS, 5) | {"weight": np.full(ROWS, -1.0)})
    said = compare(path, path)["verdict"]
    assert said["verdict"] == "differ" and said["reasons"] == ["2 columns cannot be used and were not compared"]
    assert compare(path, path)["columns"]["small_prob"]["rows"] == ROWS
