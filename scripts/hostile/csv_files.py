# csv_files.py: CSV that RFC 4180 leaves open, or that is no table of features and labels.
#
# SPDX-License-Identifier: MIT


def cases(c):
    def bad(name, content, message, commands="-", status=65):
        content = content.encode() if isinstance(content, str) else content
        c.add(name + ".csv", content, status, message, commands)

    head, row = "label,f0,f1\n", "1,0.5,2\n0,1,3\n"
    c.add("good.csv", (head + row).encode(), 0, "", why="what the others are damaged copies of")
    c.add("good_bom.csv", b"\xef\xbb\xbf" + (head + row).encode(), 0, "", why="as spreadsheets write it")
    bad("empty", "", "is empty; a header line with the columns' names is needed", "convert")
    bad("header_only", head, "no row")
    bad("header_long", ",".join("x_column_%02d" % i for i in range(20)) + "\n" + "1," * 19 + "1\n", "x_column_08, x_c ... (where features have a column each")
    bad("no_header", row, 'no column features; the header line has: 1, 0.5, 2')
    bad("header_twice", "label,f0,f0\n1,2,3\n", 'line 1: two columns are called "f0"', "convert")
    bad("no_features", "label,a,b\n1,2,3\n", 'no column features; the header line has: label, a, b')
    bad("feature_missing", "label,f0,f2\n1,2,3\n", "2 columns begin with f, but there is no f1", "convert")
    bad("feature_from_2", "label,f2,f3\n1,2,3\n", "the first feature is f2; they are counted from 0 or 1 on")
    bad("feature_twice_by_zeros", "label,f0,f00\n1,2,3\n", "2 columns begin with f, but there is no f1")
    bad("feature_number_huge", "label,f0,f999999\n1,2,3\n", "2 columns begin with f, but there is no f1")
    bad("fields_fewer", head + "1,2\n", "line 2 has 2 fields, but the first line has 3", "convert")
    bad("fields_more", head + "1,2,3,4\n", "line 2 has 4 fields, but the first line has 3")
    bad("empty_line", head + "\n" + row, "line 2 has 1 fields, but the first line has 3")
    bad("quote_open", head + '1,"0.5,2\n0,1,3\n', "line 2: a quote is opened and not closed", "convert")
    bad("quote_inside", head + '1,0"5,2\n', "line 2: a quote inside a field that does not begin with one")
    bad("quote_more_behind", head + '1,"0.5"x,2\n', "line 2: a closing quote with more of the field behind it")
    bad("carriage_return", head.replace("\n", "\r") + "1,2,3\r", "line 1: a carriage return without a line feed")
    bad("nul", head.encode() + b"1,\0,2\n", "line 2: a NUL byte; is the file UTF-16?", "convert")
    bad("nul_in_quotes", head.encode() + b'1,"\0",2\n', "line 2: a quote is opened and not closed")
    bad("utf16", (head + row).encode("utf-16"), "a NUL byte; is the file UTF-16?")
    bad("semicolons", "label;f0;f1\n1;2;3\n", 'numbers between commas in brackets are needed, not "1;2;3"')
    bad("number_words", head + "1,half,2\n", 'column f0 is "half", but a number is needed', "convert")
    bad("number_hexadecimal", head + "1,0x10,2\n", 'column f0 is "0x10", but a number is needed')
    bad("number_formula", head + "1,=cmd|' /C calc'!A0,2\n", "but a number is needed")
    bad("number_two", head + "1,1 2,2\n", 'column f0 is "1 2", but a number is needed')
    bad("number_long", head + "1," + "9" * 5000 + ",2\n", 'every row has a NaN or an infinity among its features')
    bad("number_1e999", head + "1,1e999,2\n", 'every row has a NaN or an infinity among its features')
    bad("all_nan", head + "1,nan,nan\n0,nan,nan\n", 'every row has a NaN or an infinity among its features')
    bad("label_2", head + "2,1,2\n", 'line 2: label is "2", but it must be 0 or 1, or where it is not known -1, NaN or empty', "convert")
    bad("label_words", head + "yes,1,2\n", 'line 2: label is "yes", but a number is needed')
    bad("label_real", head + "0.5,1,2\n", 'line 2: label is "0.5", but it must be 0 or 1, or where it is not known -1, NaN or empty')
    bad("label_negative", head + "-2,1,2\n", 'line 2: label is "-2", but it must be 0 or 1, or where it is not known -1, NaN or empty')
    bad("escape_in_the_header", "label,\x1b[2J\n1,2\n", 'no column features; the header line has: label, ?[2J')
    bad("binary", bytes(range(256)), "line 1")
    bad("list_not_closed", 'label,features\n1,"[1, 2"\n', 'numbers between commas in brackets are needed, not ""')
    bad("list_of_other_lengths", 'label,features\n1,"[1, 2]"\n0,"[1, 2, 3]"\n', 'line 3: 3 features, but the rows before have 2')
    bad("list_empty", 'label,features\n1,"[]"\n', 'line 2: 0 features a row; 1 to 65536 are possible')
    bad("list_of_words", 'label,features\n1,"[a, b]"\n', 'numbers between commas in brackets are needed, not "a, b]"')
    bad("list_nested", 'label,features\n1,"[[1], [2]]"\n', 'numbers between commas in brackets are needed, not "[1], [2]]"')
    bad("list_two_commas", 'label,features\n1,"[1,,2]"\n', 'numbers between commas in brackets are needed, not ",2]"')
    bad("list_behind", 'label,features\n1,"[1, 2] x"\n', 'numbers between commas in brackets are needed, not " x"')
