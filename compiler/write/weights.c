/* The weights section. Constants are strided views of the model's data, often of a mapped file:
 * they are streamed through one chunk (permuted, denormals flushed, narrowed to f16 where asked),
 * and source pages are given back as they are consumed, so that a large model never lies in memory
 * twice. */
#include "compiler/write/writing.h"
#include "runtime/base/checksum.h"
#include <kiln/half.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_BYTES ((size_t)1 << 20)
#define RELEASE_BYTES ((size_t)1 << 20) /* smaller constants are not worth a system call */

typedef struct weight_blob {
    uint64_t hash, size, offset;
} weight_blob;

/* ---- Elements ------------------------------------------------------------------------------ */

/* Denormal weights slow arithmetic several times and change no result that matters. */
static uint32_t flush_denormal(uint32_t bits) {
    return (bits & 0x7f800000u) == 0 ? bits & 0x80000000u : bits;
}

/* Weights beyond f16's range become its largest value, not infinity. */
static uint16_t narrow(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    value = value > 65504.0f ? 65504.0f : value < -65504.0f ? -65504.0f : value;
    return kiln_f16_from_f32(value);
}

static void gather_run(uint8_t *out, const uint8_t *source, size_t count, size_t stride_bytes,
                       size_t element) {
    if (stride_bytes == element) {
        memcpy(out, source, count * element);
    } else if (element == 4) {
        for (size_t k = 0; k < count; k++) {
            memcpy(out + 4 * k, source + k * stride_bytes, 4);
        }
    } else {
        for (size_t k = 0; k < count; k++) {
            memcpy(out + element * k, source + k * stride_bytes, element);
        }
    }
}

/* In place; returns the bytes that remain. */
static size_t convert_run(uint8_t *run, size_t bytes, kiln_dtype dtype, kiln_dtype stored) {
    if (dtype != KILN_F32) {
        return bytes;
    }
    size_t count = bytes / 4;
    uint32_t *words = (uint32_t *)(void *)run;
    for (size_t k = 0; k < count; k++) {
        words[k] = flush_denormal(words[k]);
    }
    if (stored != KILN_F16) {
        return bytes;
    }
    for (size_t k = 0; k < count; k++) {
        uint16_t half = narrow(words[k]);
        memcpy(run + 2 * k, &half, 2);
    }
    return count * 2;
}

/* ---- File ---------------------------------------------------------------------------------- */

static bool same_bytes(const weight_writer *writer, uint64_t a, uint64_t b, uint64_t size) {
    uint8_t *left = writer->chunk, *right = writer->chunk + CHUNK_BYTES / 2;
    for (uint64_t done = 0; done < size;) {
        size_t part = size - done < CHUNK_BYTES / 2 ? (size_t)(size - done) : CHUNK_BYTES / 2;
        if (pread(writer->out->descriptor, left, part, (off_t)(writer->start + a + done)) !=
                (ssize_t)part ||
            pread(writer->out->descriptor, right, part, (off_t)(writer->start + b + done)) !=
                (ssize_t)part ||
            memcmp(left, right, part) != 0) {
            return false;
        }
        done += part;
    }
    return true;
}

/* ---- Streaming ----------------------------------------------------------------------------- */

typedef struct stream {
    weight_writer *writer;
    checksum_stream *hash;
    size_t filled;
    kiln_dtype dtype, stored;
    uint64_t position; /* in the file */
} stream;

static kiln_status flush_chunk(stream *s) {
    size_t bytes = convert_run(s->writer->chunk, s->filled, s->dtype, s->stored);
    checksum_add(s->hash, s->writer->chunk, bytes);
    kiln_status status =
        file_write_at(s->writer->out, s->writer->chunk, bytes, s->position, s->writer->error);
    s->position += bytes;
    s->filled = 0;
    return status;
}

static kiln_status stream_run(stream *s, const uint8_t *source, size_t count, size_t stride_bytes,
                              size_t element) {
    kiln_status status = KILN_OK;
    while (count > 0 && status == KILN_OK) {
        size_t room = (CHUNK_BYTES - s->filled) / element;
        size_t part = count < room ? count : room;
        gather_run(s->writer->chunk + s->filled, source, part, stride_bytes, element);
        s->filled += part * element;
        source += part * stride_bytes;
        count -= part;
        if (CHUNK_BYTES - s->filled < element) {
            status = flush_chunk(s);
        }
    }
    return status;
}

/* Adjacent dims that run through memory as one are merged, so that dense data is one run. */
static uint32_t merge_dims(const program_tensor *t, size_t dims[KILN_MAX_RANK],
                           size_t strides[KILN_MAX_RANK]) {
    uint32_t rank = 0;
    for (uint32_t k = 0; k < t->constant.rank; k++) {
        size_t dim = (size_t)t->constant.dims[k], stride = (size_t)t->constant.strides[k];
        if (dim == 1) {
            continue;
        }
        if (rank > 0 && strides[rank - 1] == stride * dim) {
            dims[rank - 1] *= dim;
            strides[rank - 1] = stride;
        } else {
            dims[rank] = dim;
            strides[rank++] = stride;
        }
    }
    if (rank == 0) {
        dims[0] = strides[0] = 1;
        rank = 1;
    }
    return rank;
}

static kiln_status stream_view(stream *s, const program_tensor *t) {
    const uint8_t *data = t->constant.source->data;
    size_t dims[KILN_MAX_RANK], strides[KILN_MAX_RANK], index[KILN_MAX_RANK] = {0};
    size_t element = kiln_dtype_size(t->dtype), offset = 0;
    uint32_t rank = merge_dims(t, dims, strides), last = rank - 1;
    for (;;) {
        kiln_status status =
            stream_run(s, data + offset * element, dims[last], strides[last] * element, element);
        if (status != KILN_OK) {
            return status;
        }
        uint32_t k = last;
        while (k > 0) {
            k--;
            offset += strides[k];
            if (++index[k] < dims[k]) {
                break;
            }
            offset -= strides[k] * dims[k];
            index[k] = 0;
            if (k == 0) {
                return KILN_OK;
            }
        }
        if (last == 0) {
            return KILN_OK;
        }
    }
}

/* Pages of a mapped model that have been read are not needed again: every constant is written once.
 */
static void release_source(const tensor *source) {
    size_t bytes = (size_t)tensor_elements(source) * kiln_dtype_size(source->dtype);
    if (source->owned != NULL || bytes < RELEASE_BYTES) {
        return;
    }
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)source->data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)source->data + bytes) / page * page;
    if (end > begin) {
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
}

kiln_status weight_writer_finish(weight_writer *writer) {
    static const uint8_t zeros[KILN_PLAN_WEIGHT_ALIGNMENT];
    return file_write_at(writer->out, zeros, sizeof zeros,
                         writer->start + writer->builder->constant_bytes, writer->error);
}

/* Room in the weights section for what has been written at the end of it; zeros up to the next. */
static kiln_status keep_blob(weight_writer *writer, uint64_t size, uint64_t *out_offset) {
    static const uint8_t zeros[KILN_PLAN_WEIGHT_ALIGNMENT];
    *out_offset = builder_constant(writer->builder, size);
    uint64_t end = *out_offset + size;
    return file_write_at(writer->out, zeros, (size_t)(writer->builder->constant_bytes - end),
                         writer->start + end, writer->error);
}

/* The blob of that hash and size, or the empty place where it belongs. Of several, which only who
 * looks for them will find, the first will do. */
static weight_blob *find_blob(const weight_writer *writer, uint64_t hash, uint64_t size) {
    size_t k = (size_t)hash & (writer->capacity - 1);
    while (writer->blobs[k].size != 0 &&
           (writer->blobs[k].hash != hash || writer->blobs[k].size != size)) {
        k = (k + 1) & (writer->capacity - 1);
    }
    return &writer->blobs[k];
}

/* Room for one more. */
static kiln_status grow_blobs(weight_writer *writer) {
    weight_writer grown = *writer;
    if (2 * (writer->count + 1) <= writer->capacity) {
        return KILN_OK;
    }
    grown.capacity = writer->capacity == 0 ? 64 : 2 * writer->capacity;
    grown.blobs = calloc(grown.capacity, sizeof *grown.blobs);
    if (grown.blobs == NULL) {
        return kiln_fail(writer->error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < writer->capacity; k++) {
        if (writer->blobs[k].size != 0) {
            *find_blob(&grown, writer->blobs[k].hash, writer->blobs[k].size) = writer->blobs[k];
        }
    }
    free(writer->blobs);
    *writer = grown;
    return KILN_OK;
}

static kiln_status stream_elements(stream *s, const program_tensor *t,
                                   const stored_integers *integers) {
    size_t element = kiln_dtype_size(t->dtype);
    if (integers != NULL) {
        s->dtype = s->stored = integers->dtype;
        return stream_run(s, integers->bytes, integers->size, 1, 1);
    }
    return t->constant.source != NULL
               ? stream_view(s, t)
               : stream_run(s, t->constant.data, (size_t)program_elements(t), element, element);
}

kiln_status weight_writer_add(weight_writer *writer, program_tensor *constant,
                              kiln_dtype stored_dtype, const stored_integers *integers) {
    if (writer->chunk == NULL && (writer->chunk = malloc(CHUNK_BYTES)) == NULL) {
        return kiln_fail(writer->error, KILN_ERROR_MEMORY, "out of memory");
    }
    checksum_stream hash;
    checksum_begin(&hash);
    uint64_t end = writer->builder->constant_bytes;
    stream s = {writer, &hash, 0, constant->dtype, stored_dtype, writer->start + end};
    kiln_status status = stream_elements(&s, constant, integers);
    if (status == KILN_OK && s.filled > 0) {
        status = flush_chunk(&s);
    }
    constant->checksum = checksum_end(&hash);
    if (status != KILN_OK) {
        return status;
    }
    if (constant->constant.source != NULL && integers == NULL) {
        release_source(constant->constant.source);
    }
    uint64_t size = s.position - writer->start - end;
    status = grow_blobs(writer);
    if (status != KILN_OK) {
        return status;
    }
    weight_blob *blob = find_blob(writer, constant->checksum, size);
    if (blob->size != 0 && same_bytes(writer, blob->offset, end, size)) {
        constant->weights_offset = blob->offset;
        return KILN_OK;
    }
    if (blob->size == 0 && size != 0) {
        *blob = (weight_blob){constant->checksum, size, end};
        writer->count++;
    }
    return keep_blob(writer, size, &constant->weights_offset);
}

void weight_writer_free(weight_writer *writer) {
    free(writer->blobs);
    free(writer->chunk);
}
