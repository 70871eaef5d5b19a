/* libFuzzer's mutations, beside those that know the files' structure; checksums made right. */
#include "tests/fuzz/fuzz.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
    uint64_t state = seed;
    if (size < 8 || fuzz_random(&state) % 64 == 0) {
        size_t k = fuzz_random(&state) % 8, found = fuzz_seed(k, data, most);
        size = found > 0 ? found : fuzz_seed(0, data, most);
    }
    if (size == 0) {
        return LLVMFuzzerMutate(data, size, most);
    }
    size = fuzz_random(&state) % 2 == 0 ? fuzz_change(&state, data, size, most)
                                        : LLVMFuzzerMutate(data, size, most);
    return fuzz_random(&state) % 4 != 0 ? fuzz_change(NULL, data, size, most) : size;
}
