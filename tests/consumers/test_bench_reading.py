# SPDX-License-Identifier: MIT
"""scripts/bench_reading.py: h5py and the program read the same values in every form; how fast is not tested."""
import json
import subprocess
import sys

from conftest import ROOT


def test_values_agree_in_every_form(program, tmp_path):
    out = tmp_path / "reading.json"
    script = [sys.executable, ROOT / "scripts" / "bench_reading.py", "--program", program]
    run = subprocess.run([*script, "--rows", "700", "--rounds", "1", "--hdf5-rows", "100", "--json", out],
                         capture_output=True, text=True)
    assert run.returncode in (0, 1), run.stderr  # 1: slower than wanted
    assert "different values" not in run.stderr
    forms = json.loads(out.read_text())["forms"]
    assert len(forms) == 4
    for rates in forms.values():
        assert all(rates[name]["rows_per_second"] > 0 for name in ("saferoute", "h5py", "HDF5"))
