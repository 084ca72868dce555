/* test_train_inspect_foreign.c: `saferoute inspect` on files that other programs wrote or read: named, listed
 * or refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/tensors.h"
#include "tests/inspect_sample.h"

#define HOSTILE SR_SOURCE_DIR "/tests/hostile"

#define BYTES(text) text, sizeof(text) - 1

static void expect_title(const char *folder, const char *name, const char *title) {
    char path[256], want[512];
    char *out = inspect(folder, path_in(path, folder, name));
    snprintf(want, sizeof want, "%s: %s\n\n", path, title);
    cr_expect_eq(strncmp(out, want, strlen(want)), 0, "%s is not %s: %s", name, title, out);
    expect_in(out, "\nread_by ");
    sr_free(out);
}

Test(inspect, files_of_other_formats_are_named) {
    static const struct {
        const char *name, *bytes;
        size_t n;
        const char *title;
    } files[] = {
        {"m.onnx", BYTES("\x08\x08\x12\x07pytorch\x1a\x01\x31:\x02__"), "ONNX model"},
        {"e.json", BYTES("{\"schema_version\": 2, \"auprc\": 0.5}"), "JSON of this program"},
        {"m.jsonl", BYTES("{\"schema_version\":1}\n{\"schema_version\":1}\n"), "JSON lines of this program"},
    };
    char *folder = folder_begin(), path[256];
    for (size_t i = 0; i < SR_COUNT(files); i++) {
        write_bytes(folder, files[i].name, files[i].bytes, files[i].n);
        expect_title(folder, files[i].name, files[i].title);
    }
    char *out = inspect(folder, path_in(path, folder, "m.onnx"));
    expect_in(out, "\nproducer           pytorch\n");
    sr_free(out);
    out = inspect(folder, path_in(path, folder, "e.json"));
    expect_in(out, "\nauprc              0.5\n");
    sr_free(out);
    struct sr_json *o = inspect_json(folder, path_in(path, folder, "m.onnx"));
    cr_expect_str_eq(sr_json_as_string(sr_json_get(o, "file")), path);
    cr_expect_eq(number(sr_json_get(o, "content"), "bytes"), 18);
    sr_json_free(o);
    folder_end(folder);
}

#define CARD "---\nlicense: mit\nsaferoute_sha256: 0a\n"

/* Of a card that others went on with, too: what is nested has no place of its own. */
Test(inspect, a_card_says_what_its_front_matter_says) {
    static const char nested[] =
        CARD "model-index:\n- name: a\n  results:\n  - type: b\n  - type: c\n---\ntype: d\n";
    static const char twice[] = CARD "license: gpl\n---\n";
    char *folder = folder_begin(), path[256];
    write_bytes(folder, "card.md", BYTES(nested));
    char *out = inspect(folder, path_in(path, folder, "card.md"));
    expect_in(out, "\nlicense            mit\nsaferoute_sha256   0a\n");
    cr_expect(!strstr(out, "type"), "%s", out);
    sr_free(out);
    write_bytes(folder, "twice.md", BYTES(twice));
    expect_failure(run_program(folder, "inspect %s/twice.md", folder), 65,
                   "license comes twice in its front matter");
    folder_end(folder);
}

Test(inspect, tensors_of_pytorch_and_numpy_are_listed) {
    static float values[6] = {1, 2, 3, 4, 5, 6};
    static const struct sr_pair layer = {"layer_idx", "23"};
    const struct sr_tensor tensors[] = {
        {.name = "a.weight", .dtype = SR_F32, .rank = 2, .shape = {2, 3}, .data = values},
        {.name = "a.bias", .dtype = SR_F32, .rank = 1, .shape = {2}, .data = values}};
    char *folder = folder_begin(), path[256];
    cr_assert_eq(sr_tensors_write_pt(path_in(path, folder, "m.pt"), tensors, 2, &layer, 1, NULL), 0);
    expect_title(folder, "m.pt", "PyTorch file (torch.save)");
    char *out = inspect(folder, path);
    expect_in(out, "\ntensors            2\n");
    expect_in(out, "\nlayer_idx          23\n");
    expect_in(out, "state_dict.a.weight");
    expect_in(out, " F32 [2, 3]\n");
    expect_in(out, "state_dict.a.bias");
    expect_in(out, " F32 [2]\n");
    sr_free(out);
    snprintf(path, sizeof path, "%s", HOSTILE "/npy/good.npy");
    out = inspect(folder, path);
    expect_in(out, ": NumPy array (.npy)\n\nbytes ");
    expect_in(out, "\n(no name)          F32 [2]\n");
    sr_free(out);
    folder_end(folder);
}

/* With the reason of the reader that import has, and never a way to load them all the same. */
Test(inspect, tensors_that_the_reader_refuses_are_refused) {
    static const struct {
        const char *file, *reason;
    } refused[] = {
        {"pt/cve_2025_32434_script.pt", "is a TorchScript program (torch.jit.save)"},
        {"pt/npz.pt", "is a NumPy archive (.npz)"},
        {"pt/bomb.pt", "is compressed, which torch.save never does"},
        {"npy/fortran_order.npy", "lies column by column"},
        {"pickle/os_system.pkl", "is a bare pickle"},
    };
    char *folder = folder_begin();
    for (size_t i = 0; i < SR_COUNT(refused); i++) {
        struct run r = run_program(folder, "inspect " HOSTILE "/%s", refused[i].file);
        cr_expect_null(strstr(r.err, "torch.load"), "%s", r.err);
        expect_failure(r, 65, refused[i].reason);
    }
    folder_end(folder);
}

/* A safetensors file of this header and so many bytes of zeros. */
static void write_safetensors(const char *folder, const char *name, const char *header, size_t n) {
    const size_t length = strlen(header);
    char *bytes = sr_alloc(8 + length + n, 1, NULL);
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (char)(length >> 8 * i);
    memcpy(bytes + 8, header, length);
    write_bytes(folder, name, bytes, 8 + length + n);
    sr_free(bytes);
}

/* What import and convert refuse is listed, and called what it is. */
Test(inspect, safetensors_that_break_the_format_are_listed_with_why) {
    static const struct {
        const char *header;
        size_t bytes;
        const char *why;
    } broken[] = {
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[-1,4],\"data_offsets\":[0,16]}}", 16, "shape is not a"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", 15, "the file is cut off"},
        {"{\"x\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[4,20]}}", 20, "begins at byte 4"},
        {"{\"x\":7,\"__metadata__\":[]}", 0, "tensor 'x': dtype is missing"},
        {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    };
    char *folder = folder_begin(), path[256], flat[2048];
    for (size_t i = 0; i < SR_COUNT(broken); i++) {
        write_safetensors(folder, "b.safetensors", broken[i].header, broken[i].bytes);
        char *out = inspect(folder, path_in(path, folder, "b.safetensors"));
        size_t n = 0; /* words, wherever lines were broken */
        for (const char *c = out; *c && n + 1 < sizeof flat; c++)
            if ((*c != ' ' && *c != '\n') || (n > 0 && flat[n - 1] != ' '))
                flat[n++] = *c == '\n' ? ' ' : *c;
        flat[n] = '\0';
        expect_in(flat, " usable cannot be read: ");
        expect_in(flat, broken[i].why);
        expect_in(flat, " read_by nothing here");
        sr_free(out);
    }
    folder_end(folder);
}

/* As many as a header has room for; looked up in file order, the time would grow by their square. */
Test(inspect, tensors_of_two_files_are_paired_by_sorting, .timeout = 120) {
    enum { MANY = 100000 };
    char *folder = folder_begin(), *header = NULL, arguments[512];
    size_t size;
    for (size_t i = 0; i < 2; i++) {
        FILE *to = open_memstream(&header, &size);
        putc('{', to);
        for (int k = 0; k < MANY; k++)
            fprintf(to, "%s\"%06d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", k ? "," : "",
                    i ? MANY - k : k);
        putc('}', to);
        fclose(to);
        write_safetensors(folder, i ? "b.st" : "a.st", header, 0);
        free(header);
    }
    snprintf(arguments, sizeof arguments, "%s/a.st %s/b.st", folder, folder);
    char *out = inspect(folder, arguments);
    expect_in(out, "\nonly_in_first      1 tensors, 000000 the first\n");
    expect_in(out, "\nonly_in_second     1 tensors, 100000 the first\n");
    expect_in(out, "\nequal              99999 of 99999 tensors, to the bit\n");
    sr_free(out);
    folder_end(folder);
}

/* Types that this program has no name for are shown as well. */
Test(inspect, safetensors_of_other_programs_are_listed) {
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"a.b\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,3],"
        "\"data_offsets\":[0,6]},\"c\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[6,8]}}";
    char *folder = folder_begin(), path[256];
    write_safetensors(folder, "f.safetensors", header, 8);
    expect_title(folder, "f.safetensors", "safetensors of another program");
    char *out = inspect(folder, path_in(path, folder, "f.safetensors"));
    expect_in(out, "\ntensors            2\n");
    expect_in(out,
              "\nformat             pt\n\na.b                F8_E4M3 [2, 3]\nc                  BF16 []\n");
    sr_free(out);
    folder_end(folder);
}
