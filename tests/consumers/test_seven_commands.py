# SPDX-License-Identifier: MIT
"""The seven commands of the README, "From prompts.jsonl to a deployed router", run as they stand there, with tiny
guards and made-up prompts, in a folder where there is nothing else; then the router they end with decides."""
import csv
import os
import pathlib
import re
import subprocess
import sys

import pytest

from conftest import ROOT

for needed in ("h5py", "torch", "transformers"):
    pytest.importorskip(needed)

import tiny_guards  # noqa: E402

HEADING = "### From prompts.jsonl to a deployed router"
ROWS = 1200  # of which a fifth is positive: enough in each part for `data check` to find nothing serious


def commands():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count(HEADING + "\n") == 1
    return re.search(r"^```sh\n(.*?)^```", text.split(HEADING + "\n")[1], re.M | re.S)[1]


@pytest.fixture(scope="module")
def folder(program, tmp_path_factory):
    """Where the commands were run: prompts.jsonl and scripts/ were there before."""
    folder = tmp_path_factory.mktemp("seven")
    (folder / "bin").mkdir()
    (folder / "bin" / "saferoute").symlink_to(program)
    (folder / "scripts").symlink_to(ROOT / "scripts")
    tiny_guards.write_lines(folder / "prompts.jsonl", tiny_guards.lines(ROWS, 11))
    # python3 and pip are those that run this test; nothing may come from an index
    path = [folder / "bin", pathlib.Path(sys.executable).parent, os.environ["PATH"]]
    env = os.environ | {"PATH": os.pathsep.join(map(str, path)), "PIP_NO_INDEX": "1",
                        "PIP_DISABLE_PIP_VERSION_CHECK": "1", "HF_HUB_OFFLINE": "1",
                        "OMP_NUM_THREADS": "1",  # models so small that threads only wait for each other
                        "SMALL": str(tiny_guards.make(folder / "tiny-dynaguard-small", 1)),
                        "LARGE": str(tiny_guards.make(folder / "tiny-dynaguard-large", 2, width=96))}
    done = subprocess.run(["bash", "-e", "-c", commands()], cwd=folder, env=env, capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "stdout").write_text(done.stdout)
    return folder


def test_there_are_seven_and_they_are_the_ones_said():
    names = [" ".join(line.split()[:3]) for line in commands().replace("\\\n", " ").strip().splitlines()]
    assert [name.split(" -")[0] for name in names] == [
        "pip install", "python3 scripts/extract/extract_features.py", "saferoute data split", "saferoute data check",
        "saferoute train", "saferoute sweep", "saferoute eval"]


def test_they_end_with_a_router_that_decides(folder, saferoute):
    saferoute("infer", "--model", folder / "first.safetensors", "--data", folder / "first-test.h5", "--out",
              folder / "scores.csv")
    with open(folder / "scores.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == pytest.approx(0.15 * ROWS, abs=5)
    assert {row["decision"] for row in rows} <= {"small", "large", "0", "1"}
    assert "no threshold" not in saferoute("inspect", folder / "first.safetensors")
    assert "routed" in (folder / "stdout").read_text()


def test_the_router_knows_its_features(folder, wrapper):
    import h5py
    with h5py.File(folder / "first-test.h5") as file, wrapper.Router.open(folder / "first.safetensors") as router:
        for key in ("model", "revision", "layer", "norm", "pooling", "template"):
            assert router.metadata(f"feature_{key}") == file.attrs[f"feature_{key}"]
        decided = router.route(file["features"][:])
        assert len(decided.prob) == len(file["id"])
