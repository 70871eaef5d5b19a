#include "runtime/plan/packed.h"
#include "runtime/base/checksum.h"
#include "runtime/base/memory.h"

#include <string.h>

/* ---- The store ----------------------------------------------------------------------------- */

static void tell(const packed_store *store, const kiln_error *what) {
    if (store->log.write != NULL) {
        store->log.write(store->log.context, what->message);
    }
}

static void map_file(packed_store *store) {
    kiln_error why;
    if (prepacked_open(store->path, store->plan, &store->file, &why) != KILN_OK) {
        tell(store, &why);
    }
}

static bool open_file(packed_store *store, const char *path) {
    store->path = memory_text(&store->allocator, path);
    if (store->path != NULL) {
        map_file(store);
    }
    return store->path != NULL;
}

static void close_file(packed_store *store) {
    prepacked_close(&store->file);
    memory_free(store->path);
}

kiln_status packed_create(const kiln_plan *plan, const char *path, plan_log log,
                          packed_store **out_store, kiln_error *error) {
    const kiln_allocator *a = &plan->allocator;
    packed_store *store = memory_take(a, sizeof *store);
    if (store == NULL) {
        return memory_fail(error);
    }
    /* The header's checksum stands for the whole file: it covers those of the sections, and they
     * those of the weights. */
    *store = (packed_store){.plan = plan->view.header->checksum,
                            .check = !plan->skip_weight_checksums,
                            .allocator = *a,
                            .log = log};
    bool locks = false, good = path == NULL || open_file(store, path);
    if (good) {
        locks = pthread_mutex_init(&store->lock, NULL) == 0;
        good = locks && pthread_cond_init(&store->settled, NULL) == 0;
    }
    if (!good) {
        if (locks) {
            (void)pthread_mutex_destroy(&store->lock);
        }
        close_file(store);
        memory_free(store);
        return memory_fail(error);
    }
    *out_store = store;
    return KILN_OK;
}

static void free_entry(packed *entry) {
    memory_free(entry->owned);
    memory_free(entry);
}

static void free_entries(packed_store *store) {
    while (store->entries != NULL) {
        packed *entry = store->entries;
        store->entries = entry->next;
        free_entry(entry);
    }
}

void packed_destroy(packed_store *store) {
    if (store != NULL) {
        free_entries(store);
        close_file(store);
        (void)pthread_cond_destroy(&store->settled);
        (void)pthread_mutex_destroy(&store->lock);
        memory_free(store);
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
        if (store->saved) {
            prepacked_close(&store->file);
            map_file(store);
            store->saved = false;
        }
    }
    (void)pthread_mutex_unlock(&store->lock);
}

static size_t count_bytes(const kiln_plan *plan, bool mapped_only) {
    packed_store *store = store_of(plan);
    size_t bytes = 0;
    (void)pthread_mutex_lock(&store->lock);
    for (const packed *entry = store->entries; entry != NULL; entry = entry->next) {
        bytes += entry->ready && (!mapped_only || entry->owned == NULL) ? entry->bytes : 0;
    }
    (void)pthread_mutex_unlock(&store->lock);
    return bytes;
}

size_t kiln_plan_packed_bytes(const kiln_plan *plan) {
    return count_bytes(plan, false);
}

size_t kiln_plan_prepacked_bytes(const kiln_plan *plan) {
    return count_bytes(plan, true);
}

/* ---- Packing ------------------------------------------------------------------------------- */

/* Constants are told apart by where they lie: several tensors may name the same bytes. */
static uint64_t key_of(const operand *weights, const packed_form *form) {
    struct {
        uint64_t offset, bytes, stored_dtype, stored_axis, dims[KILN_MAX_RANK];
        char name[32];
    } key;
    memset(&key, 0, sizeof key);
    key.offset = weights->record->offset;
    key.bytes = form->bytes;
    key.stored_dtype = weights->record->stored_dtype;
    key.stored_axis = weights->record->stored_axis;
    for (uint32_t k = 0; k < weights->rank; k++) {
        key.dims[k] = weights->dims[k];
    }
    strncpy(key.name, form->name, sizeof key.name - 1);
    return checksum(&key, sizeof key);
}

static packed *find(const packed_store *store, uint64_t key, size_t bytes) {
    packed *entry = store->entries;
    while (entry != NULL && (entry->key != key || entry->bytes != bytes)) {
        entry = entry->next;
    }
    return entry;
}

/* Returns the entry of a key when it is ready, or a new one, which is then the caller's to fill
 * (*out_mine); NULL when out of memory. */
static packed *claim(packed_store *store, uint64_t key, size_t bytes, bool *out_mine) {
    (void)pthread_mutex_lock(&store->lock);
    packed *entry;
    while ((entry = find(store, key, bytes)) != NULL && !entry->ready) {
        (void)pthread_cond_wait(&store->settled, &store->lock);
    }
    *out_mine = entry == NULL;
    if (entry == NULL) {
        entry = memory_take(&store->allocator, sizeof *entry);
        if (entry != NULL) {
            *entry = (packed){.next = store->entries, .key = key, .bytes = bytes};
            store->entries = entry;
        }
    }
    (void)pthread_mutex_unlock(&store->lock);
    return entry;
}

/* Those who wait for the entry take it; where filling it has failed they try themselves. */
static void settle(packed_store *store, packed *entry, bool good) {
    (void)pthread_mutex_lock(&store->lock);
    entry->ready = good;
    store->fresh = store->fresh || entry->owned != NULL;
    if (!good) {
        packed **link = &store->entries;
        while (*link != entry) {
            link = &(*link)->next;
        }
        *link = entry->next;
        free_entry(entry);
    }
    (void)pthread_cond_broadcast(&store->settled);
    (void)pthread_mutex_unlock(&store->lock);
}

packed *packed_claim(const kiln_plan *plan, const kernel_call *call, const packed_form *form,
                     bool *out_mine) {
    packed_store *store = store_of(plan);
    packed *entry = claim(store, key_of(&call->inputs[1], form), form->bytes, out_mine);
    if (entry != NULL && *out_mine) {
        kiln_error why = {.status = KILN_OK};
        entry->data = prepacked_find(&store->file, entry->key, entry->bytes, store->check,
                                     call->host->pool, &why);
        if (why.status != KILN_OK) {
            (void)kiln_fail(&why, why.status, "%s is damaged: layer '%.80s' is packed again",
                            store->path, call->name);
            tell(store, &why);
        }
        if (entry->data != NULL) {
            settle(store, entry, true);
            *out_mine = false;
        }
    }
    return entry;
}

kiln_status packed_fill(const kiln_plan *plan, packed *entry, const kernel_call *call,
                        const packed_form *form, kiln_status loaded, kiln_error *error) {
    packed_store *store = store_of(plan);
    kiln_status status = loaded;
    if (status == KILN_OK) {
        entry->data = entry->owned = memory_aligned(&store->allocator, entry->bytes);
        status = entry->owned != NULL
                     ? KILN_OK
                     : kiln_fail(error, KILN_ERROR_MEMORY,
                                 "layer '%.80s': no memory for its weights", call->name);
    }
    if (status == KILN_OK) {
        form->fill(call, entry->owned);
    }
    settle(store, entry, status == KILN_OK);
    return status;
}

/* ---- Keeping ------------------------------------------------------------------------------- */

/* Lists all entries that are ready, in memory of the allocator. The lock is held. NULL when there
 * is none, or no memory. */
static prepacked_part *list_parts(const packed_store *store, size_t *out_count) {
    size_t count = 0;
    for (const packed *entry = store->entries; entry != NULL; entry = entry->next) {
        count += entry->ready;
    }
    *out_count = count;
    prepacked_part *parts =
        count > 0 ? memory_zeros(&store->allocator, count, sizeof *parts) : NULL;
    for (const packed *e = store->entries; parts != NULL && e != NULL; e = e->next) {
        if (e->ready) {
            parts[--count] = (prepacked_part){e->key, e->data, e->bytes};
        }
    }
    return parts;
}

/* Writes what some session of the plan had to pack. The entries stay, as this session does. */
void packed_save(const kiln_plan *plan, thread_pool *pool) {
    packed_store *store = store_of(plan);
    size_t count = 0;
    prepacked_part *parts = NULL;
    (void)pthread_mutex_lock(&store->lock);
    if (store->path != NULL && store->fresh && !store->saving && !store->failed) {
        parts = list_parts(store, &count);
        store->saving = parts != NULL;
        store->fresh = parts == NULL;
    }
    (void)pthread_mutex_unlock(&store->lock);
    if (parts != NULL) {
        /* Where the file will be read unchecked, it must not be there before its bytes are. */
        kiln_error why;
        bool good = prepacked_write(store->path, store->plan, parts, count, !store->check, pool,
                                    &why) == KILN_OK;
        if (!good) {
            tell(store, &why);
        }
        (void)pthread_mutex_lock(&store->lock);
        store->saving = false;
        store->saved = store->saved || good;
        store->failed = !good;
        (void)pthread_mutex_unlock(&store->lock);
        memory_free(parts);
    }
}
