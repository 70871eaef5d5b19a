/* What the files of compiler/write/ share. */
#ifndef KILN_COMPILER_WRITING_H
#define KILN_COMPILER_WRITING_H

#include "compiler/write/write.h"
#include "runtime/plan/builder.h"

/* The builder's strings, each text once. */
typedef struct string_table {
    plan_builder *builder;
    uint32_t *slots; /* open addressing; offset, 0 = empty */
    size_t slot_count, used;
} string_table;

/* Returns the text's offset; NULL and "" are 0. */
uint32_t string_table_add(string_table *table, const char *text);
void string_table_free(string_table *table);

/* The weights section, written first and in order, from file position `start`. */
typedef struct weight_writer {
    file_writer *out;
    plan_builder *builder;
    uint64_t start;
    struct weight_blob *blobs; /* written so far, by hash: open addressing; size 0 is empty */
    size_t count, capacity;
    uint8_t *chunk;
    kiln_error *error;
} weight_writer;

/* integers.c: a constant as integers, to be free()d; as a plan has them (stored_axis in
 * plan_format.h). False: it is to be stored as f32. */
typedef struct stored_integers {
    kiln_dtype dtype;
    uint16_t axis;
    uint8_t *bytes;
    size_t size;
} stored_integers;
bool integers_of_constant(const program_tensor *t, stored_integers *out);

/* Streams one constant; sets its weights_offset and checksum. Elements are stored as stored_dtype
 * (F32 constants may be stored as F16), or are the integers, which may be NULL. An identical blob
 * is stored once. */
kiln_status weight_writer_add(weight_writer *writer, program_tensor *constant,
                              kiln_dtype stored_dtype, const stored_integers *integers);
/* The margin past the last constant that kernels may read. */
kiln_status weight_writer_finish(weight_writer *writer);
void weight_writer_free(weight_writer *writer);

/* check.c: opens the plan and holds it to the memory limit; fills in the report's memory. */
kiln_status check_written(const program *p, int descriptor, uint64_t bytes,
                          const kiln_compile_options *options, kiln_compile_report *inout_report,
                          kiln_error *error);

#endif
