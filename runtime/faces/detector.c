/* Detectors: a session of the network, its input made of an image, faces made of its outputs. */
#include "runtime/faces/detector.h"
#include "runtime/base/options.h"

#include <math.h>
#include <string.h>

#define FARTHEST 1e7 /* pixels from the image's corner at which a face may lie */

/* ---- Creation -------------------------------------------------------------------------------- */

static void family_preprocess(const detector_family *family, kiln_preprocess *out) {
    *out = (kiln_preprocess){.present = true, .bgr = family->bgr, .crop_fraction = 1};
    for (size_t c = 0; c < 3; c++) {
        out->scale[c] = family->scale;
        out->bias[c] = family->bias[c];
    }
}

static void settle(kiln_detector *d, const kiln_plan *plan, const kiln_detector_options *options) {
    const detector_family *family = d->family;
    d->info =
        (kiln_detector_info){.family = family->name,
                             .width = d->layout.width,
                             .height = d->layout.height,
                             .points = d->layout.has_points,
                             .second_look = !options->once,
                             .score = options->score > 0 ? options->score : family->score,
                             .overlap = options->overlap > 0 ? options->overlap : family->overlap};
    kiln_plan_preprocess(plan, &d->info.preprocess);
    if (options->preprocess != NULL) {
        d->info.preprocess = *options->preprocess;
    } else if (!d->info.preprocess.present) {
        family_preprocess(family, &d->info.preprocess);
    }
}

static kiln_status allocate(kiln_detector *d, kiln_error *error) {
    const kiln_allocator *allocator = &d->layout.plan->allocator;
    d->input_buffer = (kiln_buffer){memory_zeros(allocator, 1, d->input.bytes), d->input.bytes};
    bool all = fit_make(allocator, &d->fit, d->layout.width, d->layout.height) &&
               d->input_buffer.data != NULL;
    for (uint32_t k = 0; k < d->layout.output_count; k++) {
        size_t bytes = d->layout.outputs[k].bytes;
        d->outputs[k] = (kiln_buffer){memory_zeros(allocator, 1, bytes), bytes};
        all = all && d->outputs[k].data != NULL;
    }
    return all ? KILN_OK : memory_fail(error);
}

static void point_field(const kiln_detector *d, detector_field *field) {
    field->data = (const float *)d->outputs[field->output].data + field->offset;
}

static void point_fields(kiln_detector *d) {
    for (uint32_t k = 0; k < d->layout.level_count; k++) {
        detector_level *level = &d->layout.levels[k];
        point_field(d, &level->scores);
        point_field(d, &level->objects);
        point_field(d, &level->boxes);
        point_field(d, &level->points);
    }
}

static kiln_status begin(kiln_detector *d, const kiln_plan *plan,
                         const kiln_detector_options *options, kiln_error *error) {
    kiln_session_options session;
    kiln_session_options_init(&session);
    session.threads = options->threads;
    settle(d, plan, options);
    kiln_status status = trace_outputs(&d->layout, error);
    if (status == KILN_OK) {
        status = kiln_plan_input(plan, 0, &d->input);
    }
    if (status == KILN_OK) {
        status = kiln_image_layout_of(&d->input, &d->input_layout, error);
    }
    if (status == KILN_OK) {
        status = allocate(d, error);
    }
    if (status == KILN_OK) {
        point_fields(d);
        status = kiln_session_create(plan, &session, &d->session, error);
    }
    return status;
}

kiln_status kiln_detector_create(const kiln_plan *plan, const kiln_detector_options *options,
                                 kiln_detector **out_detector, kiln_error *error) {
    detector_layout layout;
    kiln_detector_options used;
    *out_detector = NULL;
    kiln_status status = OPTIONS_TAKE(kiln_detector_options, options, &used, error);
    if (status != KILN_OK) {
        return status;
    }
    options = &used;
    if (!(options->score >= 0 && options->score <= 1) ||
        !(options->overlap >= 0 && options->overlap <= 1)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "a detector's thresholds are %g and %g: expected 0 to 1",
                         (double)options->score, (double)options->overlap);
    }
    const detector_family *family = detector_recognise(plan, &layout, error);
    if (family == NULL) {
        return KILN_ERROR_UNSUPPORTED;
    }
    kiln_detector *d = memory_zeros(&plan->allocator, 1, sizeof *d);
    if (d == NULL) {
        return memory_fail(error);
    }
    d->family = family;
    d->layout = layout;
    status = begin(d, plan, options, error);
    if (status != KILN_OK) {
        kiln_detector_destroy(d);
        return status;
    }
    *out_detector = d;
    return KILN_OK;
}

void kiln_detector_destroy(kiln_detector *detector) {
    if (detector == NULL) {
        return;
    }
    kiln_session_destroy(detector->session);
    for (uint32_t k = 0; k < DETECTOR_OUTPUTS; k++) {
        memory_free(detector->outputs[k].data);
    }
    memory_free(detector->input_buffer.data);
    fit_free(&detector->fit);
    kiln_plan_close(detector->own_plan);
    memory_free(detector);
}

void kiln_detector_describe(const kiln_detector *detector, kiln_detector_info *out_info) {
    *out_info = detector->info;
}

/* ---- Finding --------------------------------------------------------------------------------- */

/* From the input's pixels to the image's. */
static bool place(float *inout_value, const detector_glance *g, size_t axis) {
    double value = (double)*inout_value / g->factor[axis] + g->begin[axis];
    *inout_value = (float)value;
    return fabs(value) < FARTHEST;
}

/* False: it is no face, as something is no number, or far out. */
static bool place_face(const detector_glance *g, kiln_face *face) {
    bool sound = place(&face->left, g, 0) && place(&face->right, g, 0) && place(&face->top, g, 1) &&
                 place(&face->bottom, g, 1) && face->right > face->left && face->bottom > face->top;
    for (uint32_t k = 0; sound && k < face->point_count; k++) {
        sound = place(&face->points[k][0], g, 0) && place(&face->points[k][1], g, 1);
    }
    return sound;
}

void detector_collect(kiln_detector *d, const detector_glance *g) {
    const detector_layout *layout = &d->layout;
    detector_anchor at = {.layout = layout};
    for (uint32_t k = 0; k < layout->level_count; k++) {
        at.level = &layout->levels[k];
        for (at.row = 0; at.row < at.level->rows; at.row++) {
            for (at.column = 0; at.column < at.level->columns; at.column++) {
                for (at.anchor = 0; at.anchor < at.level->anchors; at.anchor++) {
                    kiln_face face = {.score = d->family->score_of(&at)};
                    if (face.score > d->info.score && face.score <= 1) {
                        face.point_count = layout->has_points ? KILN_FACE_POINTS : 0;
                        d->family->decode(&at, &face);
                        if (place_face(g, &face)) {
                            candidates_add(&d->candidates, &face);
                        }
                    }
                }
            }
        }
    }
}

/* Runs the network on a part of the image, in a share of its input. */
static kiln_status look(kiln_detector *d, const fit_part *part, double share, kiln_error *error) {
    detector_glance g = {.begin = {part->left, part->top}};
    fit_image(&d->fit, part, share, g.factor);
    image_store(d->fit.rgb, &d->input_layout, &d->info.preprocess, d->input.dtype, 0,
                d->input_buffer.data);
    kiln_status status = kiln_session_run(d->session, 1, &d->input_buffer, 1, d->outputs,
                                          d->layout.output_count, error);
    if (status == KILN_OK) {
        detector_collect(d, &g);
    }
    return status;
}

/* Four quarters that overlap by an eighth of the image: a face that the whole image is too small
 * for lies in one of them. */
static kiln_status look_closer(kiln_detector *d, const image_view *view, kiln_error *error) {
    uint32_t width = view->width - view->width / 16 * 7;
    uint32_t height = view->height - view->height / 16 * 7;
    kiln_status status = KILN_OK;
    for (uint32_t k = 0; k < 4 && status == KILN_OK; k++) {
        uint32_t left = k & 1 ? view->width - width : 0, top = k >> 1 ? view->height - height : 0;
        status = look(d, &(fit_part){view, left, top, width, height}, 1, error);
    }
    return status;
}

/* Where nothing was found: from farther off, as a face may be larger than the network's largest
 * anchors, then closer. */
static kiln_status look_again(kiln_detector *d, const image_view *view, kiln_error *error) {
    fit_part all = {view, 0, 0, view->width, view->height};
    bool reduced = view->width > d->layout.width || view->height > d->layout.height;
    kiln_status status = KILN_OK;
    if (d->candidates.count == 0) {
        status = look(d, &all, 0.5, error);
    }
    if (status == KILN_OK && d->candidates.count == 0 && reduced) {
        status = look_closer(d, view, error);
    }
    return status;
}

kiln_status kiln_detector_find(kiln_detector *detector, const kiln_image *image,
                               kiln_face *out_faces, size_t capacity, size_t *out_count,
                               kiln_error *error) {
    kiln_detector *d = detector;
    image_view view;
    *out_count = 0;
    d->candidates.count = 0;
    d->candidates.seen = 0;
    kiln_status status = image_view_of(image, &view, error);
    if (status == KILN_OK) {
        status = look(d, &(fit_part){&view, 0, 0, view.width, view.height}, 1, error);
    }
    if (status == KILN_OK && d->info.second_look) {
        status = look_again(d, &view, error);
    }
    if (status == KILN_OK) {
        *out_count = candidates_suppress(&d->candidates, d->info.overlap, d->family->weighted,
                                         out_faces, capacity);
    }
    return status;
}
