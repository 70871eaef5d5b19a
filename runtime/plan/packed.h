/* Packed weights: what kernels make of a plan's constants. They belong to the plan: made by the
 * first session that needs them, used by all, freed when the last session goes. Thread-safe.
 *
 * An entry, which is one constant in one form:
 *
 *      packed_claim            packed_fill            packed_leave,
 *   ---------------> claimed -------------> ready ------------------> freed
 *                       |                     ^     the last session
 *                       | packed_fill fails   | packed_claim finds it in the file
 *                       v                     |
 *                     freed               ----+
 *
 *   claimed  Listed, not ready. It is the claimer's to fill; others who claim it wait.
 *   ready    `data` does not change any more. It lies in `owned`, or in the mapped file.
 *
 * The store, where it has the path of a file that keeps entries for the next start. Its flags
 * change with the lock held:
 *
 *           packed_fill          packed_save            written            packed_leave,
 *   kept ---------------> fresh -------------> saving ----------> saved ------------------> kept
 *                           ^                    |  |                   the last session
 *                           |    packed_fill     |  | not written
 *                           +--------------------+  +-------------> failed
 *
 *   kept     No flag: all entries are in the mapped file, or there are none.
 *   fresh    Some entry is not in the file. The session that has packed all it needs writes it.
 *   saving   One session writes the entries that were ready when it began, without the lock.
 *            What is filled meanwhile makes the store fresh again; a later session writes that.
 *   saved    What is at the path is newer than what is mapped, which entries may still point to:
 *            the new file is mapped when no session is left.
 *   failed   The file could not be written. Nobody tries again while the plan is open. */
#ifndef KILN_RUNTIME_PACKED_H
#define KILN_RUNTIME_PACKED_H

#include "runtime/kernels/kernel.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/prepacked.h"

#include <pthread.h>

/* One constant in one form. */
typedef struct packed {
    struct packed *next;
    uint64_t key; /* the hash of constant and form */
    const float *data;
    float *owned; /* what to free: data, or NULL where that is in the file */
    size_t bytes;
    bool ready; /* false while some session fills it */
} packed;

typedef struct packed_store {
    pthread_mutex_t lock;
    pthread_cond_t settled; /* some entry became ready, or failed and went */
    size_t sessions;
    packed *entries;
    char *path; /* of the file that keeps them; NULL where none does */
    uint64_t plan;
    prepacked file;
    bool check;  /* what is used of the file is checked against its checksums */
    bool fresh;  /* some entry is not in the file */
    bool saving; /* some session writes it */
    bool saved;  /* what is at path is newer than what is mapped */
    bool failed; /* it cannot be written */
    kiln_allocator allocator;
    plan_log log;
} packed_store;

/* For plan/reader.c. `path`: a file that keeps them for the next start, or NULL; `log` is told when
 * that is not used, or not written. On failure nothing is left behind. */
kiln_status packed_create(const kiln_plan *plan, const char *path, plan_log log,
                          packed_store **out_store, kiln_error *error);
void packed_destroy(packed_store *store); /* NULL is allowed */

/* For step.c, between packed_enter and packed_leave: the entry of the call's weights in a form,
 * ready (its data stays until packed_leave), or new (*out_mine), and then the caller's to load the
 * weights for and to fill; NULL: out of memory. Others who claim it wait until it is settled. */
packed *packed_claim(const kiln_plan *plan, const kernel_call *call, const packed_form *form,
                     bool *out_mine);
/* Fills it, unless the weights could not be loaded (`loaded` says why): then, or where it fails
 * itself, the entry goes and those who wait try for themselves. */
kiln_status packed_fill(const kiln_plan *plan, packed *entry, const kernel_call *call,
                        const packed_form *form, kiln_status loaded, kiln_error *error);

/* For session.c: these are called around a session's life, and, when all is packed, to keep it. */
void packed_enter(const kiln_plan *plan);
void packed_save(const kiln_plan *plan, thread_pool *pool);
void packed_leave(const kiln_plan *plan);

#endif
