# SPDX-License-Identifier: MIT
"""What the tests of real consumers share: routers that the program trained, and what PyTorch makes of the same weights.

    SAFEROUTE_PROGRAM=build/release/saferoute python3 -m pytest tests/consumers

The program is the one that SAFEROUTE_PROGRAM names; without it every test is skipped. The module is the README's own
class Router, taken from the page, so that what the page says is what is tested.
"""
import ast
import dataclasses
import importlib.util
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRAPPER = ROOT / "infer" / "python" / "saferoute.py"


@dataclasses.dataclass
class Trained:
    """A router with a threshold, a dump of its width, and what PyTorch computes of the dump's rows in float32."""

    weights: pathlib.Path  # safetensors, threshold and rule in the metadata
    dump: pathlib.Path  # HDF5, /features [400, width] float16
    threshold: float
    hidden: tuple  # widths of the hidden layers
    module: object  # the README's Router with these weights, in eval mode
    x: object  # numpy float32 [400, width]: the dump's features
    logit: object  # numpy float32 [400]
    prob: object  # numpy float32 [400]


SIZES = {
    "small": {"width": 24, "rows": 400, "epochs": 3, "hidden": (20, 12)},
    "published": {"width": 2048, "rows": 400, "epochs": 1, "hidden": (1024, 512, 256)},
}


@pytest.fixture(scope="session")
def program():
    """Path of the program."""
    path = os.environ.get("SAFEROUTE_PROGRAM")
    if not path:
        pytest.skip("SAFEROUTE_PROGRAM does not name the program")
    path = pathlib.Path(path).resolve()
    assert path.is_file(), f"SAFEROUTE_PROGRAM={path}: no such file"
    return path


@pytest.fixture(scope="session")
def saferoute(program):
    """saferoute("export", "--model", path, ...): runs it, must end with `status`; gives stdout, or stderr if it fails."""

    def run(*arguments, status=0):
        line = [str(program), *map(str, arguments)]
        done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == status, f"{' '.join(line)}: status {done.returncode}, {done.stderr}"
        return done.stdout if status == 0 else done.stderr

    return run


@pytest.fixture(scope="session")
def router_class():
    """The class Router as the README has it."""
    pytest.importorskip("torch")
    for block in re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S):
        tree = ast.parse(block)
        wanted = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Router"]
        if wanted:
            scope = {}
            exec("import torch\nfrom torch import nn\n", scope)
            exec(compile(ast.Module(wanted, []), "README.md", "exec"), scope)
            return scope["Router"]
    raise AssertionError("README.md has no class Router any more")


@pytest.fixture(scope="session", params=SIZES)
def router(request, saferoute, router_class, tmp_path_factory):
    """A Trained; every test that takes it runs on each of SIZES. Its files are not to be changed."""
    h5py, torch = pytest.importorskip("h5py"), pytest.importorskip("torch")
    load_file = pytest.importorskip("safetensors.torch").load_file
    size = SIZES[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    dump, weights = folder / "dump.h5", folder / "router.safetensors"
    widths = ",".join(map(str, size["hidden"]))
    saferoute("data", "synth", "--out", dump, "--rows", size["rows"], "--width", size["width"], "--seed", 7)
    saferoute("train", "--train", dump, "--val-fraction", 0.25, "--out", folder / "run", "--epochs", size["epochs"],
              "--hidden", widths, "--dropout", "0.2", "--batch", 50)
    saferoute("sweep", "--model", folder / "run" / "best.safetensors", "--data", dump, "--threshold", "0.4",
              "--out", weights)

    module = router_class(size["width"], size["hidden"], [0.2] * len(size["hidden"]))
    state = {name: tensor for name, tensor in load_file(weights).items() if name.startswith("cls.")}  # not stats.*
    module.load_state_dict(state, strict=True)
    module.eval()
    with h5py.File(dump) as f:
        x = torch.from_numpy(f["features"][:]).float()
    with torch.no_grad():
        logit = module(x)
        prob = torch.sigmoid(logit)
    return Trained(weights, dump, 0.4, size["hidden"], module, x.numpy(), logit.numpy(), prob.numpy())


@pytest.fixture(scope="session")
def wrapper():
    """The Python module infer/python/saferoute.py over the library that SAFEROUTE_LIBRARY names."""
    if not os.environ.get("SAFEROUTE_LIBRARY"):
        pytest.skip("SAFEROUTE_LIBRARY does not name the library")
    pytest.importorskip("numpy")
    spec = importlib.util.spec_from_file_location("saferoute", WRAPPER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def opened(wrapper, router):
    """The router as the wrapper opens it."""
    with wrapper.Router.open(router.weights) as r:
        yield r


def close_to(got, wanted):
    """Logits as PyTorch's: float32 sums of 2,048 products in another order; seen: 2e-6 on logits up to 4."""
    import numpy as np
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def same_bits(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape
    assert a.tobytes() == b.tobytes()
