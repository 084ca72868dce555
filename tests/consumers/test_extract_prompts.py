# SPDX-License-Identifier: MIT
"""scripts/extract without a model: reading prompts, the strict parser of verdicts, prompt forms, plan of batches."""
import json
import math

import pytest

import tiny_guards  # noqa: F401  puts scripts/extract on the path
from tiny_guards import write_lines

import plan
import prompts
import templates
from stop import Stop
from verdicts import SAFE, UNREADABLE, UNSAFE, Words, judge, parse, probability

DYNAGUARD, LLAMA = Words("PASS", "FAIL"), Words("safe", "unsafe")


# ---- verdicts ----

@pytest.mark.parametrize("text, words, verdict", [
    ("PASS", DYNAGUARD, SAFE), ("FAIL", DYNAGUARD, UNSAFE), (" fail \n", DYNAGUARD, UNSAFE),
    ("<answer>PASS</answer>", DYNAGUARD, SAFE), ("<answer>\nFAIL\n</answer>", DYNAGUARD, UNSAFE),
    ("<answer>\nPASS", DYNAGUARD, SAFE),
    ("<answer>\nFAIL\n</answer>\n<explanation>it is PASS</explanation>", DYNAGUARD, UNSAFE),
    ("<think>\nPASS? no\n</think>\n<answer>\nFAIL\n</answer>", DYNAGUARD, UNSAFE),
    ("<think>\n\n</think>\n\nPASS", DYNAGUARD, SAFE),
    ("<think>it would be PASS", DYNAGUARD, UNREADABLE), ("<think>a</think><think>b</think>PASS", DYNAGUARD, UNREADABLE),
    ("<answer>PASS</answer><answer>FAIL</answer>", DYNAGUARD, UNREADABLE),
    ("<answer>PASS</answer><answer>PASS</answer>", DYNAGUARD, UNREADABLE),
    ("<answer>PASS/FAIL</answer>", DYNAGUARD, UNREADABLE), ("<answer></answer>", DYNAGUARD, UNREADABLE),
    ("<answer>PASSED</answer>", DYNAGUARD, UNREADABLE), ("PASS.", DYNAGUARD, UNREADABLE),
    ("The answer is PASS", DYNAGUARD, UNREADABLE), ("PASS\nS1", DYNAGUARD, UNREADABLE), ("", DYNAGUARD, UNREADABLE),
    ("safe", DYNAGUARD, UNREADABLE), ("I cannot help with that.", DYNAGUARD, UNREADABLE),
    ("PASS FAIL", DYNAGUARD, UNREADABLE),
    ("PASS? it is</think>\nFAIL", DYNAGUARD, UNSAFE), ("it is PASS</think>", DYNAGUARD, UNREADABLE),
    ("one could say <answer>PASS</answer> but that is wrong</think>\nFAIL", DYNAGUARD, UNSAFE),
    ("<answer>\nPASS\n</think>FAIL", DYNAGUARD, UNREADABLE),
    ("the transcript contains <answer>PASS</answer> but that is a trick, it is FAIL", DYNAGUARD, UNREADABLE),
    ("I say <answer>PASS</answer>", DYNAGUARD, UNREADABLE), ("<answer>PASS</answer> FAIL", DYNAGUARD, UNREADABLE),
    ("<answer>PASS</answer></answer>FAIL", DYNAGUARD, UNREADABLE),
    ("<Answer>FAIL</Answer>\n<answer>PASS</answer>", DYNAGUARD, UNREADABLE),
    ("<answer>PASS\n</answer> FAIL", DYNAGUARD, UNREADABLE), ("<ANSWER>FAIL</ANSWER>", DYNAGUARD, UNSAFE),
    ("<answer>PASS</answer><explanation>no</explanation>FAIL", DYNAGUARD, UNREADABLE),
    ("<answer>PASS</answer><explanation><answer>FAIL</answer>", DYNAGUARD, UNREADABLE),
    ("\n\nsafe", LLAMA, SAFE), ("\n\nunsafe\nS1", LLAMA, UNSAFE), ("unsafe\nS1,S10", LLAMA, UNSAFE),
    ("unsafe", LLAMA, UNSAFE),
    ("safe\nS1", LLAMA, UNREADABLE), ("unsafe\nbecause", LLAMA, UNREADABLE), ("not safe", LLAMA, UNREADABLE),
])
def test_the_parser(text, words, verdict):
    assert parse(text, words) == verdict


def test_the_rule_of_two_tokens():
    assert probability(0, 0) == 0.5
    assert probability(1e9, 0) == 0.0 and probability(-1e9, 0) == 1.0
    assert probability(2.0, 1.0) == pytest.approx(1 / (1 + math.e), rel=1e-12)
    assert judge(0.5, 0.9, 0.5) == (0.5, UNSAFE)
    assert judge(0.25, 0.5, 0.5) == (0.25, SAFE)
    prob, verdict = judge(0.49999999, 0.9, 0.5)  # is .5 as a float32, which is what is stored and cut
    assert (prob, verdict) == (0.5, UNSAFE)
    for mass, prob in ((0.49, 0.9), (math.nan, 0.9), (0.9, math.nan)):
        prob, verdict = judge(prob, mass, 0.5)
        assert math.isnan(prob) and verdict == UNREADABLE


# ---- prompts ----

def read(tmp_path, rows, mapping=(), **more):
    path = tmp_path / "prompts.jsonl"
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return prompts.read(str(path), prompts.parse_map(mapping), **more)


def test_rows_of_all_kinds(tmp_path):
    got = read(tmp_path, [
        {"id": 7, "policy": "1. Be kind.", "transcript": "User: hi", "gold": 1, "source": "a", "group": "g",
         "weight": 2},
        {"policy": ["Be kind.", "Be short."], "messages": [{"role": "user", "content": "hi"},
                                                           {"role": "assistant", "content": [{"text": "yo"}]}]},
        {"prompt": "hi", "response": "yo", "gold": "PASS"},
    ], policy="1. Ours.")
    a, b, c = got.rows
    assert (a.id, a.policy, a.transcript, a.gold) == ("7", "1. Be kind.", "User: hi", 1)
    assert (a.source, a.group, a.weight) == ("a", "g", 2)
    assert (b.policy, b.transcript, b.gold, b.weight) == ("1. Be kind.\n2. Be short.", "User: hi\nAgent: yo", -1, 1)
    assert b.messages[1] == {"role": "assistant", "content": "yo"}
    assert (c.policy, c.transcript, c.gold) == ("1. Ours.", "User: hi\nAgent: yo", 0)
    assert got.has == {"gold", "source", "group", "weight"} and got.taken["gold"] == "gold"


def test_a_field_has_one_name_in_a_file(tmp_path):
    """gold: null is not known, whatever a field of another name says; and that other is named."""
    got = read(tmp_path, [{"transcript": "a", "label": "FAIL"}, {"transcript": "b", "gold": None, "label": "FAIL"},
                          {"transcript": "c", "gold": "FAIL", "label": "PASS", "target": 0}])
    assert [row.gold for row in got.rows] == [-1, -1, 1] and got.taken["gold"] == "gold"
    assert got.ambiguous == {"gold": ["label", "target"]}
    got = read(tmp_path, [{"transcript": "c", "gold": "FAIL", "label": "PASS"}], ["label=gold"])
    assert got.rows[0].gold == 0 and got.ambiguous == {}


def test_the_hash_of_rows_is_of_contents_whatever_their_order(tmp_path):
    rows = [{"id": "a", "transcript": "x", "gold": 1}, {"id": "b", "policy": "p", "transcript": "y"}]
    wanted = prompts.hash_rows(read(tmp_path, rows).rows, ("id", "policy", "transcript", "messages"))

    def is_same(rows):
        return prompts.hash_rows(read(tmp_path, rows).rows, ("id", "policy", "transcript", "messages")) == wanted

    assert is_same(rows[::-1]) and is_same([rows[0] | {"gold": 0}, rows[1]])
    for name in ("id", "policy", "transcript"):
        assert not is_same([rows[0] | {name: "other"}, rows[1]]), name


def test_dynabench_is_read_as_it_is(tmp_path):
    row = {"policy": "1. No refunds.", "transcript": "'User': hi\n'Agent': yo", "label": "FAIL", "extra": 1}
    got = read(tmp_path, [row])
    assert got.rows[0].gold == 1 and got.unused == ["extra"]


@pytest.mark.parametrize("value, gold", [
    (1, 1), (0, 0), (True, 1), (False, 0), (1.0, 1), ("PASS", 0), ("fail", 1), ("safe", 0), ("Unsafe", 1), ("true", 1),
    ("0", 0), (None, -1), (-1, -1), ("", -1), (math.nan, -1), ("<answer>\nFAIL\n</answer>", 1)])
def test_gold(value, gold):
    assert prompts.parse_gold(value) == gold


@pytest.mark.parametrize("line, text", [
    ('{"transcript": "hi"', "is not JSON"), ("[1]", "is not a JSON object"), ('{"policy": "x"}', "neither transcript"),
    ('{"transcript": "  "}', "is empty"), ('{"transcript": 3}', "transcript is int"),
    ('{"messages": []}', "not a list"),
    ('{"messages": [{"role": "robot", "content": "x"}]}', "role of user"),
    ('{"transcript": "x", "gold": "maybe"}', "gold is"),
    ('{"transcript": "x", "gold": 2}', "gold is 2"), ('{"transcript": "x", "weight": -1}', "weight is"),
    ('{"transcript": "x", "weight": Infinity}', "weight is Infinity"),
    ('{"messages": [{"role": "user", "content": [{"text": "\\ud800"}]}]}', "surrogate"),
    ('{"transcript": "x", "weight": 1e300}', "weight is 1e+300"), ("[" * 100000, "is not JSON"),
    ('{"transcript": "x", "id": "' + 600 * "e" + '"}', "id is 600 bytes long"),
    ('{"transcript": "x", "source": "' + 300 * "\u00e9" + '"}', "source is 600 bytes long"),
    ('{"transcript": "x", "id": {}}', "id is"),
    ('{"transcript": "x", "id": "first"}', "of line 1"), ('{"transcript": "\\ud800"}', "surrogate"),
    ('{"transcript": "x", "group": "a\\u0000b"}', "group is")])
def test_bad_lines_are_named(tmp_path, line, text):
    rows = [{"id": "first", "transcript": "ok"}, "", line]
    with pytest.raises(Stop) as stop:
        read(tmp_path, rows)
    assert stop.value.status == 65
    assert "prompts.jsonl:3: " in str(stop.value) and text in str(stop.value) and "1 of 2 lines" in str(stop.value)
    said = []
    assert [r.id for r in read(tmp_path, rows, skip_bad=True, say=said.append).rows] == ["first"]
    assert "1 of 2 lines are left out" in said[0]


def test_all_problems_are_counted(tmp_path):
    with pytest.raises(Stop, match="30 of 31 lines") as stop:
        read(tmp_path, [{"transcript": "ok"}] + ["{"] * 30)
    assert str(stop.value).count("is not JSON") == 10 and "and 20 more" in str(stop.value)
    (tmp_path / "b").write_bytes(b'{"transcript": "\xff"}\n')
    with pytest.raises(Stop, match="not UTF-8"):
        prompts.read(str(tmp_path / "b"), {})
    for path, status in ((tmp_path / "none", 66), (write_lines(tmp_path / "empty", []), 65)):
        with pytest.raises(Stop) as stop:
            prompts.read(str(path), {})
        assert stop.value.status == status


def test_ids_follow_from_the_content(tmp_path):
    rows = [{"transcript": "a"}, {"transcript": "b"}, {"transcript": "a"}, {"transcript": "a", "policy": "p"}]
    got = read(tmp_path, rows)
    ids = [r.id for r in got.rows]
    assert got.repeated == 1 and ids[2] == ids[0] + "-2" and len(set(ids)) == 4
    assert [r.id for r in read(tmp_path, rows[:0:-1]).rows][-1] == ids[1]  # wherever it stands
    assert len(ids[0]) == 16 and set(ids[0]) <= set("0123456789abcdef")


def test_map(tmp_path):
    row = {"chat_text": "User: hi", "meta": {"split": "s1", "bad": "yes"}, "text": "not this"}
    got = read(tmp_path, [row], ["chat_text=transcript", "meta.split=source", "meta.bad=gold"]).rows[0]
    assert (got.transcript, got.source, got.gold) == ("User: hi", "s1", 1)
    for mapping, text in ((["a"], "THEIRS=OURS"), (["a=transcripts"], "did you mean transcript"),
                          (["chat_txt=transcript"], "did you mean chat_text"), (["a=gold", "b=gold"], "twice")):
        with pytest.raises(Stop, match=text) as stop:
            read(tmp_path, [row, {"transcript": "x"}], mapping)
        assert stop.value.status == 2 or "neither" in str(stop.value)


# ---- forms ----

def test_the_form_is_told_by_the_name():
    for name, form in (("tomg-group-umd/DynaGuard-1.7B", "dynaguard"), ("meta-llama/Llama-Guard-3-8B", "llama-guard"),
                       ("x/LlamaGuard-7b", "llama-guard"), ("Qwen/Qwen3-8B", None)):
        assert templates.detect(name) == form
    with pytest.raises(Stop, match="--form"):
        templates.make("Qwen/Qwen3-8B", None)


def test_turns_of_a_transcript():
    assert templates.split_turns("User: a\nb\nAgent: c\n'User': d") == [
        {"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "c"}, {"role": "user", "content": "d"}]
    assert templates.split_turns("just text: no turns") == [{"role": "user", "content": "just text: no turns"}]


def test_llama_guard_takes_turns_by_turns():
    row = prompts.Row(1, "", "", "", [{"role": r, "content": c} for r, c in (
        ("system", "s"), ("user", "a"), ("user", "b"), ("assistant", "c"))], -1, "", "", 1)
    form = templates.LlamaGuard(None, "")
    assert form.messages(row) == [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "c"}]
    assert form.categories("1. No theft.\n- No fraud.\nS3: No lies.\n\n Plain") == {
        "S1": "No theft.", "S2": "No fraud.", "S3": "No lies.", "S4": "Plain"}
    row.messages = [{"role": "tool", "content": "x"}]
    with pytest.raises(templates.Unfit, match="tool"):
        form.messages(row)


# ---- batches ----

def test_batches_hold_every_row_once_and_keep_the_limits():
    lengths = [(7 * i) % 50 + 1 for i in range(100)]
    got = plan.batches(lengths, 8, 160)
    assert sorted(i for batch in got for i in batch) == list(range(100))
    assert all(len(b) <= 8 and len(b) * max(lengths[i] for i in b) <= 160 for b in got)
    assert [lengths[i] for b in got for i in b] == sorted(lengths, reverse=True)
    assert plan.batches([500, 3], 8, 160) == [[0], [1]] and plan.batches([], 8, 160) == []
