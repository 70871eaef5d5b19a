/* What kernels ask of their operands. */
#include "runtime/kernels/kernel.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

kiln_status kernel_fail(const kernel_call *call, kiln_error *error, const char *format, ...) {
    char detail[400];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    return kiln_fail(error, KILN_ERROR_FORMAT, "layer '%.80s' (%s): %s", call->name,
                     call->kernel->traits.name, detail);
}

bool operand_present(const operand *o) {
    return o->record != NULL;
}

bool has_input(const kernel_call *call, uint32_t k) {
    return k < call->input_count && operand_present(&call->inputs[k]);
}

bool has_output(const kernel_call *call, uint32_t k) {
    return k < call->output_count && operand_present(&call->outputs[k]);
}

void *optional_input(const kernel_call *call, uint32_t k) {
    return has_input(call, k) ? call->inputs[k].data : NULL;
}

void *optional_output(const kernel_call *call, uint32_t k) {
    return has_output(call, k) ? call->outputs[k].data : NULL;
}

bool operand_same_dims(const operand *a, const operand *b) {
    return operand_same_dims_but(a, b, UINT32_MAX);
}

bool operand_same_dims_but(const operand *a, const operand *b, uint32_t axis) {
    bool same = a->rank == b->rank && a->batched == b->batched;
    for (uint32_t k = 0; k < a->rank && same; k++) {
        same = k == axis || a->dims[k] == b->dims[k];
    }
    return same;
}

size_t operand_outer(const operand *o, uint32_t batch) {
    return o->batched ? o->outer * batch : o->outer;
}

size_t operand_dim(const operand *o, uint32_t dim, uint32_t batch) {
    return dim == 0 && o->batched ? o->dims[0] * batch : o->dims[dim];
}

bool axis_is_sound(const operand *o, uint32_t axis) {
    return axis < o->rank && !(axis == 0 && o->batched);
}

bool operand_is_dense(const operand *o) {
    return o->row_stride == o->inner;
}

bool operand_image(const operand *o, image_dims *out_dims) {
    if (o->record == NULL || o->layout != KILN_CHANNELS_LAST || o->rank < 3 || o->rank > 4) {
        return false;
    }
    bool line = o->rank == 3;
    *out_dims = (image_dims){.n = o->dims[0],
                             .h = line ? 1 : o->dims[1],
                             .w = o->dims[line ? 1 : 2],
                             .c = o->dims[o->rank - 1]};
    return true;
}

float *operand_image_row(const operand *o, size_t sample, size_t row) {
    bool line = o->rank == 3;
    size_t height = line ? 1 : o->dims[1], width = o->dims[line ? 1 : 2];
    ptrdiff_t rows = (ptrdiff_t)(sample * height + row) - (ptrdiff_t)o->first_row;
    return (float *)o->data + rows * (ptrdiff_t)(width * o->row_stride);
}

const operand *conv_addend(const kernel_call *call) {
    return has_input(call, 3) ? &call->inputs[3] : NULL;
}

const operand *conv_scale(const kernel_call *call) {
    return has_input(call, 4) ? &call->inputs[4] : NULL;
}

size_t conv_pool(const kernel_call *call) {
    return (call->step->flags & KILN_STEP_POOLED) != 0 ? 2 : 1;
}

uint64_t conv_macs(const kernel_call *call, const operand *of) {
    return of->elements * (call->inputs[1].elements / of->record->dims[1]);
}

uint64_t product_macs(const kernel_call *call) {
    const kiln_plan_tensor_record *x = call->inputs[0].record;
    return call->outputs[0].elements * x->dims[x->rank - 1];
}

/* Before each of a call's blocks. */
typedef struct kernel_block {
    struct kernel_block *next;
    size_t size;
} kernel_block;

#define BLOCK_HEAD ((size_t)64)

void *kernel_allocate(kernel_call *call, size_t size, kiln_error *error) {
    const kiln_allocator *allocator = call->host->allocator;
    kernel_block *block = allocator->allocate(allocator->context, BLOCK_HEAD + size, BLOCK_HEAD);
    if (block == NULL) {
        (void)kiln_fail(error, KILN_ERROR_MEMORY, "layer '%.80s': out of memory", call->name);
        return NULL;
    }
    *block = (kernel_block){call->blocks, BLOCK_HEAD + size};
    call->blocks = block;
    return memset((char *)block + BLOCK_HEAD, 0, size);
}

void kernel_free_all(kernel_call *call) {
    while (call->blocks != NULL) {
        const kiln_allocator *allocator = call->host->allocator;
        kernel_block *block = call->blocks;
        call->blocks = block->next;
        allocator->release(allocator->context, block, block->size);
    }
    call->state = NULL;
}

float *conv_bias(kernel_call *call, size_t floats, kiln_error *error) {
    float *bias = kernel_allocate(call, floats * sizeof *bias, error);
    if (bias != NULL && has_input(call, 2)) {
        memcpy(bias, call->inputs[2].data, call->inputs[2].elements * sizeof *bias);
    }
    return bias;
}

bool operand_broadcast(const operand *o, const operand *out, uint32_t last,
                       size_t strides[KILN_MAX_RANK]) {
    if (o->rank < last || o->rank > out->rank ||
        (o->batched && (!out->batched || o->rank != out->rank))) {
        return false;
    }
    uint32_t missing = out->rank - o->rank;
    size_t stride = 1;
    for (uint32_t k = o->rank - last; k < o->rank; k++) {
        stride *= o->dims[k];
    }
    for (uint32_t k = out->rank - last; k-- > 0;) {
        size_t dim = k < missing ? 1 : o->dims[k - missing];
        /* An unbatched operand must not have a dim of its own where the output has its batch. */
        bool spread = dim == 1 && !(k == 0 && o->batched);
        bool batch_differs = k == 0 && out->batched && !o->batched;
        if (!spread && (dim != out->dims[k] || batch_differs)) {
            return false;
        }
        strides[k] = spread ? 0 : stride;
        stride = k + 1 == out->rank ? o->row_stride : stride * dim;
    }
    return true;
}

size_t strided_offset(uint32_t rank, const size_t *dims, const size_t *strides, size_t index) {
    size_t offset = 0;
    for (uint32_t k = 0; k < rank; k++) {
        offset += index % dims[k] * strides[k];
        index /= dims[k];
    }
    return offset;
}

void kernel_read_constant(const kernel_call *call, const operand *o, size_t begin, size_t count,
                          float *out) {
    kiln_plan_widen(call->host->plan, o->record, begin, count, out);
}

/* By four floats, as calls of memcpy for a few take longer. */
void kernel_pack_panel(const float *from, size_t depth, size_t step, size_t columns,
                       size_t column_step, size_t nr, float *to) {
    for (size_t i = 0; i < depth; i++, from += step) {
        for (size_t c = 0; c < nr; c += 4, to += 4) {
            if (column_step == 1 && c + 4 <= columns) {
                memcpy(to, from + c, 4 * sizeof *to);
                continue;
            }
            if (c >= columns) {
                memset(to, 0, 4 * sizeof *to);
                continue;
            }
            for (size_t k = c; k < c + 4; k++) {
                to[k - c] = k < columns ? from[k * column_step] : 0;
            }
        }
    }
}

typedef struct range_task {
    void *context;
    void (*body)(void *context, size_t begin, size_t end);
} range_task;

static void run_range(void *context, size_t begin, size_t size) {
    const range_task *task = context;
    task->body(task->context, begin, begin + size);
}

void kernel_parallel(const kernel_call *call, size_t count, size_t grain, void *context,
                     void (*body)(void *context, size_t begin, size_t end)) {
    range_task task = {context, body};
    if (count == 0) {
        return;
    }
    size_t threads = thread_pool_threads(call->host->pool);
    size_t tile = (count + threads - 1) / threads;
    tile = tile < grain ? grain : tile;
    thread_pool_ranges(call->host->pool, run_range, &task, count, tile == 0 ? 1 : tile);
}
