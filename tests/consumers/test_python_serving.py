# SPDX-License-Identifier: MIT
"""infer/python/saferoute.py in a serving process: decisions that fail closed, counters, threads, reload."""
import json
import os
import shutil
import subprocess
import sys
import threading

import numpy as np
import pytest

from conftest import ROOT, WRAPPER, close_to, same_bits

torch = pytest.importorskip("torch")

TOLERANCE = 1e-5  # as in close_to


# ---- decisions ----

def test_decisions_are_prob_against_threshold(opened, router):
    d = opened.route(router.x)
    scored = d["reason"] == 0
    assert d.large.dtype == bool and scored.mean() > 0.9, "made from the rows that trained it"
    np.testing.assert_array_equal(d.large[scored], d.prob[scored] > np.float32(router.threshold))
    assert d.large[~scored].all()
    same_bits(d.logit, opened.logits(router.x))
    np.testing.assert_allclose(d.prob, router.prob, rtol=0, atol=TOLERANCE)
    assert 0 < d.large.mean() < 1
    assert set(d[scored].reason_names) == {"SCORE"}
    assert bytes(d["artefact"][0]).hex() == opened.artefact


def test_decisions_are_views_of_what_c_wrote(opened, router):
    d = opened.route(router.x)
    for field in (d.large, d.prob, d.logit, d.reason, d["range"]):
        assert np.shares_memory(field, d)
    assert len(d[d.large]) == d.large.sum()
    assert json.loads(d.json(2, "x"))["id"] == "x"


def test_a_threshold_given(wrapper, router):
    for threshold in (0.0, 0.25, 1.0):
        with wrapper.Router.open(router.weights, threshold=threshold, range="off") as r:
            assert r.threshold == threshold
            d = r.route(router.x)
            np.testing.assert_array_equal(d.large, d.prob > np.float32(threshold))


def test_probabilities(opened, router):
    prob = opened.prob(router.x)
    same_bits(prob, opened.route(router.x).prob.copy())
    table = opened.predict_proba(router.x)
    assert table.shape == (len(router.x), 2) and table.dtype == np.float32
    same_bits(table[:, 1].copy(), prob)
    np.testing.assert_allclose(table.sum(axis=1), 1, rtol=0, atol=1e-6)  # two roundings of float32


def test_rows_that_are_wrong_go_to_the_large_guard(opened, router):
    for bad in (np.nan, np.inf, -np.inf):
        for dtype in (np.float32, np.float16, np.float64):
            x = router.x[:5].astype(dtype)
            x[2, -1] = bad
            d = opened.route(x)
            assert d.large[2] and d.reason_names[2] == "NOT_FINITE" and np.isnan(d.prob[2])
            same_bits(d.logit[[0, 1, 3, 4]], opened.logits(router.x[:5])[[0, 1, 3, 4]])
            assert np.isnan(opened.logits(x)[2])
    x = router.x[:2].astype(np.float64) * 1e300  # beyond float32
    assert list(opened.route(x).reason_names) == ["NOT_FINITE"] * 2
    for wrong, reason in ((router.x[:, :-1], "WIDTH"), (np.zeros((3, 1), np.float32), "WIDTH"), (None, "NO_FEATURES"),
                          (torch.zeros(4, router.x.shape[1] + 1), "WIDTH")):
        d = opened.route(wrong)
        assert d.large.all() and set(d.reason_names) == {reason}
    assert opened.decide_one(None).reason_name == "NO_FEATURES"


def test_rows_far_from_those_of_training_go_to_the_large_guard(wrapper, router):
    far = router.x * 100
    with wrapper.Router.open(router.weights) as r:
        d = r.route(far)
        assert d.large.all() and set(d.reason_names) == {"OUT_OF_RANGE"}
        assert (d["range"] > d["range_limit"]).all()
    with wrapper.Router.open(router.weights, range="count") as r:
        assert "OUT_OF_RANGE" not in r.route(far).reason_names
        assert r.stats.out_of_range == len(far)
    with wrapper.Router.open(router.weights, range="off") as r:
        assert (r.route(far)["range"] == 0).all()
    with wrapper.Router.open(router.weights, range_cap=0.1) as r:
        reasons = r.route(np.concatenate([router.x, far])).reason_names
        assert set(reasons[-len(far):]) == {"OUT_OF_RANGE", "OVERLOAD"}


def test_programs_mistakes_are_exceptions(opened, wrapper, router):
    width = router.x.shape[1]
    for wrong in (np.zeros((2, width), int), torch.zeros(2, width, dtype=torch.int8), np.zeros((2, width), bool),
                  np.zeros((2, width), complex), [[1] * width], np.full((2, width), "a"), object()):
        for call in (opened.route, opened.decide_one, opened.logits):
            with pytest.raises(TypeError, match="floating point"):
                call(wrong)
    for shape in ((), (2, 3, width)):
        with pytest.raises(ValueError, match="width"):
            opened.route(np.zeros(shape, np.float32))
    with pytest.raises(ValueError, match="2 rows"):
        opened.route(router.x[:2], ids=["a"])
    with pytest.raises(TypeError, match="not both"):
        opened.route(router.x[:1], ids=["a"], keys=[1])
    with pytest.raises(TypeError):
        opened.route(router.x[:2], ids=[1, 2])
    with pytest.raises(ValueError, match="one row"):
        opened.decide_one(router.x[:2])
    for wrong_width in (router.x[:, :-1], None):
        with pytest.raises(ValueError, match="router reads"):
            opened.prob(wrong_width)
    for options in ({"precision": "int4"}, {"range": "maybe"}, {"threshold": 2.0}, {"explore": -1.0}):
        with pytest.raises((ValueError, wrapper.SaferouteError)):
            wrapper.Router.open(router.weights, missing_ok=True, **options)


def test_exploring_goes_by_the_ids(wrapper, router):
    ids = [f"prompt-{i}" for i in range(len(router.x))]
    with wrapper.Router.open(router.weights, threshold=1.0, range="off", explore=0.25) as r:
        first = r.route(router.x, ids=ids)
        assert set(first.reason_names) == {"SCORE", "EXPLORE"}
        assert 0.15 < first.large.mean() < 0.35  # binomial, n = 400: 4.6 deviations either way
        np.testing.assert_array_equal(first["key"], [wrapper.key(i) for i in ids])
        again = r.route(router.x, keys=first["key"])
        np.testing.assert_array_equal(again.large, first.large)
        assert not r.route(router.x).large.any()
        assert r.decide_one(router.x[0], id=ids[0]).large == first.large[0]
    with wrapper.Router.open(router.weights, threshold=1.0, range="off", explore=0.25, explore_seed=9) as r:
        assert (r.route(router.x, ids=ids).large != first.large).mean() > 0.25  # .375 of independent choices
    assert wrapper.key("é") == wrapper.key("é".encode()) != wrapper.key("e")


def test_one_line_for_the_log(opened, router):
    d = opened.decide_one(router.x[0], id='a "quoted"\nid')
    line = json.loads(d.json)
    assert "\n" not in d.json
    assert line["id"] == 'a "quoted"\nid'
    assert line["artefact"] == opened.artefact
    assert np.float32(line["prob"]) == np.float32(d.prob)
    assert d.reason_name in d.json and d.reason_text
    long = opened.decide_one(router.x[0], id="x" * 5000)
    assert json.loads(long.json)["id"] == "x" * 5000


# ---- counting ----

def test_stats_count_every_row(wrapper, router):
    with wrapper.Router.open(router.weights, range="off") as r:
        large = sum(r.route(chunk).large.sum() for chunk in np.array_split(router.x, 7))
        r.route(router.x[:3, :-1])
        r.decide_one(np.full(router.x.shape[1], np.nan, np.float32))
        r.logits(router.x)  # not a decision
        stats = r.stats
    assert stats.rows == len(router.x) + 4
    assert stats.large == large + 4
    assert stats.reasons == {"SCORE": len(router.x), "WIDTH": 3, "NOT_FINITE": 1}
    assert sum(stats.logit) == len(router.x)
    assert stats.logit_sum == pytest.approx(float(router.logit.sum()), abs=len(router.x) * TOLERANCE)


def test_prometheus_reads_the_counters(wrapper, router):
    parser = pytest.importorskip("prometheus_client.parser")
    with wrapper.Router.open(router.weights, range="off") as r:
        r.route(router.x)
        r.route(None)
        stats = r.stats
    samples = {}
    for family in parser.text_string_to_metric_families(stats.prometheus):
        for s in family.samples:
            samples[s.name, s.labels.get("reason"), s.labels.get("le")] = s.value
    assert samples["saferoute_rows_total", None, None] == stats.rows
    assert samples["saferoute_large_total", None, None] == stats.large
    for name, rows in stats.reasons.items():
        assert samples["saferoute_decisions_total", name, None] == rows
    buckets = sorted((float(le), n) for (name, _, le), n in samples.items() if name == "saferoute_logit_bucket")
    counts = [n for _, n in buckets]
    assert counts == sorted(counts) and buckets[-1] == (float("inf"), len(router.x))
    for le, n in buckets[:-1]:
        assert abs(n - (router.logit <= le).sum()) <= 1  # one may lie on the other side of an edge by a rounding


# ---- threads, processes, replacing ----

def in_threads(count, work):
    """work(i) in `count` threads at once; raises what any of them raised."""
    failed, gate = [], threading.Barrier(count)

    def run(i):
        try:
            gate.wait()
            work(i)
        except BaseException as why:  # noqa: B902: handed on below
            failed.append(why)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failed:
        raise failed[0]


def test_threads_get_the_same_bits_and_every_row_is_counted(wrapper, router):
    x = router.x[:50]
    with wrapper.Router.open(router.weights) as r:
        wanted = wrapper.Router.open(router.weights).route(x)

        def work(i):
            for n in range(20):
                assert r.route(x).tobytes() == wanted.tobytes()
                assert r.route(x[n]).tobytes() == wanted[n:n + 1].tobytes()

        in_threads(8, work)
        assert r.stats.rows == 8 * 20 * 51
        assert len({id(s) for s in r._idle}) == len(r._idle) == len(r._counters) <= 8, "no two calls count into one"


def test_a_forked_process_decides(wrapper, router):
    with wrapper.Router.open(router.weights) as r:
        wanted = r.route(router.x).tobytes()
        child = os.fork()
        if child == 0:
            os._exit(0 if r.route(router.x).tobytes() == wanted else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.fixture(scope="module")
def other(router, saferoute, tmp_path_factory):
    """The same weights with threshold .9: another file."""
    path = tmp_path_factory.mktemp("other") / "other.safetensors"
    saferoute("sweep", "--model", router.weights, "--data", router.dump, "--threshold", "0.9", "--out", path)
    return path


def test_reload_while_others_decide(wrapper, router, other):
    x = router.x[:50]
    with wrapper.Router.open(router.weights, range="off") as r:
        before = r.route(x).tobytes()
        r.reload(other)
        after = r.route(x).tobytes()
        assert before != after and np.float32(r.threshold) == np.float32(0.9)

        def work(i):
            for n in range(15):
                if i == 0:
                    r.reload(router.weights if n % 2 else other)
                assert r.route(x).tobytes() in (before, after)

        in_threads(4, work)


def test_a_reload_that_fails_changes_nothing(wrapper, router, saferoute, tmp_path):
    data = router.weights.read_bytes()
    (tmp_path / "cut").write_bytes(data[:-100])
    (tmp_path / "flipped").write_bytes(data[:-9] + bytes([data[-9] ^ 1]) + data[-8:])
    saferoute("data", "synth", "--out", tmp_path / "d.h5", "--rows", 60, "--width", 5, "--seed", 1)
    saferoute("train", "--train", tmp_path / "d.h5", "--val-fraction", "0.3", "--out", tmp_path / "run", "--epochs", 1,
              "--hidden", "4", "--dropout", "0.1")
    narrow = tmp_path / "run" / "best.safetensors"
    with wrapper.Router.open(router.weights) as r:
        wanted = r.route(router.x).tobytes()
        for path, status in ((tmp_path / "none", "NOINPUT"), (tmp_path / "cut", "DATA"), (tmp_path / "flipped", "DATA"),
                             (narrow, "DATA")):
            with pytest.raises(wrapper.SaferouteError, match=path.name) as why:
                r.reload(path)
            assert why.value.status == status
            assert r.route(router.x).tobytes() == wanted
        r.reload(narrow, other_model=True)
        assert r.width == 5


@pytest.mark.parametrize("key", ["feature_layer", "feature_norm", "feature_pooling"])
def test_a_router_that_reads_other_vectors_is_not_loaded(wrapper, router, tmp_path, key):
    from safetensors.numpy import load_file, save_file

    tensors = load_file(router.weights)
    for name, metadata in (("one", {key: "a"}), ("two", {key: "b"}), ("silent", None)):
        save_file(tensors, tmp_path / name, metadata)
    with wrapper.Router.open(tmp_path / "one", threshold=0.5) as r:
        with pytest.raises(wrapper.SaferouteError, match=f'two: {key} is "b", in the router in use "a"') as why:
            r.reload(tmp_path / "two")
        assert why.value.status == "DATA" and r.metadata(key) == "a"
        r.reload(tmp_path / "two", other_model=True)
        assert r.metadata(key) == "b"
        r.reload(tmp_path / "silent")
        r.reload(tmp_path / "one")
        assert r.metadata(key) == "a"


def test_no_router_can_be_opened(wrapper, router, tmp_path):
    missing = tmp_path / "missing.safetensors"
    with pytest.raises(wrapper.SaferouteError, match="missing.safetensors") as why:
        wrapper.Router.open(missing)
    assert why.value.status == "NOINPUT"
    with pytest.raises(wrapper.SaferouteError):
        wrapper.Router.from_bytes(b"not a router")
    with wrapper.Router.open(missing, missing_ok=True) as r:
        assert not r and r.error.status == "NOINPUT" and "missing.safetensors" in repr(r)
        d = r.route(router.x)
        assert d.large.all() and set(d.reason_names) == {"NO_ROUTER"} and r.stats.rows == len(d)
        assert r.width == 0 and np.isnan(r.threshold) and r.artefact == "" and r.metadata("format") is None
        with pytest.raises(ValueError, match="no router"):
            r.logits(router.x)
        shutil.copy(router.weights, missing)
        r.reload(missing)
        assert r and r.error is None
        close_to(r.logits(router.x), router.logit)
    assert not r and set(r.route(router.x).reason_names) == {"NO_ROUTER"}, "closed"


def test_routers_are_closed_when_no_one_uses_them(wrapper, router, other, monkeypatch):
    closed, close = [], wrapper._library.saferoute_close

    def counted(pointer):
        if pointer is not None:
            closed.append(pointer.value)
        close(pointer)

    monkeypatch.setattr(wrapper._library, "saferoute_close", counted)
    r = wrapper.Router.open(router.weights)
    in_use = r._handle
    first = in_use.pointer.value
    r.reload(other)
    assert closed == [], "a call may be under way with it"
    del in_use
    assert closed == [first]
    r.close()
    r.close()
    assert len(closed) == 2
    with pytest.raises(wrapper.SaferouteError):
        wrapper.Router.open(ROOT / "README.md")
    wrapper.Router.open(router.weights)
    assert len(closed) == 3


def test_from_bytes(wrapper, router):
    data = bytearray(router.weights.read_bytes())
    r = wrapper.Router.from_bytes(data)
    data[:] = bytes(len(data))
    with wrapper.Router.open(router.weights) as same:
        assert r.artefact == same.artefact
        assert r.route(router.x).tobytes() == same.route(router.x).tobytes()


def test_a_library_of_another_kind_is_refused(tmp_path):
    for named, why in ((tmp_path / "none.so", "none.so"), (ROOT / "README.md", "README.md")):
        done = subprocess.run([sys.executable, "-c", "import saferoute"], capture_output=True, text=True, check=False,
                              env=os.environ | {"PYTHONPATH": str(WRAPPER.parent), "SAFEROUTE_LIBRARY": str(named)})
        assert done.returncode == 1 and "ImportError" in done.stderr and why in done.stderr
