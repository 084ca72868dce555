/* inspect_arrays.c: tensors that PyTorch or NumPy saved; see inspect.h.
 *
 * The reader that import and convert have looks through the file, and what it refuses is refused here with
 * its reason, a file's program or pickle among it. Numbers are not read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "train/inspect.h"

#define LISTED 1000 /* tensors, and entries of metadata, at most */

/* A zip, an array of NumPy or a pickle of protocol 2 to 5: which of them are tensors, the reader says. */
bool sr_inspect_arrays_recognise(const struct sr_peek *p) {
    const char *head = p->head;
    return memcmp(head, "PK\3\4", 4) == 0 || memcmp(head, "PK\5\6", 4) == 0 ||
           memcmp(head, "\x93NUMPY", 6) == 0 ||
           (p->n > 2 && (unsigned char)head[0] == 0x80 && head[1] >= 2 && head[1] <= 5);
}

static void add_tensor(struct sr_facts *f, const struct sr_tensor_info *t) {
    char shape[SR_SHAPE_TEXT];
    struct sr_json *value = sr_json_object();
    sr_tensor_info_shape(t, shape);
    sr_json_set(value, "dtype", sr_json_string(sr_dtype_name(t->dtype)));
    sr_json_set(value, "shape", sr_json_string(shape));
    sr_facts_add(f, t->name[0] ? t->name : "(no name)", value, "%s %s", sr_dtype_name(t->dtype), shape);
}

int sr_inspect_arrays_look(struct sr_facts *f, const struct sr_peek *p, const char **title,
                           struct sr_error *err) {
    struct sr_tensors *t;
    size_t n;
    const int status = sr_tensors_open(&t, p->path, err);
    if (status < 0)
        return status;
    *title = strcmp(sr_tensors_format(t), ".npy") == 0 ? "NumPy array (.npy)" : "PyTorch file (torch.save)";
    sr_facts_section(f, "content");
    sr_facts_count(f, "bytes", p->size);
    sr_facts_add(f, "tensors", sr_json_integer((int64_t)sr_tensors_count(t)), "%zu%s", sr_tensors_count(t),
                 sr_tensors_count(t) > LISTED ? ", the first thousand below" : "");
    sr_facts_text(f, "read_by",
                  "saferoute import, if these are the layers of a router; saferoute data convert, if it is a "
                  "tensor of features; numbers were not looked at");
    const struct sr_pair *pairs = sr_tensors_pairs(t, &n);
    sr_facts_section(f, "metadata");
    for (size_t i = 0; i < n && i < LISTED; i++)
        sr_facts_text(f, pairs[i].key, pairs[i].value);
    sr_facts_section(f, "tensor");
    for (size_t i = 0; i < sr_tensors_count(t) && i < LISTED; i++)
        add_tensor(f, sr_tensors_at(t, i));
    sr_tensors_close(t);
    return 0;
}
