/* Fuzz target: MNIST's IDX files, plain and compressed. Odd first bytes: the labels are the input.
 */
#include "compiler/cli/data/data.h"
#include "tests/fuzz/fuzz.h"

#include <zlib.h>

enum { COUNT = 6, SIDE = 4, IMAGES = 16 + COUNT * SIDE * SIDE, LABELS = 8 + COUNT };

static const uint8_t image_header[16] = {0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, SIDE, 0, 0, 0, SIDE};
static const uint8_t labels[LABELS] = {0, 0, 8, 1, 0, 0, 0, COUNT, 0, 1, 0, 1, 0, 1};

static void write_file(const char *name, const void *data, size_t size, char path[100]) {
    snprintf(path, 100, "%s/%s", fuzz_folder(), name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[100];
    uint8_t images[IMAGES] = {0};
    data_set set;
    kiln_error error = {0};
    const data_options options = {.validation = 0.3, .seed = 1};
    bool swapped = size > 0 && data[0] % 2 == 1;
    memcpy(images, image_header, sizeof image_header);
    data += size > 0;
    size -= size > 0;
    write_file("x-labels-idx1-ubyte", swapped ? data : labels, swapped ? size : sizeof labels,
               path);
    write_file("x-images-idx3-ubyte", swapped ? images : data, swapped ? sizeof images : size,
               path);
    if (data_open(path, &options, &set, &error) != KILN_OK) {
        fuzz_expect_message(&error);
    }
    data_free(&set);
    return 0;
}

/* As gzip has it. */
static size_t compress_file(const uint8_t *data, size_t size, uint8_t *out, size_t room) {
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return 0;
    }
    z.next_in = (uint8_t *)(uintptr_t)data;
    z.avail_in = (unsigned)size;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    bool good = deflate(&z, Z_FINISH) == Z_STREAM_END;
    size_t written = z.total_out;
    (void)deflateEnd(&z);
    return good ? written : 0;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    uint8_t images[IMAGES] = {0};
    memcpy(images, image_header, sizeof image_header);
    for (size_t p = sizeof image_header; p < IMAGES; p++) {
        images[p] = (uint8_t)(p * 31);
    }
    const uint8_t *data = k % 2 == 0 ? images : labels;
    size_t size = k % 2 == 0 ? IMAGES : LABELS;
    if (k > 3 || room < size + 200) {
        return 0;
    }
    out[0] = (uint8_t)(k % 2);
    if (k < 2) {
        memcpy(out + 1, data, size);
        return size + 1;
    }
    return 1 + compress_file(data, size, out + 1, room - 1);
}

size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    (void)room;
    if (state != NULL) {
        bytes[fuzz_random(state) % (size < 17 ? size : 17)] = (uint8_t)fuzz_word(state);
    }
    return size;
}
