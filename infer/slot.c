/* slot.c: the router in use, replaced while others decide.
 *
 * A router counts its users. The lock is held for as long as it takes to read a pointer and add one, never
 * while somebody decides; opening and testing the new router happen outside it, so readers do not wait for
 * that either.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pthread.h>
#include <stdio.h>

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

/* Puts `with` in place of the router in use, to which *with is set; or leaves both as they are and returns
 * the width of the one in use, which `with` does not have. Compared under the lock: of two reloads at once
 * the second is to see what the first left. */
static size_t swap(struct saferoute_slot *slot, struct sr_router **with) {
    pthread_mutex_lock(&slot->lock);
    struct sr_router *now = slot->router;
    const size_t other = now && sr_router_width(now) != sr_router_width(*with) ? sr_router_width(now) : 0;
    if (!other) {
        slot->router = *with;
        *with = now;
    }
    pthread_mutex_unlock(&slot->lock);
    return other;
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
    if (status < 0)
        return status;
    struct sr_router *r = (struct sr_router *)opened;
    const size_t width = sr_router_width(r), other = swap(slot, &r);
    if (other) {
        status = SAFEROUTE_DATA;
        if (error) {
            error->status = status;
            snprintf(error->text, sizeof error->text,
                     "the new router reads %zu features, the one in use %zu; that one stays", width, other);
        }
    }
    sr_router_close(r);
    return status;
}
