/* The network that a head is trained on, how it sees pictures and faces, and its trainer. */
#include "compiler/cli/cli.h"
#include "compiler/cli/train/scorer.h"
#include "compiler/cli/train/training.h"
#include "runtime/base/checksum.h"

#include <string.h>

/* Without a backbone the samples' own shape is the input, or the size that was asked for. */
static void scratch_input(training *t) {
    kiln_train_options *o = &t->options;
    kiln_preprocess *p = &t->source.preprocess;
    if (t->data.values != NULL) {
        o->input_rank = t->data.rank;
        memcpy(o->input_dims, t->data.dims, sizeof o->input_dims);
    } else {
        o->input_rank = 3;
        o->input_dims[0] = t->gray ? 1 : 3;
        o->input_dims[1] = (uint32_t)t->input_height;
        o->input_dims[2] = (uint32_t)t->input_width;
    }
    bool images = t->data.pictures;
    float scale = 1.0f / 255;
    *p = (kiln_preprocess){.present = images,
                           .resize = KILN_RESIZE_STRETCH,
                           .crop_fraction = 1,
                           .scale = {scale, scale, scale, scale}};
    if (t->preset != NULL) {
        (void)kiln_preprocess_preset(t->preset, p);
    }
    t->source.input = (kiln_tensor_info){
        .name = "input", .dtype = KILN_F32, .rank = o->input_rank, .batched = true};
    memcpy(t->source.input.dims, o->input_dims, sizeof o->input_dims);
    t->source.input.bytes = sizeof(float);
    for (uint32_t k = 0; k < o->input_rank; k++) {
        t->source.input.bytes *= o->input_dims[k];
    }
    o->preprocess = images ? p : NULL;
    o->standardize = false;
}

static kiln_status open_backbone(training *t, kiln_error *error) {
    kiln_image_layout layout;
    kiln_status status = KILN_OK;
    if (kiln_plan_input_count(t->backbone) != 1) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "%s: the network takes more than a picture",
                           t->backbone_path);
    }
    if (status == KILN_OK) {
        (void)kiln_plan_input(t->backbone, 0, &t->source.input);
    }
    if (status == KILN_OK && t->data.pictures) {
        status = picture_check_input(&t->source.input, &layout, error);
    }
    if (status == KILN_OK && t->data.pictures) {
        status = choose_preprocess(t->backbone, t->preset, &t->source.preprocess, error);
        t->options.preprocess = &t->source.preprocess;
    }
    return status;
}

/* A guess: an embedding of small pictures, as networks for faces take them and hardly any other. */
static bool is_for_faces(const training *t) {
    kiln_image_layout layout;
    return t->backbone != NULL && kiln_plan_is_embedding(t->backbone) &&
           kiln_image_layout_of(&t->source.input, &layout, NULL) == KILN_OK && layout.width >= 64 &&
           layout.width <= 160 && layout.height >= 64 && layout.height <= 160;
}

static kiln_status open_subjects(training *t, kiln_error *error) {
    kiln_status status =
        subjects_open(&t->faces, t->backbone, t->backbone_path, &t->subjects, error);
    bool faces = subjects_are_faces(&t->subjects);
    if (status == KILN_OK && t->bundle && !faces) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "--bundle: there is no detector; give one with --detector FILE");
    }
    if (status == KILN_OK && !faces && !t->quiet && t->data.pictures && t->features_path == NULL &&
        is_for_faces(t)) {
        fprintf(stderr, "kiln: note: this seems to be a network for faces, and pictures are taken "
                        "whole; --detector FILE aligns the faces, which is worth more than any "
                        "other option\n");
    }
    return status;
}

/* That what others have extracted is what would be extracted here. */
static kiln_status check_features(training *t, kiln_error *error) {
    const kiln_plan_detector_record *found_by = &t->subjects.detector.record;
    kiln_plan *cut = NULL;
    kiln_status status = kiln_plan_cut(t->backbone, kiln_trainer_cut(t->trainer), &cut, error);
    if (status == KILN_OK) {
        uint64_t detector =
            subjects_are_faces(&t->subjects) ? checksum(found_by, sizeof *found_by) : 0;
        status = extracted_check(&t->extracted, t->trainer, network_key(cut, &t->source.preprocess),
                                 detector, error);
    }
    kiln_plan_close(cut);
    return status;
}

kiln_status make_trainer(training *t, kiln_error *error) {
    if (t->scratch) {
        scratch_input(t);
    }
    kiln_status status = t->scratch ? KILN_OK : open_backbone(t, error);
    if (status != KILN_OK) {
        return status;
    }
    status = open_subjects(t, error);
    if (status != KILN_OK) {
        return status;
    }
    t->options.class_count = (uint32_t)t->data.class_count;
    t->options.class_names = (const char *const *)t->data.classes;
    t->source.backbone = t->backbone;
    t->source.seed = t->options.seed;
    t->source.strict = t->split.strict;
    t->source.quiet = t->quiet || t->json;
    status = features_check(&t->source, &t->data, error);
    if (status != KILN_OK) {
        return status;
    }
    status = kiln_trainer_create(t->backbone, &t->options, &t->trainer, error);
    t->source.trainer = t->trainer;
    return status == KILN_OK && t->features_path != NULL ? check_features(t, error) : status;
}
