/* slot.c: the router in use, replaced while others decide.
 *
 * A router counts its users. The lock is held while a pointer is read and one added, or the new router is
 * held against the one in use, never while somebody decides; opening and testing the new router happen
 * outside it, so readers do not wait for that either.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "infer/router.h"

struct saferoute_slot {
    pthread_mutex_t lock;
    struct sr_router *router; /* or NULL */
};

struct saferoute_slot *saferoute_slot_create(void) {
    struct saferoute_slot *slot = sr_alloc(1, sizeof *slot, NULL);
    if (slot && pthread_mutex_init(&slot->lock, NULL) != 0) {
        sr_free(slot);
        slot = NULL;
    }
    return slot;
}

void saferoute_slot_destroy(struct saferoute_slot *slot) {
    if (!slot)
        return;
    sr_router_close(slot->router);
    pthread_mutex_destroy(&slot->lock);
    sr_free(slot);
}

/* Why a process that feeds `now` must not be given `fresh`, into text; false where nothing speaks against it.
 */
static bool is_for_others(char text[SAFEROUTE_ERROR_TEXT], const struct sr_router *now,
                          const struct sr_router *fresh) {
    static const char *const keys[] = {"feature_layer", "feature_norm", "feature_pooling"};
    char old_value[100], new_value[100];
    if (sr_router_width(now) != sr_router_width(fresh)) {
        snprintf(text, SAFEROUTE_ERROR_TEXT,
                 "the new router reads %zu features, the one in use %zu; that one stays",
                 sr_router_width(fresh), sr_router_width(now));
        return true;
    }
    for (size_t i = 0; i < SR_COUNT(keys); i++) {
        const char *is = sr_router_metadata(fresh, keys[i]), *was = sr_router_metadata(now, keys[i]);
        if (!is || !was || strcmp(is, was) == 0)
            continue;
        snprintf(text, SAFEROUTE_ERROR_TEXT,
                 "%s is \"%s\" in the new router, \"%s\" in the one in use: it reads other vectors; that one "
                 "stays",
                 keys[i], sr_utf8_clean(new_value, sizeof new_value, is),
                 sr_utf8_clean(old_value, sizeof old_value, was));
        return true;
    }
    return false;
}

/* *with goes into the slot, and what was there into *with; false, and nothing happens, where text says why
 * not. */
static bool swap(struct saferoute_slot *slot, struct sr_router **with, char text[SAFEROUTE_ERROR_TEXT]) {
    pthread_mutex_lock(&slot->lock);
    struct sr_router *now = slot->router;
    const bool fits = !now || !is_for_others(text, now, *with);
    if (fits) {
        slot->router = *with;
        *with = now;
    }
    pthread_mutex_unlock(&slot->lock);
    return fits;
}

const struct saferoute_router *saferoute_acquire(struct saferoute_slot *slot) {
    if (!slot) /* there was no memory for it */
        return NULL;
    pthread_mutex_lock(&slot->lock);
    struct sr_router *r = slot->router;
    if (r)
        atomic_fetch_add_explicit(&r->users, 1, memory_order_relaxed);
    pthread_mutex_unlock(&slot->lock);
    return sr_router_shipped(r);
}

void saferoute_release(const struct saferoute_router *router) {
    sr_router_close((struct sr_router *)(uintptr_t)router);
}

int saferoute_reload(struct saferoute_slot *slot, const char *path, const struct saferoute_options *options,
                     struct saferoute_error *error) {
    struct saferoute_router *opened;
    int status = saferoute_open(&opened, slot ? path : NULL, options, error);
    if (status < 0 || !slot) /* without one it was no path that was opened */
        return status;
    struct sr_router *r = (struct sr_router *)opened;
    char text[SAFEROUTE_ERROR_TEXT];
    if (!swap(slot, &r, text)) {
        status = SAFEROUTE_DATA;
        if (error) {
            error->status = status;
            memcpy(error->text, text, sizeof text);
        }
    }
    sr_router_close(r);
    return status;
}
