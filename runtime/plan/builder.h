/* The one writer of plan files: the container, that is the header, where sections lie, and their
 * checksums. Records are collected in memory, section by section; constants are not, they are
 * written behind them by whoever has them, so that weights of any size take no memory.
 *
 *   builder_append, builder_step, ...    the records
 *   builder_constant                     room in the weights section, constant by constant
 *   builder_lay_out                      now all sizes are known: where do sections lie?
 *   builder_write                        header and records, up to where the weights begin
 *
 * and then, or before that where the file can be written anywhere, the weights themselves. */
#ifndef KILN_RUNTIME_PLAN_BUILDER_H
#define KILN_RUNTIME_PLAN_BUILDER_H

#include "runtime/base/bytes.h"
#include <kiln/plan_format.h>

/* A builder of all zeros is empty, and takes memory from the default allocator. */
typedef struct plan_builder {
    /* arena_bytes, lower_bound_bytes, no_reuse_bytes and batchable are the caller's; all else is
     * set by builder_lay_out and builder_write. */
    kiln_plan_header header;
    byte_buffer sections[KILN_SECTION_COUNT]; /* WEIGHTS stays empty */
    byte_buffer optional;                     /* optional sections, as they will lie in the file */
    uint64_t constant_bytes;                  /* bytes of the weights section so far */
    const kiln_allocator *allocator;          /* borrowed; NULL: the default one */
} plan_builder;

/* An empty builder with memory from `allocator`. */
void builder_begin(plan_builder *out_builder, const kiln_allocator *allocator);
void builder_free(plan_builder *builder);
/* Tells whether there was memory for all that was added. */
bool builder_failed(const plan_builder *builder);

size_t builder_count(const plan_builder *builder, kiln_plan_section_kind kind, size_t record_bytes);
void builder_append(plan_builder *builder, kiln_plan_section_kind kind, const void *data,
                    size_t size);
/* Appends a text; returns its offset among the strings. NULL and "" are 0. */
uint32_t builder_string(plan_builder *builder, const char *text);
/* Appends a step with the kernel, counts, flags and strings of `like`, and what it refers to. */
void builder_step(plan_builder *builder, const kiln_plan_step *like, const void *params,
                  size_t params_bytes, const uint32_t *operands);
/* Appends the record of preprocessing, unless it says nothing. */
void builder_preprocess(plan_builder *builder, const kiln_preprocess *preprocess);
/* Appends an optional section, in place of the one that has its tag, a text of at most 8
 * characters. Without bytes, that one goes and none is appended. */
void builder_optional(plan_builder *builder, const char *tag, kiln_span content);
/* Appends all optional sections of a plan, known or not. */
void builder_keep_optional(plan_builder *builder, const kiln_plan *plan);
/* Begins a builder, and takes over all records of an open plan. */
void builder_copy(plan_builder *builder, const kiln_plan *plan);

/* Makes room for a constant of so many bytes behind the others, and returns its offset in the
 * weights section. */
uint64_t builder_constant(plan_builder *builder, uint64_t bytes);
/* The length of the weights section: all constants, and the margin behind the last that kernels may
 * read. */
uint64_t builder_weight_bytes(const plan_builder *builder);

/* Sets the header's sections, but for checksums and the weights' size. Sizes of sections do not
 * change any more; their content may. */
void builder_lay_out(plan_builder *builder);

/* Where a plan's bytes go, in order. */
typedef kiln_status (*plan_sink)(void *context, const void *data, size_t size, kiln_error *error);
/* A sink that appends to a file_writer, its context. */
kiln_status builder_to_file(void *context, const void *data, size_t size, kiln_error *error);
kiln_status builder_zeros(plan_sink write, void *context, uint64_t count, kiln_error *error);
/* Completes the header for a plan with a weights section of so many bytes, and writes all that lies
 * before it. */
kiln_status builder_write(plan_builder *builder, uint64_t weight_bytes, plan_sink write,
                          void *context, kiln_error *error);

#endif
