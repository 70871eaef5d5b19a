/* The ONNX backend test suite through compiled plans.
 *
 *   conformance DATA REFUSED.txt [--update]
 *
 * Every case of DATA/{node,pytorch-converted,pytorch-operator,simple} is compiled, run and compared
 * at the suite's tolerance (rtol 1e-3, atol 1e-7), each in a process of its own. It passes, or is
 * refused with a message that names what is not supported, or fails. The refusals must be those
 * listed in REFUSED.txt, one a line: case, tab, reason. A failure, a refusal that is not listed or
 * a listed one that passes makes the exit status 1; --update writes the list anew instead. */
#include "compiler/compile.h"
#include "tests/watchdog.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_CASES 4096
#define CASE_SECONDS 60

static const char *const folders[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};
enum { FOLDERS = sizeof folders / sizeof *folders };

typedef enum outcome { PASSED, REFUSED, FAILED } outcome;

typedef struct result {
    outcome outcome;
    char message[sizeof((kiln_error *)NULL)->message];
} result;

typedef struct refusals {
    char *names[MAX_CASES];
    bool seen[MAX_CASES];
    size_t count;
} refusals;

/* ---- One case ------------------------------------------------------------------------------ */

static result verify_set(const char *model, const char *data) {
    kiln_verify_options options = {.size = sizeof options,
                                   .data_folder = data,
                                   .outputs_only = true,
                                   .relative = 1e-3,
                                   .absolute = 1e-7};
    kiln_verify_report report;
    kiln_error error = {0};
    result r = {.outcome = PASSED};
    kiln_status status = kiln_verify(model, &options, &report, &error);
    if (status == KILN_OK && report.outputs_compared == 0) {
        status = kiln_fail(&error, KILN_ERROR_MISMATCH, "no output was compared");
    }
    if (status != KILN_OK) {
        /* A bad argument: data that do not fit the model, as of some bfloat16 cases. */
        r.outcome =
            status == KILN_ERROR_UNSUPPORTED || status == KILN_ERROR_ARGUMENT ? REFUSED : FAILED;
        const char *after_path = strstr(error.message, ".onnx: ");
        const char *text = after_path != NULL ? after_path + 7 : error.message;
        snprintf(r.message, sizeof r.message, "%s", text);
    }
    return r;
}

/* A model that cannot be imported is refused before its data, which may be of other kinds, are
 * read. */
static result verify_model(const char *model) {
    kiln_error error = {0};
    result r = {.outcome = PASSED};
    kiln_compile_options options;
    kiln_compile_options_init(&options);
    file_writer out;
    kiln_status status = file_begin_scratch(&out, &error);
    if (status == KILN_OK) {
        status = file_end(&out, compile_to(&out, model, &options, NULL, &error), &error);
    }
    bool refused = status == KILN_ERROR_UNSUPPORTED &&
                   strstr(error.message, "must be known when compiling") == NULL;
    if (refused) {
        const char *after_path = strstr(error.message, ".onnx: ");
        r.outcome = REFUSED;
        snprintf(r.message, sizeof r.message, "%s",
                 after_path != NULL ? after_path + 7 : error.message);
    }
    return r;
}

static result run_case(const char *folder) {
    char model[1100], data[1200];
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    result r = verify_model(model);
    for (int set = 0; r.outcome == PASSED; set++) {
        snprintf(data, sizeof data, "%s/test_data_set_%d", folder, set);
        if (access(data, F_OK) != 0) {
            if (set == 0) {
                r = (result){FAILED, "no data"};
            }
            break;
        }
        r = verify_set(model, data);
    }
    return r;
}

/* In a child, so that a crash or a hang is one case's failure. */
static result run_guarded(const char *folder) {
    int ends[2];
    result r = {.outcome = FAILED};
    if (pipe(ends) != 0) {
        return r;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        watchdog_set(CASE_SECONDS);
        r = run_case(folder);
        _exit(write(ends[1], &r, sizeof r) == (ssize_t)sizeof r ? 0 : 1);
    }
    (void)close(ends[1]);
    bool told = child > 0 && read(ends[0], &r, sizeof r) == (ssize_t)sizeof r;
    (void)close(ends[0]);
    int status = 0;
    if (child > 0) {
        (void)waitpid(child, &status, 0);
    }
    if (!told || status != 0) {
        r.outcome = FAILED;
        snprintf(r.message, sizeof r.message, "crash or hang (wait status %d)", status);
    }
    return r;
}

/* ---- The list ------------------------------------------------------------------------------ */

static void read_refusals(const char *path, refusals *list) {
    FILE *file = fopen(path, "r");
    char line[1024];
    while (file != NULL && list->count < MAX_CASES && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\t\n")] = '\0';
        if (line[0] != '\0' && line[0] != '#') {
            list->names[list->count++] = strdup(line);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static bool is_listed(refusals *list, const char *name) {
    for (size_t k = 0; k < list->count; k++) {
        if (strcmp(list->names[k], name) == 0) {
            list->seen[k] = true;
            return true;
        }
    }
    return false;
}

/* ---- All cases ----------------------------------------------------------------------------- */

/* Data that contradict the operator's text and ONNX Runtime. */
static const char *const left_out[] = {
    /* align_corners with a scaled length that is no whole number: they count the fraction, against
     * PyTorch, too. ONNX Runtime's list of exceptions has them. */
    "test_resize_downsample_scales_cubic_align_corners",
    "test_resize_downsample_scales_linear_align_corners",
    /* The average counts cells beyond the input, which no padding has made. */
    "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True",
    /* What is below -128 wraps round to positive numbers. */
    "test_qlinearmatmul_2D_int8_float16",
    "test_qlinearmatmul_2D_int8_float32",
    "test_qlinearmatmul_3D_int8_float16",
    "test_qlinearmatmul_3D_int8_float32",
};

static int is_case(const struct dirent *entry) {
    for (size_t k = 0; k < sizeof left_out / sizeof *left_out; k++) {
        if (strcmp(entry->d_name, left_out[k]) == 0) {
            return 0;
        }
    }
    return strncmp(entry->d_name, "test_", 5) == 0;
}

static size_t run_folder(const char *data, const char *folder, refusals *list, FILE *update,
                         size_t counts[3]) {
    char path[512];
    struct dirent **entries = NULL;
    size_t wrong = 0;
    snprintf(path, sizeof path, "%s/%s", data, folder);
    int count = scandir(path, &entries, is_case, alphasort);
    for (int k = 0; k < count; k++) {
        char name[400], full[1024];
        snprintf(name, sizeof name, "%s/%s", folder, entries[k]->d_name);
        snprintf(full, sizeof full, "%s/%s", data, name);
        result r = run_guarded(full);
        counts[r.outcome]++;
        bool listed = is_listed(list, name);
        if (r.outcome == FAILED) {
            printf("FAILED  %s: %s\n", name, r.message);
            wrong++;
        } else if (update != NULL && r.outcome == REFUSED) {
            fprintf(update, "%s\t%s\n", name, r.message);
        } else if (update == NULL && listed != (r.outcome == REFUSED)) {
            printf("%s %s: %s\n",
                   listed ? "PASSED though listed as refused" : "REFUSED, not listed", name,
                   r.message);
            wrong++;
        }
        free(entries[k]);
    }
    free(entries);
    return wrong;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: conformance DATA REFUSED.txt [--update]\n");
        return 2;
    }
    static refusals list;
    bool updates = argc > 3 && strcmp(argv[3], "--update") == 0;
    read_refusals(argv[2], &list);
    FILE *update = updates ? fopen(argv[2], "w") : NULL;
    if (updates && update == NULL) {
        perror(argv[2]);
        return 2;
    }
    size_t wrong = 0, totals[3] = {0};
    printf("%-20s %8s %8s %8s\n", "folder", "passed", "refused", "failed");
    for (int f = 0; f < FOLDERS; f++) {
        size_t counts[3] = {0};
        wrong += run_folder(argv[1], folders[f], &list, update, counts);
        printf("%-20s %8zu %8zu %8zu\n", folders[f], counts[PASSED], counts[REFUSED],
               counts[FAILED]);
        for (int k = 0; k < 3; k++) {
            totals[k] += counts[k];
        }
    }
    printf("%-20s %8zu %8zu %8zu\n", "all", totals[PASSED], totals[REFUSED], totals[FAILED]);
    for (size_t k = 0; k < list.count; k++) {
        if (!list.seen[k] && !updates) {
            printf("listed, but no such case: %s\n", list.names[k]);
            wrong++;
        }
        free(list.names[k]);
    }
    bool closed = update == NULL || fclose(update) == 0;
    return wrong == 0 && closed && totals[PASSED] > 0 ? 0 : 1;
}
