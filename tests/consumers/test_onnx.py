# SPDX-License-Identifier: MIT
"""The ONNX file as its users meet it: ONNX's own checker, onnxruntime on the CPU, and the nodes that onnxruntime makes of it."""
import csv

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TOLERANCE = 1e-5  # float32 sums of 2,048 products in another order; seen: 2e-6 on logits up to 4


@pytest.fixture(scope="module")
def model(router, saferoute, tmp_path_factory):
    """Path of the exported file."""
    path = tmp_path_factory.mktemp("onnx") / "router.onnx"
    saferoute("export", "--model", router.weights, "--to", "onnx", "--out", path)
    return path


def open_session(path, optimized=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # that the optimised graph is for this machine alone is no news
    if optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def session(model):
    return open_session(model)


def test_the_checker_accepts_it(model):
    loaded = onnx.load(model)
    onnx.checker.check_model(loaded, full_check=True)
    assert loaded.ir_version == 8
    assert [(o.domain, o.version) for o in loaded.opset_import] == [("", 17)]
    assert loaded.producer_name == "saferoute"


def test_it_gives_the_logits_of_pytorch(router, session):
    logit, prob = session.run(["logit", "prob"], {"features": router.x})
    assert logit.dtype == prob.dtype == np.float32
    assert logit.shape == prob.shape == (400,)
    np.testing.assert_allclose(logit, router.logit, rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(prob, router.prob, rtol=0, atol=TOLERANCE)
    assert np.ptp(router.logit) > 0.1, "rows that are all alike would show nothing"


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_any_number_of_rows(router, session, rows):
    pick = np.arange(rows) % len(router.x)
    logit, prob = session.run(["logit", "prob"], {"features": router.x[pick]})
    assert logit.shape == prob.shape == (rows,)
    np.testing.assert_allclose(logit, router.logit[pick], rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(prob, router.prob[pick], rtol=0, atol=TOLERANCE)


def test_inputs_and_outputs_say_what_they_are(router, model, session):
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("features", "tensor(float)", ["batch", router.x.shape[1]])]
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [
        ("logit", "tensor(float)", ["batch"]), ("prob", "tensor(float)", ["batch"])]
    graph = onnx.load(model).graph
    assert all(port.doc_string for port in [*graph.input, *graph.output])


def test_gelu_is_fused_and_batchnorm_is_gone(router, model, tmp_path):
    """One exact Gelu a hidden layer; FastGelu would be the tanh approximation."""
    written = [n.op_type for n in onnx.load(model).graph.node]
    assert written.count("Erf") == len(router.hidden)
    assert written.count("Gemm") == len(router.hidden) + 1
    assert "BatchNormalization" not in written
    open_session(model, tmp_path / "optimized.onnx")
    fused = [n.op_type for n in onnx.load(tmp_path / "optimized.onnx").graph.node]
    assert sum(op in ("Gelu", "BiasGelu") for op in fused) == len(router.hidden)
    assert "Erf" not in fused and "FastGelu" not in fused


def test_threshold_and_contract_are_in_the_metadata(router, session):
    safe_open = pytest.importorskip("safetensors").safe_open
    found = session.get_modelmeta().custom_metadata_map
    assert found["format"] == "saferoute" and found["format_version"] == "1"
    assert float(found["threshold"]) == router.threshold
    assert found["threshold_rule"] == "given"
    assert found["decision"] == "large if prob > threshold, or if logit is not finite"
    with safe_open(router.weights, "np") as f:
        said = f.metadata()
    for key in ("feature_model", "feature_revision", "feature_layer", "feature_norm", "feature_pooling",
                "feature_template", "large_model", "large_revision", "small_threshold", "large_threshold",
                "trained_on", "threshold_data", "metrics", "sha256"):
        assert found[key] == said[key], key
    assert not [key for key in found if key.startswith("rows_")], "sketches of rows are for eval"


def test_decisions_are_those_of_infer(router, session, saferoute):
    """But for rows nearer to the threshold than the two agree, and those that are routed for another reason."""
    threshold = np.float32(session.get_modelmeta().custom_metadata_map["threshold"])
    prob = session.run(["prob"], {"features": router.x})[0]
    lines = saferoute("infer", "--model", router.weights, "--data", router.dump).splitlines()
    rows = list(csv.DictReader(lines))
    large = np.array([row["decision"] == "large" for row in rows])
    clear = (np.abs(prob - threshold) > TOLERANCE) & np.array([row["reason"] == "" for row in rows])
    assert clear.sum() > 390 and large.any() and not large.all()
    np.testing.assert_array_equal((prob > threshold)[clear], large[clear])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_that_cannot_be_scored_has_a_logit_that_is_not_finite(router, session, bad):
    x = router.x[:5].copy()
    x[2, 3] = bad
    logit = session.run(["logit"], {"features": x})[0]
    assert list(np.isfinite(logit)) == [True, True, False, True, True]
