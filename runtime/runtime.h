/* What the runtime's files share: an open plan and its sessions. */
#ifndef KILN_RUNTIME_H
#define KILN_RUNTIME_H

#include "runtime/kernels/kernel.h"
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

/* A plan over bytes from malloc, freed with it (and on failure). Without weights_of, as any plan.
 */
kiln_status plan_open_owned(void *bytes, size_t size, const kiln_plan *weights_of,
                            kiln_plan **out_plan, kiln_error *error);
/* Checks the whole file; after it, everything in the view is trusted. */
kiln_status plan_validate(kiln_plan *plan, kiln_error *error);
/* The part of it that looks at storages. */
kiln_status plan_validate_storages(const kiln_plan *plan, kiln_error *error);
/* The part of it that looks at steps. */
kiln_status plan_validate_steps(const kiln_plan *plan, kiln_error *error);
/* Likewise, at bands; steps have been checked. */
kiln_status plan_validate_bands(const kiln_plan *plan, kiln_error *error);
/* A step as the band's schedule sees it; false: it cannot be run by rows (validate_bands.c). */
bool band_describe(const kiln_plan_view *view, const kiln_plan_band *band, uint32_t step,
                   kiln_band_step *out_step);
/* Fills one operand from a tensor record, data excepted. NULL: an absent one. */
void operand_describe(const kiln_plan_tensor_record *record, operand *out_operand);
/* stored.c: constants stored as integers; how many scales, and zeros, each has (0: others); whether
 * the record says something that can be. */
bool stored_as_integers(const kiln_plan_tensor_record *t);
uint64_t stored_scales(const kiln_plan_tensor_record *t);
bool stored_soundly(const kiln_plan_tensor_record *t);
/* One step as kernels see it; operands points to room for all of its operands. */
void call_describe(const kiln_plan_view *view, size_t step, operand *operands,
                   kernel_call *out_call);
void tensor_info(const kiln_plan_view *view, uint32_t tensor, kiln_tensor_info *out_info);
const kiln_allocator *default_allocator(void);

#endif
