# SPDX-License-Identifier: MIT
"""A guard behind an OpenAI-compatible HTTP endpoint (vLLM, SGLang, TGI, llama.cpp, a gateway): verdicts, and
probabilities where the server gives logprobs.

What the guard answers is judged, by the same parser and rule as everywhere; what is no answer (no connection, an error
status, a body of another form) is tried again, and then ends the run with what is done kept. A failing server never
becomes a verdict.
"""
import http.client
import json
import math
import os
import random
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

from stop import IO, USAGE, Stop
from verdicts import SAFE, THRESHOLD, UNREADABLE, UNSAFE, judge, parse, probability

TOP = 20  # alternatives a token that are asked for; the most that the API allows
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT = 60.0
_TIE = 1e-3  # logprobs come rounded


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A key is for the server it was given for."""

    def redirect_request(self, *args):
        return None


class _Failed(Exception):
    def __init__(self, text, again, wait=None):
        super().__init__(text)
        self.again, self.wait = again, wait


def _short(raw):
    return " ".join(raw.decode("utf-8", "replace").split())[:300]


def _seconds(text):
    try:
        return min(max(float(text), 0.0), _LONGEST_WAIT)
    except (TypeError, ValueError):
        return None


class Endpoint:
    """url: as far as /v1. more: further keys of a request's body; None takes one away. Threads may call ask() at
    once."""

    def __init__(self, url, model, form, *, chat=True, timeout=120.0, retries=6, max_tokens=32, key_variable=None,
                 logprobs=True, least_mass=0.5, more=None, first_wait=1.0):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Stop(USAGE, f"--large {url}: no address of the form http://host:8000/v1")
        if parts.username or parts.password:
            raise Stop(USAGE, "--large has a password in its address, which would be seen by others; put a key into "
                              "the environment (--api-key-variable)")
        self.url = url.rstrip("/") + ("/chat/completions" if chat else "/completions")
        self.model, self.form, self.chat, self.timeout, self.retries = model, form, chat, timeout, retries
        self.max_tokens, self.logprobs, self.least_mass, self.first_wait = max_tokens, logprobs, least_mass, first_wait
        self.more = more or {}
        self.key = os.environ.get(key_variable, "") if key_variable else ""
        self.opener = urllib.request.build_opener(_NoRedirect)
        self.stopping = False

    # ---- one request ----

    def _body(self, row):
        body = {"model": self.model, "temperature": 0, "max_tokens": self.max_tokens}
        if self.chat:
            body["messages"] = self.form.messages(row)
            if self.logprobs:
                body |= {"logprobs": True, "top_logprobs": TOP}
        else:
            body["prompt"] = self.form.text(row)
            if self.logprobs:
                body["logprobs"] = TOP
        body |= self.more
        return json.dumps({key: value for key, value in body.items() if value is not None}).encode()

    def _post(self, body):
        """The first choice of the answer. _Failed."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        try:
            with self.opener.open(urllib.request.Request(self.url, body, headers), timeout=self.timeout) as answer:
                raw = answer.read()
        except urllib.error.HTTPError as e:
            with e:
                text = _short(e.read())
            raise _Failed(f"status {e.code} {e.reason}: {text}", e.code in _AGAIN,
                          _seconds(e.headers.get("Retry-After"))) from None
        except (OSError, http.client.HTTPException) as e:  # URLError and timeouts are OSErrors
            reason = getattr(e, "reason", e)
            late = isinstance(reason, (socket.timeout, TimeoutError))
            raise _Failed(f"no answer in {self.timeout:g} s (--timeout)" if late else str(reason) or repr(reason),
                          True) from None
        try:
            return json.loads(raw)["choices"][0]
        except (ValueError, KeyError, IndexError, TypeError):
            raise _Failed(f"it does not answer as OpenAI's API does: {_short(raw)}", True) from None

    def _try(self, body):
        for attempt in range(self.retries + 1):
            try:
                return self._post(body)
            except _Failed as e:
                if not e.again or attempt == self.retries or self.stopping:
                    tries = f" ({attempt + 1} tries)" if attempt else ""
                    raise Stop(IO, f"{self.url}: {e}{tries}. What is done is kept; the same command goes on") from None
                wait = e.wait if e.wait is not None else min(self.first_wait * 2 ** attempt, _LONGEST_WAIT)
                time.sleep(wait * random.uniform(0.75, 1.25))  # so that threads do not come back at once together

    # ---- what it says ----

    def _read(self, choice):
        """(text, [{token: logprob} of each place] or None)."""
        if not isinstance(choice, dict):
            return "", None
        text = (choice.get("message") or {}).get("content") if self.chat else choice.get("text")
        text, logprobs = text if isinstance(text, str) else "", choice.get("logprobs") or {}
        try:
            if self.chat:
                places = [{t["token"]: t["logprob"] for t in [place, *(place.get("top_logprobs") or [])]}
                          for place in logprobs.get("content") or []]
            else:
                places = [dict(place) for place in logprobs.get("top_logprobs") or []]
        except (KeyError, TypeError, ValueError, AttributeError):
            places = []
        return text, places or None

    def _probability(self, places):
        """(P(unsafe), probability of both verdict tokens) at the first place whose likeliest token is a verdict, or
        None. A verdict token that is not listed is no likelier than the least of those listed."""
        words = self.form.words
        before = ""
        for place in places:
            best = max(place, key=place.get)
            inside = before and not before[-1].isspace() and before[-1] != ">"  # "un" + "safe" is no "safe"
            before += best
            if inside or words.read(best) == UNREADABLE:
                continue
            least, found = min(place.values()), {}
            for token, logprob in place.items():
                verdict = words.read(token)
                if verdict != UNREADABLE:  # " FAIL" and "FAIL" are the same verdict
                    found[verdict] = math.exp(logprob) + found.get(verdict, 0.0)
            safe, unsafe = (found.get(v) or math.exp(least) for v in (SAFE, UNSAFE))
            if safe <= 0 or unsafe <= 0:
                return (1.0 if unsafe > safe else 0.0), safe + unsafe
            return probability(math.log(safe), math.log(unsafe)), sum(found.values())
        return None

    def judge(self, choice):
        """(probability or NaN, verdict) of a choice."""
        text, places = self._read(choice)
        verdict = parse(text if self.chat or "<answer>" in text else self.form.begun + text, self.form.words)
        if verdict == UNREADABLE:
            return math.nan, UNREADABLE
        found = self._probability(places) if places else None
        if found is None:
            return math.nan, verdict
        prob, judged = judge(*found, self.least_mass)
        tie = abs(prob - THRESHOLD) < _TIE  # of two equally likely tokens a server writes either
        return (prob, judged) if judged == verdict or tie else (math.nan, UNREADABLE)

    def ask(self, row):
        """(P(unsafe) or NaN, verdict) of a row. Stop where the server fails."""
        return self.judge(self._try(self._body(row)))
