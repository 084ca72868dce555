# SPDX-License-Identifier: MIT
"""Rows from a JSONL file: what is to be judged, by which rules, and what a human said.

Every line is checked before a model is loaded, and all problems are counted: a job of hours shall not end at the last
line. Whatever is not understood is an error; only what has no name here is passed over, and said.
"""
import dataclasses
import hashlib
import json
import math

from stop import DATA, NO_INPUT, USAGE, Stop, nearest
from verdicts import UNREADABLE, Words, parse

# Our names, and the names the same thing has elsewhere (DynaBench: policy, transcript, label). Ours count first.
NAMES = {
    "id": ("id", "uid", "row_id", "example_id", "key"),
    "policy": ("policy", "rules", "policies"),
    "transcript": ("transcript", "conversation", "dialogue", "text"),
    "messages": ("messages", "chat", "turns"),
    "prompt": ("prompt", "user_input"),
    "response": ("response", "agent_output"),
    "gold": ("gold", "label", "ground_truth", "gold_label", "target", "unsafe", "is_unsafe"),
    "source": ("source", "dataset", "subset", "origin"),
    "group": ("group", "group_id", "cluster"),
    "weight": ("weight", "sample_weight"),
}
_SAFE = {"pass", "safe", "0", "false", "no", "compliant", "unharmful", "harmless", "benign"}
_UNSAFE = {"fail", "unsafe", "1", "true", "yes", "violation", "harmful"}
_SHOWN = 10  # problems that are printed
_LONGEST = 512  # bytes of an id, a source, a group: the dump gives all rows as many as the longest
_MOST = 3.4028234663852886e38  # float32's maximum, as which weights are stored


@dataclasses.dataclass
class Row:
    """One prompt. messages: [{"role": user|assistant|system|tool, "content": text}] or None; one of both is there."""

    line: int
    id: str
    policy: str
    transcript: str
    messages: list
    gold: int  # 1 unsafe, 0 safe, -1 unknown
    source: str
    group: str
    weight: float


@dataclasses.dataclass
class Prompts:
    rows: list
    taken: dict  # our name -> the file's
    ambiguous: dict  # our name -> others that the file has for it, too
    unused: list  # names of the file that are passed over
    repeated: int  # rows without an id that say what an earlier one says
    has: set  # optional names that occur: gold, source, group, weight


class _Bad(Exception):
    pass


def parse_map(pairs):
    """["theirs=ours", ...] as {ours: theirs}."""
    out = {}
    for pair in pairs:
        theirs, equals, ours = pair.rpartition("=")
        if not equals or not theirs or ours not in NAMES:
            raise Stop(USAGE, f"--map {pair}: it is THEIRS=OURS, OURS one of {', '.join(NAMES)}"
                              f"{nearest(ours, list(NAMES)) if equals else ''}")
        if ours in out:
            raise Stop(USAGE, f"--map gives {ours} twice: {out[ours]} and {theirs}")
        out[ours] = theirs
    return out


def _look(item, name):
    """(whether it is there, the value) under name; a.b is b of the object a."""
    if name in item:
        return True, item[name]
    head, dot, rest = name.partition(".")
    return _look(item[head], rest) if dot and isinstance(item.get(head), dict) else (False, None)


def _text(value, name):
    if not isinstance(value, str):
        raise _Bad(f"{name} is {type(value).__name__}, not a text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _Bad(f"{name} holds half of a surrogate pair, which is no character") from None
    return value


def _scalar(value, name):
    if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip() and "\0" not in str(value):
        value = _text(str(value), name)
        if len(value.encode()) > _LONGEST:
            raise _Bad(f"{name} is {len(value.encode()):,} bytes long; at most {_LONGEST} are stored, for every row")
        return value
    raise _Bad(f"{name} is {json.dumps(value)[:60]}, not a text or a whole number")


def _policy(value):
    """Rules as one text; a list is numbered."""
    if isinstance(value, list):
        return "\n".join(f"{i}. {_text(rule, 'a rule of policy').strip()}" for i, rule in enumerate(value, 1))
    return _text(value, "policy")


def _content(message):
    """Of a message: a text, or a list of parts with texts."""
    content = message.get("content")
    if isinstance(content, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in content):
        content = "".join(p["text"] for p in content)
    return _text(content, "content of a message")


def _messages(value):
    if not isinstance(value, list) or not value:
        raise _Bad("messages is not a list with at least one message")
    out = []
    for message in value:
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant", "system", "tool"):
            raise _Bad("a message is not an object with content and a role of user, assistant, system or tool")
        out.append({"role": message["role"], "content": _content(message)})
    return out


def parse_gold(value):
    """1 unsafe, 0 safe, -1 unknown; a _Bad for what cannot be read."""
    if value is None or value == -1 or value == "" or (isinstance(value, float) and math.isnan(value)):
        return -1
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return int(value)
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _SAFE or word in _UNSAFE:
            return int(word in _UNSAFE)
        verdict = parse(value, Words("PASS", "FAIL")) if "<answer>" in value else UNREADABLE
        if verdict != UNREADABLE:
            return verdict
    raise _Bad(f"gold is {json.dumps(value)[:60]}; it takes PASS/FAIL, safe/unsafe, 0/1, true/false (1, true: unsafe), "
               "and null where it is not known")


def _weight(value):
    if value is None:
        return 1.0
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return float(value)
    raise _Bad(f"weight is {json.dumps(value)[:60]}, not a number from 0 to {_MOST:.4g}")


def _say(messages):
    """A transcript of messages."""
    name = {"user": "User", "assistant": "Agent", "system": "System", "tool": "Tool"}
    return "\n".join(f"{name[m['role']]}: {m['content']}" for m in messages)


def _exchange(prompt, response):
    out = [{"role": "user", "content": _text(prompt, "prompt")}]
    return out + ([{"role": "assistant", "content": _text(response, "response")}] if response is not None else [])


def _what(value):
    """(transcript, messages) of a line."""
    messages = _messages(value["messages"]) if value["messages"] is not None else None
    if messages is None and value["transcript"] is None and value["prompt"] is not None:
        messages = _exchange(value["prompt"], value["response"])
    if value["transcript"] is not None:
        transcript = _text(value["transcript"], "transcript")
    elif messages is not None:
        transcript = _say(messages)
    else:
        raise _Bad("has neither transcript nor messages (nor prompt and response); --map THEIRS=transcript names it")
    if not transcript.strip():
        raise _Bad("transcript is empty")
    return transcript, messages


def content_id(policy, transcript, messages):
    """The id of a row that has none: the same wherever it stands, and in every file."""
    text = json.dumps([policy, transcript, messages], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _row(line, value, policy):
    transcript, messages = _what(value)
    rules = _policy(value["policy"]) if value["policy"] is not None else ""
    rules = rules if rules.strip() else policy
    row = Row(line, "", rules, transcript, messages, parse_gold(value["gold"]), "", "", _weight(value["weight"]))
    for name in ("id", "source", "group"):
        if value[name] is not None:
            setattr(row, name, _scalar(value[name], name))
    return row


class _Reader:
    def __init__(self, path, mapping, policy):
        self.path, self.mapping, self.policy = path, mapping, policy
        self.rows, self.problems, self.items, self.names, self.present = [], [], [], {}, set()
        self.taken, self.ambiguous = {}, {}
        self.seen, self.repeats, self.repeated, self.has = {}, {}, 0, set()

    def parse(self, number, raw):
        """First over all lines, so that one name a field is chosen for the whole file."""
        try:
            item = json.loads(raw.decode("utf-8"), parse_constant=float)  # NaN and Infinity
        except UnicodeDecodeError as e:
            raise _Bad(f"is not UTF-8 (byte {e.start})") from None
        except (ValueError, RecursionError) as e:
            raise _Bad(f"is not JSON: {e}") from None
        if not isinstance(item, dict):
            raise _Bad("is not a JSON object")
        for name in item:
            self.names.setdefault(name, False)
        self.present |= {name for name in self.mapping.values() if _look(item, name)[0]}
        self.items.append((number, item))

    def choose(self):
        """The name of each of our fields: what --map says, or the first of NAMES that any line has."""
        for ours, names in NAMES.items():
            there = [n for n in ([self.mapping[ours]] if ours in self.mapping else names)
                     if n in self.names or n in self.present]
            if there:
                self.taken[ours] = there[0]
                self.names[there[0].partition(".")[0]] = True
            if len(there) > 1:
                self.ambiguous[ours] = there[1:]

    def row(self, number, item):
        value = {ours: _look(item, self.taken[ours])[1] if ours in self.taken else None for ours in NAMES}
        self.has |= {n for n in ("gold", "source", "group", "weight") if value[n] is not None}
        self.add(_row(number, value, self.policy))

    def add(self, row):
        if not row.id:
            row.id = content_id(row.policy, row.transcript, row.messages)
            times = self.repeats[row.id] = self.repeats.get(row.id, 0) + 1
            if times > 1:
                self.repeated += 1
                row.id += f"-{times}"
        if row.id in self.seen:
            raise _Bad(f"has the id {row.id[:60]} of line {self.seen[row.id]}; ids join files, so each is one row's")
        self.seen[row.id] = row.line
        self.rows.append(row)


def _report(path, problems, rows):
    shown = "\n".join(f"  {path}:{line}: {text}" for line, text in problems[:_SHOWN])
    more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    return Stop(DATA, f"{path}: {len(problems)} of {rows} lines cannot be used:\n{shown}{more}\n"
                      "Correct them, or leave them out with --skip-bad.")


def read(path, mapping, policy="", skip_bad=False, say=lambda text: None):
    """Prompts of the file. policy: the rules of rows without any. Empty lines are passed over."""
    reader, lines = _Reader(path, mapping, policy), 0
    try:
        with open(path, "rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.strip():
                    continue
                lines += 1
                try:
                    reader.parse(number, raw)
                except _Bad as e:
                    reader.problems.append((number, str(e)))
    except OSError as e:
        raise Stop(NO_INPUT, f"{path}: {e.strerror}; --in names a JSONL file of prompts") from None
    for ours, theirs in mapping.items() if reader.names else ():
        if theirs not in reader.present:
            raise Stop(USAGE, f"--map {theirs}={ours}: no line has {theirs}{nearest(theirs, list(reader.names))}")
    reader.choose()
    for i, (number, item) in enumerate(reader.items):
        reader.items[i] = None
        try:
            reader.row(number, item)
        except _Bad as e:
            reader.problems.append((number, str(e)))
    reader.problems.sort()
    if reader.problems and not skip_bad:
        raise _report(path, reader.problems, lines)
    if reader.problems:
        say(str(_report(path, reader.problems, lines)).replace("cannot be used:", "are left out:").rpartition("\n")[0])
    if not reader.rows:
        raise Stop(DATA, f"{path}: no line with a prompt")
    unused = [name for name, used in reader.names.items() if not used]
    return Prompts(reader.rows, reader.taken, reader.ambiguous, unused, reader.repeated, reader.has)


def hash_rows(rows, fields):
    """SHA-256 of these fields of all rows, in the order of their ids."""
    digest = hashlib.sha256()
    for row in sorted(rows, key=lambda row: row.id):
        text = json.dumps([getattr(row, name) for name in fields], ensure_ascii=False, separators=(",", ":"))
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()
