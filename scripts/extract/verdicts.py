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

_THOUGHT = re.compile(r"(?!\s*<answer>)(?:(?!</think>).)*</think>", re.S)
_TAGGED = re.compile(r"\s*<answer>(?P<word>[^<]*)"
                     r"(?:</answer>\s*(?:<explanation>(?:(?!</?(?:answer|explanation)>).)*(?:</explanation>\s*)?)?)?",
                     re.S | re.I)
_PLAIN = re.compile(r"\s*(?P<word>[^\n]*[^\s])\s*?(?P<rest>\n.*)?", re.S)
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


def locate(text, words):
    """(SAFE, UNSAFE or UNREADABLE of what a guard wrote, where its answer begins, where its word of verdict begins).

    The answer is all that stands behind the first </think>, whose <think> may be the prompt's. It is a verdict and
    nothing else, but for categories ("S1,S10") on a second line behind unsafe; or a verdict in <answer>, with nothing
    in front and nothing behind but an <explanation>. It may be cut off behind the verdict. A thought that never ends
    hides the verdict.
    """
    thought = _THOUGHT.match(text)
    start = thought.end() if thought else 0
    found = _TAGGED.fullmatch(text, start)
    if not found:
        found = _PLAIN.fullmatch(text, start)
        if not found:
            return UNREADABLE, start, start
        rest = (found["rest"] or "").strip()
        if rest and not (words.read(found["word"]) == UNSAFE and _CATEGORIES.fullmatch(rest)):
            return UNREADABLE, start, start
    word = found["word"]
    return words.read(word), start, found.start("word") + len(word) - len(word.lstrip())


def parse(text, words):
    return locate(text, words)[0]


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
