/* Seeded mutations of small models and plans, the latter with bands: each gives a clean error or a
 * plan that runs, never a crash or a hang. Half of the plan's mutations have their checksums made
 * right again, so that what lies behind them is reached.
 *
 *   mutate onnx|plan COUNT GENERATOR [FIRST-SEED] */
#include "tests/fuzz/exercise.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/plan_mutator.h"
#include "tests/scratch.h"
#include "tests/watchdog.h"

#include <kiln/compile.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASE_SECONDS 20 /* of processor time */
#define MAX_SUBJECTS 8

static const char *const networks[] = {"squeezenet", "mobilenetv2", "googlenet", "resnet18"};
enum { NETWORKS = sizeof networks / sizeof *networks };

typedef struct subject {
    uint8_t *bytes;
    size_t size;
} subject;

static char folder[] = "/tmp/kiln-fuzz-XXXXXX";
/* Formatted before the case is tried: signal handlers may not. */
static char current_case[32];
static size_t current_case_length;

static void on_alarm(int signal_number) {
    (void)signal_number;
    static const char text[] = "a mutation hangs\n";
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    abort();
}

/* ---- Subjects ------------------------------------------------------------------------------ */

static bool generate(const char *generator, const char *network, const char *path) {
    pid_t child = fork();
    if (child == 0) {
        char *const command[] = {(char *)(uintptr_t)generator,
                                 (char *)(uintptr_t)network,
                                 "-o",
                                 (char *)(uintptr_t)path,
                                 "--width",
                                 "0.05",
                                 "--size",
                                 "64",
                                 "--classes",
                                 "8",
                                 NULL};
        (void)freopen("/dev/null", "w", stdout);
        (void)execv(generator, command);
        _exit(127);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool read_file(const char *path, subject *out) {
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
        return false;
    }
    out->size = (size_t)ftell(file);
    rewind(file);
    out->bytes = malloc(out->size + 1);
    bool good = out->bytes != NULL && fread(out->bytes, 1, out->size, file) == out->size;
    (void)fclose(file);
    return good;
}

static bool write_file(const char *path, const uint8_t *bytes, size_t size) {
    FILE *file = fopen(path, "wb");
    bool good = file != NULL && fwrite(bytes, 1, size, file) == size;
    return file != NULL && fclose(file) == 0 && good;
}

static bool make_subject(const char *generator, const char *network, bool plans, subject *out) {
    char model[64], plan[64];
    kiln_error error;
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    options.memory = KILN_MEMORY_MIN; /* bands and rolling rows, to be damaged, too */
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    snprintf(plan, sizeof plan, "%s/model.plan", folder);
    if (!generate(generator, network, model)) {
        return false;
    }
    return plans ? kiln_compile(model, plan, &options, NULL, &error) == KILN_OK &&
                       read_file(plan, out)
                 : read_file(model, out);
}

/* ---- Mutation ------------------------------------------------------------------------------ */

/* Where to change something: weights make up most of a file and matter least. */
static size_t pick_position(uint64_t *state, size_t size, bool plan) {
    size_t interesting = plan && size > 32768 ? 16384 : size;
    return (size_t)(fuzz_random(state) % (fuzz_random(state) % 4 != 0 ? interesting : size));
}

static void change_bytes(uint64_t *state, uint8_t *bytes, size_t size, bool plan) {
    static const uint32_t values[] = {0,    1,      2,          0x7f,       0x80,
                                      0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
    size_t at = pick_position(state, size, plan);
    uint32_t word = values[fuzz_random(state) % (sizeof values / sizeof *values)];
    switch (fuzz_random(state) % 4) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << (fuzz_random(state) % 8));
        break;
    case 1:
        bytes[at] = (uint8_t)fuzz_random(state);
        break;
    case 2:
        at -= at % 4;
        if (at + 4 <= size) {
            memcpy(bytes + at, &word, 4);
        }
        break;
    default: {
        size_t from = pick_position(state, size, plan), length = fuzz_random(state) % 64;
        length = length < size - at ? length : size - at;
        length = length < size - from ? length : size - from;
        memmove(bytes + at, bytes + from, length);
    }
    }
}

static size_t mutate(uint64_t *state, uint8_t *bytes, size_t size, bool plan) {
    if (fuzz_random(state) % 8 == 0) {
        return (size_t)(fuzz_random(state) % size);
    }
    if (plan && fuzz_random(state) % 3 == 0) {
        for (uint64_t changes = 1 + fuzz_random(state) % 3; changes > 0; changes--) {
            plan_change_schedule(state, bytes, size);
        }
        if (fuzz_random(state) % 4 == 0) {
            plan_change_container(state, bytes, size);
        }
        plan_repair(bytes, size);
        return size;
    }
    for (uint64_t changes = 1 + fuzz_random(state) % 6; changes > 0; changes--) {
        change_bytes(state, bytes, size, plan);
    }
    if (plan && fuzz_random(state) % 2 == 0) {
        plan_repair(bytes, size);
    }
    return size;
}

/* ---- Cases --------------------------------------------------------------------------------- */

/* Returns whether it ran. */
static bool try_plan(const uint8_t *bytes, size_t size, bool repaired) {
    kiln_plan *plan = NULL;
    kiln_error error = {0};
    kiln_plan_options options = {.size = sizeof options, .skip_weight_checksums = repaired};
    bool ran = false;
    if (kiln_plan_open_memory((kiln_span){bytes, size}, &options, &plan, &error) == KILN_OK) {
        ran = exercise_plan(plan);
        kiln_plan_close(plan);
    } else if (error.message[0] == '\0') {
        fprintf(stderr, "an error without a message\n");
        abort();
    }
    return ran;
}

static bool try_model(const uint8_t *bytes, size_t size) {
    char model[64], path[64];
    kiln_error error = {0};
    kiln_plan *plan = NULL;
    bool ran = false;
    snprintf(model, sizeof model, "%s/mutant.onnx", folder);
    snprintf(path, sizeof path, "%s/mutant.plan", folder);
    if (!write_file(model, bytes, size)) {
        return false;
    }
    if (kiln_compile(model, path, NULL, NULL, &error) != KILN_OK) {
        if (error.message[0] == '\0' || access(path, F_OK) == 0) {
            fprintf(stderr, "an error without a message, or a plan in spite of one\n");
            abort();
        }
        return false;
    }
    if (kiln_plan_open(path, NULL, &plan, &error) != KILN_OK) {
        fprintf(stderr, "the compiler's own plan is refused: %s\n", error.message);
        abort();
    }
    ran = exercise_plan(plan);
    kiln_plan_close(plan);
    (void)unlink(path);
    return ran;
}

static void on_abort(int signal_number) {
    (void)!write(STDERR_FILENO, current_case, current_case_length);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

int main(int argc, char **argv) {
    if (argc < 4 || mkdtemp(folder) == NULL) {
        fprintf(stderr, "usage: mutate onnx|plan COUNT GENERATOR [FIRST-SEED]\n");
        return 2;
    }
    bool plans = strcmp(argv[1], "plan") == 0;
    unsigned long count = strtoul(argv[2], NULL, 10);
    unsigned long first = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;
    subject subjects[MAX_SUBJECTS];
    size_t made = 0, ran = 0;
    for (size_t k = 0; k < NETWORKS; k++) {
        made += make_subject(argv[3], networks[k], plans, &subjects[made]);
    }
    (void)signal(SIGABRT, on_abort);
    (void)signal(SIGALRM, on_alarm);
    (void)signal(SIGPROF, on_alarm);
    for (unsigned long seed = first; seed < first + count && made > 0; seed++) {
        const subject *s = &subjects[seed % made];
        uint64_t state = seed * 7919 + 1;
        uint8_t *copy = aligned_alloc(64, (s->size + 63) / 64 * 64);
        current_case_length =
            (size_t)snprintf(current_case, sizeof current_case, "seed %lu\n", seed);
        memcpy(copy, s->bytes, s->size);
        size_t size = mutate(&state, copy, s->size, plans);
        watchdog_set(CASE_SECONDS);
        if (plans) {
            /* Exactly as many bytes as there are, so that an overread shows. */
            uint8_t *exact = malloc(size + 1);
            memcpy(exact, copy, size);
            ran += try_plan(exact, size, seed % 2 == 0);
            free(exact);
        } else {
            ran += try_model(copy, size);
        }
        watchdog_set(0);
        free(copy);
    }
    for (size_t k = 0; k < made; k++) {
        free(subjects[k].bytes);
    }
    (void)scratch_remove(folder);
    printf("%lu mutations of %zu files: %zu ran, %lu clean errors\n", count, made, ran,
           count - ran);
    return made == NETWORKS && ran > 0 && ran < count ? 0 : 1;
}
