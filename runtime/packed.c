#include "runtime/packed.h"
#include "runtime/session.h"

#define XXH_INLINE_ALL
#include <string.h>
#include <xxhash.h>

/* ---- The store ----------------------------------------------------------------------------- */

kiln_status packed_create(const kiln_allocator *allocator, packed_store **out_store,
                          kiln_error *error) {
    packed_store *store = allocator->allocate(allocator->context, sizeof *store, 64);
    if (store == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    *store = (packed_store){.allocator = *allocator};
    if (pthread_mutex_init(&store->lock, NULL) != 0) {
        allocator->release(allocator->context, store, sizeof *store);
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (pthread_cond_init(&store->settled, NULL) != 0) {
        (void)pthread_mutex_destroy(&store->lock);
        allocator->release(allocator->context, store, sizeof *store);
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    *out_store = store;
    return KILN_OK;
}

static void free_entry(const packed_store *store, packed *entry) {
    const kiln_allocator *a = &store->allocator;
    if (entry->data != NULL) {
        a->release(a->context, entry->data, entry->bytes);
    }
    a->release(a->context, entry, sizeof *entry);
}

static void free_entries(packed_store *store) {
    while (store->entries != NULL) {
        packed *entry = store->entries;
        store->entries = entry->next;
        free_entry(store, entry);
    }
}

void packed_destroy(packed_store *store) {
    if (store != NULL) {
        free_entries(store);
        (void)pthread_cond_destroy(&store->settled);
        (void)pthread_mutex_destroy(&store->lock);
        store->allocator.release(store->allocator.context, store, sizeof *store);
    }
}

/* A plan on another's weights shares their packed forms too. */
static packed_store *store_of(const kiln_plan *plan) {
    return plan->weights_of != NULL ? plan->weights_of->packed : plan->packed;
}

void packed_enter(const kiln_plan *plan) {
    packed_store *store = store_of(plan);
    (void)pthread_mutex_lock(&store->lock);
    store->sessions++;
    (void)pthread_mutex_unlock(&store->lock);
}

void packed_leave(const kiln_plan *plan) {
    packed_store *store = store_of(plan);
    (void)pthread_mutex_lock(&store->lock);
    if (--store->sessions == 0) {
        free_entries(store);
    }
    (void)pthread_mutex_unlock(&store->lock);
}

size_t kiln_plan_packed_bytes(const kiln_plan *plan) {
    packed_store *store = store_of(plan);
    size_t bytes = 0;
    (void)pthread_mutex_lock(&store->lock);
    for (const packed *entry = store->entries; entry != NULL; entry = entry->next) {
        bytes += entry->bytes;
    }
    (void)pthread_mutex_unlock(&store->lock);
    return bytes;
}

/* ---- Packing ------------------------------------------------------------------------------- */

/* Constants are told apart by where they lie: several tensors may name the same bytes. */
static uint64_t key_of(const operand *weights, const packed_form *form) {
    struct {
        uint64_t offset, bytes, stored_dtype, dims[KILN_MAX_RANK];
        char name[32];
    } key;
    memset(&key, 0, sizeof key);
    key.offset = weights->record->offset;
    key.bytes = form->bytes;
    key.stored_dtype = weights->record->stored_dtype;
    for (uint32_t k = 0; k < weights->rank; k++) {
        key.dims[k] = weights->dims[k];
    }
    strncpy(key.name, form->name, sizeof key.name - 1);
    return XXH3_64bits(&key, sizeof key);
}

static packed *find(const packed_store *store, uint64_t key, size_t bytes) {
    packed *entry = store->entries;
    while (entry != NULL && (entry->key != key || entry->bytes != bytes)) {
        entry = entry->next;
    }
    return entry;
}

/* The entry of a key, ready, or new and then the caller's to fill (*out_mine) and to settle. NULL:
 * out of memory. */
static packed *claim(packed_store *store, uint64_t key, size_t bytes, bool *out_mine) {
    (void)pthread_mutex_lock(&store->lock);
    packed *entry;
    while ((entry = find(store, key, bytes)) != NULL && !entry->ready) {
        (void)pthread_cond_wait(&store->settled, &store->lock);
    }
    *out_mine = entry == NULL;
    if (entry == NULL) {
        entry = store->allocator.allocate(store->allocator.context, sizeof *entry, 16);
        if (entry != NULL) {
            *entry = (packed){.next = store->entries, .key = key, .bytes = bytes};
            store->entries = entry;
        }
    }
    (void)pthread_mutex_unlock(&store->lock);
    return entry;
}

/* Those who wait for the entry take it, or where it failed try themselves. */
static void settle(packed_store *store, packed *entry, bool good) {
    (void)pthread_mutex_lock(&store->lock);
    entry->ready = good;
    if (!good) {
        packed **link = &store->entries;
        while (*link != entry) {
            link = &(*link)->next;
        }
        *link = entry->next;
        free_entry(store, entry);
    }
    (void)pthread_cond_broadcast(&store->settled);
    (void)pthread_mutex_unlock(&store->lock);
}

static kiln_status fill(packed_store *store, kernel_call *call, const packed_form *form,
                        packed *entry, kiln_error *error) {
    kiln_status status = load_constant(call->session, &call->inputs[1], false, error);
    if (status != KILN_OK) {
        return status;
    }
    entry->data = store->allocator.allocate(store->allocator.context, entry->bytes, 64);
    if (entry->data == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "layer '%.80s': no memory for its weights",
                         call->name);
    }
    form->fill(call, entry->data);
    return KILN_OK;
}

kiln_status kernel_pack(kernel_call *call, const packed_form *form, const float **out_packed,
                        kiln_error *error) {
    packed_store *store = store_of(call->session->plan);
    bool mine;
    packed *entry = claim(store, key_of(&call->inputs[1], form), form->bytes, &mine);
    if (entry == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    if (mine) {
        kiln_status status = fill(store, call, form, entry, error);
        settle(store, entry, status == KILN_OK);
        if (status != KILN_OK) {
            return status;
        }
    }
    *out_packed = entry->data;
    return KILN_OK;
}
