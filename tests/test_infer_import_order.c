/* test_infer_import_order.c: `saferoute import` of layers that have names, not numbers: put in order, or
 * refused where nothing says one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/data.h"
#include "tests/run_program.h"

static char *folder, source[256], out[256];
static struct sr_error err;
static struct sr_tensor list[64];
static size_t count;

static void begin(void) {
    folder = folder_begin();
    snprintf(source, sizeof source, "%s/m.bin", folder);
    snprintf(out, sizeof out, "%s/w.safetensors", folder);
}

static void end(void) {
    folder_end(folder);
}

TestSuite(import_order, .init = begin, .fini = end);

/* Layers by name, in file order. */
struct layer {
    const char *name;
    size_t outputs, inputs; /* inputs 0: a BatchNorm */
    int value;              /* all its numbers are this one */
};

static void add_part(const struct layer *l, const char *what, int rank) {
    static float values[16][16];
    struct sr_tensor *t = &list[count++];
    *t = (struct sr_tensor){.dtype = SR_F32, .rank = rank, .shape = {l->outputs, l->inputs}};
    snprintf(t->name, sizeof t->name, "%s.%s", l->name, what);
    for (size_t i = 0; i < 16; i++)
        values[l->value][i] = (float)l->value;
    t->data = values[l->value];
}

static void write_layers(const struct layer *layers, size_t n, bool pt) {
    count = 0;
    for (size_t i = 0; i < n; i++) {
        add_part(&layers[i], "weight", layers[i].inputs > 0 ? 2 : 1);
        add_part(&layers[i], "bias", 1);
        if (layers[i].inputs == 0)
            add_part(&layers[i], "running_mean", 1), add_part(&layers[i], "running_var", 1);
    }
    if (pt)
        cr_assert_eq(sr_tensors_write_pt(source, list, count, NULL, 0, &err), SR_OK, "%s", err.text);
    else
        cr_assert_eq(sr_safetensors_write(source, list, count, NULL, 0, &err), SR_OK, "%s", err.text);
}

/* Linear l is the one whose numbers are 2l + 1, its BatchNorm the one whose numbers are 2l + 2. */
static void imports_in_order(const struct layer *layers, size_t n, bool pt) {
    write_layers(layers, n, pt);
    struct run r = run_program(folder, "import '%s' --out '%s'", source, out);
    cr_assert_eq(r.status, 0, "%s", r.err);
    run_end(&r);
    struct sr_safetensors *s;
    cr_assert_eq(sr_safetensors_open(&s, out, &err), SR_OK, "%s", err.text);
    for (size_t k = 0; k < n; k++) {
        char name[64];
        snprintf(name, sizeof name, "cls.%zu.weight", k / 2 * 4 + k % 2);
        const struct sr_tensor *t = sr_safetensors_find(s, name);
        cr_assert_not_null(t, "%s", name);
        cr_expect_eq(*(const float *)t->data, (float)(k + 1), "%s holds %s's", name,
                     layers[(size_t) * (const float *)t->data - 1].name);
    }
    sr_safetensors_close(s);
    cr_assert_eq(unlink(out), 0);
}

static void refuses(const struct layer *layers, size_t n, bool pt, const char *word) {
    write_layers(layers, n, pt);
    expect_failure(run_program(folder, "import '%s' --out '%s'", source, out), 65, word);
    cr_expect_neq(access(out, F_OK), 0);
}

/* The safetensors package sorts by name: the order of the file says nothing. */
Test(import_order, sorted_layers_are_put_in_order_by_their_names) {
    static const struct layer numbers[] = {{"bn1", 4, 0, 2}, {"bn10", 4, 0, 6}, {"bn2", 4, 0, 4},
                                           {"fc1", 4, 4, 1}, {"fc10", 4, 4, 5}, {"fc2", 4, 4, 3},
                                           {"out", 1, 4, 7}};
    static const struct layer all_numbers[] = {
        {"fc3", 1, 4, 5}, {"bn2", 4, 0, 4}, {"bn1", 4, 0, 2}, {"fc1", 4, 4, 1}, {"fc2", 4, 4, 3}};
    imports_in_order(numbers, SR_COUNT(numbers), false);
    imports_in_order(all_numbers, SR_COUNT(all_numbers), false);
}

Test(import_order, sorted_layers_are_put_in_order_by_shapes_that_fit_once) {
    static const struct layer shapes[] = {{"hidden", 2, 4, 3},
                                          {"hidden_bn", 2, 0, 4},
                                          {"proj", 4, 3, 1},
                                          {"proj_bn", 4, 0, 2},
                                          {"score", 1, 2, 5}};
    imports_in_order(shapes, SR_COUNT(shapes), false);
}

/* What names do not say, shapes do: of Linears, of BatchNorms, of names that cannot be compared. */
Test(import_order, sorted_layers_are_put_in_order_by_names_and_shapes) {
    static const struct layer norms
        [] = {{"fc1", 4, 3, 1}, {"fc2", 2, 4, 3}, {"left", 2, 0, 4}, {"out", 1, 2, 5}, {"right", 4, 0, 2}},
   linears[] = {{"a-", 2, 4, 3}, {"b", 4, 3, 1}, {"bn1", 4, 0, 2}, {"bn2", 2, 0, 4}, {"c", 1, 2, 5}},
   digits[] = {{"1", 4, 3, 1}, {"2", 2, 4, 3}, {"bn1", 4, 0, 2}, {"bn2", 2, 0, 4}, {"out", 1, 2, 5}},
   one_without[] = {{"bn", 2, 0, 4}, {"bn1", 4, 0, 2}, {"fc", 1, 2, 5}, {"fc1", 4, 3, 1}, {"fc2", 2, 4, 3}},
   last_without[] = {{"bn1", 4, 0, 2},
                     {"fc1", 4, 3, 1},
                     {"fc2", 2, 4, 3},
                     {"norm", 2, 0, 4},
                     {"out", 1, 2, 5}},
   long_number[] = {{"fc", 1, 4, 3}, {"fc1234567890", 4, 3, 1}, {"n", 4, 0, 2}};
    imports_in_order(norms, SR_COUNT(norms), false);
    imports_in_order(linears, SR_COUNT(linears), false);
    imports_in_order(digits, SR_COUNT(digits), false);
    imports_in_order(one_without, SR_COUNT(one_without), false);
    imports_in_order(last_without, SR_COUNT(last_without), false);
    imports_in_order(long_number, SR_COUNT(long_number), false);
}

#define NO_ORDER "neither names nor shapes say the order of the layers"

Test(import_order, sorted_layers_that_could_change_places_are_refused) {
    static const struct layer square[] = {{"hidden", 4, 4, 3},
                                          {"hidden_bn", 4, 0, 4},
                                          {"proj", 4, 4, 1},
                                          {"proj_bn", 4, 0, 2},
                                          {"score", 1, 4, 5}};
    static const struct layer norms[] = {
        {"fc1", 4, 3, 1}, {"fc2", 4, 4, 3}, {"hidden_bn", 4, 0, 4}, {"proj_bn", 4, 0, 2}, {"score", 1, 4, 5}};
    static const struct layer in_front[] = {{"fc1", 4, 4, 1}, {"fc2", 1, 4, 3}, {"norm", 4, 0, 2}};
    static const struct layer stem[] = {
        {"fc", 4, 4, 1}, {"fc1", 4, 4, 3}, {"bn", 4, 0, 2}, {"bn1", 4, 0, 4}, {"fc2", 1, 4, 5}};
    /* numbers past all that a program counts to, the same number of two stems, and shapes of no chain */
    static const struct layer large[] = {
        {"fc1234567890", 4, 4, 1}, {"bn1", 4, 0, 2}, {"fc1234567891", 1, 4, 3}};
    static const struct layer stems[] = {
        {"a1", 4, 4, 1}, {"b2", 4, 4, 3}, {"bn1", 4, 0, 2}, {"bn2", 4, 0, 4}, {"out", 1, 4, 5}};
    static const struct layer equal[] = {
        {"a01", 4, 4, 3}, {"a1", 4, 4, 1}, {"bn1", 4, 0, 2}, {"bn2", 4, 0, 4}, {"out", 1, 4, 5}};
    static const struct layer wide[] = {
        {"a3", 4, 4, 1}, {"a4", 4, 4, 3}, {"bn1", 4, 0, 2}, {"bn2", 4, 0, 4}, {"out", 2, 4, 5}};
    static const struct layer no_chain[] = {{"hidden", 2, 4, 3},
                                            {"hidden_bn", 2, 0, 4},
                                            {"proj", 5, 3, 1},
                                            {"proj_bn", 5, 0, 2},
                                            {"score", 1, 2, 5}};
    static const struct layer loop[] = {{"hidden", 2, 5, 3},
                                        {"hidden_bn", 2, 0, 4},
                                        {"proj", 5, 2, 1},
                                        {"proj_bn", 5, 0, 2},
                                        {"score", 1, 2, 5}};
    static const struct layer last[] = {
        {"fc", 1, 4, 5}, {"fc1", 4, 4, 1}, {"fc2", 4, 4, 3}, {"n1", 4, 0, 2}, {"n2", 4, 0, 4}};
    static const struct layer one_norm[] = {
        {"fc1", 4, 4, 1}, {"fc2", 4, 4, 3}, {"n", 4, 0, 4}, {"n1", 4, 0, 2}, {"out", 1, 4, 5}};
    static const struct layer stranger[] = {{"hidden", 2, 4, 1}, {"norm", 3, 0, 2}, {"score", 1, 2, 3}};
    refuses(large, SR_COUNT(large), false, NO_ORDER);
    refuses(stems, SR_COUNT(stems), false, NO_ORDER);
    refuses(equal, SR_COUNT(equal), false, NO_ORDER);
    refuses(wide, SR_COUNT(wide), false, NO_ORDER);
    refuses(no_chain, SR_COUNT(no_chain), false, NO_ORDER);
    refuses(loop, SR_COUNT(loop), false, NO_ORDER);
    refuses(last, SR_COUNT(last), false, NO_ORDER);
    refuses(one_norm, SR_COUNT(one_norm), false, NO_ORDER);
    refuses(stranger, SR_COUNT(stranger), false, NO_ORDER);
    refuses(square, SR_COUNT(square), false, NO_ORDER);
    refuses(norms, SR_COUNT(norms), false, NO_ORDER);
    refuses(in_front, SR_COUNT(in_front), false, NO_ORDER);
    refuses(stem, SR_COUNT(stem), false, NO_ORDER);
}

/* torch.save keeps the order of definition. */
Test(import_order, layers_of_torch_save_stand_as_they_were_defined) {
    static const struct layer square[] = {{"proj", 4, 4, 1},
                                          {"proj_bn", 4, 0, 2},
                                          {"hidden", 4, 4, 3},
                                          {"hidden_bn", 4, 0, 4},
                                          {"score", 1, 4, 5}};
    static const struct layer paired[] = {
        {"fc1", 4, 4, 1}, {"fc2", 4, 4, 3}, {"out", 1, 4, 5}, {"bn1", 4, 0, 2}, {"bn2", 4, 0, 4}};
    static const struct layer in_front[] = {{"norm_in", 4, 0, 2}, {"fc1", 4, 4, 1}, {"fc2", 1, 4, 3}};
    static const struct layer behind_two[] = {
        {"fc1", 4, 4, 1}, {"fc2", 4, 4, 3}, {"bn", 4, 0, 2}, {"bn2", 4, 0, 4}, {"fc3", 1, 4, 5}};
    static const struct layer crossed[] = {
        {"fc1", 4, 4, 1}, {"fc2", 4, 4, 3}, {"out", 1, 4, 5}, {"bn2", 4, 0, 4}, {"bn1", 4, 0, 2}};
    static const char word[] = "is a BatchNorm that stands behind no Linear of its own";
    imports_in_order(square, SR_COUNT(square), true);
    imports_in_order(paired, SR_COUNT(paired), true);
    refuses(in_front, SR_COUNT(in_front), true, word);
    refuses(crossed, SR_COUNT(crossed), true, word);
    refuses(behind_two, SR_COUNT(behind_two), true, word);
}

/* A terminal must not get to obey a name in a file. */
Test(import_order, names_are_made_printable) {
    static const struct layer layers[] = {
        {"\x1b[31m.fc1", 4, 3, 1}, {"\x1b[31m.bn1", 4, 0, 2}, {"\x1b[31m.out", 1, 4, 3}};
    write_layers(layers, SR_COUNT(layers), false);
    struct run r = run_program(folder, "import '%s' --out '%s'", source, out);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "under '?[31m.'");
    run_end(&r);
}
