/* contract.h: what a dump says of the make of its features and labels, and what a set of dumps agrees on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_CONTRACT_H
#define SR_CONTRACT_H

#include <stdbool.h>

#include "data/data.h"

struct sr_dump;

struct sr_claim {
    char *value; /* NULL: none */
    bool silent; /* files may contradict it, but it is not passed on: a default that nothing confirms */
};

/* Fills d->contract. Guards and labels have been read. */
int sr_contract_read(struct sr_dump *d, struct sr_error *err);

/* d->contract from those of its dumps. SR_DATA where two dumps contradict each other; with features_only,
 * which looks at no label, a pair of labels is left out instead. */
int sr_contract_join(struct sr_data *d, bool features_only, struct sr_error *err);

/* True if an attribute of that name is one of the contract's. */
bool sr_contract_is_key(const char *name);

/* What the set says of key k, or NULL. */
const char *sr_contract_value(const struct sr_data *d, int k);

#endif
