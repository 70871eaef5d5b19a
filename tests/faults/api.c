/* The C interface as a program uses it, for faults to be tried on: compiles, opens in all ways,
 * runs on two threads, trains a head, and prints where it failed.
 *
 *   api MODEL.onnx PLAN */
#include <kiln/compile.h>
#include <kiln/train.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRY(call)                                                                                  \
    if (status == KILN_OK) {                                                                       \
        status = (call);                                                                           \
    }

static kiln_status run_plan(const kiln_plan *plan, kiln_error *error) {
    kiln_session_options options;
    kiln_session *session = NULL;
    kiln_tensor_info in, out;
    kiln_session_options_init(&options);
    options.threads = 2;
    kiln_status status = kiln_plan_input(plan, 0, &in);
    TRY(kiln_plan_output(plan, 0, &out))
    TRY(kiln_session_create(plan, &options, &session, error))
    if (status != KILN_OK) {
        return status;
    }
    kiln_buffer input = {calloc(1, in.bytes), in.bytes}, output = {malloc(out.bytes), out.bytes};
    status = input.data != NULL && output.data != NULL
                 ? kiln_session_run(session, 1, &input, 1, &output, 1, error)
                 : kiln_fail(error, KILN_ERROR_MEMORY, "no memory for buffers");
    if (status == KILN_OK) {
        printf("%g\n", (double)*(float *)output.data);
    }
    free(input.data);
    free(output.data);
    kiln_session_destroy(session);
    return status;
}

/* The last two of 8 samples validate, or each in its turn. path: NULL: to memory. */
static kiln_status train_head(const kiln_plan *plan, const char *head, uint32_t folds,
                              const char *path, kiln_error *error) {
    kiln_train_options options;
    kiln_trainer *trainer = NULL;
    kiln_tensor_info in;
    kiln_train_options_init(&options);
    options.class_count = 2;
    options.epochs = 2;
    options.threads = 2;
    options.folds = folds;
    kiln_status status = kiln_plan_input(plan, 0, &in);
    TRY(kiln_head_parse(head, &options.head, error))
    TRY(kiln_trainer_create(plan, &options, &trainer, error))
    float *sample = status == KILN_OK ? calloc(1, in.bytes) : NULL;
    if (status == KILN_OK && sample == NULL) {
        status = kiln_fail(error, KILN_ERROR_MEMORY, "no memory for a sample");
    }
    for (uint32_t k = 0; k < 8 && status == KILN_OK; k++) {
        sample[0] = (float)k;
        kiln_split split = k < 6 || folds > 1 ? KILN_TRAINING : KILN_VALIDATION;
        status =
            kiln_trainer_add_sample(trainer, split, (kiln_span){sample, in.bytes}, k % 2, error);
    }
    TRY(kiln_trainer_fit(trainer, NULL, error))
    float temperature;
    TRY(kiln_trainer_calibrate(trainer, &temperature, error))
    TRY(kiln_trainer_describe(trainer, "origin", "faults", error))
    TRY(kiln_trainer_attach(trainer, "NOTE", (kiln_span){"sound", 5}, error))
    if (folds == 0 && options.head.rule == KILN_RULE_DESCENT) { /* the others have no checkpoints */
        TRY(kiln_trainer_checkpoint(trainer, "tmp/api.checkpoint", error))
        TRY(kiln_trainer_resume(trainer, "tmp/api.checkpoint", error))
        (void)remove("tmp/api.checkpoint");
    }
    void *bytes = NULL;
    size_t size;
    TRY(path != NULL ? kiln_trainer_save(trainer, path, error)
                     : kiln_trainer_save_memory(trainer, &bytes, &size, error))
    kiln_free(bytes);
    free(sample);
    kiln_trainer_destroy(trainer);
    return status;
}

/* The file's bytes, and how many; from malloc. */
static void *read_all(const char *path, size_t *out_size) {
    FILE *file = fopen(path, "rb");
    void *bytes = malloc(1 << 20);
    *out_size = file != NULL && bytes != NULL ? fread(bytes, 1, 1 << 20, file) : 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    return bytes;
}

static kiln_status open_in_memory(const char *path, kiln_error *error) {
    kiln_plan *plan = NULL;
    size_t size = 0;
    void *bytes = read_all(path, &size);
    kiln_status status = size > 0
                             ? kiln_plan_open_memory((kiln_span){bytes, size}, NULL, &plan, error)
                             : kiln_fail(error, errno == ENOMEM ? KILN_ERROR_MEMORY : KILN_ERROR_IO,
                                         "%s: %s", path, strerror(errno));
    TRY(run_plan(plan, error))
    kiln_plan_close(plan);
    free(bytes);
    return status;
}

int main(int argc, char **argv) {
    kiln_plan *plan = NULL;
    kiln_error error = {0};
    if (argc != 3) {
        return 2;
    }
    char path[64] = "tmp/api.plan";
    kiln_status status = kiln_compile(argv[1], path, NULL, NULL, &error);
    TRY(open_in_memory(path, &error))
    TRY(kiln_plan_open(path, NULL, &plan, &error))
    TRY(run_plan(plan, &error))
    TRY(train_head(plan, "softmax", 0, NULL, &error))
    TRY(train_head(plan, "softmax", 3, NULL, &error))
    TRY(train_head(plan, "lda", 3, NULL, &error))
    TRY(train_head(plan, "knn", 0, argv[2], &error))
    kiln_plan_close(plan);
    (void)remove(path);
    if (status != KILN_OK) {
        fprintf(stderr, "%s: %s\n", kiln_status_name(status), error.message);
    }
    return status == KILN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
