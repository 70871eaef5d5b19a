/* The least that an app does with a network of one f32 input and one f32 output: runs it on noise,
 * and writes what comes out. Linked with all of the runtime, and with the kernels of a list alone.
 *   app NET.plan >OUTPUT.f32 */
#include <kiln/kiln.h>

#include <stdio.h>
#include <stdlib.h>

static kiln_status run(const kiln_plan *plan, kiln_session *session, kiln_error *error) {
    kiln_tensor_info in, out;
    kiln_status status = kiln_plan_input(plan, 0, &in);
    status = status == KILN_OK ? kiln_plan_output(plan, 0, &out) : status;
    float *x = status == KILN_OK ? malloc(in.bytes) : NULL;
    float *y = status == KILN_OK ? malloc(out.bytes) : NULL;
    if (x == NULL || y == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "no memory for input and output");
    } else {
        uint32_t state = 1;
        for (size_t k = 0; k < in.bytes / sizeof *x; k++) {
            state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
            x[k] = (float)(state >> 8) / (float)(1u << 23) - 1;
        }
        const kiln_buffer inputs[] = {{x, in.bytes}}, outputs[] = {{y, out.bytes}};
        status = kiln_session_run(session, 1, inputs, 1, outputs, 1, error);
    }
    if (status == KILN_OK && fwrite(y, 1, out.bytes, stdout) != out.bytes) {
        status = kiln_fail(error, KILN_ERROR_IO, "cannot write");
    }
    free(x);
    free(y);
    return status;
}

int main(int argc, char **argv) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_error error = {.message = "usage: app NET.plan"};
    kiln_status status =
        argc == 2 ? kiln_plan_open(argv[1], NULL, &plan, &error) : KILN_ERROR_ARGUMENT;
    status = status == KILN_OK ? kiln_session_create(plan, NULL, &session, &error) : status;
    status = status == KILN_OK ? run(plan, session, &error) : status;
    if (status != KILN_OK) {
        fprintf(stderr, "app: %s\n", error.message);
    }
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return status != KILN_OK;
}
