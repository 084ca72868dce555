/* import_order.h: in which order layers stand that have names, not numbers; private to import_network.c and
 * import_order.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_IMPORT_ORDER_H
#define SR_IMPORT_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A Linear or a BatchNorm of a group that has one BatchNorm fewer than Linears. */
struct sr_import_item {
    const char *word; /* the last of its module's name, "fc1"; no NUL behind it */
    size_t length;
    bool norm;
    uint64_t inputs, outputs; /* of a BatchNorm both its width */
    size_t place;             /* among those of its kind; what is found out */
};

/* Whether names of that kind say an order, "fc1", "fc2" or "fc1", "fc2", "out" with one output: places are
 * set by it. */
bool sr_import_order_named(struct sr_import_item *item, size_t n, bool norm);

/* Sets all places: by names, else by shapes where these fit together in one way only. False: neither says. */
bool sr_import_order(struct sr_import_item *item, size_t n);

#endif
