# SPDX-License-Identifier: MIT
"""The large guard behind an OpenAI-compatible endpoint, which is a server of this test: what it answers is judged,
and what is no answer ends the run with what is done kept."""
import http.server
import json
import math
import os
import subprocess
import sys
import threading

import pytest

from conftest import ROOT

h5py, torch, transformers = (pytest.importorskip(name) for name in ("h5py", "torch", "transformers"))

import tiny_guards  # noqa: E402
from tiny_guards import lines, write_lines  # noqa: E402

import endpoint  # noqa: E402
import extract_features  # noqa: E402
import templates  # noqa: E402
from endpoint import Endpoint  # noqa: E402
from verdicts import SAFE, UNREADABLE, UNSAFE  # noqa: E402

ROWS = 30


class Server(http.server.ThreadingHTTPServer):
    """Answers with self.answer(number of the request, body, headers): (status, body as JSON or bytes)."""

    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.lock = [], threading.Lock()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append((self.path, body, dict(self.headers)))
            number = len(self.server.asked)
        status, answer = self.server.answer(number, body)
        raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        if status == 301:
            self.send_header("Location", self.server.url + "/elsewhere")
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def unsafe_part(text):
    """What the made-up guard thinks of a transcript, from its length: 0.06 to 0.96, and never one half."""
    return 0.06 + 0.9 * (len(text) % 19) / 18


def chat(body, logprobs=True):
    p = unsafe_part(body["messages"][-1]["content"])
    word = "FAIL" if p >= 0.5 else "PASS"
    tokens = [("<answer>", {}), ("\n", {}), (word, {"FAIL": p * 0.9, "PASS": (1 - p) * 0.9, "Hm": 0.1}), ("\n", {}),
              ("</answer>", {})]
    content = [{"token": token, "logprob": math.log(top.get(token, 1.0)), "top_logprobs": [
        {"token": t, "logprob": math.log(q)} for t, q in top.items()]} for token, top in tokens]
    choice = {"message": {"role": "assistant", "content": f"<answer>\n{word}\n</answer>"}}
    return {"choices": [choice | ({"logprobs": {"content": content}} if logprobs else {})]}


@pytest.fixture
def job(tmp_path, server):
    write_lines(tmp_path / "prompts.jsonl", lines(ROWS, 5))

    def run(*more, status=0, out="out.h5"):
        line = ["--in", tmp_path / "prompts.jsonl", "--out", tmp_path / out, "--only", "large", "--large", server.url,
                "--large-name", "org/DynaGuard-8B", *more]
        assert extract_features.main([str(word) for word in line]) == status
        return tmp_path / out

    return run


def load(path):
    with h5py.File(path) as f:
        return {name: f[name][:] for name in f}, dict(f.attrs)


def test_probabilities_of_a_chat(server, job, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    server.answer = lambda number, body: (200, chat(body))
    path = job("--large-revision", "abc")
    data, attrs = load(path)
    assert attrs["large_model"] == "org/DynaGuard-8B" and attrs["large_revision"] == "abc"
    asked = {body["messages"][-1]["content"]: (url, body, headers) for url, body, headers in server.asked}
    assert len(asked) == ROWS == len(server.asked)
    form = templates.DynaGuard(None, "")
    for i, line in enumerate(lines(ROWS, 5)):
        row = type("Row", (), {"policy": line["policy"], "transcript": line["transcript"]})
        text = form.messages(row)[-1]["content"]
        url, body, headers = asked[text]
        assert data["large_prob"][i] == pytest.approx(unsafe_part(text), abs=1e-6)
        assert url == "/v1/chat/completions" and body["model"] == "org/DynaGuard-8B" and body["temperature"] == 0
        assert body["messages"][0]["role"] == "system" and body["top_logprobs"] == 20
        assert body["chat_template_kwargs"] == {"enable_thinking": False}
        assert headers["Authorization"] == "Bearer sesame"
    assert b"sesame" not in path.read_bytes()


def test_without_logprobs_there_are_verdicts_only(server, job):
    server.answer = lambda number, body: (200, chat(body, logprobs=False))
    data, _ = load(job("--no-logprobs", "--large-body", '{"chat_template_kwargs": null, "seed": 1}'))
    assert "large_prob" not in data and set(data["large_pred"]) == {0, 1}
    body = server.asked[0][1]
    assert "logprobs" not in body and "chat_template_kwargs" not in body and body["seed"] == 1


def test_refusals_and_gibberish_are_unreadable(server, job, capsys):
    words = {0: "I cannot help with that.", 1: "<answer>PERHAPS</answer>", 2: ""}

    def answer(number, body):
        good = chat(body)
        kind = len(body["messages"][-1]["content"]) % 4
        return 200, good if kind == 3 else {"choices": [{"message": {"content": words[kind]}}]}

    server.answer = answer
    data, _ = load(job())
    kinds = [len(body["messages"][-1]["content"]) % 4 for _, body, _ in server.asked]
    unreadable = sum(kind != 3 for kind in kinds)
    assert 0 < unreadable < ROWS
    assert int((~(data["large_prob"] >= 0)).sum()) == unreadable and "large_pred" not in data
    said = capsys.readouterr().out
    assert f"{unreadable} unreadable" in said and "many are unreadable" in said


def test_a_failing_server_stops_with_what_is_done_kept(server, job, tmp_path, capsys):
    def answer(number, body):
        return (200, chat(body)) if number <= 12 else (503, b"busy")

    server.answer = answer
    job("--retries", "1", "--concurrency", "1", status=74)
    said = capsys.readouterr().err
    assert "status 503" in said and "busy" in said and "2 tries" in said and "the same command goes on" in said
    assert json.loads((tmp_path / "out.h5.part.json").read_text())["done"]["large"] == 12
    server.asked.clear()
    server.answer = lambda number, body: (200, chat(body))
    part = load(job("--retries", "1"))[0]  # retries do not change what is written
    # A thread of the job that ended may still have asked for a row that is asked for again: rows count, not requests.
    assert len({body["messages"][-1]["content"] for _, body, _ in server.asked}) == ROWS - 12
    whole = load(job(out="whole.h5"))[0]
    assert (part["large_prob"] == whole["large_prob"]).all()


def test_failures_that_pass_are_tried_again(server, job):
    seen = set()

    def answer(number, body):
        text = body["messages"][-1]["content"]
        with server.lock:
            first = text not in seen
            seen.add(text)
        return (429, b"slow down") if first else (200, chat(body))

    server.answer = answer
    data, _ = load(job())
    assert (data["large_prob"] >= 0).all() and len(server.asked) == 2 * ROWS


@pytest.mark.parametrize("status, body, text", [
    (401, b"no key", "status 401"), (404, b"no such model", "no such model"), (301, b"", "status 301"),
    (200, b"<html>", "does not answer as OpenAI"), (200, b'{"choices": []}', "does not answer as OpenAI")])
def test_what_is_no_answer_is_never_a_verdict(server, job, capsys, status, body, text):
    server.answer = lambda number, asked: (status, body)
    job("--retries", "0", "--concurrency", "2", status=74)
    assert text in capsys.readouterr().err


def test_nobody_there(job, server, capsys):
    server.server_close()
    job("--retries", "0", status=74)
    assert "chat/completions: " in capsys.readouterr().err


def test_completions_are_asked_with_our_prompt(server, job, tmp_path):
    folder = tmp_path / "tokenizer"
    tokenizer = tiny_guards.make_tokenizer()
    tokenizer.save_pretrained(folder)

    def answer(number, body):
        p = unsafe_part(body["prompt"])
        word = " FAIL" if p >= 0.5 else "PASS"
        top = {" FAIL": math.log(p), "PASS": math.log(1 - p)}
        logprobs = {"tokens": [word, "\n</answer>"], "top_logprobs": [top, {"\n</answer>": 0.0}]}
        return 200, {"choices": [{"text": word + "\n</answer>", "logprobs": logprobs}]}

    server.answer = answer
    data, _ = load(job("--endpoint", "completions", "--large-tokenizer", folder))
    path, body, _ = server.asked[0]
    assert path == "/v1/completions" and body["prompt"].endswith("</think>\n\n<answer>\n") and body["logprobs"] == 20
    wanted = sorted(unsafe_part(body["prompt"]) for _, body, _ in server.asked)
    assert sorted(data["large_prob"]) == pytest.approx(wanted, abs=1e-6)


def place(token, **top):
    return {"token": token, "logprob": math.log(top.get(token, 1.0)),
            "top_logprobs": [{"token": t, "logprob": math.log(p)} for t, p in top.items()]}


@pytest.mark.parametrize("text, places, prob, verdict", [
    ("unsafe\nS1", [place("unsafe", unsafe=0.8, safe=0.1), place("\n"), place("S1")], 8 / 9, UNSAFE),
    ("safe", [place("safe", safe=0.9)], math.nan, SAFE),  # nothing else is listed, so nothing is known of the other
    ("safe", [place("safe", safe=1.0)], math.nan, SAFE), ("unsafe", [place("unsafe", unsafe=0.4)], math.nan, UNSAFE),
    ("safe", [place("safe", safe=0.9, x=0.001)], 0.001 / 0.901, SAFE),  # at most as the least listed
    ("safe", [place("safe", safe=0.6, x=0.39)], 0.01 / 0.61, SAFE),  # at most what the listed leave
    ("safe", [place("safe", safe=0.3, unsafe=0.1, x=0.2)], math.nan, UNREADABLE),  # together below .5
    ("unsafe", [place("unsafe", safe=0.8, unsafe=0.1)], math.nan, UNREADABLE),  # says one and thinks the other
    ("safe", [place("safe", safe=0.4, unsafe=0.4)], 0.5, SAFE),  # a tie, of which the text says one
    ("unsafe", [place("unsafe", safe=0.4, unsafe=0.4)], 0.5, UNSAFE),
    ("unsafe", [place("un"), place("safe", safe=0.99, x=0.01)], math.nan, UNSAFE),  # of two tokens: no probability
    ("unsafe", [place("safe", safe=0.8, unsafe=0.1)], math.nan, UNSAFE),  # the tokens are of another text
    ("safe", None, math.nan, SAFE), ("dunno", [place("safe", safe=1.0)], math.nan, UNREADABLE),
    # within a thought, which the text has or not, there are other places that look like a verdict
    ("unsafe? no</think>\nsafe", [place("unsafe", unsafe=0.9, safe=0.1), place("? no"), place("</think>"), place("\n"),
                                 place("safe", safe=0.8, unsafe=0.2), place("<|eot_id|>")], 0.2, SAFE),
    ("\nsafe", [place("safe", safe=0.9, unsafe=0.1), place("</think>"), place("\n"),
               place("safe", safe=0.8, unsafe=0.2)], 0.2, SAFE),
])
def test_verdict_and_logprobs(text, places, prob, verdict):
    guard = Endpoint("http://h/v1", "m", templates.LlamaGuard(None, ""))
    got, judged = guard.judge(*guard._read({"message": {"content": text}, "logprobs": {"content": places}}))
    assert judged == verdict and (got == pytest.approx(prob, rel=1e-6) or (math.isnan(got) and math.isnan(prob)))


@pytest.mark.parametrize("word", ["PASS", "FAIL"])
def test_a_server_that_lists_no_alternatives_gives_verdicts(server, job, word):
    token = {"token": word, "logprob": -0.01, "top_logprobs": []}
    choice = {"message": {"content": word}, "logprobs": {"content": [token]}, "finish_reason": "stop"}
    server.answer = lambda number, body: (200, {"choices": [choice]})
    data, _ = load(job())
    assert set(data["large_pred"]) == {int(word == "FAIL")} and "large_prob" not in data


def of_chat(**more):
    return json.dumps({"choices": [{"message": {"content": "PASS"}} | more]}).encode()


def with_place(**more):
    return of_chat(logprobs={"content": [{"token": "PASS", "logprob": -0.1} | more]})


@pytest.mark.parametrize("body", [
    with_place(logprob=None), with_place(logprob="-0.1"), with_place(logprob=1000), with_place(token=3),
    with_place(top_logprobs=[{}]), with_place(top_logprobs=["PASS"]), of_chat(message="PASS"), of_chat(message=None),
    of_chat(message={}), of_chat(message={"content": 3}), of_chat(logprobs={"content": ["PASS"]}),
    of_chat(logprobs="none"), b'{"choices": [null]}', b'{"choices": null}', b"[" * 100000])
def test_a_body_of_another_form_is_tried_again(server, job, capsys, monkeypatch, body):
    monkeypatch.setattr(endpoint, "_LONGEST_WAIT", 0.0)
    server.answer = lambda number, asked: (200, body)
    job("--retries", "1", "--concurrency", "1", status=74)
    said = capsys.readouterr().err
    assert "does not answer as OpenAI" in said and "2 tries" in said


@pytest.mark.parametrize("body", [
    {"text": "PASS", "logprobs": {"tokens": ["PASS"], "top_logprobs": [{}]}},
    {"text": "PASS", "logprobs": {"tokens": ["PASS"], "top_logprobs": [{"PASS": None}]}},
    {"text": "PASS", "logprobs": {"tokens": ["PASS", "x"], "top_logprobs": [{"PASS": -0.1}]}}, {"text": 3}, {}])
def test_completions_of_another_form(body):
    guard = Endpoint("http://h/v1", "m", templates.DynaGuard(None, ""), chat=False)
    with pytest.raises((ValueError, TypeError, KeyError)):
        guard._read(body)


@pytest.mark.parametrize("content, reason, text", [
    (None, "content_filter", "content filter kept the answer back"), ("PASS", "content_filter", "content filter"),
    (None, "length", "--max-tokens"), ("", "length", "--max-tokens"), (None, "stop", "without text")])
def test_no_text_is_no_verdict(server, job, capsys, content, reason, text):
    server.answer = lambda number, asked: (200, of_chat(message={"content": content}, finish_reason=reason))
    job("--concurrency", "1", status=74)
    assert text in capsys.readouterr().err


def test_an_answer_is_bounded(server, job, capsys, monkeypatch):
    monkeypatch.setattr(endpoint, "_BODY", 1000)
    server.answer = lambda number, asked: (200, b" " * 5000)
    job("--concurrency", "1", status=74)
    assert "an answer of more than" in capsys.readouterr().err


DRIPS = """
import http.server, os, signal, sys, threading, time
sys.path.insert(0, {folder!r})
import extract_features
asked = threading.Semaphore(0)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(200)
        self.end_headers()
        asked.release()
        while {drips}:
            self.wfile.write(b" ")
            time.sleep(0.05)
        time.sleep(300)
    def log_message(self, *more):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
def interrupt():
    asked.acquire()
    os.kill(os.getpid(), signal.SIGINT)
if not {drips}:
    threading.Thread(target=interrupt, daemon=True).start()
url = "http://127.0.0.1:%d/v1" % server.server_address[1]
sys.exit(extract_features.main(sys.argv[1:] + ["--large", url]))
"""


@pytest.mark.parametrize("drips, status", [(False, 75), (True, 74)])
def test_nobody_waits_for_a_server_that_does_not_end(tmp_path, drips, status):
    """Ctrl-C while nothing comes; a byte now and then, each well within --timeout."""
    code = DRIPS.format(folder=str(ROOT / "scripts" / "extract"), drips=drips)
    write_lines(tmp_path / "prompts.jsonl", lines(3, 5))
    line = ["--in", "prompts.jsonl", "--out", "out.h5", "--only", "large", "--large-name", "org/DynaGuard-8B",
            "--retries", "0", "--timeout", "0.5" if drips else "250"]
    done = subprocess.run([sys.executable, "-c", code, *line], cwd=tmp_path, capture_output=True, text=True,
                          check=False, env=os.environ | {"NO_PROXY": "127.0.0.1"},
                          timeout=100)  # a third of what either server would take
    assert done.returncode == status, done.stderr
    assert ("no answer in 0.5 s" if drips else "stopped by SIGINT") in done.stderr


def test_addresses_and_options(job, tmp_path, capsys):
    base = ["--in", "x", "--out", "y", "--only", "large", "--large"]
    named = ["http://h/v1", "--large-name", "m"]
    for more, text in ((named[:1], "--large-name"), ([*named, "--endpoint", "completions"], "--large-tokenizer"),
                       ([*named, "--large-body", "["], "not JSON")):
        with pytest.raises(SystemExit) as end:
            extract_features.main(base + more)
        assert end.value.code == 2 and text in capsys.readouterr().err
    job("--large", "http://user:secret@127.0.0.1:1/v1", status=2)
    assert "password in its address" in capsys.readouterr().err
