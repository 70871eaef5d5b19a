/* The families of detectors, and what is said of networks that are of none. */
#include "runtime/base/shape.h"
#include "runtime/base/text.h"
#include "runtime/faces/detector.h"

static const detector_family *const families[] = {&detector_scrfd, &detector_retinaface,
                                                  &detector_yunet, &detector_ultraface,
                                                  &detector_blazeface};
enum { FAMILIES = sizeof families / sizeof *families };
#define KNOWN "SCRFD, RetinaFace, YuNet, UltraFace and BlazeFace"

/* Whether the networks of MTCNN (Zhang et al. 2016) have such outputs: a pair of class scores, four
 * numbers (or three) of a box, and in the last one ten of points, of one place or of each of a map.
 */
static bool is_mtcnn(const detector_layout *layout) {
    bool scores = false, boxes = false, points = false;
    for (uint32_t k = 0; k < layout->output_count; k++) {
        const kiln_tensor_info *t = &layout->outputs[k];
        uint32_t count = t->rank == 2 || t->rank == 4 ? t->dims[1] : 0;
        scores |= count == 2, boxes |= count == 3 || count == 4, points |= count == 10;
    }
    return scores && boxes && layout->output_count == (points ? 3 : 2);
}

static kiln_status refuse(const detector_layout *layout, size_t outputs, kiln_error *error) {
    char seen[512] = "";
    for (uint32_t k = 0; k < layout->output_count; k++) {
        char dims[128], item[256];
        const kiln_tensor_info *t = &layout->outputs[k];
        (void)snprintf(item, sizeof item, "'%s' of %s", t->name,
                       shape_text(t->dims, t->rank, t->batched, dims, sizeof dims));
        text_list_add(seen, sizeof seen, item);
    }
    if (is_mtcnn(layout)) {
        return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                         "this looks like one of the three networks of MTCNN (outputs %s), which "
                         "find faces one after the other and are not supported; known are " KNOWN,
                         seen);
    }
    return kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                     "no face detector of a known family: for an input of %ux%u pixels it has %zu "
                     "outputs: %s%s; known are " KNOWN,
                     layout->width, layout->height, outputs, seen,
                     outputs > layout->output_count ? ", ..." : "");
}

static void describe(const kiln_plan *plan, const kiln_image_layout *image, detector_layout *out) {
    size_t outputs = kiln_plan_output_count(plan);
    *out = (detector_layout){.plan = plan, .width = image->width, .height = image->height};
    out->output_count = outputs < DETECTOR_OUTPUTS ? (uint32_t)outputs : DETECTOR_OUTPUTS;
    for (uint32_t k = 0; k < out->output_count; k++) {
        (void)kiln_plan_output(plan, k, &out->outputs[k]);
    }
}

static bool gives_f32(const detector_layout *layout) {
    for (uint32_t k = 0; k < layout->output_count; k++) {
        if (layout->outputs[k].dtype != KILN_F32) {
            return false;
        }
    }
    return true;
}

const detector_family *detector_recognise(const kiln_plan *plan, detector_layout *out_layout,
                                          kiln_error *error) {
    kiln_tensor_info input;
    kiln_image_layout image;
    if (kiln_plan_input_count(plan) != 1 || kiln_plan_input(plan, 0, &input) != KILN_OK ||
        kiln_image_layout_of(&input, &image, NULL) != KILN_OK || image.channels != 3 ||
        image.count != 1) {
        (void)kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                        "no face detector: it does not take one image of three channels");
        return NULL;
    }
    detector_layout seen;
    describe(plan, &image, &seen);
    for (size_t k = 0; k < FAMILIES && gives_f32(&seen); k++) {
        *out_layout = seen;
        if (kiln_plan_output_count(plan) == seen.output_count &&
            families[k]->recognise(out_layout)) {
            return families[k];
        }
    }
    (void)refuse(&seen, kiln_plan_output_count(plan), error);
    return NULL;
}

const char *kiln_detector_family(const kiln_plan *plan) {
    detector_layout layout;
    const detector_family *family = detector_recognise(plan, &layout, NULL);
    return family != NULL ? family->name : NULL;
}
