# pickle_files.py: pickles that want something of whoever reads them: instructions, names, calls, tensors, and abuse of the
# stack and the memo. The test puts each into an archive whose record data/0 holds six float32.
#
# Besides, tables for the loops of the test: pickle_opcodes.txt (byte, name: all of pickletools) and pickle_globals.txt
# (module, name: what runs code when a pickle calls it).
#
# SPDX-License-Identifier: MIT
import os
import pickletools
import struct

from hostile.zip_bytes import HOOKS, one, storage, tensor, text

P = b"\x80\x02"
RUN = "a class or function that is no part of a tensor; nothing of it is run"

GLOBALS = """
os.system posix.system nt.system os.popen os.execv os.remove subprocess.Popen subprocess.call subprocess.check_output
commands.getoutput pty.spawn platform.popen shutil.rmtree socket.create_connection urllib.request.urlopen
http.client.HTTPSConnection webbrowser.open ctypes.CDLL ctypes.memmove builtins.eval builtins.exec builtins.compile
builtins.__import__ builtins.getattr builtins.setattr builtins.open builtins.globals builtins.map builtins.apply
builtins.type builtins.print builtins.input builtins.breakpoint __builtin__.eval __builtin__.execfile
__builtin__.getattr sys.modules sys.settrace importlib.import_module importlib._bootstrap._load imp.load_source
runpy._run_code runpy.run_path types.FunctionType types.CodeType marshal.loads pickle.loads _pickle.Unpickler
cloudpickle.loads dill.loads joblib.load shelve.open copyreg._reconstructor copyreg.add_extension copy_reg._reconstructor
operator.attrgetter operator.itemgetter operator.methodcaller functools.partial functools.reduce itertools.starmap
code.InteractiveInterpreter codeop.compile_command timeit.timeit cProfile.run profile.run pdb.Pdb bdb.Bdb trace.Trace
doctest.debug_script pydoc.pipepager pydoc.locate logging.config.listen asyncio.unix_events._UnixSubprocessTransport.kill
multiprocessing.util.spawnv_passfds concurrent.futures.ThreadPoolExecutor threading.Thread signal.signal gc.get_objects
inspect.currentframe tempfile.mktemp _io.FileIO io.open codecs.open zipimport.zipimporter pip.main venv.create
site.main idlelib.pyshell.ModifiedInterpreter.runcode lib2to3.pgen2.grammar.Grammar.loads test.support.script_helper.assert_python_ok
numpy.load numpy.testing._private.utils.runstring numpy.f2py.crackfortran.getlincoef numpy.core.multiarray._reconstruct
numpy._core.multiarray.scalar numpy.distutils.exec_command.exec_command numpy.core._internal._ctypes
torch.load torch.save torch.hub.load torch.hub._load_local torch.jit.load torch.jit.unsupported_tensor_ops.execWrapper
torch.jit.annotations.parse_type_line torch.package.PackageImporter torch.utils._config_module.load_config
torch.utils.cpp_extension.load torch.utils.cpp_extension.load_inline torch.utils.data.datapipes.utils.decoder.basichandlers
torch.utils.collect_env.run torch.utils.bottleneck.__main__.run_cprofile torch.distributed.rpc.rpc_sync
torch.distributed.rpc.RemoteModule torch.distributed.nn.api.remote_module._RemoteModule torch.multiprocessing.reductions.rebuild_storage_filename
torch.serialization.load torch.serialization._load torch.serialization.add_safe_globals torch.storage._load_from_bytes
torch.storage.UntypedStorage torch.storage.TypedStorage torch.UntypedStorage torch._utils._rebuild_device_tensor_from_numpy
torch._utils._rebuild_wrapper_subclass torch._utils._rebuild_tensor torch._tensor._rebuild_from_type_v2
torch._weights_only_unpickler.Unpickler torch._inductor.codecache.compile_file torch._dynamo.guards.GuardBuilder.get
torch._C._load_for_lite_interpreter torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression
torch.ops.load_library torch.classes.load_library torch.Tensor torch.tensor torch.from_file torch.set_default_device
torch.nn.parameter.Parameter torch.nn.Module torch.Generator torch.cuda.FloatStorage
collections.OrderedDict.__reduce__ collections.Counter collections.defaultdict collections.abc.Callable
OrderedDict.fromkeys torch._utils._rebuild_tensor_v2.__globals__ torch.FloatStorage.from_file
tensorflow.io.read_file keras.models.load_model tf.keras.layers.Lambda transformers.pipeline pandas.read_pickle
sklearn.externals.joblib.load sympy.sympify jinja2.Template yaml.unsafe_load PIL.ImageMath.eval
""".split()


def raw_global(name):
    module, _, last = name.rpartition(".")
    return b"c" + module.encode() + b"\n" + last.encode() + b"\n"


def write_tables(folder):
    with open(os.path.join(folder, "pickle_opcodes.txt"), "w", encoding="ascii") as to:
        for o in sorted(pickletools.opcodes, key=lambda o: o.code):
            to.write("%d %s\n" % (ord(o.code), o.name))
    with open(os.path.join(folder, "pickle_globals.txt"), "w", encoding="ascii") as to:
        for name in GLOBALS:
            to.write("%s %s\n" % (name.rpartition(".")[0], name.rpartition(".")[2]))


def programs(c):
    def runs(name, content, asks, commands="-", how=""):
        c.add(name, content, 65, "asks for " + asks + how + ", " + RUN, commands)

    runs("os_system.pkl", P + b"cos\nsystem\n" + text("id") + b"\x85R.", "os.system", "import,convert")
    runs("posix_system_in_a_dict.pkl", one(b"cposix\nsystem\n" + text("id") + b"\x85R"), "posix.system", "import")
    runs("builtins_eval.pkl", P + b"cbuiltins\neval\n" + text("1") + b"\x85R.", "builtins.eval", "import")
    c.add("builtins_exec_stack_global.pkl", b"\x80\x04" + text("builtins") + text("exec") + b"\x93" + text("1") + b"\x85R.", 65, "uses the instruction STACK_GLOBAL, which torch.load(weights_only=True) does not read either")
    runs("inst.pkl", P + b"(X\x02\x00\x00\x00idios\nsystem\n.", "os.system", how=" (INST)")
    runs("in_the_arguments_of_a_tensor.pkl", one(tensor(hooks=b"cos\nsystem\n" + text("id") + b"\x85R")), "os.system")
    runs("in_the_key.pkl", P + b"}cos\nsystem\n" + text("id") + b"\x85RK\x01s.", "os.system")
    runs("in_a_persistent_id.pkl", P + b"(" + text("storage") + b"cos\nsystem\n" + b"tQ.", "os.system")
    runs("escape_in_the_name.pkl", P + b"cos\x1b[31m\nsystem\n.", "os?[31m.system", "import")
    runs("nul_in_the_name.pkl", P + b"ctorch\0\nFloatStorage\n.", "torch.FloatStorage")
    runs("name_of_700_bytes.pkl", P + b"c" + b"a" * 700 + b"\nsystem\n.", "a" * 70 + ".system")
    runs("space_in_the_name.pkl", P + b"ctorch._utils\n_rebuild_tensor_v2 \n.", "torch._utils._rebuild_tensor_v2 ")
    runs("empty_name.pkl", P + b"c\n\n.", ".")
    runs("dotted_name.pkl", P + b"ccollections\nOrderedDict.fromkeys\n.", "collections.OrderedDict.fromkeys")
    c.add("numpy_f2py.pkl", P + b"cnumpy.f2py.crackfortran\ngetlincoef\n.", 65, "asks for numpy.f2py.crackfortran.getlincoef, a NumPy object")
    c.add("inst_cut.pkl", P + b"(ios", 65, "is cut off")
    c.add("inst_cut_in_the_name.pkl", P + b"(ios\nsystem", 65, "is cut off")
    c.add("global_cut.pkl", P + b"cos\nsystem", 65, "is cut off")
    c.add("ext1.pkl", P + b"\x82\x01.", 65, "uses the instruction EXT1")


def calls(c):
    def bad(name, content, message, commands="-"):
        c.add(name, content, 65, message, commands)

    bad("reduce_no_function.pkl", P + b"K\x01)R.", "calls something that is no function")
    bad("reduce_no_tuple.pkl", P + b"ccollections\nOrderedDict\n]R.", "calls something with arguments that are no tuple")
    bad("reduce_ordered_dict_with_items.pkl", P + b"ccollections\nOrderedDict\n(]tR.", "calls collections.OrderedDict with arguments that torch does not write")
    bad("reduce_storage.pkl", P + b"ctorch\nFloatStorage\nK\x06\x85R.", "calls torch.FloatStorage with arguments")
    bad("reduce_size_of_two.pkl", P + b"ctorch\nSize\n))\x86R.", "calls torch.Size with arguments")
    bad("reduce_size.pkl", P + b"ctorch\nSize\nK\x06\x85R.", "calls torch.Size with arguments")
    bad("reduce_device.pkl", P + b"ctorch\ndevice\n)R.", "calls torch.device with arguments")
    bad("reduce_twice.pkl", P + HOOKS + b")R.", "calls something that is no function")
    bad("reduce_dtype.pkl", P + b"ctorch\nfloat32\n)R.", "calls something that is no function")
    bad("newobj.pkl", P + b"ccollections\nOrderedDict\n)\x81.", "uses the instruction NEWOBJ, which tensors do not need")
    bad("newobj_ex.pkl", P + b"ccollections\nOrderedDict\n)}\x92.", "uses the instruction NEWOBJ_EX")
    bad("obj.pkl", P + b"(ccollections\nOrderedDict\no.", "uses the instruction OBJ")
    bad("build_list.pkl", P + b"]}b.", "sets the state of an object (BUILD)")
    bad("build_dict.pkl", P + b"}}b.", "sets the state of an object (BUILD)")
    bad("build_tensor.pkl", P + tensor() + b"}b.", "sets the state of an object (BUILD)")
    bad("build_with_tuple.pkl", P + HOOKS + b")b.", "sets the state of an object (BUILD)")
    bad("persid_text.pkl", P + b"Pos.system\n.", "uses the instruction PERSID")
    bad("persid_no_tuple.pkl", P + b"K\x01Q.", "has a persistent id that is not the storage of a tensor")
    bad("persid_module.pkl", P + b"(" + text("module") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x06tQ.", "has a persistent id that is not")
    bad("persid_no_storage_type.pkl", P + b"(" + text("storage") + b"ccollections\nOrderedDict\n" + text("0") + text("cpu") + b"K\x06tQ.", "has a persistent id that is not")
    bad("persid_key_is_a_number.pkl", P + b"(" + text("storage") + b"ctorch\nFloatStorage\nK\x00" + text("cpu") + b"K\x06tQ.", "has a persistent id that is not")
    bad("persid_device_is_a_number.pkl", P + b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + b"K\x00K\x06tQ.", "has a persistent id that is not")
    bad("persid_negative.pkl", one(tensor(storage(items=b"J\xfa\xff\xff\xff"))), "has a persistent id that is not")
    bad("persid_of_four.pkl", P + b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"tQ.", "has a persistent id that is not")
    bad("persid_type_is_text.pkl", P + b"(" + text("storage") + text("FloatStorage") + text("0") + text("cpu") + b"K\x06tQ.", "has a persistent id that is not")
    """CVE-2026-24747 came by items set on a tensor, by a persistent id whose first member is any object, and by a size that
    the record has not (see pt_files.py)."""
    bad("cve_2026_24747_setitem.pkl", P + tensor() + b"K\x00K\x01s.", "adds to something that is no dict", "import")
    bad("cve_2026_24747_setitems.pkl", P + tensor() + b"(K\x00K\x01u.", "adds to something that is no dict", "import")
    bad("cve_2026_24747_setitem_storage.pkl", P + storage() + b"K\x00K\x01s.", "adds to something that is no dict")
    bad("cve_2026_24747_setitem_list.pkl", P + b"]K\x00K\x01s.", "adds to something that is no dict")
    bad("cve_2026_24747_append_tensor.pkl", P + tensor() + b"K\x00a.", "adds to something that is no list")
    bad("cve_2026_24747_persistent_id.pkl", P + b"(" + tensor() + b"ctorch\nFloatStorage\n" + text("0") + text("cpu") + b"K\x06tQ.", "has a persistent id that is not")
    bad("cve_2026_24747_items.pkl", one(tensor(storage(items=b"M\xff\xff"), size=b"M\xff\xff\x85")), "has 24 bytes, but its pickle says 65535 items of F32", "import")
    bad("cve_2022_45907.pkl", P + b"ctorch.jit.annotations\nparse_type_line\n" + text("__import__('os')") + b"\x85R.", "asks for torch.jit.annotations.parse_type_line, " + RUN)
    bad("cve_2024_48063.pkl", P + b"ctorch.distributed.nn.api.remote_module\n_RemoteModule\n.", "asks for torch.distributed.nn.api.remote_module._RemoteModule, " + RUN)


def machine(c):
    def bad(name, content, message, commands="-"):
        c.add(name, content, 65, message, commands)

    bad("empty_stack.pkl", P + b".", "ends with something left over")
    bad("two_values.pkl", P + b"K\x01K\x02.", "ends with something left over")
    bad("mark_left.pkl", P + b"(.", "ends with something left over")
    bad("trailing.pkl", P + b"}.}.", "ends with something left over", "convert")
    bad("trailing_nul.pkl", P + b"}.\0", "ends with something left over")
    bad("no_stop.pkl", P + b"}", "is cut off")
    bad("no_protocol.pkl", b"}.", "does not begin with a protocol")
    for n in (0, 1, 6, 255):
        bad("protocol_%d.pkl" % n, b"\x80" + bytes([n]) + b"}.", "is of a protocol other than 2 to 5")
    bad("protocol_twice.pkl", P + b"\x80\x02}.", "is of a protocol other than 2 to 5")
    bad("protocol_cut.pkl", b"\x80", "does not begin with a protocol")
    bad("tuple_underflow.pkl", P + b"K\x01\x86.", "takes a value from an empty stack")
    bad("tuple3_through_mark.pkl", P + b"K\x01(K\x02\x87.", "takes a value from an empty stack")
    bad("tuple_without_mark.pkl", P + b"K\x01t.", "closes a list that was not begun")
    bad("setitem_underflow.pkl", P + b"}K\x01s.", "adds to something that is no dict")
    bad("setitems_odd.pkl", P + b"}(K\x01u.", "adds to something that is no dict")
    bad("setitems_without_mark.pkl", P + b"}K\x01K\x02u.", "closes a list that was not begun")
    bad("setitems_on_nothing.pkl", P + b"(K\x01K\x02u.", "adds to something that is no dict")
    bad("setitems_on_mark.pkl", P + b"((K\x01K\x02u.", "adds to something that is no dict")
    bad("append_to_dict.pkl", P + b"}K\x01a.", "adds to something that is no list")
    bad("appends_to_tuple.pkl", P + b")(K\x01e.", "adds to something that is no list")
    bad("append_underflow.pkl", P + b"a.", "takes a value from an empty stack")
    bad("build_underflow.pkl", P + b"}b.", "takes a value from an empty stack")
    bad("reduce_underflow.pkl", P + b")R.", "takes a value from an empty stack")
    bad("persid_underflow.pkl", P + b"Q.", "takes a value from an empty stack")
    bad("memo_of_nothing.pkl", P + b"q\x00.", "takes a value from an empty stack")
    bad("memo_of_a_mark.pkl", P + b"(q\x00.", "takes a value from an empty stack")
    bad("memoize_nothing.pkl", P + b"\x94.", "uses the instruction MEMOIZE")
    bad("memo_unset.pkl", P + b"h\x07.", "asks for a value that it did not remember")
    bad("memo_unset_far.pkl", P + b"j\xff\xff\xff\xff.", "asks for a value that it did not remember")
    bad("memo_gap.pkl", P + b"}q\x07h\x03.", "asks for a value that it did not remember")
    bad("memo_index_largest.pkl", P + b"}r\xff\xff\xff\xff.", "remembers more than 4194304 values", "import")
    bad("memo_index_past_the_limit.pkl", P + b"}r\x00\x00\x40\x00.", "remembers more than 4194304 values")
    bad("memo_index_far.pkl", P + b"}r\x00\x20\x00\x00.", "remembers a value by a number larger than that of all values before", "import")
    c.add("memo_index_odd.pkl", P + b"}(" + text("x") + tensor() + b"r\x00\x10\x00\x00" + text("y") + b"j\x00\x10\x00\x00u.", 0, "", why="a number of the memo that is not the next, but not far either")
    laughs = P + b"]" + b"q\x01h\x01\x86" * 40 + b"."
    bad("billion_laughs.pkl", laughs, "values in its pickle, shared ones each time", "import,convert")
    loud = P + text("ha" * 300) + b"q\x01h\x01\x86" * 30 + b"."
    bad("billion_laughs_text.pkl", loud, "in its pickle, shared ones each time")
    bad("list_in_itself.pkl", P + b"]q\x00h\x00a.", "nested deeper than 64 levels, or in themselves", "import")
    bad("dict_in_itself.pkl", P + b"}q\x00" + text("a") + b"h\x00s.", "nested deeper than 64 levels, or in themselves")
    bad("deep_tuples.pkl", P + b")" + b"\x85" * 5000 + b".", "nested deeper than 64 levels")
    bad("deep_lists.pkl", P + b"]" * 3000 + b"a" * 2999 + b".", "nested deeper than 64 levels")
    bad("stack_of_marks.pkl", P + b"(" * 4000, "is cut off")
    bad("text_length.pkl", P + b"X\xff\xff\xff\x7fab.", "is cut off", "import")
    bad("text_length_largest.pkl", P + b"X\xff\xff\xff\xffab.", "is cut off")
    bad("text_length_64.pkl", b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.", "uses the instruction BINUNICODE8")
    bad("text_length_wraps.pkl", b"\x80\x04\x8d\xfe\xff\xff\xff\xff\xff\xff\xffab.", "uses the instruction BINUNICODE8")
    bad("text_length_short.pkl", b"\x80\x04\x8cZab.", "uses the instruction SHORT_BINUNICODE")
    bad("text_length_cut.pkl", P + b"X\x01\x00", "is cut off")
    bad("long_cut.pkl", P + b"\x8a\xff\x00.", "is cut off")
    bad("long4.pkl", P + b"\x8b\xff\xff\xff\x7f.", "uses the instruction LONG4")
    bad("bytes8.pkl", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "uses the instruction BINBYTES8")
    bad("bytearray8.pkl", b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", "uses the instruction BYTEARRAY8")
    bad("float_cut.pkl", P + b"G\x00\x00.", "is cut off")
    bad("frame_length.pkl", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff}.", "uses the instruction FRAME")
    bad("frame_past_the_end.pkl", b"\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00}.", "uses the instruction FRAME")
    bad("pop.pkl", P + b"K\x01K\x020.", "uses the instruction POP,")
    bad("dup.pkl", P + b"}2.", "uses the instruction DUP")


def costs(c):
    """More, and larger: tests/test_trust_pickle_costs.c."""
    key = text("k" * 20000 + "x") + b"q\x00N" + text("k" * 20000 + "y") + b"q\x01N"
    twice = "has a key twice, of which Python keeps the last"
    c.add("key_shared_in_a_dict.pkl", P + b"}(" + key + b"h\x00Nh\x01N" * 10000 + b"u.", 65, twice, "import")
    c.add("key_shared_by_dicts.pkl", P + b"](}(" + key + b"u" + b"}(h\x00Nh\x01Nu" * 10000 + b"e.", 0, "", why="each dict has them once")
    c.add("key_twice_in_a_state.pkl", P + HOOKS + b"}(" + text("a") + b"N" + text("a") + b"Nub.", 65, twice)
    c.add("key_twice_in_the_second_dict.pkl", P + b"](}(" + text("a") + b"NK\x01Nu}(K\x01N" + text("b") + b"NG" + struct.pack(">d", 1) + b"Nue.", 65, twice)


def tensors(c):
    def bad(name, value, message, commands="-"):
        c.add(name, one(value), 65, message, commands)

    minus = b"J\xff\xff\xff\xff"
    big = lambda n: b"\x8a\x09" + struct.pack("<Q", n) + b"\0"
    eight = lambda n: b"\x8a\x08" + struct.pack("<q", n)
    two = lambda a, b: a + b + b"\x86"
    bad("stride_negative.pkl", tensor(stride=minus + b"\x85"), "has a tensor with a negative size or stride", "import")
    bad("size_negative.pkl", tensor(size=minus + b"\x85"), "has a tensor with a negative size or stride")
    bad("offset_negative.pkl", tensor(offset=minus), "rebuilds a tensor from something else than torch writes")
    bad("offset_past_the_end.pkl", tensor(offset=b"K\x01"), "reaches past the end of its storage", "import")
    bad("offset_huge.pkl", tensor(offset=eight((1 << 63) - 1)), "reaches past the end of its storage")
    bad("offset_of_70_bits.pkl", tensor(offset=b"\x8a\x09" + b"\1" * 9), "rebuilds a tensor from something else")
    bad("size_past_the_end.pkl", tensor(size=b"K\x07\x85"), "reaches past the end of its storage")
    bad("size_huge.pkl", tensor(size=eight(1 << 61) + b"\x85"), "reaches past the end of its storage")
    bad("size_overflows.pkl", tensor(size=two(eight(1 << 62), b"K\x08"), stride=two(b"K\x08", b"K\x01")), "has a tensor of more than 2^64 bytes", "import")
    bad("size_overflows_by_items.pkl", tensor(size=two(eight(1 << 33), eight(1 << 33)), stride=two(eight(1 << 33), b"K\x01")), "has a tensor of more than 2^64 bytes")
    bad("size_wraps_to_24_bytes.pkl", tensor(size=eight((1 << 62) + 6) + b"\x85"), "has a tensor of more than 2^64 bytes")
    bad("size_overflows_before_a_0.pkl", tensor(size=eight(1 << 62) + b"K\x08K\x00\x87", stride=b"K\x00K\x00K\x01\x87"), "has a tensor of more than 2^64 bytes")
    bad("size_of_70_bits.pkl", tensor(size=b"\x8a\x09" + b"\1" * 9 + b"\x85"), "whose size and stride are not as many numbers")
    bad("stride_expanded.pkl", tensor(size=two(b"K\x02", b"K\x06"), stride=two(b"K\x00", b"K\x01")), "does not lie row by row")
    bad("stride_transposed.pkl", tensor(size=two(b"K\x02", b"K\x03"), stride=two(b"K\x01", b"K\x02")), "does not lie row by row", "import")
    bad("stride_overlapping.pkl", tensor(size=two(b"K\x02", b"K\x03"), stride=two(b"K\x01", b"K\x01")), "does not lie row by row")
    bad("stride_huge.pkl", tensor(size=two(b"K\x02", b"K\x03"), stride=two(eight((1 << 63) - 1), b"K\x01")), "does not lie row by row")
    bad("strides_fewer.pkl", tensor(size=two(b"K\x02", b"K\x03")), "whose size and stride are not as many numbers")
    bad("rank_9.pkl", tensor(size=b"(" + b"K\x01" * 9 + b"t", stride=b"(" + b"K\x01" * 9 + b"t"), "whose size and stride are not as many numbers, at most 8")
    bad("size_is_text.pkl", tensor(size=text("6") + b"\x85"), "whose size and stride are not as many numbers")
    bad("size_is_a_bool.pkl", tensor(size=b"\x88\x85"), "whose size and stride are not as many numbers")
    bad("size_is_a_list.pkl", tensor(size=b"](K\x06e"), "whose size and stride are not as many numbers")
    bad("stride_is_text.pkl", tensor(stride=text("1") + b"\x85"), "whose size and stride are not as many numbers")
    bad("size_is_a_tensor.pkl", tensor(size=tensor()), "whose size and stride are not as many numbers")
    bad("storage_is_none.pkl", tensor(b"N"), "rebuilds a tensor from something else than torch writes")
    bad("storage_is_a_tensor.pkl", tensor(tensor()), "rebuilds a tensor from something else than torch writes")
    bad("storage_is_a_global.pkl", tensor(b"ctorch\nFloatStorage\n"), "rebuilds a tensor from something else than torch writes")
    bad("grad_is_a_number.pkl", tensor(grad=b"K\x01"), "rebuilds a tensor from something else than torch writes")
    bad("hooks_none.pkl", tensor(hooks=b"N"), "has a tensor with hooks, which are functions")
    bad("hooks_full.pkl", tensor(hooks=HOOKS + text("a") + b"K\x01s"), "has a tensor with hooks, which are functions")
    bad("metadata_none.pkl", tensor(more=b"N"), "is a negated or conjugated view")
    bad("metadata_full.pkl", tensor(more=b"}" + text("conj") + b"\x88s"), "is a negated or conjugated view")
    bad("arguments_8.pkl", tensor(more=b"}N"), "rebuilds a tensor from something else than torch writes")
    bad("arguments_0.pkl", b"ctorch._utils\n_rebuild_tensor_v2\n)R", "rebuilds a tensor from something else than torch writes")
    bad("parameter_of_two.pkl", b"ctorch._utils\n_rebuild_parameter\n(" + tensor() + b"\x88tR", "rebuilds a parameter from something else")
    bad("parameter_of_a_number.pkl", b"ctorch._utils\n_rebuild_parameter\n(K\x01\x88" + HOOKS + b"tR", "rebuilds a parameter from something else")
    bad("parameter_with_hooks.pkl", b"ctorch._utils\n_rebuild_parameter\n(" + tensor() + b"\x88" + HOOKS + b"K\x01K\x01stR", "rebuilds a parameter from something else")
    bad("parameter_grad.pkl", b"ctorch._utils\n_rebuild_parameter\n(" + tensor() + b"N" + HOOKS + b"tR", "rebuilds a parameter from something else")
    bad("type_of_another_size.pkl", tensor(storage("DoubleStorage")), "has 24 bytes, but its pickle says 6 items of F64", "import")
    bad("type_complex.pkl", tensor(storage("ComplexFloatStorage")), "complex numbers: save torch.view_as_real(x)")
    bad("type_quantized.pkl", tensor(storage("QInt8Storage")), "quantized values: save x.dequantize()")
    half = storage("DoubleStorage", items=b"K\x03")
    twice = P + b"}(" + text("a") + tensor() + text("b") + tensor(half, size=b"K\x03\x85") + b"u."
    c.add("one_record_of_two_types.pkl", twice, 65, "takes the record data/0 for F32 and for F64", "import")
    more = P + b"}(" + text("a") + tensor() + text("b") + tensor(storage(items=b"K\x07")) + b"u."
    c.add("one_record_of_two_sizes.pkl", more, 65, "has 24 bytes, but its pickle says 7 items of F32")
    bools = lambda n: tensor(storage("BoolStorage", items=b"K\x18"), size=bytes([ord("K"), n]) + b"\x85")
    bad("bools_of_reals.pkl", bools(24), "item 6 of the booleans 'x' is the byte 128, neither 0 nor 1")
    c.add("bools.pkl", one(bools(4)), 0, "", why="a tensor of those of its storage that are booleans")
    bad("items_overflow.pkl", tensor(storage(items=eight(1 << 62))), "but its pickle says 4611686018427387904 items of F32")
    bad("items_wrap.pkl", tensor(storage(items=eight((1 << 62) + 6))), "but its pickle says 4611686018427387910 items of F32")
    bad("key_parent.pkl", tensor(storage(key="../data.pkl")), "names the record data/../data.pkl, which is not there")
    bad("key_absolute.pkl", tensor(storage(key="/etc/passwd")), "names the record data//etc/passwd, which is not there")
    bad("key_long.pkl", tensor(storage(key="0" * 40)), "names a storage as torch does not")
    bad("key_with_nul.pkl", tensor(storage(key=b"0\0x")), "names a storage as torch does not")
    bad("key_empty.pkl", tensor(storage(key="")), "names the record data/, which is not there")
    bad("key_escape.pkl", tensor(storage(key="\x1b[2J")), "names the record data/?[2J, which is not there")
    c.add("name_twice.pkl", P + b"}(" + text("x") + tensor() + text("x") + tensor() + b"u.", 65, "has a key twice, of which Python keeps the last")
    c.add("name_twice_by_nesting.pkl", P + b"}(" + text("a.b") + tensor() + text("a") + b"}" + text("b") + tensor() + b"su.", 65, "two tensors are called 'a.b'", "import")
    plain = (("a", b"\x88"), ("b", b"\x89"), ("c", text("a" * 5000)), ("d", text("a\0b")), ("e", text("\x1b[2J")), ("", b"K\x01"), ("\x1b", b"K\x01"))
    beside = P + b"}(" + text("x") + tensor() + b"".join(text(k) + v for k, v in plain) + b"u."
    c.add("values_beside_tensors.pkl", beside, 0, "", why="what does not print is left out")
    c.add("value_twice.pkl", P + b"}(" + text("a") + b"K\x01" + text("a") + b"K\x02u.", 65, "has a key twice, of which Python keeps the last")
    c.add("value_twice_by_nesting.pkl", P + b"}(" + text("a.b") + b"K\x01" + text("a") + b"}" + text("b") + b"K\x02su.", 65, "two values are called 'a.b'")
    c.add("name_twice_by_a_number.pkl", P + b"}(" + text("1") + tensor() + b"K\x01" + tensor() + b"u.", 65, "two tensors are called '1'")
    c.add("name_long.pkl", one(tensor(), "n" * 128), 65, "the name of a tensor has more than 127 bytes")
    c.add("name_escape.pkl", one(tensor(), "a\x1b[2Jb"), 65, "does not print")
    c.add("name_not_utf8.pkl", one(tensor(), b"a\xff"), 65, "has a text that is not UTF-8")
    c.add("name_with_nul.pkl", one(tensor(), b"a\0b"), 65, "does not print")
    c.add("name_is_a_tuple.pkl", P + b"}K\x01\x85" + tensor() + b"s.", 65, "neither text nor a whole number")


def unlike_torch(c):
    """What torch.load(weights_only=True) refuses too, though no tensor is harmed: keys, places, devices, sizes, protocol 4."""
    key = "has a dict with a key that is no text, number or tuple of these"
    beside = text("a") + tensor()

    def bad(name, value, message, commands="-"):
        c.add(name, P + b"}(" + value + beside + b"u.", 65, message, commands)

    bad("key_is_a_dict.pkl", b"}K\x01", key, "import,convert")
    bad("key_is_a_list.pkl", b"]K\x01", key)
    bad("key_is_a_tuple_with_a_list.pkl", b"]\x85K\x01", key, "import")
    bad("key_is_a_tuple_with_a_deep_list.pkl", b"K\x01]\x86\x85\x85K\x01", key)
    c.add("key_is_the_dict_itself.pkl", P + b"}q\x00(h\x00K\x01" + beside + b"u.", 65, key, "import")
    bad("key_is_an_ordered_dict.pkl", HOOKS + b"K\x01", key)
    bad("key_is_a_tensor.pkl", tensor() + b"K\x01", key)
    frame = b"\x80\x04\x95" + struct.pack("<Q", len(beside) + 4) + b"}(" + beside + b"u."
    c.add("frame.pkl", frame, 65, "uses the instruction FRAME, which torch.load(weights_only=True) does not read either; torch.save it without pickle_protocol=4", "import,convert")
    for name, device in (("unknown", "xyz"), ("empty", ""), ("meta", "meta"), ("index", "cuda:x"), ("index_00", "cuda:00"), ("cpu_0", "cpu:0")):
        bad("place_%s.pkl" % name, text("b") + tensor(storage(device=device)), "has a storage of a device that torch does not know", "import" if name == "unknown" else "-")
    for device in ("cuda", "cuda:0", "mps", "xpu:1"):
        content = one(tensor(storage(device=device)))
        c.add("good_%s.pkl" % device.replace(":", "_"), content, 0, "", why="saved from a device, which does not matter for the numbers")
    device = lambda d: text("b") + b"ctorch\ndevice\n" + d + b"R"
    bad("device_unknown.pkl", device(text("nosuc") + b"\x85"), "calls torch.device with arguments", "import")
    bad("device_two_indexes.pkl", device(text("cuda:1") + b"K\x01\x86"), "calls torch.device with arguments")
    bad("device_negative.pkl", device(text("cuda") + b"J\xff\xff\xff\xff\x86"), "calls torch.device with arguments")
    size = lambda s: text("b") + b"ctorch\nSize\n" + s + b"\x85R"
    bad("size_of_text.pkl", size(text("x") + b"\x85"), "calls torch.Size with arguments", "import")
    bad("size_of_reals.pkl", size(b"G" + struct.pack(">d", 1) + b"\x85"), "calls torch.Size with arguments")
    whole = tensor(storage("IntStorage"), grad=b"\x88")
    c.add("gradients_of_integers.pkl", one(whole), 65, "has a tensor of whole numbers that requires gradients")
    parameter = b"ctorch._utils\n_rebuild_parameter\n(" + tensor(storage("IntStorage")) + b"\x88" + HOOKS + b"tR"
    c.add("gradients_of_a_parameter.pkl", one(parameter), 65, "has a tensor of whole numbers that requires gradients")


def many(c):
    twice = "a dict of its pickle has a key twice, of which Python keeps the last"
    for name, first, second in (("text", text("x"), text("x")), ("number", b"K\x01", b"J\1\0\0\0"), ("truth", b"K\x01", b"\x88"), ("real", b"K\x01", b"G" + struct.pack(">d", 1)), ("zero", b"G" + struct.pack(">d", -0.0), b"\x89")):
        c.add("key_twice_%s.pkl" % name, P + b"}(" + first + tensor() + text("between") + b"K\x02" + second + b"K\x05u.", 65, twice, "import" if name == "text" else "-")
    real = lambda x: b"G" + struct.pack(">d", x)
    for name, x in (("two_reals", 1.5), ("largest", 1e300), ("infinity", float("inf"))):
        c.add("key_twice_%s.pkl" % name, P + b"}(" + real(x) + tensor() + b"K\x02K\x02" + real(x) + b"K\x05u.", 65, twice)
    nan = real(float("nan"))
    close = b"\x8a\x08" + struct.pack("<q", (1 << 53) + 1) + b"K\x01G" + struct.pack(">d", 1 << 53) + b"K\x02"
    c.add("keys_alike.pkl", P + b"}(" + text("1") + b"K\x01" + b"K\x02K\x01" + nan + b"K\x01" + nan + b"K\x02" + close + text("a") + tensor() + b"u.", 0, "", why="'1', 2, NaN twice and 2^53 + 1 beside 2^53: keys of their own")
    mixed = [real(x) for x in (1e300, -1e300, 2.5, -2.5, 0.5)] + [b"J" + struct.pack("<i", x) for x in (3, -3, 2, -2, 0, 1)]
    c.add("keys_mixed.pkl", P + b"}(" + b"".join(key + b"K\x01" for key in mixed) + text("a") + tensor() + b"u.", 0, "", why="reals and integers side by side, each a key of its own")
    """A reference of two bytes to a tensor made an entry of 200 bytes."""
    c.add("tensor_shared_often.pkl", P + b"](" + tensor() + b"q\x01" + b"h\x01" * 20000 + b"e.", 65, "tensors in its pickle, shared ones each time", "import,convert")
    c.add("tensor_shared.pkl", P + b"](" + tensor() + b"q\x01" + b"h\x01" * 4000 + b"e.", 0, "", why="weights that are tied have two names, or more")


def cases(c):
    write_tables(os.path.dirname(c.folder))
    for part in (programs, calls, machine, costs, tensors, unlike_torch, many):
        part(c)
