/* Training inside an app: a network in memory learns classes of the user's own from samples that
 * stream in; nothing touches the file system but the reading of the network here.
 *
 *   personalise BACKBONE.plan
 *
 * Two kinds of noise (fine and coarse) stand in for what a camera would give. Needs libkiln with
 * KILN_BUILD_TRAINING (the default). */
#include <stdio.h>
#include <stdlib.h>

#include <kiln/train.h>

enum { SAMPLES = 40, CLASSES = 2 };
static const char *const names[CLASSES] = {"fine", "coarse"};

/* A sample of a class, with noise of its own. */
static void take_sample(float *values, size_t count, uint32_t label, uint32_t seed) {
    uint32_t state = seed + 1;
    for (size_t i = 0; i < count; i++) {
        if (label == 0 || i % 16 == 0)
            state = state * 1664525u + 1013904223u; /* Numerical Recipes' generator */
        values[i] = (float)(state >> 8) / (float)(1u << 24) - 0.5f;
    }
}

/* Called after each epoch, in the thread that trains; an app would update its progress here. */
static int after_epoch(void *context, const kiln_epoch *epoch) {
    (void)context;
    printf("epoch %2u: loss %.4f, accuracy %.3f, validation accuracy %.3f\n", epoch->epoch,
           (double)epoch->loss, (double)epoch->accuracy, (double)epoch->validation_accuracy);
    return epoch->validation_accuracy == 1 && epoch->loss < 0.05f; /* non-zero: good enough */
}

static kiln_status learn(kiln_trainer *trainer, const kiln_tensor_info *input, float *sample,
                         kiln_error *error) {
    size_t count = input->bytes / sizeof *sample;
    for (uint32_t n = 0; n < SAMPLES; n++) {
        uint32_t label = n % CLASSES;
        take_sample(sample, count, label, n);
        /* Every fourth pair validates. The sample may be reused: what is needed is copied. */
        kiln_status status =
            kiln_trainer_add_sample(trainer, n / CLASSES % 4 == 3 ? KILN_VALIDATION : KILN_TRAINING,
                                    (kiln_span){sample, input->bytes}, label, error);
        if (status != KILN_OK)
            return status;
    }
    const kiln_train_callbacks callbacks = {.size = sizeof callbacks, .epoch = after_epoch};
    return kiln_trainer_fit(trainer, &callbacks, error);
}

/* The trained plan, opened from memory, on a sample that it has not seen. */
static kiln_status use(kiln_span bytes, float *sample, kiln_error *error) {
    kiln_plan *plan = NULL;
    kiln_session *session = NULL;
    float scores[CLASSES];
    kiln_status status = kiln_plan_open_memory(bytes, NULL, &plan, error);
    if (status == KILN_OK)
        status = kiln_session_create(plan, NULL, &session, error);
    for (uint32_t label = 0; label < CLASSES && status == KILN_OK; label++) {
        kiln_tensor_info input;
        (void)kiln_plan_input(plan, 0, &input);
        take_sample(sample, input.bytes / sizeof *sample, label, 1000 + label);
        status = kiln_session_run(session, 1, &(kiln_buffer){sample, input.bytes}, 1,
                                  &(kiln_buffer){scores, sizeof scores}, 1, error);
        if (status == KILN_OK)
            printf("a %s sample: %s %.3f, %s %.3f\n", names[label], kiln_plan_label(plan, 0),
                   (double)scores[0], kiln_plan_label(plan, 1), (double)scores[1]);
    }
    kiln_session_destroy(session);
    kiln_plan_close(plan);
    return status;
}

int main(int argc, char **argv) {
    kiln_plan *backbone = NULL;
    kiln_trainer *trainer = NULL;
    kiln_tensor_info input;
    kiln_train_options options;
    kiln_error error;
    void *trained = NULL;
    size_t size = 0;
    float *sample = NULL;
    if (argc != 2) {
        fprintf(stderr, "usage: personalise BACKBONE.plan\n");
        return EXIT_FAILURE;
    }
    kiln_train_options_init(&options);
    options.class_count = CLASSES;
    options.class_names = names;
    options.epochs = 30;
    options.learning_rate = 0.01f; /* few samples: larger steps than the default */
    kiln_status status = kiln_plan_open(argv[1], NULL, &backbone, &error);
    if (status == KILN_OK)
        status = kiln_plan_input(backbone, 0, &input);
    if (status == KILN_OK)
        status = kiln_trainer_create(backbone, &options, &trainer, &error);
    if (status == KILN_OK) {
        sample = malloc(input.bytes);
        if (sample == NULL) {
            status = KILN_ERROR_MEMORY;
            (void)snprintf(error.message, sizeof error.message, "out of memory");
        } else {
            status = learn(trainer, &input, sample, &error);
        }
    }
    if (status == KILN_OK)
        status = kiln_trainer_save_memory(trainer, &trained, &size, &error);
    if (status == KILN_OK)
        status = use((kiln_span){trained, size}, sample, &error);
    if (status != KILN_OK)
        fprintf(stderr, "personalise: %s\n", error.message);
    free(sample);
    kiln_free(trained);
    kiln_trainer_destroy(trainer);
    kiln_plan_close(backbone);
    return status == KILN_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
