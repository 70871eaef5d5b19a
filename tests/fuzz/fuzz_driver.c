/* Short runs of a fuzz target in any build: seeded mutations, each within ceilings of time and
 * memory.
 *
 *   TARGET COUNT [FIRST-SEED] */
#include "tests/fuzz/fuzz.h"
#include "tests/watchdog.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROOM ((size_t)1 << 18)
#define CASE_SECONDS 20              /* of processor time */
#define CASE_KILOBYTES (1536L << 10) /* of the process, sanitizers' shadows included */

static char current[64];

static void on_signal(int number) {
    (void)!write(STDERR_FILENO, current, strlen(current));
    number = number == SIGALRM || number == SIGPROF ? SIGABRT : number;
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static size_t change_bytes(uint64_t *state, uint8_t *bytes, size_t size) {
    uint64_t pick = fuzz_random(state);
    size_t at = (size_t)(fuzz_random(state) % size), length = pick / 8 % 64;
    uint32_t word = fuzz_word(state);
    length = length < size - at ? length : size - at;
    switch (pick % 8) {
    case 0:
        return size - length; /* cut */
    case 1:
        memcpy(bytes + at, &word, length < 4 ? length : 4);
        return size;
    case 2:
        memmove(bytes + at, bytes + fuzz_random(state) % (size - length + 1), length);
        return size;
    case 3:
        bytes[at] = (uint8_t)fuzz_random(state);
        return size;
    default:
        bytes[at] ^= (uint8_t)(1u << (pick / 8 % 8));
        return size;
    }
}

static size_t mutate(uint64_t *state, uint8_t *bytes, size_t size) {
    for (uint64_t changes = 1 + fuzz_random(state) % 4; changes > 0 && size > 0; changes--) {
        size = fuzz_random(state) % 2 == 0 ? fuzz_change(state, bytes, size, ROOM)
                                           : change_bytes(state, bytes, size);
    }
    return fuzz_random(state) % 4 != 0 ? fuzz_change(NULL, bytes, size, ROOM) : size;
}

int main(int argc, char **argv) {
    static uint8_t bytes[ROOM];
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned long first = argc > 2 ? strtoul(argv[2], NULL, 10) : (unsigned long)time(NULL) / 86400;
    size_t seeds = 0;
    struct rusage use;
    while (seeds < 64 && fuzz_seed(seeds, bytes, ROOM) > 0) {
        seeds++;
    }
    (void)signal(SIGABRT, on_signal);
    (void)signal(SIGSEGV, on_signal);
    (void)signal(SIGALRM, on_signal);
    (void)signal(SIGPROF, on_signal);
    for (unsigned long seed = first; seed < first + count && seeds > 0; seed++) {
        uint64_t state = seed * 7919 + 1;
        size_t size = fuzz_seed((size_t)(fuzz_random(&state) % seeds), bytes, ROOM);
        size = seed == first ? size : mutate(&state, bytes, size);
        snprintf(current, sizeof current, "seed %lu\n", seed);
        watchdog_set(CASE_SECONDS);
        (void)LLVMFuzzerTestOneInput(bytes, size);
        watchdog_set(0);
        (void)getrusage(RUSAGE_SELF, &use);
        if (use.ru_maxrss > CASE_KILOBYTES) {
            fprintf(stderr, "seed %lu: %ld KiB of memory\n", seed, use.ru_maxrss);
            return 1;
        }
    }
    printf("%lu mutations of %zu files from seed %lu\n", count, seeds, first);
    return seeds > 0 ? 0 : 1;
}
