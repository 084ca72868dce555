# SPDX-License-Identifier: MIT
"""The folder of `saferoute export --to hf`, read by those it is for: safetensors, PyTorch, json, PyYAML, huggingface_hub."""
import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def report(saferoute, router, tmp_path_factory):
    """What eval --json says of the router."""
    path = tmp_path_factory.mktemp("report") / "eval.json"
    path.write_text(saferoute("eval", "--model", router.weights, "--data", router.dump, "--json"), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def folder(saferoute, router, report, tmp_path_factory):
    path = tmp_path_factory.mktemp("hf") / "router"
    saferoute("export", "--model", router.weights, "--to", "hf", "--out", path, "--eval", report)
    return path


def front_matter(card):
    parts = re.match(r"---\n(.*?)^---\n(.*)", card, re.M | re.S)
    assert parts, "no front matter"
    return parts.group(1), parts.group(2)


def test_weights_load_strictly(folder, router):
    torch = pytest.importorskip("torch")
    state = pytest.importorskip("safetensors.torch").load_file(folder / "model.safetensors")
    before = router.module.state_dict()
    router.module.load_state_dict(state, strict=True)
    assert all(torch.equal(before[key], state[key]) for key in before)


def test_config_says_what_the_weights_are(folder, router):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert config["format"] == "saferoute-router"
    assert config["architecture"]["inputs"] == router.x.shape[1]
    assert config["architecture"]["hidden"] == list(router.hidden)
    assert config["architecture"]["parameters"] == sum(p.numel() for p in router.module.parameters())
    assert config["threshold"] == router.threshold
    assert config["contract"]["feature_norm"] == "pre"  # as data synth has it
    assert config["threshold_metrics"]["rows"] == len(router.x)


def test_front_matter_is_yaml(folder, router):
    yaml = pytest.importorskip("yaml")
    safe_open = pytest.importorskip("safetensors").safe_open
    text, _ = front_matter((folder / "README.md").read_text(encoding="utf-8"))
    data = yaml.safe_load(text)
    assert data["library_name"] == "saferoute"
    assert "safetensors" in data["tags"]
    assert data["saferoute_threshold"] == router.threshold
    with safe_open(folder / "model.safetensors", "np") as f:
        assert data["saferoute_sha256"] == f.metadata()["sha256"]


def test_hugging_face_reads_the_card(folder, router):
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard.load(folder / "README.md")
    assert card.data.library_name == "saferoute"
    assert card.data.to_dict()["saferoute_threshold"] == router.threshold
    assert card.text.lstrip().startswith("# SafeRoute router")


def test_the_numbers_of_the_report_stand_in_the_card(folder, report):
    said = json.loads(report.read_text(encoding="utf-8"))
    card = (folder / "README.md").read_text(encoding="utf-8")
    low, high = said["routed"]["f1_ci"]
    assert f"| **with this router** | {said['routed']['f1']:.4f} [{low:.4f}, {high:.4f}] |" in card
    assert "**At least " in card, "these rows trained the router: the card warns"


def test_what_the_card_shows_runs(folder, router, saferoute, monkeypatch):
    """Each block of Python as it stands, but with rows of the dump for x."""
    pytest.importorskip("torch")
    card = (folder / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", card, re.M | re.S)
    assert blocks
    monkeypatch.chdir(folder)
    if "onnxruntime" in card:
        pytest.importorskip("onnxruntime")
        saferoute("export", "--model", "model.safetensors", "--to", "onnx", "--out", "router.onnx")
    x = router.x.copy()
    x[0, 0] = np.nan
    for block in blocks:
        scope = {"rows": x}
        code, changed = re.subn(r"^x = .*$", "x = rows if 'np' in globals() else torch.from_numpy(rows)", block, flags=re.M)
        assert changed == 1
        exec(code, scope)
        assert bool(scope["to_large"][0]), "a row with a NaN goes to the large guard"
        assert np.array_equal(np.asarray(scope["to_large"])[1:], router.prob[1:] > np.float32(router.threshold))


def test_the_c_of_the_card_compiles(folder, router, tmp_path):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler")
    card = (folder / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```c\n(.*?)^```", card, re.M | re.S).group(1)
    assert f".width = {router.x.shape[1]}" in block
    lines = block.splitlines()
    includes = [line for line in lines if line.startswith("#include")]
    body = [line for line in lines if not line.startswith("#include")]
    source = tmp_path / "card.c"
    source.write_text("\n".join(["#include <stdio.h>", *includes, "void ask_the_large_guard(void);",
                                 "void card(const float *hidden);", "void card(const float *hidden) {", *body, "}\n"]))
    subprocess.run([compiler, "-std=c99", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", f"-I{ROOT / 'infer'}", source],
                   check=True)
