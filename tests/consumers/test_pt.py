# SPDX-License-Identifier: MIT
"""The checkpoint as its users meet it: torch.load in its strict mode, load_state_dict in its own, also mapped."""
import json
import struct
import zipfile

import numpy as np
import pytest

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors")
safetensors_torch = pytest.importorskip("safetensors.torch")

TOLERANCE = 1e-5  # float32 sums of 2,048 products in another order; seen: 2e-6 on logits up to 4


@pytest.fixture(scope="module")
def checkpoint(router, saferoute, tmp_path_factory):
    """Path of the exported file."""
    path = tmp_path_factory.mktemp("pt") / "router.pt"
    saferoute("export", "--model", router.weights, "--to", "pt", "--out", path)
    return path


def load(path, **how):
    return torch.load(path, weights_only=True, **how)


def bits(tensor):
    return tensor.contiguous().numpy().tobytes()


@pytest.mark.parametrize("mapped", [False, True])
def test_torch_loads_the_bits_of_the_weights(checkpoint, router, mapped):
    loaded = load(checkpoint, mmap=mapped)
    weights = safetensors_torch.load_file(router.weights)
    assert list(loaded) == ["state_dict", "layer_idx"]
    state = loaded["state_dict"]
    assert set(state) == {key for key in weights if key.startswith("cls.")}
    for key, value in state.items():
        assert value.dtype == weights[key].dtype and value.shape == weights[key].shape
        assert bits(value) == bits(weights[key]), key
        assert not value.requires_grad


def test_the_module_takes_it_strictly_and_gives_its_own_logits(checkpoint, router, router_class):
    module = router_class(router.x.shape[1], router.hidden, [0.2] * len(router.hidden))
    module.load_state_dict(load(checkpoint)["state_dict"], strict=True)
    module.eval()
    with torch.no_grad():
        logit = module(torch.from_numpy(router.x)).numpy()
    np.testing.assert_array_equal(logit, router.logit)


def test_the_order_is_that_of_a_module(checkpoint, router):
    assert list(load(checkpoint)["state_dict"]) == list(router.module.state_dict())


def test_logits_are_those_of_infer(checkpoint, router, router_class, saferoute):
    lines = saferoute("infer", "--model", router.weights, "--data", router.dump).splitlines()[1:]
    module = router_class(router.x.shape[1], router.hidden, [0.2] * len(router.hidden))
    module.load_state_dict(load(checkpoint)["state_dict"], strict=True)
    module.eval()
    with torch.no_grad():
        logit = module(torch.from_numpy(router.x)).numpy()
    np.testing.assert_allclose(logit, [float(line.split(",")[2]) for line in lines], rtol=0, atol=TOLERANCE)


def test_records_are_stored_and_aligned_as_torch_does(checkpoint):
    with zipfile.ZipFile(checkpoint) as archive, open(checkpoint, "rb") as raw:
        assert archive.testzip() is None
        for entry in archive.infolist():
            raw.seek(entry.header_offset + 26)
            name, extra = struct.unpack("<HH", raw.read(4))
            assert (entry.header_offset + 30 + name + extra) % 64 == 0, entry.filename
            assert entry.compress_type == zipfile.ZIP_STORED


def test_the_config_has_what_a_checkpoint_cannot_carry(checkpoint, router):
    config = json.loads((checkpoint.parent / "config.json").read_text())
    assert config["format"] == "saferoute-router"
    assert config["threshold"] == router.threshold
    assert config["architecture"]["hidden"] == list(router.hidden)


@pytest.mark.parametrize("layer, expected", [("23", 23), ("-1", -1), ("last", "last"), (None, None)])
def test_layer_idx_is_the_layer_of_the_contract(router, saferoute, tmp_path, layer, expected):
    from safetensors.torch import save_file

    weights, out = tmp_path / "w.safetensors", tmp_path / "router.pt"
    save_file(safetensors_torch.load_file(router.weights), weights, {"feature_layer": layer} if layer else None)
    saferoute("export", "--model", weights, "--threshold", "0.5", "--to", "pt", "--out", out)
    assert load(out)["layer_idx"] == expected


def test_import_brings_the_same_weights_back(checkpoint, router, saferoute, tmp_path):
    if "\n  import " not in saferoute("help"):
        pytest.skip("this program has no import")
    saferoute("import", checkpoint, "--out", tmp_path / "back.safetensors")
    back = safetensors_torch.load_file(tmp_path / "back.safetensors")
    weights = safetensors_torch.load_file(router.weights)
    assert set(back) == {key for key in weights if key.startswith("cls.")}
    assert all(bits(back[key]) == bits(weights[key]) for key in back)


def test_a_layer_counted_from_the_end_may_be_named_otherwise(router, saferoute, tmp_path):
    torch.save({"state_dict": router.module.state_dict(), "layer_idx": -1}, tmp_path / "end.pt")
    (tmp_path / "contract.json").write_text('{"feature_layer": 28}')
    for name, flags, layer in (("a", [], "-1"), ("b", ["--contract", tmp_path / "contract.json"], "28")):
        out = tmp_path / f"{name}.safetensors"
        saferoute("import", tmp_path / "end.pt", "--out", out, *flags)
        with safetensors.safe_open(out, "pt") as file:
            assert file.metadata()["feature_layer"] == layer
    (tmp_path / "contract.json").write_text('{"feature_layer": -2}')
    saferoute("import", tmp_path / "end.pt", "--out", tmp_path / "c.safetensors", "--contract",
              tmp_path / "contract.json", status=2)
