# SPDX-License-Identifier: MIT
"""What `saferoute data merge` takes for the same and what for a contradiction, of files as h5py writes them."""
import pytest

h5py = pytest.importorskip("h5py")
np = pytest.importorskip("numpy")

ROWS = 300


def write(path, **columns):
    with h5py.File(path, "w") as f:
        f["id"] = [f"p{i}" for i in range(ROWS)]
        for name, values in columns.items():
            f[name] = values
    return path


@pytest.fixture()
def features():
    return np.random.default_rng(1).standard_normal((ROWS, 16)).astype(np.float32)


@pytest.fixture()
def label():
    return (np.arange(ROWS) % 3 == 0).astype(np.uint8)


def test_an_alias_is_the_same_column(saferoute, tmp_path, features, label):
    a = write(tmp_path / "a.h5", features=features, label=label)
    b = write(tmp_path / "b.h5", labels=1 - label, X=features)
    new = tmp_path / "new.h5"
    text = saferoute("data", "merge", a, b, "--out", new, status=65)
    assert f"/label of {a} and /labels of {b} differ in 300 of 300 rows" in text
    out = saferoute("data", "merge", a, b, "--out", new, "--prefer-first")
    assert f"an earlier file has it otherwise: labels of {b}" in out
    with h5py.File(new) as f:
        assert set(f) == {"id", "features", "label"} and np.array_equal(f["label"][()], label)
    b = write(tmp_path / "b.h5", labels=label.astype(np.float32), X=features)
    saferoute("data", "merge", a, b, "--out", new)
    with h5py.File(new) as f:
        assert set(f) == {"id", "features", "label"}


def test_unknown_is_unknown_however_it_is_written(saferoute, tmp_path, features, label):
    a = write(tmp_path / "a.h5", features=features, gold=np.where(label, -1, 1).astype(np.int8), label=label)
    b = write(tmp_path / "b.h5", gold=np.where(label, np.nan, 1).astype(np.float32))
    saferoute("data", "merge", a, b, "--out", tmp_path / "new.h5")
    b = write(tmp_path / "b.h5", gold=np.where(label, 0, 1).astype(np.float32))
    assert "differ in 100 of 300 rows" in saferoute("data", "merge", a, b, "--out", tmp_path / "new.h5", status=65)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_values_that_differ_by_rounding_are_the_same(saferoute, tmp_path, features, label, dtype):
    new = tmp_path / "new.h5"
    exact = features.astype(np.float64) + 1e-12  # more digits than float32 has
    prob = np.random.default_rng(2).random(ROWS)
    a = write(tmp_path / "a.h5", features=exact.astype(np.float32), label=label, small_prob=prob.astype(np.float32))
    b = write(tmp_path / "b.h5", features=(exact if dtype == np.float64 else exact.astype(np.float32)).astype(dtype),
              small_prob=prob)
    saferoute("data", "merge", a, b, "--out", new)
    saferoute("data", "merge", b, a, "--out", new)
    with h5py.File(new) as f:
        assert f["features"].dtype == dtype
    with h5py.File(b, "a") as f:  # the next number of its type is another one
        f["features"][7, 3] = np.nextafter(f["features"][7, 3], dtype(9)) if dtype == np.float16 else exact[7, 3] + 1e-6
    assert f"/features of {a} and /features of {b} differ in 1 of 300 rows, first id \"p7\"" in saferoute(
        "data", "merge", a, b, "--out", new, status=65)


def test_groups_and_scalars_that_are_equal(saferoute, tmp_path, features, label):
    def notes(path, year=2025, attribute="x"):
        with h5py.File(path, "a") as f:
            f["about/author"] = "somebody"
            f["about/inner/years"] = np.array([2024, year])
            f["about"].attrs["kind"] = attribute
            f["total"] = 17
            f["nothing"] = h5py.Empty("f4")

    new = tmp_path / "new.h5"
    a, b = write(tmp_path / "a.h5", features=features, label=label), write(tmp_path / "b.h5", small_prob=label / 2)
    notes(a)
    notes(b)
    saferoute("data", "merge", a, b, "--out", new)
    with h5py.File(new) as f:
        assert f["about/inner/years"][1] == 2025 and f["total"][()] == 17
    for change in ({"year": 2026}, {"attribute": "y"}):
        b = write(tmp_path / "b.h5", small_prob=label / 2)
        notes(b, **change)
        assert f"/about of {a} and /about of {b} are not the same" in saferoute(
            "data", "merge", a, b, "--out", new, status=65)


def test_passes_over_other_prompts_do_not_belong_together(saferoute, tmp_path, features, label):
    a, b = write(tmp_path / "a.h5", features=features), write(tmp_path / "b.h5", label=label)
    for path, prompts in ((a, "12ab"), (b, "34cd")):
        with h5py.File(path, "r+") as f:
            f.attrs["prompts_sha256"] = prompts
    text = saferoute("data", "merge", a, b, "--out", tmp_path / "new.h5", status=65)
    assert 'root attribute prompts_sha256 is "12ab", but "34cd"' in text
    with h5py.File(b, "r+") as f:
        f.attrs["prompts_sha256"] = "12ab"
    saferoute("data", "merge", a, b, "--out", tmp_path / "new.h5")


def test_a_pass_of_the_large_guard_alone_is_told_from_a_dump(saferoute, tmp_path, label):
    path = write(tmp_path / "large.h5", large_pred=label)
    assert "which saferoute data merge joins to one with features" in saferoute("data", "inspect", path, status=65)
