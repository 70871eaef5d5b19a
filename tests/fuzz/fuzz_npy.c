/* Fuzz target: values, as NumPy's .npy and as TensorProto. */
#include "tests/fuzz/fuzz.h"

#include <kiln/compile.h>

/* The loader tells the form by the name. */
static void load(const char *name, const uint8_t *data, size_t size) {
    char path[80];
    kiln_value *value = NULL;
    kiln_error error = {0};
    snprintf(path, sizeof path, "%s/%s", fuzz_folder(), name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
    if (kiln_value_load(path, &value, &error) != KILN_OK) {
        fuzz_expect_message(&error);
    }
    kiln_value_free(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    bool is_npy = size > 1 && data[0] == 0x93;
    load(is_npy ? "a.npy" : "a.pb", data, size);
    return 0;
}

static size_t make_npy(const char *type, uint8_t *out, size_t room) {
    char header[128];
    int length = snprintf(header, sizeof header,
                          "{'descr': '%s', 'fortran_order': False, 'shape': (2, 3), }", type);
    memset(header + length, ' ', sizeof header - (size_t)length);
    static const uint8_t start[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0x76, 0};
    const size_t bytes = 118, data = 48; /* of the text, and at most of the numbers */
    if (room < 10 + bytes + data) {
        return 0;
    }
    header[bytes - 1] = '\n';
    memcpy(out, start, sizeof start);
    memcpy(out + 10, header, bytes);
    memset(out + 10 + bytes, 1, data);
    int size = (type[2] - '0') * 6;
    return 10 + bytes + (size_t)size;
}

size_t fuzz_seed(size_t k, uint8_t *out, size_t room) {
    static const char *const types[] = {"<f4", "<f8", "<f2", "<i4", "<i8", "|b1", "|u1"};
    /* dims 2 3; data_type 1; raw_data: 24 bytes */
    static const uint8_t tensor[] = {0x08, 2, 0x08, 3, 0x10, 1, 0x4a, 24, 0, 0, 0x80,
                                     0x3f, 0, 0,    0, 0,    0, 0,    0,  0, 0, 0,
                                     0,    0, 0,    0, 0,    0, 0,    0,  0, 0};
    if (k < sizeof types / sizeof *types) {
        return make_npy(types[k], out, room);
    }
    if (k > sizeof types / sizeof *types || room < sizeof tensor) {
        return 0;
    }
    memcpy(out, tensor, sizeof tensor);
    return sizeof tensor;
}

/* The header's text is where the numbers are. */
size_t fuzz_change(uint64_t *state, uint8_t *bytes, size_t size, size_t room) {
    static const char letters[] = "0123456789(),'{}:<>|fiubTrue -";
    (void)room;
    if (state != NULL) {
        bytes[fuzz_random(state) % (size < 90 ? size : 90)] =
            (uint8_t)letters[fuzz_random(state) % (sizeof letters - 1)];
    }
    return size;
}
