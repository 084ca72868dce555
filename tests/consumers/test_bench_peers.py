# SPDX-License-Identifier: MIT
"""scripts/bench_peers.py: everybody does the same work, and where somebody does not it is seen. Nothing is timed."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

NEEDS = ("h5py", "numpy", "onnx", "onnxruntime", "safetensors", "sklearn", "torch")


@pytest.fixture(scope="module")
def peers(program):
    for name in NEEDS:
        pytest.importorskip(name)

    def run(*arguments):
        script = [sys.executable, ROOT / "scripts" / "bench_peers.py", "--program", program, "--quick"]
        return subprocess.run([*script, *map(str, arguments)], capture_output=True, text=True)

    return run


@pytest.fixture(scope="module")
def models(saferoute, tmp_path_factory):
    """Two routers of the published shape that differ in their seed."""
    folder = tmp_path_factory.mktemp("models")
    saferoute("data", "synth", "--out", folder / "d.h5", "--rows", 300)
    for seed in "1", "2":
        saferoute("train", "--train", folder / "d.h5", "--val-fraction", 0.2, "--epochs", 1, "--seed", seed,
                  "--out", folder / seed)
    return [folder / seed / "best.safetensors" for seed in "12"]


def test_everybody_does_the_same_work(peers, models, tmp_path):
    out = tmp_path / "peers.json"
    run = peers("--model", models[0], "--only", "epochs,file", "--rows", 600, "--json", out)
    assert run.returncode in (0, 1), run.stderr  # 1: slower than wanted
    got = json.loads(out.read_text())
    assert got["schema_version"] == 1 and got["rounds"] == 1

    checks = {c["name"]: c for c in got["checks"]}
    assert {"PyTorch", "torch.compile", "onnxruntime", "onnxruntime int8 dynamic", "onnxruntime int8 static",
            "SafeRoute int8"} < set(checks)
    for c in checks.values():
        assert c.get("same") or "missing" in c and ("torch.compile" in c["name"] or "Python" in c["name"]), c

    assert set(got["parts"]) == {"epochs", "file"}
    for work in got["parts"]["file"]:
        assert set(work["figures"]) == {"SafeRoute", "SafeRoute int8", "PyTorch"}
        assert all(len(each) == 1 and each[0] > 0 for each in work["figures"].values())
    assert set(got["parts"]["epochs"][0]["figures"]) == {"SafeRoute", "PyTorch fused"}
    wanted = {v["what"]: v for v in got["wanted"]}
    assert "from a file, int8, against h5py and PyTorch" in wanted
    assert all(v["reached"] == (v["measured"] >= v["wanted"]) for v in wanted.values() if v["sign"] == ">=")
    for heading in "The same results?", "Scoring a float16 dump", "Wanted and measured":
        assert f"**{heading}**" in run.stdout


@pytest.mark.parametrize("part, who", [
    ("file", ("PyTorch", "onnxruntime", "onnxruntime int8 dynamic")),
    ("training", ("PyTorch, losses of 6 steps, clip 1", "PyTorch, logits after 6 steps, clip 0.2")),
])
def test_other_weights_are_seen(peers, models, tmp_path, part, who):
    out = tmp_path / "peers.json"
    run = peers("--model", models[0], "--peer-model", models[1], "--only", part, "--json", out)
    assert run.returncode == 1
    told = run.stderr[run.stderr.index("not the same results: ") :]
    assert "Nothing was timed" in told
    for name in who:
        assert name in told
    assert not out.exists()


def test_unknown_part_is_refused(peers):
    run = peers("--only", "latency,nonsense")
    assert run.returncode == 2 and "nonsense" in run.stderr


def test_who_is_missing_is_left_out_and_said():
    from bench import report, turns

    class Part:
        TITLE, NOTE, COLUMNS = "Something", "How.", ["SafeRoute", "Absent", "There"]

    work = turns.Work("thing", "s", False)
    rounds = []

    def absent():
        raise turns.Missing("No module named 'absent'")

    turns.by_turns([("SafeRoute", [work], lambda: (rounds.append("SafeRoute"), work.add("SafeRoute", 2.0))),
                    ("Absent", [work], absent),
                    ("There", [work], lambda: (rounds.append("There"), work.add("There", 6.0)))], 3)
    assert rounds == ["SafeRoute", "There", "There", "SafeRoute", "There", "SafeRoute"]  # begins by turns, too
    assert work.ratio("SafeRoute", "There") == (3.0, 3.0, 3.0) and work.ratio("SafeRoute", "Absent") is None
    text = report.table(Part, [work])
    assert "| thing | s | 2 [2, 2] | 6 [6, 6] **3.00 x** |" in text
    assert "Not measured: Absent: No module named 'absent'" in text


def state(pid):
    """"T" where a process is stopped, "S" where it sleeps; None where there is none."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


@pytest.fixture
def answering(tmp_path, monkeypatch):
    """A worker that answers, fails to, or dies, as it is asked."""
    from bench import turns

    monkeypatch.setattr(turns, "HERE", tmp_path)
    (tmp_path / "peer_some.py").write_text(
        f"import os, sys\nsys.path.insert(0, {str(ROOT / 'scripts' / 'bench')!r})\nimport worker\n"
        "class Some:\n    def right(self): return 1\n    def wrong(self): return 1 / 0\n"
        "    def die(self): os._exit(1)\nworker.serve(Some, [])\n"
    )
    some = turns.Worker("some", tmp_path / "log")
    yield some
    some.close()
    assert state(some.process.pid) is None


def test_who_failed_is_stopped_and_who_died_is_missing(answering):
    from bench import turns

    def is_stopped():  # a signal takes a moment
        return any(state(answering.process.pid) == "T" or time.sleep(0.01) for _ in range(500))

    assert answering.ask("right") == 1 and is_stopped()
    with pytest.raises(turns.Missing, match="ZeroDivisionError"):
        answering.ask("wrong")
    assert is_stopped()
    for _ in range(3):  # and again: other contestants have the same process
        with pytest.raises(turns.Missing):
            answering.ask("die")


def test_first_step_of_pytorch_is_not_charged_with_its_end(monkeypatch):
    from bench import part_epochs, prepare, turns

    class Bench:
        folder = prepare.turns.HERE

    said = {"auprc": 0.5, "began": 1001.0, "seconds": 50.0, "first_step_seconds": 2.0}
    ran = {"began": 1000.0, "seconds": 60.0, "peak_bytes": 1, "stdout": json.dumps(said)}
    monkeypatch.setattr(turns, "run", lambda *_: ran)
    works = [turns.Work(name, "s", False) for name in ("whole", part_epochs.FIRST)]
    part_epochs.pytorch(Bench, works, ("a", "b"), 1)
    assert works[0].figures == {"PyTorch fused": [60.0]} and works[1].figures == {"PyTorch fused": [3.0]}


@pytest.mark.parametrize("moment", ["as it starts", "as it runs"])
def test_who_is_interrupted_leaves_nobody_behind(tmp_path, monkeypatch, moment):
    from bench import turns

    ready = tmp_path / "pid"
    started = threading.Event()

    def interrupt():
        while not ready.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    class Popen(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            if moment == "as it starts":
                interrupt()
            started.set()

    monkeypatch.setattr(turns.subprocess, "Popen", Popen)
    if moment == "as it runs":
        threading.Thread(target=lambda: started.wait() and interrupt(), daemon=True).start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins without one
    try:
        with pytest.raises(KeyboardInterrupt):
            turns.run("sh", "-c", f"echo $$ >{ready}.new; mv {ready}.new {ready}; exec sleep 600")
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert state(int(ready.read_text())) is None


def test_ratios_are_of_rounds_and_their_direction_is_right():
    from bench import turns

    rate, took = turns.Work("rate", "rows/s", True), turns.Work("took", "us", False)
    for ours, theirs in (10, 5), (30, 10), (8, 8):
        rate.add("SafeRoute", ours), rate.add("peer", theirs)
        took.add("SafeRoute", ours), took.add("peer", theirs)
    assert rate.ratio("SafeRoute", "peer") == (2.0, 1.0, 3.0)
    assert took.ratio("SafeRoute", "peer") == (0.5, 1 / 3, 1.0)


def test_of_two_figures_for_one_row_either_will_do():
    from bench import turns, wanted

    def verdicts(ours, of_limit):
        p50 = turns.Work("p50", "us", False)
        p50.add("SafeRoute", ours), p50.add("onnxruntime", 100.0), p50.note("of_limit float32", of_limit)
        return wanted.verdicts(wanted.Results({"latency": [p50]}, 2))

    assert [v["reached"] for v in verdicts(80.0, 0.9)] == [False, True] and wanted.all_reached(verdicts(80.0, 0.9))
    assert [v["reached"] for v in verdicts(60.0, 0.5)] == [True, False] and wanted.all_reached(verdicts(60.0, 0.5))
    assert not wanted.all_reached(verdicts(80.0, 0.5))
    assert verdicts(80.0, 0.5)[0]["measured"] == pytest.approx(0.8)
