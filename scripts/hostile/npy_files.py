# npy_files.py: malformed .npy: NEP 1's magic, versions, header, dict, types, shapes.
#
# SPDX-License-Identifier: MIT
import struct

DATA = struct.pack("<2f", 1, 2)


def npy(header, data=DATA, version=(1, 0), length=None, magic=b"\x93NUMPY"):
    header = header.encode("latin-1") if isinstance(header, str) else header
    n = len(header) if length is None else length
    size = struct.pack("<H", n & 0xFFFF) if version[0] == 1 else struct.pack("<I", n & 0xFFFFFFFF)
    return magic + bytes(version) + size + header + data


def head(descr="'<f4'", fortran="False", shape="(2,)"):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n" % (descr, fortran, shape)


def headers(c):
    def bad(name, content, message, commands="-"):
        c.add(name, content, 65, message, commands)

    odd = "is not one that numpy.save writes"
    c.add("good.npy", npy(head()), 0, "", why="what the others are damaged copies of")
    c.add("bools.npy", npy(head("'|b1'"), b"\0\1"), 0, "", why="booleans as NumPy writes them")
    bad("bools_2.npy", npy(head("'|b1'"), b"\1\2"), "item 1 of the booleans '' is the byte 2, neither 0 nor 1")
    bad("bools_255.npy", npy(head("'|b1'"), b"\xff\0"), "item 0 of the booleans '' is the byte 255, neither 0 nor 1")
    bad("magic_wrong.npy", npy(head(), magic=b"\x93NUMPZ"), "neither a torch.save file")
    bad("magic_only.npy", b"\x93NUMPY", "is of .npy version 0.0")
    bad("version_0.npy", npy(head(), version=(0, 0)), "is of .npy version 0.0")
    bad("version_4.npy", npy(head(), version=(4, 0)), "is of .npy version 4.0; 1.0 to 3.0 are known", "import")
    bad("version_1_1.npy", npy(head(), version=(1, 1)), "is of .npy version 1.1")
    bad("length_past_the_end.npy", npy(head(), length=60000), "its header is to have 60000 bytes; the file has")
    bad("length_largest.npy", npy(head(), version=(2, 0), length=0xFFFFFFFF), "its header is to have 4294967295 bytes", "import,convert")
    bad("length_over_the_limit.npy", npy(head() + " " * 65600, version=(2, 0)), "more than 10000 are not read")
    bad("length_0.npy", npy(b"", b""), odd)
    bad("length_short.npy", npy(head(), length=20), odd)
    bad("length_into_data.npy", npy(head(), length=len(head()) + 4), odd)
    bad("cut_in_length.npy", npy(head())[:9], "its header is to have")
    bad("cut_in_header.npy", npy(head())[:30], "its header is to have")
    bad("cut_in_data.npy", npy(head())[:-1], "its shape makes 8 bytes, but 7 follow the header: it is cut off", "convert")
    bad("no_data.npy", npy(head(), b""), "its shape makes 8 bytes, but 0 follow the header: it is cut off")
    bad("trailing.npy", npy(head()) + b"\0", "more than one array was saved into it")
    bad("two_arrays.npy", npy(head()) * 2, "more than one array was saved into it")
    bad("not_a_dict.npy", npy("[1, 2]"), odd)
    bad("empty_dict.npy", npy("{}"), odd)
    bad("dict_not_closed.npy", npy(head()[:-2]), odd)
    bad("dict_comma_missing.npy", npy("{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}"), odd)
    bad("behind_the_dict.npy", npy(head().strip() + "x"), odd)
    bad("behind_a_nul.npy", npy(head().strip() + "\0x"), odd)
    bad("nul_in_the_dict.npy", npy(head().replace("'shape'", "'sha\0pe'")), odd)
    bad("key_missing.npy", npy("{'descr': '<f4', 'shape': (2,)}"), odd)
    bad("key_twice.npy", npy("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}"), odd)
    bad("key_unknown.npy", npy(head().replace("}", "'x': 1}")), odd)
    bad("key_not_text.npy", npy("{1: 2}"), odd)
    bad("key_not_closed.npy", npy("{'descr"), odd)
    bad("key_long.npy", npy("{'" + "d" * 100 + "': 1}"), odd)
    bad("colon_missing.npy", npy("{'descr' '<f4'}"), odd)
    for name, value in (
        ("call", "__import__('os').system('id')"),
        ("lambda", "(lambda: 0)()"),
        ("product", "'<f4' * 9**9**9"),
        ("format", "'{0.__class__}'.format(0)"),
        ("bytes", "b'<f4'"),
        ("concatenated", "'<f' '4'"),
    ):
        bad("descr_is_a_%s.npy" % name, npy(head(descr=value)), odd, "import" if name == "call" else "-")
    bad("shape_is_a_call.npy", npy(head(shape="(int('2'),)")), odd)
    bad("shape_is_a_sum.npy", npy(head(shape="(1+1,)")), odd)
    bad("shape_is_a_list.npy", npy(head(shape="[2]")), odd)
    bad("shape_is_a_number.npy", npy(head(shape="(2)")), odd)
    bad("shape_is_a_name.npy", npy(head(shape="(True, True)")), odd)
    bad("shape_hexadecimal.npy", npy(head(shape="(0x2,)")), odd)
    bad("shape_octal.npy", npy(head(shape="(02,)")), odd)
    bad("shape_with_underscore.npy", npy(head(shape="(2_0,)")), odd)
    bad("shape_real.npy", npy(head(shape="(2.0,)")), odd)
    bad("shape_nested.npy", npy(head(shape="((2,),)")), odd)
    bad("shape_two_commas.npy", npy(head(shape="(2,,)")), odd)
    bad("shape_not_closed.npy", npy(head(shape="(2,")), odd)
    bad("shape_python_2.npy", npy(head(shape="(2L,)")), "was saved by Python 2")
    bad("parentheses.npy", npy(head(shape="(" * 4900 + ")" * 4900)), odd)
    bad("fortran_is_a_number.npy", npy(head(fortran="0")), odd)
    bad("fortran_missing.npy", npy(head(fortran="")), odd)
    bad("escape.npy", npy("{\x1b[2J"), 'at "?[2J"')


def types(c):
    def bad(name, descr, message, commands="-"):
        c.add(name, npy(head(descr=descr)), 65, message, commands)

    bad("type_object.npy", "'|O'", "holds Python objects (|O), a pickle that could run a program", "import,convert")
    bad("type_object_8.npy", "'|O8'", "holds Python objects (|O8)")
    bad("type_big_endian.npy", "'>f4'", "holds big-endian values (>f4)", "convert")
    bad("type_structured.npy", "[('a', '<f4'), ('b', '|O')]", "a structured array; save each of its fields")
    bad("type_structured_nested.npy", "[('a', [('b', '<f4')])]", "a structured array")
    bad("type_void.npy", "'|V2'", "bfloat16: save a safetensors or .pt file")
    bad("type_void_huge.npy", "'|V99999999999999999999'", "holds values of type '|V99999999999999999999'")
    bad("type_text.npy", "'<U4'", "holds values of type '<U4'")
    bad("type_bytes.npy", "'|S8'", "holds values of type '|S8'")
    bad("type_complex.npy", "'<c8'", "holds values of type '<c8'")
    bad("type_long_double.npy", "'<f16'", "holds values of type '<f16'")
    bad("type_date.npy", "'<M8[ns]'", "holds values of type '<M8[ns]'")
    bad("type_no_order.npy", "'f4'", "holds values of type 'f4'")
    bad("type_native.npy", "'=f4'", "holds values of type '=f4'")
    bad("type_empty.npy", "''", "holds values of type ''")
    bad("type_one_letter.npy", "'<'", "holds values of type '<'")
    bad("type_escape.npy", "'\x1b[2J'", "holds values of type '?[2J'")
    c.add("fortran_order.npy", npy(head(fortran="True", shape="(2, 2)"), DATA * 2), 65, "lies column by column (fortran_order)", "import")


def shapes(c):
    def bad(name, shape, message, commands="-", descr="'<f4'"):
        c.add(name, npy(head(descr=descr, shape=shape)), 65, message, commands)

    odd = "is not one that numpy.save writes"
    bad("shape_negative.npy", "(-2,)", odd, "import")
    bad("shape_minus_one.npy", "(-1, 2)", odd)
    bad("shape_overflows.npy", "(4294967296, 4294967296, 4)", "its shape makes more than 2^64", "import,convert")
    bad("shape_wraps_to_8_bytes.npy", "(4611686018427387906,)", "its shape makes more than 2^64, modulo that 8 bytes")
    bad("shape_overflows_before_a_0.npy", "(4611686018427387904, 16, 0)", "its shape makes more than 2^64")
    bad("shape_of_66_bits.npy", "(73786976294838206464,)", odd)
    bad("shape_of_100_digits.npy", "(1%s,)" % ("0" * 99), odd)
    bad("shape_huge.npy", "(1000000000000,)", "its shape makes 4000000000000 bytes, but 8 follow")
    bad("shape_of_9.npy", "(1, 1, 1, 1, 1, 1, 1, 1, 2)", "an array of more than 8 dimensions", "import")
    bad("shape_of_1000.npy", "(" + "1, " * 1000 + ")", "an array of more than 8 dimensions")
    bad("shape_of_nothing.npy", "()", "its shape makes 4 bytes, but 8 follow")
    bad("shape_of_a_0.npy", "(0,)", "its shape makes 0 bytes, but 8 follow")
    c.add("empty.npy", b"", 65, "neither a torch.save file")


def unlike_numpy(c):
    """What np.load refuses too: a long header, lines in front of the dict, shapes with a 0 whose other sizes overflow."""
    odd = "is not one that numpy.save writes"
    padded = lambda n: head().strip().ljust(n - 1) + "\n"
    c.add("header_of_10000.npy", npy(padded(10000)), 0, "", why="the longest header that np.load reads")
    c.add("header_of_10001.npy", npy(padded(10001)), 65, "its header is to have 10001 bytes", "import,convert")
    c.add("line_before_the_dict.npy", npy("\n " + head()), 65, odd, "import")
    c.add("lines_before_the_dict.npy", npy("\n\n" + head()), 65, odd)
    c.add("space_before_the_dict.npy", npy(" " + head()), 65, odd)
    other = "its other sizes make more than 2^63 bytes, which NumPy refuses"
    for name, shape in (("2_63", "(0, 9223372036854775808)"), ("2_62_16", "(0, 4611686018427387904, 16)"), ("2_61", "(0, 2305843009213693952)")):
        c.add("shape_0_%s.npy" % name, npy(head(shape=shape), b""), 65, other, "import" if name == "2_63" else "-")
    c.add("shape_0_2_60.npy", npy(head(shape="(0, 1152921504606846976)"), b""), 0, "", why="2^62 bytes but for the 0")


def cases(c):
    for part in (headers, types, shapes, unlike_numpy):
        part(c)
