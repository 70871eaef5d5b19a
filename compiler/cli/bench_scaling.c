/* kiln bench --profile: what more threads are worth. Of a speed-up s on n threads, Karp and Flatt
 * ("Measuring parallel processor performance", 1990) take (1/s - 1/n) / (1 - 1/n) for the part of
 * the work that runs on one thread; with it, Amdahl's law says how far more threads can lead. A
 * machine whose threads share a core, or do other work, makes all threads slower, which its own
 * peak in the same seconds shows. */
#include "compiler/cli/bench.h"

#include <math.h>

#define STEADY 0.9 /* of as many times one thread's peak as there are threads */

const uint32_t bench_scaling_threads[2] = {4, 8};

kiln_status scaling_measure(const kiln_machine *machine, double alone, double together,
                            bench_scaling *out, kiln_error *error) {
    kiln_machine one = {0};
    double n = machine->threads;
    *out = (bench_scaling){.threads = machine->threads};
    if (machine->threads < 2) {
        return KILN_OK;
    }
    kiln_status status = kiln_machine_measure(1, &one, error);
    if (status != KILN_OK) {
        return status;
    }
    out->machine = machine->flops / one.flops;
    out->steady = out->machine >= STEADY * n;
    if (alone > 0 && together > 0) {
        out->steps = alone / together;
        out->serial = fmin(fmax((1 / out->steps - 1 / n) / (1 - 1 / n), 0), 1);
        for (size_t k = 0; k < 2; k++) {
            out->limits[k] = 1 / (out->serial + (1 - out->serial) / bench_scaling_threads[k]);
        }
    }
    return KILN_OK;
}

void scaling_print(const bench_scaling *s) {
    if (s->threads < 2) {
        return;
    }
    printf("  %u threads: %.2f times one thread's peak", s->threads, s->machine);
    if (s->steps > 0) {
        printf("; the network %.2f times as fast, %.1f%% of it does not scale: at most %.1f times "
               "on %u threads, %.1f on %u",
               s->steps, 100 * s->serial, s->limits[0], bench_scaling_threads[0], s->limits[1],
               bench_scaling_threads[1]);
    }
    printf("\n");
    if (!s->steady) {
        printf("  not a good run: the machine did not give %u threads their peak; measure again\n",
               s->threads);
    }
}

static void member(const char *name, double value) {
    printf(", \"%s\": ", name);
    json_number(stdout, value);
}

void scaling_print_json(const bench_scaling *s) {
    if (s->threads < 2) {
        return;
    }
    printf(", \"scaling\": {\"steady\": %s", s->steady ? "true" : "false");
    member("machine", s->machine);
    if (s->steps > 0) {
        member("steps", s->steps);
        member("serial", s->serial);
        member("limit_4", s->limits[0]);
        member("limit_8", s->limits[1]);
    }
    putchar('}');
}
