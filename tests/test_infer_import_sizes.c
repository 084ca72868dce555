/* test_infer_import_sizes.c: networks that `saferoute import` refuses by their sizes, and which of several it
 * speaks of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tests/import_sample.h"

TestSuite(import_sizes, .init = begin, .fini = end);

/* A matrix of zeros in the place of the first layer's. */
static void refuses_first(uint64_t outputs, uint64_t inputs, const char *word) {
    void *zeros = sr_alloc(outputs * inputs + 1, sizeof(float), NULL);
    struct sr_tensor *t = tensor("cls.0.weight");
    t->shape[0] = outputs;
    t->shape[1] = inputs;
    t->data = zeros;
    refuses(word);
    sr_free(zeros);
}

Test(import_sizes, matrices_of_sizes_that_no_router_has) {
    take_original();
    refuses_first(0, 5, "'cls.0.weight', F32 [0, 5], is no matrix");
    refuses_first(4, 0, "is no matrix");
    refuses_first(4, SR_DATA_WIDTH_MAX + 1, "is no matrix");
    refuses_first(SR_ROUTER_WIDEST + 1, 5, "has more outputs than a layer of a router may have");
}

static float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};

static void add(const char *name, int rank, uint64_t rows, uint64_t columns) {
    struct sr_tensor *t = &list[count++];
    *t = (struct sr_tensor){.dtype = SR_F32, .rank = rank, .shape = {rows, columns}, .data = ones};
    snprintf(t->name, sizeof t->name, "%s", name);
}

/* One layer of two inputs; outputs 1: a router, if a small one. */
static void add_linear(const char *name, uint64_t outputs) {
    char weight[96], bias[96];
    snprintf(weight, sizeof weight, "%s.0.weight", name);
    snprintf(bias, sizeof bias, "%s.0.bias", name);
    add(weight, 2, outputs, 2);
    add(bias, 1, outputs, 1);
}

/* Of networks that do not fit the message is of the first, or of the first with a BatchNorm. */
Test(import_sizes, the_likeliest_network_is_spoken_of) {
    take_original();
    drop("cls.4.bias");
    add_linear("aux", 2);
    refuses("'cls.4' has no bias");
    count = 0;
    add_linear("one", 2);
    add_linear("two", 3);
    refuses("'one.0.weight', F32 [2, 2], the last, has not one output");
    take_original();
    drop("cls.4.bias");
    add("ema.0.weight", 2, 2, 2);
    add("ema.1.running_mean", 1, 2, 1);
    add_linear("zero", 2);
    refuses("'cls.4' has no bias");
}

Test(import_sizes, many_networks_are_not_all_named) {
    take_original();
    char name[64];
    count = 0;
    for (int i = 0; i < 8; i++) {
        snprintf(name, sizeof name, "network_%d_of_a_model_with_quite_a_long_name", i);
        add_linear(name, 1);
    }
    refuses("more than one network that could be the router: "
            "'network_0_of_a_model_with_quite_a_long_name', ");
}

Test(import_sizes, a_network_at_the_root_has_an_empty_prefix) {
    char name[64];
    take_original();
    write_list(NULL, 0);
    import_fails(source, "--prefix ''", 2, "no Linear layer under that name");
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "%s", list[i].name + strlen("cls."));
        memset(list[i].name, 0, sizeof list[i].name);
        memcpy(list[i].name, name, strlen(name));
    }
    write_list(NULL, 0);
    import_fine(source, "--prefix ''");
}

/* SR_ROUTER_DEEPEST + 2 layers of one number, each of a name of `word` and its place. */
static void refuses_deep(const char *word) {
    enum { LAYERS = SR_ROUTER_DEEPEST + 2 };
    static const char *const parts[] = {"weight", "bias", "running_mean", "running_var"};
    static struct sr_tensor deep[6 * LAYERS];
    size_t n = 0;
    for (int l = 0; l < LAYERS; l++)
        for (int k = 0; k < (l + 1 < LAYERS ? 6 : 2); k++) {
            deep[n] =
                (struct sr_tensor){.dtype = SR_F32, .rank = k == 0 ? 2 : 1, .shape = {1, 1}, .data = ones};
            snprintf(deep[n++].name, sizeof deep->name, "%s%d.%s", word, 2 * l + (k > 1),
                     parts[k > 1 ? k - 2 : k]);
        }
    cr_assert_eq(sr_safetensors_write(source, deep, n, NULL, 0, &err), SR_OK, "%s", err.text);
    import_fails(source, "", 65, "Linear layers; a router has at most");
}

Test(import_sizes, a_network_too_deep) {
    refuses_deep("cls.");
    refuses_deep("cls.layer");
}

Test(import_sizes, a_named_layer_that_is_no_routers) {
    take_original();
    count = 0;
    add("net.fc.weight", 2, 1, 2);
    add("net.fc.bias", 1, 1, 1);
    add("net.scale.weight", 1, 2, 1);
    refuses("'net.scale' has a weight of one dimension and no running_mean");
}

Test(import_sizes, types_may_be_mixed) {
    static uint16_t half[8];
    take_original();
    tensor("cls.5.bias")->dtype = SR_F16;
    tensor("cls.5.bias")->data = half;
    write_list(NULL, 0);
    struct run r = run_program(folder, "import '%s' --out '%s'", source, out);
    cr_expect_eq(r.status, 0, "%s", r.err);
    expect_in(r.out, "mixed types");
    run_end(&r);
}
