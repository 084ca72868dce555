# npy_files.py: malformed .npy: NEP 1's magic, versions, header, dict, types, shapes.
#
# SPDX-License-Identifier: MIT
import struct


def npy(header, data=b"", version=(1, 0), length=None, magic=b"\x93NUMPY"):
    header = header.encode("latin-1") if isinstance(header, str) else header
    n = len(header) if length is None else length
    size = struct.pack("<H", n & 0xFFFF) if version[0] == 1 else struct.pack("<I", n & 0xFFFFFFFF)
    return magic + bytes(version) + size + header + data


def head(descr="'<f4'", fortran="False", shape="(2,)"):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n" % (descr, fortran, shape)


def cases(c):
    c.add("shape_overflows.npy", npy(head(shape="(4294967296, 4294967296, 4)"), b"\0" * 8), 65, "more than 2^64")
