/* test_infer_export_c_text.c: in exported C any file name makes identifiers, and no text of the metadata ends
 * a comment or a string.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/exported_c.h"

Test(infer_export_c_text, any_file_name_makes_identifiers) {
    static const struct {
        const char *name, *prefix;
    } cases[] = {
        {"2-my.router+x.c", "r2_my_router_x_"}, {"_x.c", "r_x_"}, {"a.c.c", "a_c_"}, {"int.c", "int_"}};
    need("gcc");
    for (size_t i = 0; i < SR_COUNT(cases); i++) {
        char *folder = folder_begin(), header[128];
        export_as(folder, WEIGHTS, cases[i].name);
        expect_status(folder, in_folder(folder, "gcc " STRICT " -c ./%s", cases[i].name), 0);
        snprintf(header, sizeof header, "%s/%.*s.h", folder, (int)strlen(cases[i].name) - 2, cases[i].name);
        char *text = slurp(header), declared[64];
        snprintf(declared, sizeof declared, "\nint %sself_test(void);\n", cases[i].prefix);
        expect_in(text, declared);
        sr_free(text);
        folder_end(folder);
    }
    char *folder = folder_begin();
    static const char *const refused[] = {"a b.c", "a\\\"b.c", "\xc3\xa4.c", ".c", "a\\\\b.c"};
    for (size_t i = 0; i < SR_COUNT(refused); i++)
        expect_failure(run_program(folder, "export --to c --model " WEIGHTS " --threshold .5 --out \"%s/%s\"",
                                   folder, refused[i]),
                       2, "#include");
    folder_end(folder);
}

/* Two routers in one program do not meet. */
Test(infer_export_c_text, two_exports_link_together) {
    need("gcc");
    char *folder = folder_begin();
    export_as(folder, WEIGHTS, "first.c");
    export_as(folder, WEIGHTS, "second.c");
    static const char text[] = "#include \"first.h\"\n#include \"second.h\"\n"
                               "int main(void) { return first_self_test() || second_self_test(); }\n";
    char path[128];
    snprintf(path, sizeof path, "%s/main.c", folder);
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), NULL), 0);
    expect_status(folder, in_folder(folder, "gcc " STRICT " -o both main.c first.c second.c -lm && ./both"),
                  0);
    folder_end(folder);
}

/* Weights whose metadata is a stranger's text, as folder/hostile.safetensors. */
static void write_hostile(const char *folder, const char *model, const char *template) {
    const struct sr_pair pairs[] = {{"feature_model", model}, {"feature_template", template}};
    struct sr_safetensors *file;
    struct sr_error err;
    char path[128];
    snprintf(path, sizeof path, "%s/hostile.safetensors", folder);
    cr_assert_eq(sr_safetensors_open(&file, WEIGHTS, &err), 0, "%s", err.text);
    cr_assert_eq(sr_safetensors_rewrite(path, file, pairs, 2, &err), 0, "%s", err.text);
    sr_safetensors_close(file);
}

/* Prints router_metadata(argv[1]), as it is. */
static void write_teller(const char *folder) {
    static const char text[] = "#include <stdio.h>\n#include \"router.h\"\n"
                               "int main(int argc, char **argv) {\n"
                               "    const char *value = router_metadata(argc > 1 ? argv[1] : \"\");\n"
                               "    return value ? fputs(value, stdout) < 0 : 3;\n}\n";
    char path[128];
    snprintf(path, sizeof path, "%s/teller.c", folder);
    cr_assert_eq(sr_atomic_file_write(path, text, strlen(text), NULL), 0);
}

static void expect_told(const char *folder, const char *key, const char *value) {
    char path[128];
    expect_status(folder, in_folder(folder, "./teller %s >told", key), 0);
    snprintf(path, sizeof path, "%s/told", folder);
    char *told = slurp(path);
    cr_expect(strcmp(told, value) == 0, "%s is another text", key);
    sr_free(told);
}

/* Nothing in a text ends a comment or a string, is code, or shows as something else; long ones are whole. */
Test(infer_export_c_text, strangers_texts_stay_texts) {
    char *folder = folder_begin(), template[9000] = "";
    const char *model =
        "*/ int main(void) /* ?\?/\n\\ \"%s\" \x1b[31m \xe2\x80\xae \xc3\xa4 name_ @layers@ \t'";
    for (size_t i = 0; i + 1 < sizeof template; i++)
        template[i] = "<|im_start|>\n'\"\\?\?/{% %}\xc3\xa9"[i % 26];
    write_hostile(folder, model, template);
    write_teller(folder);
    char path[128];
    snprintf(path, sizeof path, "%s/hostile.safetensors", folder);
    export_as(folder, path, "router.c");
    for (size_t i = 0; i < SR_COUNT(compilers); i++)
        if (have(compilers[i])) {
            expect_status(
                folder, in_folder(folder, "%s " STRICT " -o teller teller.c router.c -lm", compilers[i]), 0);
            expect_told(folder, "feature_model", model);
            expect_told(folder, "feature_template", template);
            expect_told(folder, "threshold", "0.5");
            expect_told(folder, "threshold_rule", "given");
            expect_status(folder, in_folder(folder, "./teller feature_layer"), 3);
        }
    folder_end(folder);
}
