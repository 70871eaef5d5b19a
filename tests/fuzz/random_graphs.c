/* Random networks against the operators' evaluators.
 *
 *   random_graphs [COUNT] [--seed SEED] [--all] [--print] [--write FOLDER]
 *
 * COUNT networks (2000) from SEED on, which is today's date unless given; each seed is one network.
 * --all: in all ways of compiling, not in three that the seed chooses. --print: the networks that
 * are wrong, or all without a fault when COUNT is 1. --write: the wrong ones as FOLDER/SEED.onnx.
 */
#include "tests/fuzz/random_graphs.h"
#include "tests/scratch.h"
#include "tests/watchdog.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NETWORK_SECONDS 60

typedef struct arguments {
    uint64_t count, seed;
    bool all, print;
    const char *folder;
} arguments;

/* Formatted before a network is tried: signal handlers may not. */
static char current[48];

static void on_signal(int number) {
    static const char crash[] = ": crash or hang\n";
    (void)!write(STDOUT_FILENO, current, strlen(current));
    (void)!write(STDOUT_FILENO, crash, sizeof crash - 1);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

/* 20261125 * 10^6: room for a million networks a day. */
static uint64_t todays_seed(void) {
    time_t now = time(NULL);
    struct tm day;
    (void)gmtime_r(&now, &day);
    return ((uint64_t)(day.tm_year + 1900) * 10000 + (uint64_t)(day.tm_mon + 1) * 100 +
            (uint64_t)day.tm_mday) *
           1000000;
}

static bool read_arguments(int argc, char **argv, arguments *a) {
    *a = (arguments){.count = 2000, .seed = todays_seed()};
    for (int k = 1; k < argc; k++) {
        if (strcmp(argv[k], "--all") == 0) {
            a->all = true;
        } else if (strcmp(argv[k], "--print") == 0) {
            a->print = true;
        } else if (strcmp(argv[k], "--seed") == 0 && k + 1 < argc) {
            a->seed = strtoull(argv[++k], NULL, 10);
        } else if (strcmp(argv[k], "--write") == 0 && k + 1 < argc) {
            a->folder = argv[++k];
        } else if (argv[k][0] != '-') {
            a->count = strtoull(argv[k], NULL, 10);
        } else {
            return false;
        }
    }
    return true;
}

static void try_network(const arguments *a, uint64_t seed, const char *folder, run_counts *counts) {
    generator r;
    kiln_error error = {0};
    (void)snprintf(current, sizeof current, "seed %llu", (unsigned long long)seed);
    watchdog_set(NETWORK_SECONDS);
    if (make_network(seed, &error, &r)) {
        bool good = check_network(&r, seed, folder, a->all, counts);
        if (a->print && (!good || a->count == 1)) {
            graph_dump(r.g, stdout);
        }
        if (a->folder != NULL && (!good || a->count == 1)) {
            char path[512];
            snprintf(path, sizeof path, "%s/%llu.onnx", a->folder, (unsigned long long)seed);
            (void)write_onnx(&r, path);
        }
    }
    graph_free(r.g);
    (void)fflush(stdout);
}

int main(int argc, char **argv) {
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGALRM, SIGPROF};
    arguments a;
    run_counts counts = {0};
    const char *base = getenv("TMPDIR");
    char folder[256];
    snprintf(folder, sizeof folder, "%.200s/kiln-random-XXXXXX", base != NULL ? base : "/tmp");
    if (!read_arguments(argc, argv, &a) || mkdtemp(folder) == NULL) {
        fprintf(stderr, "random_graphs [COUNT] [--seed SEED] [--all] [--print] [--write FOLDER]\n");
        return EXIT_FAILURE;
    }
    for (size_t k = 0; k < sizeof fatal / sizeof *fatal; k++) {
        (void)signal(fatal[k], on_signal);
    }
    printf("%llu networks from seed %llu\n", (unsigned long long)a.count,
           (unsigned long long)a.seed);
    for (uint64_t k = 0; k < a.count; k++) {
        try_network(&a, a.seed + k, folder, &counts);
    }
    printf("%llu networks, %llu runs: %llu wrong, %llu outputs too badly conditioned to judge\n",
           (unsigned long long)counts.graphs, (unsigned long long)counts.runs,
           (unsigned long long)counts.wrong, (unsigned long long)counts.unjudged);
    (void)scratch_remove(folder);
    return counts.wrong == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
