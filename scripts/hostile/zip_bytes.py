# zip_bytes.py: zip archives written field by field, so that any field can lie; and the pickle of an honest file.
#
# SPDX-License-Identifier: MIT
import struct
import zlib


class Entry:
    """An entry; local and central override fields of its two headers, by the names used below."""

    def __init__(self, name, data=b"", local=None, central=None, **both):
        self.name = name.encode() if isinstance(name, str) else name
        self.data = data
        self.local = {**both, **(local or {})}
        self.central = {**both, **(central or {})}
        self.at = 0

    def field(self, where, key, honest):
        return where.get(key, honest)

    def common(self, where):
        f = lambda key, honest: where.get(key, honest)
        name, extra = f("name", self.name), f("extra", b"")
        return (
            struct.pack(
                "<HHHHIIIHH",
                f("flags", 0),
                f("method", 0),
                0,
                33,
                f("crc", zlib.crc32(self.data)) & 0xFFFFFFFF,
                f("packed", len(self.data)),
                f("size", len(self.data)),
                f("name_length", len(name)),
                f("extra_length", len(extra)),
            ),
            name,
            extra,
        )

    def local_bytes(self):
        head, name, extra = self.common(self.local)
        return b"PK\3\4" + struct.pack("<H", self.local.get("version", 20)) + head + name + extra

    def central_bytes(self):
        head, name, extra = self.common(self.central)
        f = lambda key, honest: self.central.get(key, honest)
        comment = f("comment", b"")
        rest = struct.pack(
            "<HHHII", f("comment_length", len(comment)), f("disk", 0), 0, f("attributes", 0), f("offset", self.at)
        )
        return b"PK\1\2" + struct.pack("<HH", 0x0314, f("version", 20)) + head + rest + name + extra + comment


def end(entries, bytes_, at, comment=b"", **lies):
    f = lambda key, honest: lies.get(key, honest)
    return b"PK\5\6" + struct.pack(
        "<HHHHIIH",
        f("disk", 0),
        f("start_disk", 0),
        f("disk_count", f("count", entries)),
        f("count", entries),
        f("size", bytes_),
        f("offset", at),
        f("comment_length", len(comment)),
    ) + comment


def end64(entries, bytes_, directory, at, **lies):
    """ZIP64's end record and locator, which stands at byte `at` of the file."""
    f = lambda key, honest: lies.get(key, honest)
    record = b"PK\6\6" + struct.pack(
        "<QHHIIQQQQ", f("record", 44), 45, 45, 0, 0, f("count", entries), f("count", entries), f("size", bytes_), f("offset", directory)
    )
    return record + b"PK\6\7" + struct.pack("<IQI", 0, f("where", at), f("disks", 1))


def build(entries, before=b"", between=b"", base=0, tail=b"", zip64=None, **lies):
    """before: in front of the first entry; between: in front of the directory; base: added to all offsets."""
    out = bytearray(before)
    for e in entries:
        e.at = len(out) + base
        out += e.local_bytes() + e.data + e.local.get("descriptor", b"")
    out += between
    at = len(out)
    directory = b"".join(e.central_bytes() for e in entries)
    out += directory
    if zip64 is not None:
        out += end64(len(entries), len(directory), at + base, len(out) + base, **zip64)
    return bytes(out + end(len(entries), len(directory), at + base, **lies) + tail)


def text(s):
    s = s.encode() if isinstance(s, str) else s
    return b"X" + struct.pack("<I", len(s)) + s


def storage(kind="FloatStorage", key="0", items=b"K\x06", device="cpu"):
    return b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key) + text(device) + items + b"tQ"


HOOKS = b"ccollections\nOrderedDict\n)R"


def tensor(store=None, offset=b"K\x00", size=b"K\x06\x85", stride=b"K\x01\x85", grad=b"\x89", hooks=HOOKS, more=b""):
    store = storage() if store is None else store
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + store + offset + size + stride + grad + hooks + more + b"tR"


def one(value, name="x"):
    return b"\x80\x02}" + text(name) + value + b"s."


HONEST = one(tensor())
NUMBERS = struct.pack("<6f", *range(6))


def honest(**changes):
    """The entries of an honest file; a change replaces one: data_pkl=Entry(...), numbers=..."""
    return [
        changes.get("data_pkl", Entry("m/data.pkl", HONEST)),
        changes.get("order", Entry("m/byteorder", b"little")),
        changes.get("numbers", Entry("m/data/0", NUMBERS)),
        changes.get("version", Entry("m/version", b"3\n")),
    ]
