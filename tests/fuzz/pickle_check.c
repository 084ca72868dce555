/* pickle_check.c: the pickle machine (data/pickle*.c) on bare pickles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "data/pickle.h"
#include "tests/fuzz/parsers.h"

#define DEEPEST 200
#define MOST    100000

struct walk {
    const char *begin, *end; /* the pickle's bytes, where all texts are */
    size_t steps;
};

static void check_tensor(const struct sr_pickle_tensor *t) {
    uint64_t items = 1;
    FUZZ_CHECK(t->storage && t->storage->kind == SR_PICKLE_STORAGE, "a tensor without a storage");
    FUZZ_CHECK(t->rank >= 0 && t->rank <= SR_TENSOR_RANK, "rank %d", t->rank);
    for (int i = 0; i < t->rank; i++)
        FUZZ_CHECK(!__builtin_mul_overflow(items, t->shape[i], &items), "a shape beyond 64 bits");
    const uint64_t held = t->storage->as.storage.items;
    FUZZ_CHECK(t->offset <= held && items <= held - t->offset, "a tensor outside of its storage");
}

static void check_text(const struct walk *w, const struct sr_pickle_value *v) {
    FUZZ_CHECK(v->as.text.at >= w->begin && v->as.text.at <= w->end &&
                   v->as.text.length <= (size_t)(w->end - v->as.text.at),
               "a text outside of the pickle");
}

/* NOLINTNEXTLINE(misc-no-recursion): DEEPEST levels at most */
static void check_value(struct walk *w, const struct sr_pickle_value *v, int depth) {
    FUZZ_CHECK(v, "a value is missing");
    if (depth > DEEPEST || w->steps++ > MOST)
        return;
    switch (v->kind) {
    case SR_PICKLE_TEXT:
        check_text(w, v);
        break;
    case SR_PICKLE_TENSOR:
        check_tensor(v->as.tensor);
        break;
    case SR_PICKLE_STORAGE:
        FUZZ_CHECK(v->as.storage.dtype < SR_DTYPE_COUNT && v->as.storage.key, "a storage of no type or key");
        check_text(w, v->as.storage.key);
        break;
    case SR_PICKLE_DICT:
        FUZZ_CHECK(v->as.list.n % 2 == 0, "a key without a value"); /* fall through */
    case SR_PICKLE_LIST:
    case SR_PICKLE_TUPLE:
        for (size_t i = 0; i < v->as.list.n; i++)
            check_value(w, v->as.list.item[i], depth + 1);
        break;
    default:
        FUZZ_CHECK(v->kind != SR_PICKLE_MARK, "a mark is left over");
    }
}

void fuzz_pickle(const uint8_t *data, size_t size) {
    struct sr_error err = {0};
    struct sr_pickle *p = NULL;
    if (fuzz_accepted(sr_pickle_read(&p, data, size, "f.pt", &err), &err)) {
        struct walk w = {.begin = (const char *)data, .end = (const char *)data + size};
        check_value(&w, sr_pickle_root(p), 0);
    }
    sr_pickle_free(p);
}
