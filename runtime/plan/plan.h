/* An open plan: for what reads and checks plans, and for those who run them. */
#ifndef KILN_RUNTIME_PLAN_H
#define KILN_RUNTIME_PLAN_H

#include <kiln/plan_format.h>
#include <stdatomic.h>

struct kiln_plan {
    kiln_plan_view view;
    const uint8_t *bytes;
    size_t size;
    const uint8_t *records; /* what lies before the weights, aligned to 8: bytes, or a copy */
    void *mapping;          /* NULL: not mapped */
    size_t mapping_size;
    void *copy; /* of the file or of its records, from the allocator; NULL: none */
    size_t copy_bytes;
    const struct kiln_plan *weights_of; /* constants are that plan's; NULL: our own */
    void *owned;                        /* bytes to free() when closed */
    bool skip_weight_checksums;
    atomic_uchar *verified;      /* by tensor: the constant's checksum was right */
    struct packed_store *packed; /* not used where weights_of is set */
    kiln_allocator allocator;
};

/* ---- Reading (reader.c) -------------------------------------------------------------------- */

/* A plan over bytes from malloc, freed with it (and on failure). Without weights_of, as any plan.
 */
kiln_status plan_open_owned(void *bytes, size_t size, const kiln_plan *weights_of,
                            kiln_plan **out_plan, kiln_error *error);
void tensor_info(const kiln_plan_view *view, uint32_t tensor, kiln_tensor_info *out_info);

/* ---- Validation (validate.c and those named after it) -------------------------------------- */

/* Checks the whole file; after it, everything in the view is trusted. */
kiln_status plan_validate(kiln_plan *plan, kiln_error *error);
/* The part of it that looks at storages. */
kiln_status plan_validate_storages(const kiln_plan *plan, kiln_error *error);
/* The part of it that looks at steps. */
kiln_status plan_validate_steps(const kiln_plan *plan, kiln_error *error);
/* Likewise, at bands; steps have been checked. */
kiln_status plan_validate_bands(const kiln_plan *plan, kiln_error *error);

/* ---- Constants (stored.c) ------------------------------------------------------------------ */

/* Constants stored as integers; how many scales, and zeros, each has (0: others); whether the
 * record says something that can be. */
bool stored_as_integers(const kiln_plan_tensor_record *t);
uint64_t stored_scales(const kiln_plan_tensor_record *t);
bool stored_soundly(const kiln_plan_tensor_record *t);

#endif
