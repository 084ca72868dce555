/* test_data_pickle.c: the pickle reader: what it makes of values, and that it refuses programs by the name of
 * what they ask for.
 *
 * Pickles are written by hand, an instruction a piece: a test that needs Python would not run where it
 * matters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/pickle.h"
#include "tests/failing_memory.h"
#include "tests/run_program.h"

static struct sr_error err;

static struct sr_pickle *read_bytes(const char *bytes, size_t size) {
    struct sr_pickle *p;
    err = (struct sr_error){0};
    sr_pickle_read(&p, bytes, size, "m.pt", &err);
    return p;
}

static void refuses_bytes(const char *bytes, size_t size, const char *word) {
    struct sr_pickle *p = read_bytes(bytes, size);
    cr_expect_null(p, "taken, not refused for \"%s\"", word);
    cr_expect_eq(err.status, SR_DATA);
    expect_in(err.text, word);
    expect_in(err.text, "m.pt");
    sr_pickle_free(p);
}

#define refuses(literal, word) refuses_bytes(literal, sizeof literal - 1, word)

/* A pickle that must be taken; its root into `root`. */
#define TAKES(p, root, literal)                                                                              \
    struct sr_pickle *p = read_bytes(literal, sizeof literal - 1);                                           \
    cr_assert_not_null(p, "%s", err.text);                                                                   \
    const struct sr_pickle_value *root = sr_pickle_root(p)

/* ---- values ---- */

Test(pickle, plain_values_are_what_they_say) {
    TAKES(p, root,
          "\x80\x02("
          "N\x88\x89"
          "K\xff"
          "M\xff\xff"
          "J\xfe\xff\xff\xff"
          "\x8a\x00"
          "\x8a\x01\xff"
          "\x8a\x06\x00\x00\x00\x00\x00\x01"
          "\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01"
          "G\x3f\xe0\x00\x00\x00\x00\x00\x00"
          "X\x02\x00\x00\x00hi"
          "X\x01\x00\x00\x00x"
          "t.");
    static const int64_t integers[] = {255, 65535, -2, 0, -1, (int64_t)1 << 40};
    struct sr_pickle_value **item = root->as.list.item;
    cr_assert(root->kind == SR_PICKLE_TUPLE && root->as.list.n == 13);
    cr_expect_eq(item[0]->kind, SR_PICKLE_NOTHING);
    cr_expect(item[1]->kind == SR_PICKLE_BOOL && item[1]->as.integer == 1);
    cr_expect(item[2]->kind == SR_PICKLE_BOOL && item[2]->as.integer == 0);
    for (size_t i = 0; i < SR_COUNT(integers); i++)
        cr_expect(item[3 + i]->kind == SR_PICKLE_INTEGER && item[3 + i]->as.integer == integers[i], "%zu", i);
    cr_expect_eq(item[9]->kind, SR_PICKLE_NOTHING, "a number past 64 bits is nothing");
    cr_expect(item[10]->kind == SR_PICKLE_REAL && item[10]->as.real == .5);
    cr_expect(sr_pickle_is(item[11], "hi") && !sr_pickle_is(item[11], "h") && !sr_pickle_is(item[11], "hip"));
    cr_expect(sr_pickle_is(item[12], "x") && !sr_pickle_is(item[0], "x"));
    sr_pickle_free(p);
}

Test(pickle, lists_dicts_and_memory) {
    TAKES(p, root,
          "\x80\x04}q\x00(X\x01\x00\x00\x00"
          "aq\x01]q\x02(K\x01K\x02"
          "eK\x05h\x01\x85"
          "uX\x01\x00\x00\x00zh\x02s.");
    cr_assert(root->kind == SR_PICKLE_DICT && root->as.list.n == 6);
    struct sr_pickle_value **item = root->as.list.item;
    cr_expect(sr_pickle_is(item[0], "a"));
    cr_expect(item[1]->kind == SR_PICKLE_LIST && item[1]->as.list.n == 2);
    cr_expect(item[3]->kind == SR_PICKLE_TUPLE && item[3]->as.list.item[0] == item[0]);
    cr_expect_eq(item[5], item[1]);
    sr_pickle_free(p);
}

/* A tensor of float [2, 3] in storage "0" of 8 items, from item 1 on; pieces to break one by one. */
#define STORAGE                                                                                              \
    "((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"                                      \
    "0X\x03\x00\x00\x00"                                                                                     \
    "cpuK\x08tQ"
#define REBUILD                                                                                              \
    "\x80\x02"                                                                                               \
    "ctorch._utils\n_rebuild_tensor_v2\n"
#define HOOKS "ccollections\nOrderedDict\n)R"

Test(pickle, a_tensor_is_a_range_of_a_storage) {
    TAKES(p, root, REBUILD STORAGE "K\x01K\x02K\x03\x86K\x03K\x01\x86\x89" HOOKS "tR.");
    cr_assert_eq(root->kind, SR_PICKLE_TENSOR);
    const struct sr_pickle_tensor *t = root->as.tensor;
    cr_expect(t->rank == 2 && t->shape[0] == 2 && t->shape[1] == 3 && t->offset == 1);
    cr_expect(t->storage->as.storage.dtype == SR_F32 && t->storage->as.storage.items == 8);
    cr_expect(sr_pickle_is(t->storage->as.storage.key, "0"));
    sr_pickle_free(p);
}

Test(pickle, tensors_that_are_no_range_are_refused) {
    refuses(REBUILD STORAGE "K\x01K\x02K\x03\x86K\x01K\x02\x86\x89" HOOKS "tR.",
            "contiguous()"); /* transposed */
    refuses(REBUILD STORAGE "K\x01K\x02K\x03\x86K\x00K\x01\x86\x89" HOOKS "tR.",
            "contiguous()"); /* expanded */
    refuses(REBUILD STORAGE "K\x03K\x02K\x03\x86K\x03K\x01\x86\x89" HOOKS "tR.", "past the end");
    refuses(REBUILD STORAGE "J\xff\xff\xff\xffK\x02K\x03\x86K\x03K\x01\x86\x89" HOOKS "tR.",
            "something else");
    refuses(REBUILD STORAGE "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x02K\x03\x86K\x03K\x01\x86\x89" HOOKS
                            "tR.",
            "past the end");
    refuses(REBUILD STORAGE
            "K\x01\x8a\x05\x00\x00\x00\x00\x01\x8a\x05\x00\x00\x00\x00\x01\x86K\x03K\x01\x86\x89" HOOKS "tR.",
            "2^64");
    refuses(REBUILD STORAGE "K\x01K\x02K\x03\x86K\x01\x85\x89" HOOKS "tR.", "size and stride");
    refuses(REBUILD STORAGE "K\x01J\xff\xff\xff\xffK\x03\x86K\x03K\x01\x86\x89" HOOKS "tR.", "negative size");
    refuses(REBUILD STORAGE "K\x01K\x02K\x03\x86K\x03J\xff\xff\xff\xff\x86\x89" HOOKS "tR.",
            "negative size or stride");
    refuses(REBUILD STORAGE "K\x01K\x02K\x03\x86K\x03K\x01\x86\x89}(K\x01K\x01utR.", "hooks");
    refuses(REBUILD STORAGE "K\x01K\x02K\x03\x86K\x03K\x01\x86\x89" HOOKS "}(K\x01K\x01utR.", "x.clone()");
    refuses(REBUILD "(K\x00K\x01K\x02K\x03\x86K\x03K\x01\x86\x89" HOOKS "tR.", "something else");
    refuses(REBUILD "K\x01\x85R.", "something else");
    refuses("\x80\x02(X\x07\x00\x00\x00storageK\x01K\x01K\x01K\x01tQ.", "persistent id");
    refuses("\x80\x02X\x07\x00\x00\x00storageQ.", "persistent id");
}

/* A parameter is its tensor; versions of layers come as a state of a state dict. */
Test(pickle, parameters_and_state_dicts) {
    TAKES(p, root,
          "\x80\x02"
          "ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n" STORAGE
          "K\x00K\x02\x85K\x01\x85\x89" HOOKS "tR\x88" HOOKS "tR.");
    cr_expect_eq(root->kind, SR_PICKLE_TENSOR);
    sr_pickle_free(p);
    TAKES(f, frozen,
          "\x80\x02"
          "ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n" STORAGE
          "K\x00K\x02\x85K\x01\x85\x89" HOOKS "tR\x89" HOOKS "tR.");
    cr_expect_eq(frozen->kind, SR_PICKLE_TENSOR);
    sr_pickle_free(f);
    TAKES(q, dict, "\x80\x02" HOOKS "}X\x09\x00\x00\x00_metadata}sb.");
    cr_expect(dict->kind == SR_PICKLE_DICT && dict->ordered && dict->as.list.n == 0);
    sr_pickle_free(q);
    TAKES(r, learns,
          "\x80\x02"
          "ctorch._utils\n_rebuild_parameter\n(ctorch._utils\n_rebuild_tensor_v2\n" STORAGE
          "K\x00K\x02\x85K\x01\x85\x88" HOOKS "tR\x88" HOOKS "tR.");
    cr_expect_eq(learns->kind, SR_PICKLE_TENSOR);
    sr_pickle_free(r);
    refuses("\x80\x02}}b.", "BUILD");
    refuses("\x80\x02" HOOKS "K\x01"
            "b.",
            "BUILD");
}

/* ---- programs ---- */

Test(pickle, a_program_is_refused_by_the_name_of_what_it_asks_for) {
    refuses("\x80\x02"
            "cos\nsystem\nX\x02\x00\x00\x00id\x85R.",
            "os.system, a class or function that is no part of a tensor; nothing of it is run");
    refuses("\x80\x02"
            "cposix\nsystem\n.",
            "posix.system");
    refuses("\x80\x02"
            "cbuiltins\neval\n.",
            "builtins.eval");
    refuses("\x80\x02"
            "c__builtin__\ngetattr\n.",
            "__builtin__.getattr");
    refuses("\x80\x04X\x02\x00\x00\x00osX\x06\x00\x00\x00system\x93)R.", "STACK_GLOBAL");
    /* pieces of the name out of the memo */
    refuses("\x80\x04(X\x06\x00\x00\x00systemq\x00X\x02\x00\x00\x00osq\x01th\x01h\x00\x93.", "STACK_GLOBAL");
    /* deep inside the arguments of an honest call */
    refuses(REBUILD "(((cos\nsystem\n\x85\x85\x85tR.", "os.system");
    refuses(REBUILD "(((ios\nsystem\n", "os.system");
    /* an honest name with a dot, and names that only look honest */
    refuses("\x80\x02"
            "ccollections\nOrderedDict.fromkeys\n.",
            "collections.OrderedDict.fromkeys");
    refuses("\x80\x02"
            "ctorch._utils\n_rebuild_tensor_v2 \n.",
            "_rebuild_tensor_v2 ");
    refuses("\x80\x02"
            "ctorch\x00\nFloatStorage\n.",
            "asks for torch");
    refuses("\x80\x02"
            "ctorch.storage\n_load_from_bytes\n.",
            "torch.storage._load_from_bytes");
    refuses("\x80\x02"
            "c\n\n.",
            "asks for ., a");
}

/* What a terminal would obey does not reach it. */
Test(pickle, names_are_made_printable) {
    refuses("\x80\x02"
            "cos\x1b[2J\nsystem\n.",
            "os?[2J.system");
}

Test(pickle, honest_things_that_are_not_read_come_with_a_way_out) {
    refuses("\x80\x02"
            "cnumpy.core.multiarray\nscalar\n.",
            "numpy.core.multiarray.scalar, a NumPy number: save x.item()");
    refuses("\x80\x02"
            "cnumpy._core.multiarray\n_reconstruct\n.",
            "torch.from_numpy");
    refuses("\x80\x02"
            "ctorch._utils\n_rebuild_qtensor\n.",
            "x.dequantize()");
    refuses("\x80\x02"
            "ctorch._utils\n_rebuild_sparse_tensor\n.",
            "x.to_dense()");
    refuses("\x80\x02"
            "ctorch._utils\n_rebuild_parameter_with_state\n.",
            "x.detach()");
    refuses("\x80\x02"
            "ctorch.nn.modules.linear\nLinear\n.",
            "state_dict()");
    refuses("\x80\x02"
            "c__builtin__\nset\n.",
            "sorted(x)");
    refuses("\x80\x02"
            "c_codecs\nencode\n.",
            "as text");
    refuses("\x80\x02"
            "c__builtin__\ncomplex\n.",
            "x.real");
    refuses("\x80\x02"
            "ctorch\nComplexFloatStorage\n.",
            "view_as_real");
    refuses("\x80\x02"
            "ctorch._utils\n_rebuild_meta_tensor_no_storage\n.",
            "meta device");
    refuses("\x80\x02"
            "c__main__\nRouter\n.",
            "__main__.Router");
}

Test(pickle, types_of_values_stand_alone) {
    static const char *const names[] = {"bool", "int8", "uint8", "int16", "complex64", "float8_e4m3fn"};
    char bytes[64];
    for (size_t i = 0; i < SR_COUNT(names); i++) {
        const int n = snprintf(bytes, sizeof bytes,
                               "\x80\x02"
                               "ctorch\n%s\n.",
                               names[i]);
        struct sr_pickle *p = read_bytes(bytes, (size_t)n);
        cr_assert_not_null(p, "%s", err.text);
        cr_expect_eq(sr_pickle_root(p)->kind, SR_PICKLE_NOTHING);
        sr_pickle_free(p);
    }
}

Test(pickle, instructions_that_tensors_do_not_need_are_refused_by_name) {
    static const struct {
        const char *bytes, *name;
    } cases[] = {{"\x80\x02(o.", "OBJ"},
                 {"\x80\x02\x81.", "NEWOBJ"},
                 {"\x80\x02\x92.", "NEWOBJ_EX"},
                 {"\x80\x02\x82\x05.", "EXT1"},
                 {"\x80\x02\x83\x05\x01.", "EXT2"},
                 {"\x80\x02\x84\x05\x01\x01\x01.", "EXT4"},
                 {"\x80\x02N0.", "POP"},
                 {"\x80\x02N2.", "DUP"},
                 {"\x80\x02I1\n.", "INT"},
                 {"\x80\x02P1\n.", "PERSID"},
                 {"\x80\x02S'a'\n.", "STRING"},
                 {"\x80\x02\x8f.", "EMPTY_SET"},
                 {"\x80\x05\x97.", "NEXT_BUFFER"},
                 {"\x80\x03"
                  "C\x01x.",
                  "SHORT_BINBYTES"},
                 {"\x80\x02g0\n.", "GET"},
                 {"\x80\x02(d.", "DICT"},
                 {"\x80\x02\xfe.", "0xfe"}};
    for (size_t i = 0; i < SR_COUNT(cases); i++)
        refuses_bytes(cases[i].bytes, strlen(cases[i].bytes), cases[i].name);
}

Test(pickle, honest_names_are_called_only_as_torch_calls_them) {
    refuses("\x80\x02"
            "ccollections\nOrderedDict\nK\x01\x85R.",
            "collections.OrderedDict with arguments");
    refuses("\x80\x02"
            "ctorch\nFloatStorage\nK\x01\x85R.",
            "torch.FloatStorage with arguments");
    refuses("\x80\x02K\x01)R.", "no function");
    refuses("\x80\x02"
            "ctorch\nSize\nK\x01R.",
            "no tuple");
    TAKES(p, root,
          "\x80\x02"
          "(ctorch\nfloat16\nctorch\ndevice\nX\x03\x00\x00\x00"
          "cpu\x85Rctorch\nSize\nK\x01\x85\x85Rt.");
    cr_expect(root->as.list.item[0]->kind == SR_PICKLE_NOTHING &&
              root->as.list.item[1]->kind == SR_PICKLE_NOTHING);
    cr_expect(root->as.list.item[2]->kind == SR_PICKLE_TUPLE && root->as.list.item[2]->as.list.n == 1);
    sr_pickle_free(p);
}

/* ---- what torch.load(weights_only=True) refuses ---- */

Test(pickle, only_protocol_2_is_run_though_another_may_be_named) {
    TAKES(p, root, "\x80\x05}.");
    cr_expect_eq(root->kind, SR_PICKLE_DICT);
    sr_pickle_free(p);
    refuses("\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00}.", "instruction FRAME, which");
    refuses("\x80\x05}\x94.", "instruction MEMOIZE, which");
    refuses("\x80\x04\x8c\x01x.", "without pickle_protocol=4");
    refuses("\x80\x05\x8d\x01\x00\x00\x00\x00\x00\x00\x00x.", "without pickle_protocol=5");
}

/* None, truth, numbers, a text, a dtype, and tuples of them, also empty ones and as a Size. */
Test(pickle, keys_are_what_python_can_hash) {
    TAKES(p, root,
          "\x80\x02}(N)\x88)K\x03)G\x3f\xe0\x00\x00\x00\x00\x00\x00)X\x01\x00\x00\x00x)"
          "ctorch\nfloat16\n)))K\x01\x85)K\x01N\x86\x85))\x85)ctorch\nSize\nK\x01\x85\x85R)u.");
    cr_expect_eq(root->as.list.n, (size_t)22);
    sr_pickle_free(p);
    refuses("\x80\x02}])s.", "with a key that is");
    refuses("\x80\x02}})s.", "with a key that is");
    refuses("\x80\x02}q\x00h\x00)s.", "with a key that is");
    refuses("\x80\x02}]\x85)s.", "with a key that is");
    refuses("\x80\x02}K\x01]\x86\x85)s.", "with a key that is");
    refuses("\x80\x02}(K\x01)})u.", "with a key that is");
    refuses("\x80\x02}(K\x02K\x03]\x87)u.", "with a key that is");
    refuses("\x80\x02}" HOOKS ")s.", "with a key that is");
}

/* The storage of a tensor, with another place; a call of torch.device. */
#define PLACE(length, place)                                                                                 \
    "\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"                               \
    "0X" length "\x00\x00\x00" place "K\x08tQ."
#define DEVICE(length, device, more)                                                                         \
    "\x80\x02"                                                                                               \
    "ctorch\ndevice\nX" length "\x00\x00\x00" device more "R."

#define takes(literal)                                                                                       \
    do {                                                                                                     \
        struct sr_pickle *taken = read_bytes(literal, sizeof literal - 1);                                   \
        cr_expect_not_null(taken, "%s", err.text);                                                           \
        sr_pickle_free(taken);                                                                               \
    } while (0)

Test(pickle, storages_were_where_torch_knows_a_place) {
    takes(PLACE("\x03", "cpu"));
    takes(PLACE("\x04", "cuda"));
    takes(PLACE("\x06", "cuda:0"));
    takes(PLACE("\x08", "cuda:127"));
    takes(PLACE("\x07", "cuda:10"));
    takes(PLACE("\x05", "mps:0"));
    takes(PLACE("\x05", "xpu:1"));
    refuses(PLACE("\x03", "xyz"), "a device that torch does not know");
    refuses(PLACE("\x00", ""), "a device that torch does not know");
    refuses(PLACE("\x05", "cpu:0"), "a device that torch does not know");
    refuses(PLACE("\x04", "meta"), "a device that torch does not know");
    refuses(PLACE("\x05", "cuda:"), "a device that torch does not know");
    refuses(PLACE("\x06", "cuda:x"), "a device that torch does not know");
    refuses(PLACE("\x06", "cuda:!"), "a device that torch does not know");
    refuses(PLACE("\x07", "cuda:01"), "a device that torch does not know");
    refuses(PLACE("\x08", "cuda:128"), "a device that torch does not know");
    refuses(PLACE("\x0f", "cuda:9999999999"), "a device that torch does not know");
    refuses(PLACE("\x04", "cud\0"), "a device that torch does not know");
}

Test(pickle, devices_and_sizes_are_what_torch_makes) {
    takes(DEVICE("\x03", "cpu", "\x85"));
    takes(DEVICE("\x06", "cuda:3", "\x85"));
    takes(DEVICE("\x04", "cuda", "K\x03\x86"));
    takes(DEVICE("\x04", "meta", "\x85"));
    refuses(DEVICE("\x05", "nosuc", "\x85"), "calls torch.device with arguments");
    refuses(DEVICE("\x06", "cuda:3", "K\x03\x86"), "calls torch.device with arguments");
    refuses(DEVICE("\x04", "cuda", "K\xff\x86"), "calls torch.device with arguments");
    refuses(DEVICE("\x04", "cuda", "N\x86"), "calls torch.device with arguments");
    refuses("\x80\x02"
            "ctorch\ndevice\nK\x00\x85R.",
            "calls torch.device with arguments");
    takes("\x80\x02"
          "ctorch\nSize\n(K\x01K\x02K\x03K\x04K\x05K\x06K\x07K\x08K\x09t\x85R.");
    takes("\x80\x02"
          "ctorch\nSize\n)\x85R.");
    refuses("\x80\x02"
            "ctorch\nSize\nX\x01\x00\x00\x00x\x85\x85R.",
            "calls torch.Size with arguments");
    refuses("\x80\x02"
            "ctorch\nSize\nJ\xff\xff\xff\xff\x85\x85R.",
            "calls torch.Size with arguments");
    refuses("\x80\x02"
            "ctorch\nSize\n]\x85R.",
            "calls torch.Size with arguments");
}

/* ---- damage ---- */

Test(pickle, a_broken_machine_is_refused) {
    refuses("", "protocol");
    refuses("(K\x01t.", "protocol");
    refuses("\x80\x01N.", "protocol");
    refuses("\x80\x06N.", "protocol");
    refuses("\x80\x02N\x80\x02.", "protocol");
    refuses("\x80\x02.", "left over");
    refuses("\x80\x02NN.", "left over");
    refuses("\x80\x02(.", "left over");
    refuses("\x80\x02N.N", "left over");
    refuses("\x80\x02\x85.", "empty stack");
    refuses("\x80\x02(\x85.", "empty stack");
    refuses("\x80\x02R.", "empty stack");
    refuses("\x80\x02t.", "not begun");
    refuses("\x80\x02u.", "not begun");
    refuses("\x80\x02(u.", "no dict");
    refuses("\x80\x02}(Nu.", "no dict");
    refuses("\x80\x02](NNu.", "no dict");
    refuses("\x80\x02}(Ne.", "no list");
    refuses("\x80\x02h\x00.", "did not remember");
    refuses("\x80\x02j\xff\xff\xff\xff.", "did not remember");
    refuses("\x80\x02q\x00.", "empty stack");
    refuses("\x80\x02Nr\xff\xff\xff\xff.", "remembers more than");
    refuses("\x80\x02X\xff\xff\xff\xffhi.", "cut off");
}

Test(pickle, one_that_is_cut_anywhere_is_refused) {
    static const char whole[] = REBUILD STORAGE "K\x01K\x02K\x03\x86K\x03K\x01\x86\x89" HOOKS "tR.";
    for (size_t n = 0; n + 1 < sizeof whole; n++)
        refuses_bytes(whole, n, "");
}

/* A tuple is an instruction of one byte: it must not take a block of memory each. */
Test(pickle, many_small_lists_share_their_memory) {
    const size_t tuples = (size_t)1 << 20, size = tuples + 4;
    char *bytes = sr_alloc(size, 1, NULL);
    memset(bytes, '\x85', size);
    memcpy(bytes, "\x80\x02N", 3);
    bytes[size - 1] = '.';
    const uint64_t blocks = sr_alloc_count();
    sr_pickle_free(read_bytes(bytes, size));
    cr_expect_str_empty(err.text);
    cr_expect_lt(sr_alloc_count() - blocks, tuples / 256);
    sr_free(bytes);
}

/* Lists that have room, lists that grow, and what is put into them at once. */
Test(pickle, lists_grow_as_they_need) {
    TAKES(p, root,
          "\x80\x02](K\x00K\x01"
          "eK\x02"
          "a(K\x03K\x04"
          "eK\x05"
          "aK\x06"
          "a(K\x07K\x08"
          "e.");
    cr_assert(root->kind == SR_PICKLE_LIST && root->as.list.n == 9);
    for (size_t i = 0; i < 9; i++)
        cr_expect_eq(root->as.list.item[i]->as.integer, (int64_t)i);
    sr_pickle_free(p);
}

/* Who does not ask why gets the same answer. */
Test(pickle, a_reason_need_not_be_asked_for) {
    struct sr_pickle *p;
    cr_expect_eq(sr_pickle_read(&p, "\x80\x02N.", 4, "m.pt", NULL), SR_OK);
    sr_pickle_free(p);
    cr_expect_eq(sr_pickle_read(&p, "\x80\x02N", 3, "m.pt", NULL), SR_DATA);
    cr_expect_null(p);
}

/* A few bytes can ask for gigabytes: each of these is stopped at a limit. */
Test(pickle, greed_is_limited) {
    const size_t size = (size_t)5 << 20;
    char *bytes = sr_alloc(size, 1, NULL);
    memset(bytes, ']', size);
    memcpy(bytes, "\x80\x02", 2);
    refuses_bytes(bytes, size, "stacks more than");
    memset(bytes + 2, '(', size - 2);
    refuses_bytes(bytes, size, "stacks more than");
    memset(bytes + 2, '\x85', size - 2);
    bytes[2] = 'N';
    refuses_bytes(bytes, size, "makes more than");
    sr_free(bytes);
    bytes = sr_alloc(SR_PICKLE_LARGEST + 1, 1, NULL);
    refuses_bytes(bytes, SR_PICKLE_LARGEST + 1, "limit");
    sr_free(bytes);
}

/* n bytes of unit, over and over, at to; what is behind them. */
static char *fill(char *to, size_t n, const char *unit, size_t size) {
    for (size_t i = 0; i < n; i++)
        to[i] = unit[i % size];
    return to + n;
}

/* One list or dict more than there may be of all. */
Test(pickle, greed_in_many_parts_is_limited) {
    enum { PARTS = 17, ITEMS = 1000000, PAIRS = 400000 };
    char *bytes = sr_alloc(PARTS * (ITEMS + 2) + 3, 1, NULL), *at = bytes;
    cr_assert_not_null(bytes);
    at = fill(at, 2, "\x80\x02", 2);
    for (int i = 0; i < PARTS; i++) {
        at = fill(at, 1, "(", 1);
        at = fill(at, ITEMS, "N", 1);
        at = fill(at, 1, "t", 1);
    }
    refuses_bytes(bytes, (size_t)(at - bytes), "makes lists of more than");
    at = fill(bytes, 3, "\x80\x02}", 3);
    for (int i = 0; i < 3; i++) {
        at = fill(at, 1, "(", 1);
        at = fill(at, (size_t)3 * PAIRS, "K\x01N", 3);
        at = fill(at, 1, "u", 1);
    }
    at = fill(at, 1, ".", 1);
    refuses_bytes(bytes, (size_t)(at - bytes), "more than 1048576 keys");
    sr_free(bytes);
}

/* ---- memory ---- */

/* Some of everything. */
#define ALL                                                                                                  \
    "N\x88)]}"                                                                                               \
    "G\x3f\xe0\x00\x00\x00\x00\x00\x00"                                                                      \
    "X\x01\x00\x00\x00xctorch\nSize\nctorch\ndevice\n"                                                       \
    "X\x04\x00\x00\x00"                                                                                      \
    "cuda\x85R" HOOKS "ctorch._utils\n_rebuild_tensor_v2\n" STORAGE                                          \
    "K\x01K\x02K\x03\x86K\x03K\x01\x86\x89" HOOKS "tR](K\x01K\x02"                                           \
    "eK\x03"                                                                                                 \
    "a"

enum { VALUES = 1024, SLOTS = 4096, LAST = 64 }; /* of a block of the machine's; of ALL, and more */

/* ALL behind what `at` is at; each allocation fails once. */
static void expect_starved(char *bytes, char *at, size_t free) {
    at = fill(at, sizeof ALL - 1, ALL, sizeof ALL - 1);
    at = fill(at, 2, "t.", 2);
    bool failed = true;
    for (uint64_t nth = 1; failed; nth++) {
        struct sr_pickle *p;
        err = (struct sr_error){0};
        memory_begin(nth);
        const int status = sr_pickle_read(&p, bytes, (size_t)(at - bytes), "m.pt", &err);
        sr_pickle_free(p);
        const struct memory_report r = memory_end();
        failed = r.failed;
        cr_expect_eq(status, failed ? SR_NOMEM : SR_OK, "%zu, %d: %s", free, (int)nth, err.text);
        cr_expect_eq(r.live, 0, "%zu, %d: %zu blocks leaked", free, (int)nth, r.live);
    }
}

/* The machine takes memory by blocks of values, and of places in lists: each instruction in turn is the one
 * that needs the next, as there are so many places left. */
Test(pickle, every_instruction_can_want_for_memory) {
    static char bytes[SLOTS + 1024];
    for (size_t free = 0; free < LAST; free++) {
        fill(bytes, 3, "\x80\x02(", 3);
        expect_starved(bytes, fill(bytes + 3, 2 * (VALUES - free), "K\x01", 2), free);
        fill(bytes, 4, "\x80\x02((", 4);
        char *at = fill(bytes + 4, SLOTS - free, "N", 1);
        expect_starved(bytes, fill(at, 1, "t", 1), free);
    }
}
