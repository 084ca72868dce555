# SPDX-License-Identifier: MIT
"""`pip install ./infer/python`: one wheel for every Python 3 of a platform, which needs nothing of ours installed."""
import os
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from conftest import ROOT

pytest.importorskip("scikit_build_core", reason="scikit-build-core is not installed")
pytest.importorskip("pip")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-build-isolation", "--no-deps", "--wheel-dir",
                    folder, ROOT / "infer" / "python"], check=True)
    [path] = folder.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """A folder with what pip puts into site-packages."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder,
                    wheel], check=True)
    return folder


def test_what_is_in_it(wheel):
    assert wheel.name.split("-")[2:4] == ["py3", "none"] and "any" not in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    ours = sorted(n for n in names if ".dist-info/" not in n and not n.endswith("jansson-copyright"))
    assert ours[0].startswith("saferoute.libs/libjansson.so") and ours[1].startswith("saferoute.libs/libsaferoute.so.")
    assert ours[2:] == ["saferoute.py"]
    assert any(n.endswith("licenses/LICENSE") for n in names)
    [metadata] = [n for n in names if n.endswith("METADATA")]
    assert [line for line in zipfile.ZipFile(wheel).read(metadata).decode().splitlines()
            if line.startswith("Requires-Dist")] == ["Requires-Dist: numpy>=1.22"]


def test_it_needs_nothing_else(installed):
    if not shutil.which("ldd"):
        pytest.skip("no ldd")
    [library] = (installed / "saferoute.libs").glob("libsaferoute.so.*")
    out = subprocess.run(["ldd", library], check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    needed = {line.split()[0].split(".so")[0]: line for line in out.stdout.splitlines()}
    assert str(installed) in needed.pop("libjansson")
    assert {name.rsplit("/")[-1].split("-")[0] for name in needed} <= {"linux", "libc", "libm", "libpthread", "ld"}


@pytest.mark.parametrize("router", ["small"], indirect=True)
def test_it_decides_from_another_folder(installed, router, tmp_path):
    code = ("import numpy, saferoute, sys\n"
            f"r = saferoute.Router.open({str(router.weights)!r})\n"
            f"assert saferoute.__file__.startswith({str(installed)!r})\n"
            f"assert {str(installed)!r} in saferoute._library._name\n"
            f"x = numpy.load({str(tmp_path / 'x.npy')!r})\n"
            "numpy.save(sys.argv[1], r.route(x).prob)\n")
    np.save(tmp_path / "x.npy", router.x)
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)}
    subprocess.run([sys.executable, "-c", code, tmp_path / "prob.npy"], check=True, env=environment, cwd=tmp_path)
    np.testing.assert_allclose(np.load(tmp_path / "prob.npy"), router.prob, rtol=0, atol=1e-5)  # as in test_python
