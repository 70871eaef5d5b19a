/* Tensors: shapes, and the elements of constants. */
#include "compiler/graph/graph.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

bool tensor_is_constant(const tensor *t) {
    return t != NULL && t->data != NULL;
}

int64_t tensor_elements(const tensor *t) {
    int64_t count = 1;
    for (uint32_t k = 0; k < t->rank; k++) {
        count *= t->dims[k];
    }
    return count;
}

static bool is_batched_dim(int64_t dim) {
    return dim > 0 && dim % GRAPH_BATCH == 0;
}

bool tensor_is_batched(const graph *g, const tensor *t) {
    return g->batch_symbolic && t->shape_known && t->rank > 0 && is_batched_dim(t->dims[0]);
}

bool tensor_depends_on_batch(const tensor *t) {
    return t != NULL && t->other[0] != NULL;
}

bool tensor_same_shape(const tensor *a, const tensor *b) {
    return a->rank == b->rank &&
           (a->rank == 0 || memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0);
}

/* ---- Elements ------------------------------------------------------------------------------ */

static bool is_aligned(const tensor *t) {
    return (uintptr_t)t->data % kiln_dtype_size(t->dtype) == 0;
}

kiln_status tensor_align(const graph *g, tensor *t) {
    if (!tensor_is_constant(t) || is_aligned(t)) {
        return KILN_OK;
    }
    const void *unaligned = t->data;
    kiln_status status = tensor_allocate(g, t);
    if (status == KILN_OK) {
        memcpy(t->owned, unaligned, (size_t)tensor_elements(t) * kiln_dtype_size(t->dtype));
    }
    return status;
}

const float *tensor_f32(const tensor *t) {
    assert(t->dtype == KILN_F32 && is_aligned(t));
    return t->data;
}

const int64_t *tensor_i64(const tensor *t) {
    assert(t->dtype == KILN_I64 && is_aligned(t));
    return t->data;
}

const uint8_t *tensor_bytes(const tensor *t) {
    assert(is_aligned(t));
    return t->data;
}

float tensor_f32_at(const tensor *t, int64_t k) {
    float value;
    memcpy(&value, (const uint8_t *)t->data + (size_t)k * sizeof value, sizeof value);
    return value;
}

kiln_status tensor_allocate(const graph *g, tensor *t) {
    uint64_t elements = (uint64_t)tensor_elements(t), size = kiln_dtype_size(t->dtype);
    void *data = size == 0 || elements > SIZE_MAX / 16 / size
                     ? NULL
                     : calloc(elements > 0 ? (size_t)elements : 1, (size_t)size);
    if (data == NULL) {
        return graph_fail(g, KILN_ERROR_MEMORY, "no memory for tensor '%s' of %llu elements",
                          t->name, (unsigned long long)elements);
    }
    tensor_release(t);
    t->data = t->owned = data;
    return KILN_OK;
}

void tensor_release_other(tensor *t) {
    for (size_t other = 0; other < GRAPH_OTHER_BATCHES; other++) {
        free(t->other[other]);
        t->other[other] = NULL;
    }
}

void tensor_release(tensor *t) {
    free(t->owned);
    t->owned = NULL;
    t->data = NULL;
    tensor_release_other(t);
}

kiln_status tensor_copy_elements(const graph *g, const tensor *from, tensor *to) {
    size_t bytes = (size_t)tensor_elements(to) * kiln_dtype_size(to->dtype);
    memcpy(to->owned, from->data, bytes);
    for (size_t other = 0; other < GRAPH_OTHER_BATCHES && from->other[other] != NULL; other++) {
        to->other[other] = malloc(bytes + 1);
        if (to->other[other] == NULL) {
            return graph_fail(g, KILN_ERROR_MEMORY, "out of memory");
        }
        memcpy(to->other[other], from->other[other], bytes);
    }
    return KILN_OK;
}

/* ---- Shapes -------------------------------------------------------------------------------- */

static kiln_status shape_fail(const graph *g, const node *n, const tensor *t, const char *what) {
    return n != NULL ? node_fail(g, n, KILN_ERROR_UNSUPPORTED, "tensor '%s' has %s", t->name, what)
                     : graph_fail(g, KILN_ERROR_UNSUPPORTED, "tensor '%s' has %s", t->name, what);
}

kiln_status tensor_set_shape(const graph *g, const node *n, tensor *t, uint32_t rank,
                             const int64_t *dims) {
    if (rank > KILN_MAX_RANK) {
        return shape_fail(g, n, t, "more than 8 dimensions");
    }
    /* The limit is for one sample: a batch that is left open does not count. With it, elements stay
     * below GRAPH_MAX_ELEMENTS * GRAPH_BATCH, within 63 bits. */
    bool batched = false;
    int64_t room = GRAPH_MAX_ELEMENTS;
    for (uint32_t k = 0; k < rank; k++) {
        bool has_batch = g->batch_symbolic && !batched && is_batched_dim(dims[k]);
        int64_t dim = has_batch ? dims[k] / GRAPH_BATCH : dims[k];
        batched = batched || has_batch;
        if (dim < 0) {
            return shape_fail(g, n, t, "a negative dimension");
        }
        if (dim > room) {
            return shape_fail(g, n, t, "more than 2^40 elements");
        }
        room = dim == 0 ? room : room / dim;
    }
    t->rank = rank;
    for (uint32_t k = 0; k < KILN_MAX_RANK; k++) {
        t->dims[k] = k < rank ? dims[k] : 0;
    }
    t->shape_known = true;
    return KILN_OK;
}

const char *tensor_shape_text(const tensor *t, char *buffer, size_t size) {
    if (!t->shape_known || t->rank == 0) {
        snprintf(buffer, size, "%s", t->shape_known ? "scalar" : "?");
        return buffer;
    }
    size_t used = 0;
    for (uint32_t k = 0; k < t->rank && used < size; k++) {
        const char *cross = k == 0 ? "" : "x";
        int64_t dim = t->dims[k];
        int length;
        if (dim == GRAPH_BATCH) {
            length = snprintf(buffer + used, size - used, "%sN", cross);
        } else if (is_batched_dim(dim)) {
            length = snprintf(buffer + used, size - used, "%s%lldN", cross,
                              (long long)(dim / GRAPH_BATCH));
        } else {
            length = snprintf(buffer + used, size - used, "%s%lld", cross, (long long)dim);
        }
        used += length > 0 ? (size_t)length : 0;
    }
    return buffer;
}
