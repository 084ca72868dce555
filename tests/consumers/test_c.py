# SPDX-License-Identifier: MIT
"""Exported C as its users meet it: compiled by gcc and clang, strictly, and called from another language."""
import csv
import ctypes
import shutil
import subprocess

import numpy as np
import pytest

TOLERANCE = 1e-5  # float32 sums of 2,048 products in another order; seen: 2e-6 on logits up to 4
STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror"]


@pytest.fixture(scope="module", params=["gcc", "clang"])
def compiler(request):
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def source(router, saferoute, tmp_path_factory):
    """Path of the exported .c file."""
    path = tmp_path_factory.mktemp("c") / "router.c"
    saferoute("export", "--model", router.weights, "--to", "c", "--out", path)
    return path


@pytest.fixture(scope="module")
def library(source, compiler, tmp_path_factory):
    """The compiled file, loaded."""
    path = tmp_path_factory.mktemp(compiler) / "router.so"
    subprocess.run([compiler, "-O2", *STRICT, "-fPIC", "-shared", "-o", path, source, "-lm"], check=True)
    loaded = ctypes.CDLL(path)
    for name in "logit", "prob", "threshold":
        getattr(loaded, f"router_{name}").restype = ctypes.c_float
    loaded.router_metadata.restype = ctypes.c_char_p
    return loaded


def pointer(row):
    return np.ascontiguousarray(row, np.float32).ctypes.data_as(ctypes.c_void_p)


def test_the_self_test_passes(library):
    assert library.router_self_test() == 0


def test_the_metadata_is_that_of_the_weights(library, router):
    from safetensors import safe_open

    with safe_open(router.weights, "numpy") as f:
        metadata = f.metadata()
    for key in "sha256", "threshold", "threshold_rule", "trained_on":
        assert library.router_metadata(key.encode()).decode() == metadata[key]
    assert library.router_metadata(b"no such key") is None
    assert library.router_threshold() == np.float32(router.threshold)


def test_logits_and_probs_are_those_of_pytorch(library, router):
    logit = np.array([library.router_logit(pointer(row)) for row in router.x])
    prob = np.array([library.router_prob(ctypes.c_float(one)) for one in logit])
    np.testing.assert_allclose(logit, router.logit, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(prob, router.prob, rtol=0, atol=TOLERANCE)


def test_logits_and_decisions_are_those_of_infer(library, router, saferoute):
    lines = list(csv.DictReader(saferoute("infer", "--model", router.weights, "--data", router.dump).splitlines()))
    assert len(lines) == len(router.x)
    for row, line in zip(router.x, lines):
        prob = ctypes.c_float()
        large = library.router_decide(pointer(row), ctypes.byref(prob))
        assert library.router_logit(pointer(row)) == np.float32(line["logit"])
        assert prob.value == np.float32(line["prob"])
        if not line["reason"]:  # infer sends rows far outside those of training to the large guard as well
            assert large == (line["decision"] == "large")
        assert large == (prob.value > np.float32(router.threshold))


def test_bad_rows_go_to_the_large_guard(library, router):
    for bad in np.nan, np.inf, -np.inf:
        for place in 0, len(router.x[0]) - 1:
            row = router.x[0].copy()
            row[place] = bad
            assert library.router_decide(pointer(row), None) == 1
            assert np.isnan(library.router_logit(pointer(row)))


def test_one_changed_digit_fails_the_self_test(source, compiler, tmp_path):
    text = source.read_text()
    at = text.index(",", text.index("router_w1[")) - 1
    changed = tmp_path / "router.c"
    changed.write_text(text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :])
    path = tmp_path / "changed.so"
    subprocess.run([compiler, "-O1", *STRICT, f"-I{source.parent}", "-fPIC", "-shared", "-o", path, changed, "-lm"],
                   check=True)
    assert ctypes.CDLL(path).router_self_test() == -1
