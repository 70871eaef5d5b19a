/* kiln train: the order of things. Options are train_options.c. */
#include "compiler/cli/cli.h"
#include "compiler/cli/people/trained.h"
#include "compiler/cli/train/train_options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- After training ------------------------------------------------------------------------ */

/* The plan remembers which detector found its faces, and holds it where it is to, or where the
 * network held it already. */
static kiln_status attach_detector(training *t, kiln_error *error) {
    const face_detector *d = &t->subjects.detector;
    if (!subjects_are_faces(&t->subjects)) {
        return KILN_OK;
    }
    bool bundled = t->bundle || d->own_bytes == NULL;
    kiln_status status = kiln_trainer_attach(t->trainer, KILN_PLAN_DETECTOR,
                                             (kiln_span){&d->record, sizeof d->record}, error);
    return status == KILN_OK ? kiln_trainer_attach(t->trainer, KILN_PLAN_DETECTOR_PLAN,
                                                   bundled ? d->bytes : (kiln_span){NULL, 0}, error)
                             : status;
}

static kiln_status describe(training *t, kiln_error *error) {
    char text[64];
    kiln_status status = attach_detector(t, error);
    snprintf(text, sizeof text, "%.6g", (double)t->temperature);
    if (status == KILN_OK) {
        status = kiln_trainer_describe(t->trainer, "temperature", text, error);
    }
    if (status == KILN_OK && t->results.count > 0) {
        snprintf(text, sizeof text, "%.4f", metrics_accuracy(&t->results));
        status = kiln_trainer_describe(t->trainer, "validation_accuracy", text, error);
    }
    if (status == KILN_OK && t->has_threshold) {
        snprintf(text, sizeof text, "%.6f", t->same_threshold);
        status = kiln_trainer_describe(t->trainer, "same_threshold", text, error);
    }
    return status;
}

static void print_json(const training *t, double baseline) {
    const kiln_epoch *history;
    size_t epochs = kiln_trainer_history(t->trainer, &history);
    printf("{\"plan\": ");
    json_string(stdout, t->plan_path);
    printf(", \"training_samples\": %zu, \"features\": %zu, \"computed\": %zu, \"cached\": %zu, "
           "\"feature_seconds\": %.3f, \"epochs\": %zu, \"best_epoch\": %u, \"seconds\": %.3f, "
           "\"temperature\": %.4g, \"skipped\": %zu, \"baseline_accuracy\": ",
           kiln_trainer_sample_count(t->trainer, KILN_TRAINING),
           kiln_trainer_feature_count(t->trainer), t->features.computed, t->features.cached,
           t->features.seconds, epochs > 0 ? epochs - 1 : 0, kiln_trainer_best_epoch(t->trainer),
           t->seconds, (double)t->temperature, t->data.skipped_count);
    json_number(stdout, baseline);
    printf(", \"calibrated\": %s, \"folds\": %u, \"refitted_samples\": %zu",
           is_calibrated(t) ? "true" : "false", held_out_in_folds(t) ? t->options.folds : 0,
           kiln_trainer_refitted(t->trainer));
    printf(", \"faces\": ");
    gallery_json(&t->gallery, stdout);
    printf(", \"people\": ");
    trained_people_json(t);
    printf(", \"validation\": {");
    metrics_json(&t->results, (const char *const *)t->data.classes, stdout);
    printf("}, \"history\": [");
    for (size_t k = 0; k < epochs; k++) {
        printf("%s{\"epoch\": %u, \"loss\": ", k > 0 ? ", " : "", history[k].epoch);
        json_number(stdout, (double)history[k].loss);
        printf(", \"accuracy\": ");
        json_number(stdout, (double)history[k].accuracy);
        printf(", \"val_loss\": ");
        json_number(stdout, (double)history[k].validation_loss);
        printf(", \"val_accuracy\": ");
        json_number(stdout, (double)history[k].validation_accuracy);
        putchar('}');
    }
    printf("]}\n");
}

static void print_result(const training *t, double baseline) {
    if (t->json) {
        print_json(t, baseline);
        return;
    }
    if (t->results.count > 0) {
        printf(held_out_in_folds(t) ? "\ncross-validation" : "\nvalidation");
        printf(kiln_trainer_epochs(t->trainer) > 0 ? ", epoch %u:\n" : ":\n",
               kiln_trainer_best_epoch(t->trainer));
        metrics_print(&t->results, (const char *const *)t->data.classes, stdout);
        if (isfinite(baseline)) {
            printf("baseline %.4f (nearest neighbour by raw pixels)\n", baseline);
        }
    }
    console_outcome(t);
    gallery_print(&t->gallery, 20, stdout);
    trained_people_print(t);
    text_print(stdout, "%s written; try: kiln classify %s PICTURE\n", t->plan_path, t->plan_path);
}

/* ---- The order ----------------------------------------------------------------------------- */

static double seconds_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static kiln_status fit(training *t, kiln_error *error) {
    kiln_train_callbacks callbacks = console_callbacks(t);
    bool resumable = kiln_trainer_epochs(t->trainer) > 0 && !held_out_in_folds(t);
    if (t->resume && !resumable) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "nothing to resume: a head that is computed at once, or trained in folds, "
                         "has no checkpoints");
    }
    t->checkpoint_path = resumable || t->keep_checkpoint ? t->checkpoint_path : NULL;
    kiln_status status =
        t->resume ? kiln_trainer_resume(t->trainer, t->checkpoint_path, error) : KILN_OK;
    if (status == KILN_OK) {
        const kiln_epoch *history;
        size_t done = kiln_trainer_history(t->trainer, &history);
        if (done > 0 && !t->quiet && !t->json) {
            printf("resumed after epoch %zu\n", done - 1);
        }
        double start = seconds_now();
        status = kiln_trainer_fit(t->trainer, &callbacks, error);
        t->seconds = seconds_now() - start;
    }
    if (status == KILN_OK && t->calibrate) {
        status = kiln_trainer_calibrate(t->trainer, &t->temperature, error);
    }
    return status;
}

static kiln_status save(training *t, kiln_error *error) {
    kiln_status status = held_out_measure(t, error);
    if (status == KILN_OK) {
        status = describe(t, error);
    }
    if (status == KILN_OK) {
        status = kiln_trainer_save(t->trainer, t->plan_path, error);
    }
    if (status == KILN_OK && t->history_path != NULL) {
        status = history_write(t, t->history_path, error);
    }
    if (status == KILN_OK && t->report_path != NULL) {
        status = report_write(t, t->report_path, error);
    }
    if (status == KILN_OK && !t->keep_checkpoint && t->checkpoint_path != NULL) {
        (void)unlink(t->checkpoint_path);
    }
    return status;
}

/* Before the work, which may take hours: outputs, and what data there are among them. */
static kiln_status open_data(training *t, kiln_error *error) {
    const char *outputs[] = {t->plan_path, t->history_path, t->report_path, t->checkpoint_path};
    size_t count = sizeof outputs / sizeof *outputs;
    const char *inputs[] = {t->backbone_path, t->data_path, t->strangers_path};
    kiln_status status = check_outputs(outputs, count, inputs, 3, error);
    if (status == KILN_OK && t->features_path != NULL) {
        status = extracted_open(t->part_words, t->part_word_count, &t->extracted, error);
    }
    if (status == KILN_OK) {
        status =
            t->scratch ? KILN_OK : open_plan(t->backbone_path, PACKED_NOWHERE, &t->backbone, error);
    }
    if (status == KILN_OK) {
        status = choose_head(t, error);
    }
    if (status == KILN_OK && t->strangers_path != NULL && access(t->strangers_path, R_OK) != 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "%s: %s", t->strangers_path, strerror(errno));
    }
    if (status == KILN_OK) {
        status = t->features_path != NULL
                     ? extracted_data(&t->extracted, t->labels_path, &t->split, &t->data, error)
                     : data_open(t->data_path, &t->split, &t->data, error);
    }
    choose_variants(t);
    for (size_t k = 0; k < t->data.count && status == KILN_OK; k++) {
        status = outputs_keep(outputs, count, t->data.items[k].path, error);
    }
    return status;
}

/* The samples' features: of faces where these are looked for, or what others have extracted. */
static kiln_status add_features(training *t, kiln_error *error) {
    const feature_source *s = &t->source;
    const gallery_options options = {.threads = s->threads,
                                     .use_cache = s->use_cache,
                                     .cache_folder = s->cache_folder,
                                     .strict = s->strict,
                                     .quiet = s->quiet};
    if (t->features_path != NULL) {
        return extracted_add(&t->extracted, &t->data, t->trainer, error);
    }
    kiln_status status = gallery_find(&t->subjects, &options, &t->data, &t->gallery, error);
    return status == KILN_OK ? features_add(s, &t->data, &t->features, error) : status;
}

static kiln_status train(training *t, kiln_error *error) {
    double baseline = NAN;
    kiln_status status = open_data(t, error);
    if (status == KILN_OK) {
        status = make_trainer(t, error);
    }
    if (status == KILN_OK) {
        status = add_features(t, error);
    }
    if (status == KILN_OK) { /* decoding may have left a class without pictures */
        status = data_check_classes(&t->data, error);
        data_warn_of_small_classes(&t->data);
    }
    if (status == KILN_OK) {
        status = trained_people(t, error);
    }
    if (!t->quiet) {
        console_notes(&t->data);
    }
    if (status == KILN_OK && !t->quiet && !t->json) {
        console_summary(t);
    }
    if (status == KILN_OK && t->baseline) {
        status = baseline_accuracy(&t->data, &baseline, error);
    }
    if (status == KILN_OK) {
        status = fit(t, error);
    }
    if (status == KILN_OK) {
        status = save(t, error);
    }
    if (status == KILN_OK && !t->quiet) {
        print_result(t, baseline);
    }
    return status;
}

static void release(training *t) {
    kiln_trainer_destroy(t->trainer);
    extracted_close(&t->extracted);
    free((void *)t->part_words);
    kiln_people_close(t->people);
    subjects_close(&t->subjects);
    gallery_free(&t->gallery);
    kiln_plan_close(t->backbone);
    data_free(&t->data);
    metrics_free(&t->results);
    free(t->held_items);
    free(t->default_checkpoint);
}

static int run(const command *self, int argc, char **argv) {
    training t = {0};
    kiln_error error = {0};
    int status = train_options_read(self, &t, argc, argv);
    if (status == OPTIONS_READ) {
        status = train(&t, &error) == KILN_OK ? 0 : fail(&error);
    }
    release(&t);
    return status;
}

const command command_train = {
    .name = "train",
    .summary = "train a classifier on your own pictures",
    .order = 210,
    .synopsis = "BACKBONE.plan DATA -o FACES.plan [options]\n"
                "BACKBONE.plan --features PART.npy... [--labels FILE] -o FACES.plan [options]\n"
                "--from-scratch --head HEAD DATA -o NET.plan [options]",
    .about =
        "Replaces the last dense layers of a pretrained network by a head of your own and trains "
        "it on your pictures. The rest of the network is frozen and runs once a picture; what it "
        "computes is cached, so that the next run starts training at once. The result is an "
        "ordinary plan with your classes as labels: kiln classify, evaluate, inspect, bench and "
        "export take it.\n"
        "\n"
        "With --detector (YuNet, SCRFD, RetinaFace, UltraFace, BlazeFace; weights of YuNet are "
        "under the "
        "MIT licence, those of InsightFace for research alone) the faces in the pictures are "
        "found, "
        "aligned and learnt; the plan is then for such faces, and remembers the detector or "
        "(--bundle) "
        "holds it. Nothing makes networks for faces better than that.\n"
        "\n"
        "DATA: a folder with a sub-folder of pictures (" PICTURE_FORMATS ") for each class; or an "
        "IDX file of images as MNIST has them; or samples-x.npy with samples-y.npy (labels) beside "
        "it: pictures (HxW, or with 1 or 3 channels first or last; bytes, or numbers from 0 to 1) "
        "or other numbers.\n"
        "\n"
        "With --features the network has been run already, by kiln embed --shard (see there), on "
        "any number of machines: PART.npy... are its parts, or the folder of them. The head is the "
        "one that training on the pictures would give (with --augment none), bit for bit. Rows "
        "stay in their files, so that there may be more of them than memory holds. --labels names "
        "each picture's class; "
        "without it that is the folder in which it lies. Of more than 100,000 rows a fifth "
        "validates (--folds K divides them all), and the plan knows people if --people asks for "
        "it.",
    .notes =
        "Heads: layers from input to output with commas between. UNITS:ACTIVATION is a dense layer "
        "(relu, tanh, sigmoid, linear); dropout:RATE stands before one; l2:FACTOR and "
        "maxnorm:LIMIT belong to the one before (l2:prior is 1 / (2 * pictures), as weights of "
        "variance 1 have it); the last is softmax, cosine (for embeddings), or "
        "sigmoid, tanh, linear (mse).\n"
        "\n"
        "Heads that are computed at once, for embeddings: lda (linear discriminant analysis, "
        "shrunk: the most accurate with few pictures), mean (the class whose mean is nearest), knn "
        "(that of the nearest picture; the plan keeps them all).\n"
        "\n"
        "Pictures held out choose the epoch, which may be 0, the start, and tell how often the "
        "classifier is right; it is then trained anew on all pictures. With fewer than 4 a class "
        "each is held out once, in turn; with one, a head that starts from class means stays with "
        "them.",
    .examples =
        "kiln train mobilefacenet.plan faces/ -o faces.plan --detector yunet.onnx --bundle\n"
        "kiln train vgg16.plan faces/ -o faces.plan --head 256:relu,dropout:0.5,softmax --augment "
        "all\n"
        "kiln train mobilefacenet.plan --features parts/part-*.npy --labels labels.csv -o "
        "faces.plan\n"
        "kiln train --from-scratch --head 64:tanh,softmax t10k-images-idx3-ubyte.gz \\\n"
        "    -o digits.plan --optimizer sgd --batch-size 64 --epochs 5",
    .options = train_options,
    .opens_plan = true,
    .run = run};
