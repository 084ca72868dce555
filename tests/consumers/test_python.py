# SPDX-License-Identifier: MIT
"""infer/python/saferoute.py: the structs of the header, and PyTorch's logits from every kind of array."""
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from conftest import ROOT, WRAPPER, close_to, same_bits

torch = pytest.importorskip("torch")
ml_dtypes = pytest.importorskip("ml_dtypes")


# ---- the interface ----

LAYOUT = """
#include <stdio.h>
#include "infer/saferoute.h"
int main(void) {{
{lines}
    return 0;
}}
"""


@pytest.fixture(scope="module")
def c_values(tmp_path_factory):
    """c_values(["sizeof(struct saferoute_rows)", ...]): what a C program that includes saferoute.h prints for each."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler:
        pytest.skip("no C compiler")

    def values(expressions):
        folder = tmp_path_factory.mktemp("layout")
        lines = "\n".join(f'    printf("%lld\\n", (long long)({e}));' for e in expressions)
        (folder / "layout.c").write_text(LAYOUT.format(lines=lines))
        subprocess.run([compiler, "-std=c11", f"-I{ROOT}", "-o", folder / "layout", folder / "layout.c"], check=True)
        out = subprocess.run([folder / "layout"], check=True, capture_output=True, text=True).stdout
        return [int(line) for line in out.split()]

    return values


@pytest.mark.parametrize("python_name, c_name", [
    ("_Error", "error"), ("_Options", "options"), ("_Rows", "rows"), ("Decision", "decision"), ("Stats", "stats")])
def test_structs_lie_in_memory_as_in_the_header(wrapper, c_values, python_name, c_name):
    struct, c_struct = getattr(wrapper, python_name), f"struct saferoute_{c_name}"
    wanted, expressions = [ctypes.sizeof(struct)], [f"sizeof({c_struct})"]
    for name, *_ in struct._fields_:
        field = getattr(struct, name)
        wanted += [field.offset, field.size]
        expressions += [f"offsetof({c_struct}, {name})", f"sizeof((({c_struct} *)0)->{name})"]
    assert c_values(expressions) == wanted


def test_constants_are_those_of_the_header(wrapper, c_values):
    pairs = {"SAFEROUTE_ERROR_TEXT": wrapper.ERROR_TEXT, "SAFEROUTE_JSON_SIZE": wrapper.JSON_SIZE,
             "SAFEROUTE_PROMETHEUS_SIZE": wrapper.PROMETHEUS_SIZE, "SAFEROUTE_LOGIT_BUCKETS": wrapper.LOGIT_BUCKETS,
             "SAFEROUTE_AS_STORED": wrapper.PRECISIONS["stored"]}
    pairs |= {f"SAFEROUTE_{name}": status for status, name in wrapper.STATUSES.items()}
    pairs |= {f"SAFEROUTE_{name.upper()}": number for name, number in wrapper.DTYPES.items()}
    pairs |= {f"SAFEROUTE_COMPUTE_{name.upper()}": n for name, n in wrapper.PRECISIONS.items() if name != "stored"}
    pairs |= {f"SAFEROUTE_RANGE_{name.upper()}": number for name, number in wrapper.RANGES.items()}
    assert c_values(pairs) == list(pairs.values())
    [reasons] = c_values(["SAFEROUTE_REASON_COUNT"])
    assert reasons < wrapper.REASONS  # the last one of reason_names is UNKNOWN


def test_it_says_what_the_router_is(opened, router):
    assert opened
    assert opened.width == router.x.shape[1]
    assert np.float32(opened.threshold) == np.float32(router.threshold)
    assert opened.artefact == hashlib.sha256(router.weights.read_bytes()).hexdigest()
    assert opened.metadata("format").startswith("saferoute")
    assert opened.metadata("no such key") is None
    assert opened.artefact[:12] in repr(opened)


# ---- the same numbers as PyTorch ----

def test_logits_of_float32_are_those_of_pytorch(opened, router):
    close_to(opened.logits(router.x), router.logit)
    assert np.ptp(router.logit) > 0.1, "rows that are all alike would show nothing"


def test_float16_is_read_exactly(opened, router):
    half = router.x.astype(np.float16)
    assert np.array_equal(half.astype(np.float32), router.x), "the dump is float16"
    same_bits(opened.logits(half), opened.logits(router.x))
    same_bits(opened.logits(torch.from_numpy(half)), opened.logits(router.x))


def test_bfloat16_is_read_exactly(opened, router):
    x = torch.from_numpy(router.x).bfloat16()
    with torch.no_grad():
        close_to(opened.logits(x), router.module(x.float()).numpy())
    same_bits(opened.logits(x), opened.logits(x.float()))
    same_bits(opened.logits(router.x.astype(ml_dtypes.bfloat16)), opened.logits(x))


def test_float64_other_byte_order_and_lists(opened, router):
    wanted = opened.logits(router.x)
    same_bits(opened.logits(router.x.astype(np.float64)), wanted)
    same_bits(opened.logits(torch.from_numpy(router.x).double()), wanted)
    same_bits(opened.logits(router.x.astype(">f4")), wanted)
    same_bits(opened.logits(router.x.astype(">f2")), wanted)
    same_bits(opened.logits(router.x[:2].tolist()), wanted[:2])


def views(x):
    """The rows of x, lying in memory in every way there is."""
    wide = np.zeros((len(x), x.shape[1] + 6), x.dtype)
    wide[:, 3:-3] = x
    backwards = np.ascontiguousarray(x[::-1])
    doubled = np.repeat(x, 2, axis=0)
    bytes_off = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    bytes_off[:] = x
    sparse = np.zeros((len(x), 2 * x.shape[1]), x.dtype)
    sparse[:, ::2] = x
    read_only = x.copy()
    read_only.flags.writeable = False
    yield from {"wide": wide[:, 3:-3], "backwards": backwards[::-1], "doubled": doubled[::2], "bytes off": bytes_off,
                "columns": np.asfortranarray(x), "gaps within rows": sparse[:, ::2], "read only": read_only}.items()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_may_lie_anywhere(opened, router, dtype):
    x = router.x.astype(dtype)
    wanted = opened.logits(x)
    for name, view in views(x):
        np.testing.assert_array_equal(opened.logits(view), wanted, err_msg=name)
        if name not in ("backwards", "bytes off", "read only"):
            np.testing.assert_array_equal(opened.logits(torch.from_numpy(view)), wanted, err_msg=name)


def test_one_row_is_a_row(opened, router):
    wanted = opened.logits(router.x)
    for row in (router.x[3], torch.from_numpy(router.x)[3], router.x[3:4]):
        same_bits(opened.logits(row), wanted[3:4])
        same_bits(opened.route(row).logit, wanted[3:4])
        assert np.float32(opened.decide_one(row).logit) == wanted[3]


def test_a_row_seen_many_times(opened, router):
    """A stride of 0 between rows, which says something else to C."""
    wanted = np.repeat(opened.logits(router.x[3]), 5)
    same_bits(opened.logits(np.broadcast_to(router.x[3], (5, router.x.shape[1]))), wanted)
    same_bits(opened.logits(torch.from_numpy(router.x[3]).expand(5, -1)), wanted)


def test_no_rows(opened, router):
    width = router.x.shape[1]
    for none in (router.x[:0], torch.empty(0, width), torch.empty(width, 0).t()):
        assert opened.logits(none).shape == (0,)
        assert len(opened.route(none)) == 0


def test_a_tensor_that_wants_a_gradient(opened, router):
    x = torch.from_numpy(router.x).clone().requires_grad_()
    same_bits(opened.logits(x), opened.logits(router.x))
    same_bits(opened.logits(torch.nn.Parameter(x)), opened.logits(router.x))


def test_what_is_read_where_it_lies(wrapper, router):
    x, place = router.x, wrapper._rows
    wide = np.zeros((4, x.shape[1] + 9), np.float16)
    for array in (x, x[::2], x[5], x[::-1], x.astype(np.float16), wide[:, 4:-5], x.astype(ml_dtypes.bfloat16)):
        assert place(array).features == array.ctypes.data
    t = torch.from_numpy(x)
    for tensor in (t, t[::2], t[5], t.half(), t.bfloat16(), t.bfloat16()[:, :-3], t.clone().requires_grad_()):
        assert place(tensor).features == tensor.data_ptr()
    for copied in (x.astype(np.float64), np.asfortranarray(x), x.astype(">f4")):
        assert place(copied).features != copied.ctypes.data


def test_a_tensor_of_another_device_is_copied_once(opened, router):
    """There is no GPU here: something that only says that it is a tensor on one."""

    class Elsewhere:
        copies = 0
        shape, dtype = router.x.shape, torch.float32
        device = torch.device("cuda:0")

        def is_floating_point(self):
            return True

        def detach(self):
            return self

        def to(self, device):
            Elsewhere.copies += 1
            assert device == "cpu"
            return torch.from_numpy(router.x)

    Elsewhere.__module__, Elsewhere.__name__ = "torch", "Tensor"
    same_bits(opened.logits(Elsewhere()), opened.logits(router.x))
    assert Elsewhere.copies == 1


def test_torch_is_not_imported(wrapper, router):
    code = ("import sys, numpy, saferoute\n"
            f"r = saferoute.Router.open({str(router.weights)!r})\n"
            f"assert r.decide_one(numpy.zeros({router.x.shape[1]}, numpy.float32)).logit == r.logits("
            f"numpy.zeros({router.x.shape[1]}))[0]\n"
            "assert 'torch' not in sys.modules and 'ml_dtypes' not in sys.modules\n")
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(WRAPPER.parent)})


def test_precisions(wrapper, router):
    """Both lose a little; what exactly is the library's business and tested there."""
    for precision, most in ("bfloat16", 0.05), ("int8", 0.1):
        with wrapper.Router.open(router.weights, precision=precision) as r:
            got = r.logits(router.x)
            assert 0 < np.abs(got - router.logit).max() < most, precision
            assert (r.route(router.x)["precision"] == wrapper.PRECISIONS[precision]).all()
