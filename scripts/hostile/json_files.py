# json_files.py: JSON that is none, and contracts (where features come from) that say what none may.
#
# SPDX-License-Identifier: MIT


def cases(c):
    def bad(name, content, message, commands="-", status=65):
        content = content.encode() if isinstance(content, str) else content
        c.add(name + ".json", content, status, message, commands)

    bad("empty", "", "not JSON")
    bad("space", "  \n", "not JSON")
    bad("cut", '{"a": ', "not JSON")
    bad("cut_in_a_string", '"a', "not JSON")
    bad("behind", "{} {}", "not JSON: something stands behind the value")
    bad("key_twice", '{"a": 1, "a": 2}', "not JSON: a duplicate key")
    bad("key_twice_by_escape", '{"a": 1, "\\u0061": 2}', "not JSON: a duplicate key")
    bad("nul", b'{"a\0": 1}', "not JSON")
    bad("nul_escaped", '{"a\\u0000": 1}', "not JSON: \\u stands for no character")
    bad("nul_in_a_value", '["\\u0000"]', "not JSON: \\u stands for no character")
    bad("not_utf8", b'["\xff"]', "not JSON: not UTF-8")
    bad("surrogate", '["\\ud800"]', "not JSON: \\u stands for no character")
    bad("deep", "[" * 3000 + "]" * 3000, "not JSON: nested too deeply")
    bad("deep_65", "[" * 65 + "]" * 65, "column 66: not JSON: nested too deeply")
    bad("deep_objects", '{"a":' * 3000 + "1" + "}" * 3000, "not JSON: nested too deeply")
    bad("number_1e999", "[1e999]", "not JSON: a number too large")
    bad("number_of_100_digits", "[" + "9" * 100 + "]", "not JSON: an integer of more than 64 bits")
    bad("number_nan", "[NaN]", "not JSON: a value is expected here")
    bad("number_leading_zero", "[01]", "not JSON")
    bad("number_hexadecimal", "[0x1]", "not JSON")
    bad("comment", "{} // no", "not JSON: something stands behind the value")
    bad("single_quotes", "{'a': 1}", "not JSON")
    bad("control_in_a_string", b'["\x1b"]', "not JSON: a control character in a string")
    bad("bom", b"\xef\xbb\xbf{}", "not JSON")
    bad("utf16", "{}".encode("utf-16"), "not JSON")

    def contract(name, content, message, commands="-"):
        bad("contract_" + name, content, message, commands, status=2)

    c.add("contract_good.json", b'{"feature_model": "DynaGuard-1.7B", "feature_layer": 23}', 0, "", why="what the others are damaged copies of")
    c.add("contract_norm_unit.json", b'{"feature_norm": "unit"}', 0, "", why="vectors of length 1")
    c.add("contract_threshold_zero.json", b'{"threshold": 0}', 0, "", why="a router may send all rows with a prob above 0")
    contract("empty", "", "not JSON", "contract")
    contract("list", '["feature_model"]', "not a JSON object", "contract")
    contract("number", "7", "not a JSON object")
    contract("null", "null", "not a JSON object")
    contract("key_unknown", '{"feature_modle": "x"}', "unknown key 'feature_modle'; did you mean feature_model?", "contract")
    contract("key_twice", '{"feature_model": "a", "feature_model": "b"}', "a duplicate key")
    contract("value_list", '{"feature_model": ["x"]}', "feature_model is neither text nor a number")
    contract("value_object", '{"feature_model": {}}', "feature_model is neither text nor a number")
    contract("value_bool", '{"feature_model": true}', "feature_model is neither text nor a number")
    contract("value_empty", '{"feature_model": ""}', "feature_model is empty; it takes text or a number")
    contract("norm_unknown", '{"feature_norm": "both"}', "feature_norm is 'both'; it is pre or post")
    contract("norm_number", '{"feature_norm": 1}', "feature_norm is '1'; it is pre or post")
    contract("threshold_words", '{"threshold": "half"}', "threshold is 'half', not a number from 0 to 1", "contract")
    contract("threshold_2", '{"threshold": 2}', "threshold is '2', not a number from 0 to 1")
    contract("threshold_nan", '{"threshold": "nan"}', "threshold is 'nan', not a number from 0 to 1")
    contract("guard_threshold_0", '{"small_threshold": 0}', "small_threshold is '0', not a number above 0 and at most 1")
    contract("rule_alone", '{"threshold_rule": "f1"}', "threshold_rule without a threshold")
    contract("escape", '{"\\u001b[2J": "x"}', "unknown key '?[2J'")
