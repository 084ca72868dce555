# jsonl_files.py: lines that are no JSON objects, or no rows of features and labels.
#
# SPDX-License-Identifier: MIT


def cases(c):
    def bad(name, content, message, commands="-", status=65):
        content = content.encode() if isinstance(content, str) else content
        c.add(name + ".jsonl", content, status, message, commands)

    row = '{"features": [0.5, 2], "label": 1}\n'
    c.add("good.jsonl", (row + row.replace("1}", "0}")).encode(), 0, "", why="what the others are damaged copies of")
    bad("empty", "", "no row", "convert")
    bad("empty_lines", "\n \n\t\n", "no row")
    bad("not_an_object", "[1, 2]\n", 'line 1: column 1: an object, {"name": value, ...}, is needed on every line', "convert")
    bad("second_line", row + "7\n", "line 2: column 1: an object")
    bad("one_array_of_all", "[" + row.strip() + "]\n", "line 1: column 1: an object")
    bad("object_over_lines", '{"features": [0.5, 2],\n"label": 1}\n', "line 1: column")
    bad("cut", row + row[:20], "line 2: column 21: the line ends in the middle of it; was the file cut short?", "convert")
    bad("cut_in_a_string", '{"features": [1], "lab', "line 1: column 23: the line ends in the middle of it; was the file cut short?")
    bad("cut_behind_a_name", '{"features"', "a colon is needed behind a name")
    bad("cut_behind_a_colon", '{"features":', "the line ends in the middle of it; was the file cut short?")
    bad("cut_behind_a_value", '{"features": [1]', "a comma or the object's end is needed")
    bad("cut_in_an_escape", '{"a\\', "the line ends in the middle of it; was the file cut short?")
    bad("comma_at_the_end", '{"features": [1],}\n', "a name in quotes is needed")
    bad("comma_twice", '{"features": [1],,"label": 1}\n', "a name in quotes is needed")
    bad("comma_missing", '{"features": [1] "label": 1}\n', "a comma or the object's end is needed")
    bad("two_objects", row.strip() + row, "more text behind the object")
    bad("single_quotes", "{'features': [1]}\n", "a name in quotes is needed")
    bad("name_bare", "{features: [1]}\n", "a name in quotes is needed")
    bad("member_twice", '{"features": [1, 2], "features": [3, 4], "label": 1}\n', "two members are called features", "convert")
    bad("member_twice_by_escape", '{"features": [1], "f\\u0065atures": [2], "label": 1}\n', "two members are called features")
    bad("label_twice", '{"features": [1], "label": 1, "label": 0}\n', "two members are called label")
    bad("members_many", "{" + ", ".join('"m%d": 1' % i for i in range(5000)) + "}\n", "more members than the columns of any dump")
    bad("nul", row.encode() + b'{"features": [1\0]}\n', "line 2 has a NUL byte; is the file UTF-16?", "convert")
    bad("utf16", row.encode("utf-16"), "has a NUL byte")
    bad("no_features", '{"label": 1}\n', 'line 1: no features, which every row needs')
    bad("features_number", '{"features": 1, "label": 1}\n', "features is 1, but a list of numbers is needed")
    bad("features_text", '{"features": "[1, 2]", "label": 1}\n', "but a list of numbers is needed")
    bad("features_object", '{"features": {"0": 1}, "label": 1}\n', "but a list of numbers is needed")
    bad("features_empty", '{"features": [], "label": 1}\n', 'line 1: 0 features a row; 1 to 65536 are possible')
    bad("features_words", '{"features": ["a"], "label": 1}\n', 'numbers between commas in brackets are needed, not ""a"]"')
    bad("features_nested", '{"features": [[1], [2]], "label": 1}\n', 'numbers between commas in brackets are needed, not "[1], [2]]"')
    bad("features_two_commas", '{"features": [1,,2], "label": 1}\n', "column 17: this is no JSON")
    bad("features_comma_at_the_end", '{"features": [1,], "label": 1}\n', "column 17: this is no JSON")
    bad("features_bracket_wrong", '{"features": [1}, "label": 1}\n', "column 16: this is no JSON")
    bad("features_bracket_wrong_twice", '{"features": [1}], "label": 1}\n', "line 1: column 16: this is no JSON")
    bad("features_deep", '{"features": ' + "[" * 5000 + "]" * 5000 + "}\n", "column 78: this is no JSON")
    bad("features_of_other_lengths", row + '{"features": [1], "label": 1}\n', 'line 2: 1 features, but the rows before have 2', "convert")
    bad("features_hexadecimal", '{"features": [0x1], "label": 1}\n', "column 16: this is no JSON")
    bad("features_1e999", '{"features": [1e999, 1], "label": 1}\n', 'every row has a NaN or an infinity among its features')
    bad("label_list", '{"features": [1], "label": [1]}\n', "label is [1], but a number is needed")
    bad("label_object", '{"features": [1], "label": {}}\n', "label is {}, but a number is needed")
    bad("label_words", '{"features": [1], "label": "yes"}\n', 'line 1: label is "yes", but a number is needed')
    bad("label_bare", '{"features": [1], "label": yes}\n', "column 28: this is no JSON")
    bad("label_2", '{"features": [1], "label": 2}\n', 'line 1: label is "2", but it must be 0 or 1, or where it is not known -1, NaN or empty', "convert")
    bad("label_long", '{"features": [1], "label": 1%s}\n' % ("0" * 100), "but a number is needed")
    bad("label_two_dots", '{"features": [1], "label": 1.2.3}\n', "column 31: a comma or the object's end is needed")
    bad("id_escape_wrong", '{"features": [1], "label": 1, "id": "\\q"}\n', "column 39: this is no JSON")
    bad("id_surrogate", '{"features": [1], "label": 1, "id": "\\ud800"}\n', "which is no JSON string")
    bad("id_not_utf8", b'{"features": [1], "label": 1, "id": "\xff"}\n', "column 38: this is no JSON")
    bad("id_nul", '{"features": [1], "label": 1, "id": "a\\u0000b"}\n', "which is no JSON string")
    bad("binary", bytes(range(256)) + b"\n", "line 1 has a NUL byte")
    unread(c, bad)


def unread(c, bad):
    """Values that no column takes: stepped over, but they must be JSON."""
    no = "this is no JSON"

    def junk(name, value, message=no, commands="-"):
        bad("junk_" + name, '{"features": [1], "junk": %s, "label": 1}\n' % value, message, commands)

    bad("junk_bracket_of_another_kind", '{"features": [1], "junk":[} , "label": 1}\n', "line 1: column 27: " + no, "convert")
    bad("junk_bracket_of_another_kind_twice", '{"features": [1], "junk":{"a": [}]}, "label": 1}\n', no)
    junk("word", "nonsense", "line 1: column 27: " + no, "convert")
    junk("escape", '"\\q"', no, "convert")
    junk("escape_u", '"\\u12g4"')
    junk("control", '"a\tb"')
    bad("junk_not_utf8", b'{"features": [1], "junk": "\xff", "label": 1}\n', no)
    bad("junk_cut_utf8", b'{"features": [1], "junk": "\xe2\x82", "label": 1}\n', no)
    for name, number in (("plus", "+1"), ("dot", ".5"), ("dot_behind", "1."), ("exponent", "1e"), ("minus", "-")):
        junk(name, number)
    for name, number in (("leading_zero", "01"), ("two_dots", "1.2.3"), ("hexadecimal", "0x1")):
        junk(name, number, "a comma or the object's end is needed")
    for name, number in (("zero", "01"), ("point", ".5"), ("point_behind", "1."), ("plus", "+1"), ("space", "1 2")):
        bad("features_%s" % name, '{"features": [2, %s], "label": 1}\n' % number, "this is no JSON")
    bad("label_zero", '{"features": [1], "label": 01}\n', "a comma or the object's end is needed")
    bad("label_point", '{"features": [1], "label": 1.}\n', "this is no JSON")
    junk("list_comma_at_the_end", "[1,]")
    junk("list_two_commas", "[1,,2]")
    junk("list_no_comma", "[1 2]")
    junk("object_no_colon", '{"a" 1}')
    junk("object_no_value", '{"a":}')
    junk("object_name_bare", "{a: 1}")
    junk("object_comma_at_the_end", '{"a": 1,}')
    junk("deep", "[" * 65 + "]" * 65)
    bad("junk_name", '{"features": [1], "\\q": 1, "label": 1}\n', no)
    honest = ['"a\\u00e9\\ud83d\\ude00\\n/\\/"', '"\u00e9\u20ac\U0001f600"', "-0.5e-10", "[]", "{}", "[[], {}, [1, {\"a\": [true, false, null]}]]", "NaN", "-Infinity", "[NaN, Infinity]", "1E+5", " [ 1 , 2 ] ", "[" * 60 + "]" * 60]
    rows = "".join('{"features": [1], "junk": %s, "label": %d}\n' % (v, i % 2) for i, v in enumerate(honest))
    c.add("junk_good.jsonl", rows.encode(), 0, "", why="values that no column takes, and JSON")
