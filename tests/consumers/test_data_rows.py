# SPDX-License-Identifier: MIT
"""What the `saferoute data` commands take for rows of a dump, and what becomes of values in a smaller type."""
import subprocess

import pytest

h5py = pytest.importorskip("h5py")
np = pytest.importorskip("numpy")


def write(path, rows, width, **more):
    with h5py.File(path, "w") as f:
        f["features"] = np.random.default_rng(1).standard_normal((rows, width)).astype(np.float32)
        f["label"] = (np.arange(rows) % 2).astype(np.uint8)
        f["id"] = [f"p{i}" for i in range(rows)]
        for name, values in more.items():
            f[name] = values
    return path


def warnings(program, *arguments):
    """What a run that ends well says on stderr."""
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True).stderr


def split(saferoute, old, folder):
    train, test = folder / "train.h5", folder / "test.h5"
    out = saferoute("data", "split", old, "--train", train, "--test", test, "--fractions", "0.5,0.5")
    with h5py.File(train) as f:
        return {name: f[name][()] for name in f}, [int(x[1:]) for x in f["id"].asstr()], out


def test_as_many_rows_as_features(saferoute, tmp_path):
    n = 64
    old = write(tmp_path / "old.h5", n, n, feature_mean=np.arange(n) / 2, prompt=[f"text {i}" for i in range(n)],
                note=[f"note {i}" for i in range(n)], verdict_head=np.ones((2, n), np.float32), square=np.eye(n))
    got, rows, out = split(saferoute, old, tmp_path)
    assert len(rows) == 32
    assert np.array_equal(got["feature_mean"], np.arange(n) / 2)  # a value a feature
    assert [x.decode() for x in got["note"]] == [f"note {i}" for i in rows]  # texts are of rows
    assert [x.decode() for x in got["prompt"]] == [f"text {i}" for i in rows]
    assert np.array_equal(got["square"], np.eye(n)[rows])
    assert "taken for columns of rows, since they have as many: note, square\n" in out


def test_drop_names_what_it_took_for_rows(saferoute, tmp_path):
    old = write(tmp_path / "old.h5", 20, 8, note=[f"note {i}" for i in range(20)])
    (tmp_path / "ids").write_text("p2\n")
    new = tmp_path / "new.h5"
    out = saferoute("data", "drop", old, "--ids", tmp_path / "ids", "--out", new)
    assert "taken for columns of rows, since they have as many: note\n" in out
    with h5py.File(new) as f:
        assert "note 2" not in f["note"].asstr()[()]


def test_two_rows_keep_the_verdict_head(saferoute, tmp_path):
    head = np.arange(12, dtype=np.float32).reshape(2, 6)
    old = write(tmp_path / "old.h5", 4, 6, verdict_head=head)
    with h5py.File(old, "a") as f:
        for name in "features", "label", "id":
            values = f[name][2:]
            del f[name]
            f[name] = values
    (tmp_path / "ids").write_text("p2\n")
    new = tmp_path / "new.h5"
    saferoute("data", "drop", old, "--ids", tmp_path / "ids", "--out", new)
    with h5py.File(new) as f:
        assert f["features"].shape == (1, 6) and np.array_equal(f["verdict_head"][()], head)


def test_values_too_small_for_float16(saferoute, program, tmp_path):
    old, new = write(tmp_path / "old.h5", 50, 8), tmp_path / "new.h5"
    with h5py.File(old, "a") as f:
        f["features"][7, 2:5] = 1e-9, -1e-9, 0  # a zero was one before
        f["features"][9, 0] = 3e-8  # rounds up to the smallest half
    repack = program, "data", "repack", old, "--out", new, "--dtype"
    assert "2 values are so small that --dtype made them 0, the first in row 7 of /features" in warnings(*repack, "float16")
    with h5py.File(new) as f:
        assert f["features"][9, 0] > 0 and (f["features"][7, 2:5] == 0).all()
    with h5py.File(old, "a") as f:
        f["features"][11] = 1e-9
        f["features"][12] = 0  # is what it was
    text = saferoute("data", "repack", old, "--out", new, "--dtype", "float16", status=65)
    assert "1 row would have no feature but 0" in text and "first row 11; use --dtype float32" in text
    assert "made them 0" not in warnings(*repack, "bfloat16")


def test_layers_that_do_not_narrow(program, tmp_path):
    layers = np.random.default_rng(2).standard_normal((50, 3, 8)).astype(np.float32)
    old = write(tmp_path / "old.h5", 50, 8, features_layer_3=np.full((50, 8), np.nan, np.float32),
                features_layer_4=layers, features_layer_5=np.full((50, 8), 1e-9, np.float32))
    new = tmp_path / "new.h5"
    text = warnings(program, "data", "repack", old, "--out", new, "--dtype", "float16")
    assert "--dtype leaves their type as it is: features_layer_4" in text
    assert "400 values are so small that --dtype made them 0, the first in row 0 of /features_layer_5" in text
    with h5py.File(new) as f:
        assert f["features_layer_3"].dtype == np.float16 and np.isnan(f["features_layer_3"][()]).all()
        assert np.array_equal(f["features_layer_4"][()], layers)


def test_attributes_of_labels_under_an_alias(saferoute, tmp_path):
    gold = np.arange(50) % 2
    old = write(tmp_path / "old.h5", 50, 8, gold=gold, small_pred=0 * gold, large_pred=gold)
    with h5py.File(old, "a") as f:
        f.move("label", "labels")
        f["labels"].attrs["made by"] = "hand"
    new = tmp_path / "new.h5"
    saferoute("data", "label", old, "--out", new)
    with h5py.File(new) as f:
        assert "labels" not in f and f["label"].attrs["made by"] == "hand"
