# SPDX-License-Identifier: MIT
"""Verdicts: the one strict parser of what a guard wrote, and the one rule for its two verdict tokens.

A router learns where guards are wrong, so a verdict that was misread is a wrong label. Hence: what is not exactly a
verdict is unreadable, is counted, and is never taken for safe.
"""
import dataclasses
import math
import re
import struct

SAFE, UNSAFE, UNREADABLE = 0, 1, -1
THRESHOLD = 0.5  # unsafe from this probability on

_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.S)
_ANSWER = re.compile(r"<answer>(.*?)(?:</answer>|\Z)", re.S)
_CATEGORIES = re.compile(r"[A-Z]\d{1,2}(\s*,\s*[A-Z]\d{1,2})*")


@dataclasses.dataclass(frozen=True)
class Words:
    """The two words of a guard, as its tokenizer writes them."""

    safe: str
    unsafe: str

    def read(self, word):
        word = word.strip().casefold()
        if word == self.safe.strip().casefold():
            return SAFE
        return UNSAFE if word == self.unsafe.strip().casefold() else UNREADABLE


def parse(text, words):
    """SAFE, UNSAFE or UNREADABLE of what a guard wrote.

    A thought (<think>...</think>) in front is passed over; one that never ends hides the verdict. With <answer> there
    must be one of it, holding a verdict and nothing else; it may be cut off behind the verdict. Without, the text is a
    verdict and nothing else, but for a second line of categories ("S1,S10") behind unsafe.
    """
    thought = _THOUGHT.match(text)
    if thought:
        text = text[thought.end():]
    if "<think>" in text:
        return UNREADABLE
    if "<answer>" in text:
        return words.read(_ANSWER.search(text)[1]) if text.count("<answer>") == 1 else UNREADABLE
    first, _, rest = text.strip().partition("\n")
    verdict = words.read(first)
    if rest.strip() and not (verdict == UNSAFE and _CATEGORIES.fullmatch(rest.strip())):
        return UNREADABLE
    return verdict


def probability(safe, unsafe):
    """P(unsafe) of the two verdict tokens' logits (or logarithms of probabilities)."""
    difference = safe - unsafe
    if difference > 700:  # exp would overflow; the probability is below every float32
        return 0.0
    return 1 / (1 + math.exp(difference))


def judge(prob, mass, least_mass):
    """(probability as a float32, verdict) as stored: NaN and UNREADABLE where both verdict tokens together have a
    probability below least_mass, for then the guard was about to write something else."""
    if not (mass >= least_mass and 0 <= prob <= 1):
        return math.nan, UNREADABLE
    prob = struct.unpack("f", struct.pack("f", prob))[0]  # so that a threshold cuts what is stored the same way
    return prob, UNSAFE if prob >= THRESHOLD else SAFE
