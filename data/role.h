/* role.h: the columns of a feature dump: what each is called, and what its values are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SR_ROLE_H
#define SR_ROLE_H

enum sr_form {
    SR_FORM_MATRIX, /* features: a row of numbers */
    SR_FORM_BINARY, /* 0, 1, or unknown: -1 or NaN */
    SR_FORM_PROB,   /* 0..1, or NaN: unknown */
    SR_FORM_WEIGHT, /* finite, not below 0 */
    SR_FORM_TEXT,
    SR_FORM_GROUP /* integers or text */
};

/* X(NAME, form, the contract's name, aliases ...) */
#define SR_ROLE_LIST(X)                                                                                      \
    X(FEATURES, MATRIX, "features", "X", "embeddings", "hidden_states")                                      \
    X(LABEL, BINARY, "label", "labels", "y", "target")                                                       \
    X(GOLD, BINARY, "gold")                                                                                  \
    X(SMALL_PROB, PROB, "small_prob")                                                                        \
    X(SMALL_PRED, BINARY, "small_pred")                                                                      \
    X(LARGE_PROB, PROB, "large_prob")                                                                        \
    X(LARGE_PRED, BINARY, "large_pred")                                                                      \
    X(ID, TEXT, "id")                                                                                        \
    X(GROUP, GROUP, "group")                                                                                 \
    X(SOURCE, TEXT, "source")                                                                                \
    X(WEIGHT, WEIGHT, "weight")

enum sr_role {
#define X(name, form, ...) SR_ROLE_##name,
    SR_ROLE_LIST(X)
#undef X
        SR_ROLES
};

#define SR_ROLE_NAMES 5 /* with the NULL */

struct sr_role_info {
    enum sr_form form;
    const char *names[SR_ROLE_NAMES]; /* the contract's, then the aliases, then NULL */
};

extern const struct sr_role_info sr_roles[SR_ROLES];

/* The role of a dataset of that name, the contract's or an alias; SR_ROLES for any other name. */
enum sr_role sr_role_of(const char *name);

#endif
