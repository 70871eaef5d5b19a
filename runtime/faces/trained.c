/* The detector of the faces that a network was trained on: what its plan says of it, and the
 * detector's own plan inside. Plans are untrusted: sections are sound as bytes, no more. */
#include "runtime/base/options.h"
#include "runtime/faces/detector.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- Reading ------------------------------------------------------------------------------- */

/* Terminated, printable as it stands by what is printed with it, and zeros behind. */
static bool is_text(const char *text, size_t size) {
    size_t length = strnlen(text, size);
    for (size_t k = length; k < size; k++) {
        if (text[k] != '\0') {
            return false;
        }
    }
    return length > 0 && length < size;
}

static bool is_sound(const kiln_plan_detector_record *r) {
    bool sound = is_text(r->family, sizeof r->family) && is_text(r->name, sizeof r->name) &&
                 r->width > 0 && r->height > 0 && r->level_count > 0 &&
                 r->level_count <= KILN_PLAN_DETECTOR_LEVELS && r->score >= 0 && r->score <= 1 &&
                 r->overlap >= 0 && r->overlap <= 1;
    for (uint32_t k = 0; sound && k < KILN_PLAN_DETECTOR_LEVELS; k++) {
        bool used = k < r->level_count;
        sound = used == (r->strides[k] > 0) && used == (r->anchors[k] > 0);
    }
    for (size_t c = 0; sound && c < 4; c++) {
        sound = isfinite(r->preprocess.scale[c]) && isfinite(r->preprocess.bias[c]);
    }
    return sound;
}

kiln_status kiln_plan_find_detector(const kiln_plan *plan, kiln_plan_detector *out_detector,
                                    kiln_error *error) {
    kiln_span content;
    *out_detector = (kiln_plan_detector){.present = false};
    if (!kiln_plan_find_section(plan, KILN_PLAN_DETECTOR, &content)) {
        return KILN_OK;
    }
    kiln_plan_detector found = {.present = true};
    if (content.size == sizeof found.record) {
        memcpy(&found.record, content.data, sizeof found.record);
    }
    if (content.size != sizeof found.record || !is_sound(&found.record)) {
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "damaged plan: what it says of its face detector");
    }
    found.bundled = kiln_plan_find_section(plan, KILN_PLAN_DETECTOR_PLAN, &content);
    *out_detector = found;
    return KILN_OK;
}

/* ---- Opening ------------------------------------------------------------------------------- */

static uint64_t checksum_of(const kiln_plan *plan) {
    kiln_plan_view view;
    kiln_plan_inspect(plan, &view);
    return view.header->checksum;
}

kiln_status kiln_plan_open_detector(const kiln_plan *plan, const kiln_plan_options *options,
                                    kiln_plan **out_detector_plan, kiln_error *error) {
    kiln_plan_detector detector;
    kiln_span bytes;
    kiln_error why;
    *out_detector_plan = NULL;
    kiln_status status = kiln_plan_find_detector(plan, &detector, error);
    if (status != KILN_OK) {
        return status;
    }
    if (!detector.bundled || !kiln_plan_find_section(plan, KILN_PLAN_DETECTOR_PLAN, &bytes)) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "the plan has no face detector inside");
    }
    kiln_plan_options used;
    status = OPTIONS_TAKE(kiln_plan_options, options, &used, error);
    if (status != KILN_OK) {
        return status;
    }
    used.allocator = used.allocator != NULL ? used.allocator : &plan->allocator;
    status = kiln_plan_open_memory(bytes, &used, out_detector_plan, &why);
    if (status != KILN_OK) {
        return kiln_fail(error, status, "the face detector inside the plan: %s", why.message);
    }
    if (checksum_of(*out_detector_plan) != detector.record.plan_checksum) {
        kiln_plan_close(*out_detector_plan);
        *out_detector_plan = NULL;
        return kiln_fail(error, KILN_ERROR_FORMAT,
                         "damaged plan: the face detector inside is another than it says");
    }
    return KILN_OK;
}

/* The options that are not given are those of the training. */
static void complete(kiln_detector_options *options, const kiln_plan_detector_record *r,
                     kiln_preprocess *out_preprocess) {
    *out_preprocess = (kiln_preprocess){.present = true,
                                        .bgr = r->preprocess.bgr != 0,
                                        .crop_fraction = r->preprocess.crop_fraction};
    memcpy(out_preprocess->scale, r->preprocess.scale, sizeof out_preprocess->scale);
    memcpy(out_preprocess->bias, r->preprocess.bias, sizeof out_preprocess->bias);
    options->score = options->score > 0 ? options->score : r->score;
    options->overlap = options->overlap > 0 ? options->overlap : r->overlap;
    options->preprocess = options->preprocess != NULL ? options->preprocess : out_preprocess;
    options->once = options->once || (r->flags & KILN_DETECTOR_SECOND_LOOK) == 0;
}

kiln_status kiln_detector_open_bundled(const kiln_plan *plan, const kiln_detector_options *options,
                                       kiln_detector **out_detector, kiln_error *error) {
    kiln_detector_options used;
    kiln_plan_detector detector;
    kiln_preprocess preprocess;
    kiln_plan *own = NULL;
    *out_detector = NULL;
    kiln_status status = OPTIONS_TAKE(kiln_detector_options, options, &used, error);
    if (status == KILN_OK) {
        status = kiln_plan_find_detector(plan, &detector, error);
    }
    if (status == KILN_OK) {
        status = kiln_plan_open_detector(plan, NULL, &own, error);
    }
    if (status == KILN_OK) {
        complete(&used, &detector.record, &preprocess);
        status = kiln_detector_create(own, &used, out_detector, error);
    }
    if (status == KILN_OK) {
        (*out_detector)->own_plan = own;
    } else {
        kiln_plan_close(own);
    }
    return status;
}

/* ---- Recording ----------------------------------------------------------------------------- */

void kiln_detector_record(const kiln_detector *detector, const char *name,
                          kiln_plan_detector_record *out_record) {
    const detector_layout *layout = &detector->layout;
    const kiln_detector_info *info = &detector->info;
    kiln_plan_detector_record r = {.plan_checksum = checksum_of(layout->plan),
                                   .width = info->width,
                                   .height = info->height,
                                   .level_count = layout->level_count,
                                   .score = info->score,
                                   .overlap = info->overlap,
                                   .preprocess = {.bgr = info->preprocess.bgr,
                                                  .crop_fraction = info->preprocess.crop_fraction}};
    snprintf(r.family, sizeof r.family, "%s", info->family);
    snprintf(r.name, sizeof r.name, "%s", name[0] != '\0' ? name : info->family);
    r.flags = (info->points ? KILN_DETECTOR_HAS_POINTS : 0) |
              (info->second_look ? KILN_DETECTOR_SECOND_LOOK : 0) |
              (layout->sigmoid ? KILN_DETECTOR_SIGMOID : 0) |
              (layout->softmax ? KILN_DETECTOR_SOFTMAX : 0) |
              (layout->exponential ? KILN_DETECTOR_DECODED : 0);
    for (uint32_t k = 0; k < layout->level_count; k++) {
        r.strides[k] = layout->levels[k].stride;
        r.anchors[k] = layout->levels[k].anchors;
    }
    memcpy(r.preprocess.scale, info->preprocess.scale, sizeof r.preprocess.scale);
    memcpy(r.preprocess.bias, info->preprocess.bias, sizeof r.preprocess.bias);
    *out_record = r;
}
