/* The runtime alone inside a program: opens a plan, runs it once, prints the five largest results.
 *
 *   embed NET.plan [INPUT.f32]
 *
 * INPUT.f32 holds the input's numbers as raw floats in its shape's order (see `kiln inspect`);
 * without it the input is noise. Links with libkiln (and what it needs: XNNPACK, pthreadpool, libm)
 * only. */
#include <stdio.h>
#include <stdlib.h>

#include <kiln/kiln.h>

/* The same noise on every run, in [-1, 1). */
static void fill_noise(float *values, size_t count) {
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        values[i] = (float)(state >> 8) / (float)(1u << 23) - 1;
    }
}

static bool read_floats(const char *path, float *values, size_t count) {
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    bool complete = fread(values, sizeof(*values), count, file) == count && getc(file) == EOF;
    fclose(file);
    return complete;
}

/* Prints the `top` largest values; marks them as used by overwriting them. */
static void print_largest(const kiln_plan *plan, float *values, size_t count, size_t top) {
    for (size_t rank = 0; rank < top && rank < count; rank++) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++)
            if (values[i] > values[best])
                best = i;
        const char *label = kiln_plan_label(plan, best);
        printf("%6zu  %10.4f  %s\n", best, (double)values[best], label != NULL ? label : "");
        values[best] = -__builtin_inff();
    }
}

static int fail(const char *what) {
    fprintf(stderr, "embed: %s\n", what);
    return EXIT_FAILURE;
}

/* One run of a network with one f32 input and (at least) one f32 output. */
static int run(const kiln_plan *plan, kiln_session *session, const char *input_path) {
    int result = EXIT_FAILURE;
    kiln_tensor_info in, out;
    kiln_error error;
    if (kiln_plan_input_count(plan) != 1 || kiln_plan_output_count(plan) != 1 ||
        kiln_plan_input(plan, 0, &in) != KILN_OK || kiln_plan_output(plan, 0, &out) != KILN_OK ||
        in.dtype != KILN_F32 || out.dtype != KILN_F32)
        return fail("this example runs networks with one f32 input and one f32 output");

    float *input = malloc(in.bytes), *output = malloc(out.bytes);
    if (input == NULL || output == NULL) {
        result = fail("out of memory");
        goto cleanup;
    }
    if (input_path == NULL) {
        fill_noise(input, in.bytes / sizeof(*input));
    } else if (!read_floats(input_path, input, in.bytes / sizeof(*input))) {
        fprintf(stderr, "embed: %s: expected a file of exactly %zu bytes\n", input_path, in.bytes);
        goto cleanup;
    }
    const kiln_buffer inputs[] = {{input, in.bytes}}, outputs[] = {{output, out.bytes}};
    if (kiln_session_run(session, 1, inputs, 1, outputs, 1, &error) != KILN_OK) {
        result = fail(error.message);
        goto cleanup;
    }
    print_largest(plan, output, out.bytes / sizeof(*output), 5);
    result = EXIT_SUCCESS;

cleanup:
    free(input);
    free(output);
    return result;
}

int main(int argc, char **argv) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    kiln_error error;
    int result = EXIT_FAILURE;
    if (argc < 2 || argc > 3)
        return fail("usage: embed NET.plan [INPUT.f32]");
    if (kiln_plan_open(argv[1], NULL, &plan, &error) != KILN_OK ||
        kiln_session_create(plan, NULL, &session, &error) != KILN_OK)
        fail(error.message);
    else
        result = run(plan, session, argc == 3 ? argv[2] : NULL);
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return result;
}
