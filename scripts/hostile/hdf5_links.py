# hdf5_links.py: dumps whose links lead elsewhere, and whose values lie elsewhere.
#
# SPDX-License-Identifier: MIT
import struct

import h5py

from hostile.hdf5_bytes import CHUNK, ROWS, WIDTH, both, dump, label, raw, setting, virtual, x

real = setting("real", data=x)
every = "inspect,check,eval,train,repack"


def soft(name, to):
    return lambda f: f.__setitem__(name, h5py.SoftLink(to))


def away(name, file="other.h5", to="/x"):
    return lambda f: f.__setitem__(name, h5py.ExternalLink(file, to))


def links(c):
    c.features(both(real, soft("features", "/real")), "link_soft_features", "/features is a soft link", every)
    c.features(soft("features", "/nothing"), "link_soft_dangling", "/features is a soft link")
    c.features(both(soft("features", "/more"), soft("more", "/features")), "link_soft_cycle", "/features is a soft link")
    c.labels(both(setting("real", data=label), soft("label", "real")), "link_soft_label", "/label is a soft link", "eval,train")
    c.bad("link_soft_id", soft("id", "/label"), "/id is a soft link", commands="eval")
    c.bad("link_soft_group", soft("group", "/label"), "/group is a soft link")
    c.bad("link_soft_weight", soft("weight", "/label"), "/weight is a soft link")
    c.features(away("features"), "link_external_features", "/features is an external link", every)
    c.features(away("features", "/dev/zero"), "link_external_device", "/features is an external link")
    c.features(both(real, away("features", "link_external_itself.h5", "/real")), "link_external_itself",
               "/features is an external link")
    c.labels(away("label"), "link_external_label", "/label is an external link", "eval,train")
    c.bad("link_external_gold", away("gold"), "/gold is an external link")
    under = lambda f: f.create_group("real").create_dataset("features", data=x)
    c.features(both(under, soft("g", "/real")), "under_soft", "/g is a soft link", "inspect")
    c.features(away("g", "other.h5", "/"), "under_external", "/g is an external link", "inspect")
    c.bad("link_soft_unused", soft("other", "/label"), "/other is a soft link, which would lead elsewhere", commands="repack")
    c.bad("link_external_unused", away("other"), "/other is an external link, which would lead elsewhere", commands="repack")
    inside = lambda f: f.create_group("about").__setitem__("more", h5py.SoftLink("/label"))
    c.bad("link_soft_inside", inside, "/about/more is a soft link", commands="repack")
    outside = lambda f: f.create_group("about").__setitem__("more", h5py.ExternalLink("other.h5", "/"))
    c.bad("link_external_inside", outside, "/about/more is an external link", commands="repack")
    c.bad("link_root", lambda f: f.__setitem__("again", f["/"]), "/again is the file's root once more", commands="repack")
    c.bad("link_root_inside", lambda f: f.create_group("a").__setitem__("again", f["/"]), "/a/again is the file's root once more")

    def lost(name, change, which, message, commands="-"):
        """The last name of a group is none, where HDF5 looks for its half: all are listed, and none found."""
        data = dump(change)
        at = [i for i in range(len(data)) if data.startswith(b"TREE\0\0\1\0", i)][which] + 24 + 16
        c.patched(name, data, at, struct.pack("<Q", 0), message, commands)
    lost("names_not_found", setting("gold", data=label), 0, "its root lists names that are not found in it; the file is damaged")
    lost("names_not_found_inside", inside, 1, "/about holds a group whose members cannot be listed", "repack")

    linked = dump(away("features"), ("features",))
    at = linked.index(b"\x40\x08features")  # type, length of the name, name
    c.patched("link_of_no_kind", linked, at, b"\x47", "/features is a link of another kind")


def elsewhere(c):
    """Virtual and external datasets."""
    c.features(virtual("features", x, "other.h5"), "virtual_features", "/features is a virtual dataset", every)
    c.features(both(real, virtual("features", x, ".")), "virtual_itself", "/features is a virtual dataset")

    def pattern(how):
        space = h5py.h5s.create_simple(x.shape, (h5py.h5s.UNLIMITED, WIDTH))
        space.select_hyperslab((0, 0), (h5py.h5s.UNLIMITED, 1), (CHUNK, WIDTH), (CHUNK, WIDTH))
        how.set_virtual(space, b"other_%b.h5", b"real", h5py.h5s.create_simple((CHUNK, WIDTH)))
    c.features(raw("features", x.shape, h5py.h5t.IEEE_F16LE, pattern, None, (h5py.h5s.UNLIMITED, WIDTH)), "virtual_pattern",
               "/features is a virtual dataset")
    c.features(virtual("features", x, "/dev/zero"), "virtual_device", "/features is a virtual dataset")
    c.labels(virtual("label", label, "other.h5"), "virtual_label", "/label is a virtual dataset", "eval,train")
    c.bad("virtual_id", virtual("id", label, "other.h5"), "/id is a virtual dataset")
    c.bad("virtual_unused", virtual("other", label, "other.h5"), "/other is a virtual dataset", commands="repack")

    def external(name, values, *files):
        return setting(name, shape=values.shape, dtype=values.dtype, external=list(files))

    size = x.nbytes
    c.features(external("features", x, ("other.bin", 0, size)), "external_features", "/features is an external dataset", every)
    c.features(external("features", x, ("/etc/passwd", 0, size)), "external_passwd", "/features is an external dataset")
    c.features(external("features", x, ("/dev/zero", 0, h5py.h5f.UNLIMITED)), "external_device", "/features is an external dataset")
    c.features(external("features", x, ("a.bin", 0, size // 2), ("b.bin", 0, size // 2)), "external_two", "/features is an external dataset")
    c.labels(external("label", label, ("other.bin", 0, ROWS)), "external_label", "/label is an external dataset", "eval,train")
    c.bad("external_unused", external("other", label, ("other.bin", 0, ROWS)), "/other is an external dataset", commands="repack")


def unused(c):
    linked = dump(away("other"))
    c.patched("link_of_no_kind_unused", linked, linked.index(b"\x40\x05other"), b"\x47", "/other is a link, which would lead elsewhere", "repack")
