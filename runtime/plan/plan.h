/* An open plan: for what reads and checks plans, and for those who run them. */
#ifndef KILN_RUNTIME_PLAN_H
#define KILN_RUNTIME_PLAN_H

#include <kiln/plan_format.h>
#include <stdatomic.h>

/* Who is told what is no error: see kiln_plan_options. */
typedef struct plan_log {
    void (*write)(void *context, const char *message); /* NULL: nobody */
    void *context;
} plan_log;

struct kiln_plan {
    kiln_plan_view view;
    kiln_plan_header header; /* as that of a file of the current version */
    const uint8_t *bytes;
    size_t size;
    const uint8_t *records; /* what lies before the weights, aligned to 8: bytes, or a copy */
    void *mapping;          /* NULL where nothing is mapped */
    size_t mapping_size;
    void *copy; /* of the file or of its records, to memory_free; or NULL */
    /* The plan whose constants ours are; NULL where they are our own. */
    const struct kiln_plan *weights_of;
    void *owned;                       /* bytes to memory_free when closed */
    struct kiln_plan_choices *choices; /* from memory_take; those of the view, or NULL */
    bool skip_weight_checksums;
    atomic_uchar *verified;      /* by tensor: 1 when the constant's checksum was found right */
    struct packed_store *packed; /* that of weights_of is used where there is one */
    kiln_allocator allocator;
};

/* ---- Reading (reader.c) -------------------------------------------------------------------- */

/* Opens a plan over bytes of runtime/base/memory.h, which are freed with it, and on failure, on the
 * weights and with the allocator of another. */
kiln_status plan_open_owned(void *bytes, size_t size, const kiln_plan *weights_of,
                            kiln_plan **out_plan, kiln_error *error);
/* Opens a plan once more, on its records and its weights, with another choice of how convolutions
 * are computed (choices.h); close it first. Fails where the choice makes no valid plan. */
kiln_status plan_open_chosen(const kiln_plan *plan, const uint8_t *choice, kiln_plan **out_plan,
                             kiln_error *error);
void tensor_info(const kiln_plan_view *view, uint32_t tensor, kiln_tensor_info *out_info);

/* ---- Validation (validate.c and those named after it) -------------------------------------- */

/* header.c: fills in and checks plan->header, from plan->bytes. */
kiln_status plan_read_header(kiln_plan *plan, kiln_error *error);
/* Checks all behind the header and sets the view; after it, everything in that is trusted. */
kiln_status plan_validate(kiln_plan *plan, kiln_error *error);

/* Parts of it, in the order of the sections: plan_validate_strings and so on, for each that is
 * CHECKED. Each trusts what those before have checked. */
#define PLAN_VALIDATES(NAME, type, records, count, since, check)                                   \
    kiln_status plan_validate_##records(const kiln_plan *plan, kiln_error *error);
KILN_EACH_SECTION(PLAN_VALIDATES)
#undef PLAN_VALIDATES

/* ---- Sections (sections.c) ----------------------------------------------------------------- */

/* What is known of each section that every plan has. */
typedef struct plan_section_row {
    size_t record_bytes;
    size_t data, count; /* where in kiln_plan_view */
    uint32_t since;     /* the first version of the format that has it */
    kiln_status (*validate)(const kiln_plan *plan, kiln_error *error); /* NULL where others do */
} plan_section_row;
extern const plan_section_row plan_sections[KILN_SECTION_COUNT];

/* ---- Optional sections (optional.c) -------------------------------------------------------- */

/* Checks them; out_end is where the last of them ends or, without any, the section before them,
 * which has been checked. */
kiln_status plan_validate_optional(const kiln_plan *plan, uint64_t *out_end, kiln_error *error);
/* Returns all of them as they lie in the file, from the first record on. */
kiln_span plan_optional_bytes(const kiln_plan *plan);

/* ---- Constants (stored.c) ------------------------------------------------------------------ */

/* Whether a constant is stored as integers; how many scales, and as many zeros, it has then, and 0
 * for others; whether the record says something that can be. */
bool stored_as_integers(const kiln_plan_tensor_record *t);
uint64_t stored_scales(const kiln_plan_tensor_record *t);
bool stored_soundly(const kiln_plan_tensor_record *t);

#endif
