/* The resident memory of a fresh process that loads a network and runs it once, at its peak,
 * against what it should take: packed weights, other constants once, the session's own memory, and
 * the largest of the constants that are packed, which is there twice then. So a second copy of the
 * weights is seen.
 *
 *   resident_memory GENERATOR NAME [GENERATOR'S OPTIONS...] */
#include <kiln/compile.h>
#include <kiln/plan_format.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Code, the plan's records, what the C library keeps. */
#define ALLOWANCE ((uint64_t)4 << 20)
#define MEGABYTE 1048576.0

static bool spawn(char **command) {
    pid_t child = fork();
    if (child == 0) {
        (void)execv(command[0], command);
        _exit(127);
    }
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static uint64_t peak_resident(void) {
    char line[256];
    uint64_t kilobytes = 0;
    FILE *in = fopen("/proc/self/status", "r");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kilobytes = strtoull(line + 6, NULL, 10);
        }
    }
    if (in != NULL) {
        (void)fclose(in);
    }
    return kilobytes * 1024;
}

/* ---- What it should take ------------------------------------------------------------------- */

/* Whether a step reads the constant `operand` only to pack it into memory of the plan's. */
static bool is_packed(const kiln_plan_view *v, const kiln_plan_step *s, uint32_t operand) {
    kiln_conv_params params;
    if (s->kernel != KILN_KERNEL_CONV_2D || operand != 1) {
        return false;
    }
    memcpy(&params, v->params + s->params_offset, sizeof params);
    return params.groups == 1 && params.algorithm != KILN_CONV_DIRECT;
}

/* Constants that are read where they lie, or copied by a kernel; and the largest that is packed. */
static uint64_t count_constants(const kiln_plan_view *v, uint64_t *out_largest) {
    uint64_t bytes = 0;
    bool *seen = calloc(v->tensor_count + 1, sizeof *seen);
    *out_largest = 0;
    for (size_t k = 0; seen != NULL && k < v->step_count; k++) {
        const kiln_plan_step *s = &v->steps[k];
        for (uint32_t i = 0; i < s->input_count; i++) {
            uint32_t t = v->operands[s->first_operand + i];
            if (t == KILN_PLAN_NONE || v->tensors[t].place != KILN_PLACE_CONSTANT || seen[t]) {
                continue;
            }
            seen[t] = true;
            uint64_t size = kiln_plan_tensor_bytes(&v->tensors[t]);
            bool packed = is_packed(v, s, i);
            *out_largest = packed && size > *out_largest ? size : *out_largest;
            bytes += packed ? 0 : size;
        }
    }
    free(seen);
    return bytes;
}

/* ---- What it takes ------------------------------------------------------------------------- */

static bool run_once(const kiln_plan *plan, kiln_session *session) {
    kiln_tensor_info in, out;
    (void)kiln_plan_input(plan, 0, &in);
    (void)kiln_plan_output(plan, 0, &out);
    kiln_buffer from = {calloc(1, in.bytes), in.bytes}, to = {calloc(1, out.bytes), out.bytes};
    bool good = from.data != NULL && to.data != NULL &&
                kiln_session_run(session, 1, &from, 1, &to, 1, NULL) == KILN_OK;
    free(from.data);
    free(to.data);
    return good;
}

static int measure(const char *path) {
    uint64_t before = peak_resident(), largest;
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_memory_use use;
    kiln_plan_view view;
    kiln_tensor_info in;
    if (kiln_plan_open(path, NULL, &plan, NULL) != KILN_OK ||
        kiln_session_create(plan, NULL, &session, NULL) != KILN_OK || !run_once(plan, session)) {
        return 1;
    }
    uint64_t peak = peak_resident();
    (void)kiln_plan_memory(plan, NULL, &use, NULL);
    (void)kiln_plan_input(plan, 0, &in);
    kiln_plan_inspect(plan, &view);
    uint64_t packed = kiln_plan_packed_bytes(plan), others = count_constants(&view, &largest);
    uint64_t limit = before + packed + others + largest + use.total_bytes + in.bytes + ALLOWANCE;
    printf("peak %.1f MiB; of it before %.1f, packed weights %.1f, other constants %.1f, session "
           "%.1f; at most %.1f\n",
           (double)peak / MEGABYTE, (double)before / MEGABYTE, (double)packed / MEGABYTE,
           (double)others / MEGABYTE, (double)use.total_bytes / MEGABYTE, (double)limit / MEGABYTE);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return peak <= limit ? 0 : 1;
}

int main(int argc, char **argv) {
    char folder[] = "/tmp/kiln-memory-XXXXXX", model[64], plan[64];
    if (argc == 3 && strcmp(argv[1], "--measure") == 0) {
        return measure(argv[2]);
    }
    if (argc < 3 || argc > 24 || mkdtemp(folder) == NULL) {
        return 2;
    }
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    snprintf(plan, sizeof plan, "%s/model.plan", folder);
    char *generate[32] = {argv[1], argv[2], "-o", model};
    memcpy(generate + 4, argv + 3, (size_t)(argc - 3) * sizeof *argv);
    kiln_error error = {0};
    bool good = spawn(generate) && kiln_compile(model, plan, NULL, NULL, &error) == KILN_OK &&
                spawn((char *[]){"/proc/self/exe", "--measure", plan, NULL});
    printf("%s%s: %s\n", error.message, argv[2], good ? "ok" : "FAILED");
    (void)unlink(model);
    (void)unlink(plan);
    (void)rmdir(folder);
    return good ? 0 : 1;
}
