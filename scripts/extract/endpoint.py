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
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from stop import IO, USAGE, Stop
from verdicts import SAFE, THRESHOLD, UNREADABLE, UNSAFE, judge, locate, probability

TOP = 20  # alternatives a token that are asked for; the most that the API allows
_AGAIN = {408, 409, 425, 429, 500, 502, 503, 504}
_LONGEST_WAIT = 60.0
_TIE = 1e-3  # logprobs come rounded
_HIGHEST = 1e-2  # of a logprob, which is not above 0 but for rounding
_BODY = 16 << 20  # bytes of an answer; 20 alternatives for some thousand tokens are a few million


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
        return max(min(_LONGEST_WAIT, float(text)), 0.0)  # in this order a NaN is the longest
    except (TypeError, ValueError):
        return None


def _token(value):
    if not isinstance(value, str):
        raise TypeError
    return value


def _logprob(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value <= _HIGHEST:
        raise ValueError  # a NaN, too
    return float(value)


def _alternatives(listed):
    return {_token(t["token"]): _logprob(t["logprob"]) for t in listed}


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
        self.stopping = threading.Event()  # set: no more tries

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

    def _exchange(self, body):
        """The bytes of the answer, all within the timeout. _Failed, OSError, HTTPException."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {})
        end, raw = time.monotonic() + self.timeout, bytearray()
        with self.opener.open(urllib.request.Request(self.url, body, headers), timeout=self.timeout) as answer:
            while block := answer.read1(1 << 16):
                raw += block
                if time.monotonic() > end:  # a server that sends a byte now and then is never silent
                    raise TimeoutError
                if len(raw) > _BODY:
                    raise _Failed(f"an answer of more than {_BODY >> 20} MiB", False)
            if answer.length:
                raise http.client.IncompleteRead(b"", answer.length)
        return bytes(raw)

    def _post(self, body):
        """(text, places) of the answer: see _read. _Failed."""
        try:
            raw = self._exchange(body)
        except urllib.error.HTTPError as e:
            with e:
                text = _short(e.read(4096))
            raise _Failed(f"status {e.code} {e.reason}: {text}", e.code in _AGAIN,
                          _seconds(e.headers.get("Retry-After"))) from None
        except (OSError, http.client.HTTPException) as e:  # URLError and timeouts are OSErrors
            reason = getattr(e, "reason", e)
            late = isinstance(reason, (socket.timeout, TimeoutError))
            raise _Failed(f"no answer in {self.timeout:g} s (--timeout)" if late else str(reason) or repr(reason),
                          True) from None
        try:
            return self._read(json.loads(raw)["choices"][0])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            raise _Failed(f"it does not answer as OpenAI's API does: {_short(raw)}", True) from None

    def _try(self, body):
        for attempt in range(self.retries + 1):
            try:
                return self._post(body)
            except _Failed as e:
                if not e.again or attempt == self.retries or self.stopping.is_set():
                    tries = f" ({attempt + 1} tries)" if attempt else ""
                    raise Stop(IO, f"{self.url}: {e}{tries}. What is done is kept; the same command goes on") from None
                wait = e.wait if e.wait is not None else min(self.first_wait * 2 ** attempt, _LONGEST_WAIT)
                self.stopping.wait(wait * random.uniform(0.75, 1.25))  # so that threads do not come back together

    # ---- what it says ----

    def _read(self, choice):
        """(text, [(token, {token: logprob}) of each place] or None). _Failed, or an error of the kind that a body of
        another form makes."""
        text, end = choice["message"]["content"] if self.chat else choice["text"], choice.get("finish_reason")
        if not isinstance(text, (str, type(None))):
            raise TypeError
        if text is None or end == "content_filter" or (not text.strip() and end == "length"):
            why = {"content_filter": "; its content filter kept the answer back, and must be off for a guard",
                   "length": "; the answer ended within a thought: turn thinking off or give a larger --max-tokens"}
            raise _Failed(f"an answer without text (finish_reason {end}){why.get(end, '')}", text is None and not end)
        logprobs = choice.get("logprobs") or {}
        if self.chat:
            places = [(_token(place["token"]), _alternatives([place, *(place.get("top_logprobs") or [])]))
                      for place in logprobs.get("content") or []]
        else:
            places = [dict(place) for place in logprobs.get("top_logprobs") or []]
            tokens = logprobs.get("tokens") or [max(place, key=place.get) for place in places]
            places = [(_token(token), {_token(t): _logprob(p) for t, p in place.items()})
                      for token, place in zip(tokens, places, strict=True)]
            if not all(place for _, place in places):
                raise ValueError
        return text, places or None

    def _probability(self, answer, at, places):
        """(P(unsafe), probability of both verdict tokens) at the token that writes what stands at the place `at` of the
        answer, or None. answer: text behind a thought; the last of its kind among the tokens is taken, for a server may
        have left the thought out of the text.

        A verdict that is not listed is no likelier than the least of those listed, nor than what they leave; where
        nothing but the token itself is listed, that says nothing.
        """
        words, inside = self.form.words, len(answer[:at].lstrip()) if answer[:at].strip() else 0
        found_at = "".join(token for token, _ in places).rfind(answer.strip())
        if found_at < 0:
            return None
        place, end = None, 0
        for token, place in places:
            end += len(token)
            if end > found_at + inside:
                break
        if words.read(token) == UNREADABLE:  # a piece of the word: there is no one token for it
            return None
        found = {}
        for other, logprob in place.items():
            verdict = words.read(other)
            if verdict != UNREADABLE:  # " FAIL" and "FAIL" are the same verdict
                found[verdict] = math.exp(logprob) + found.get(verdict, 0.0)
        if not found or (len(found) == 1 and len(place) == 1):
            return None
        most = max(0.0, min(math.exp(min(place.values())), 1 - sum(map(math.exp, place.values()))))
        safe, unsafe = (found.get(v, most) for v in (SAFE, UNSAFE))
        if safe <= 0 or unsafe <= 0:
            return (1.0 if unsafe > safe else 0.0), safe + unsafe
        return probability(math.log(safe), math.log(unsafe)), sum(found.values())

    def judge(self, text, places):
        """(probability or NaN, verdict) of an answer."""
        begun = "" if self.chat or "<answer>" in text else self.form.begun
        verdict, start, at = locate(begun + text, self.form.words)
        if verdict == UNREADABLE:
            return math.nan, UNREADABLE
        start = max(start - len(begun), 0)
        found = self._probability(text[start:], at - len(begun) - start, places) if places else None
        if found is None:
            return math.nan, verdict
        prob, judged = judge(*found, self.least_mass)
        if judged != UNREADABLE and abs(prob - THRESHOLD) < _TIE:
            return prob, verdict  # of two equally likely tokens a server writes either
        return (prob, judged) if judged == verdict else (math.nan, UNREADABLE)

    def ask(self, row):
        """(P(unsafe) or NaN, verdict) of a row. Stop where the server fails."""
        return self.judge(*self._try(self._body(row)))
