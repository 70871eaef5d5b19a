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

static void list_shape(char *list, size_t size, const kiln_tensor_info *t) {
    char dims[128], item[256];
    (void)snprintf(item, sizeof item, "'%s' %s", t->name,
                   shape_text(t->dims, t->rank, t->batched, dims, sizeof dims));
    text_list_add(list, size, item);
}

/* With what was seen. */
static void refuse(const kiln_plan *plan, const detector_layout *layout, kiln_error *error) {
    char inputs[256] = "", outputs[512] = "";
    kiln_tensor_info t;
    for (size_t k = 0; k < kiln_plan_input_count(plan) && k < DETECTOR_OUTPUTS; k++) {
        if (kiln_plan_input(plan, k, &t) == KILN_OK) {
            list_shape(inputs, sizeof inputs, &t);
        }
    }
    for (uint32_t k = 0; k < layout->output_count; k++) {
        list_shape(outputs, sizeof outputs, &layout->outputs[k]);
    }
    bool more = kiln_plan_output_count(plan) > layout->output_count;
    (void)kiln_fail(error, KILN_ERROR_UNSUPPORTED,
                    "%s: of input %s it makes %s%s; known are " KNOWN " with an image of three "
                    "channels, and f32 outputs",
                    is_mtcnn(layout) ? "one of the three networks of MTCNN, by the looks of it, "
                                       "which work one after the other and are not supported"
                                     : "no face detector of a known family",
                    inputs, outputs, more ? ", ..." : "");
}

/* Without an image as its only input there is no size. */
static void describe(const kiln_plan *plan, detector_layout *out) {
    kiln_tensor_info input;
    kiln_image_layout image;
    size_t outputs = kiln_plan_output_count(plan);
    *out = (detector_layout){.plan = plan};
    if (kiln_plan_input_count(plan) == 1 && kiln_plan_input(plan, 0, &input) == KILN_OK &&
        kiln_image_layout_of(&input, &image, NULL) == KILN_OK && image.channels == 3 &&
        image.count == 1) {
        out->width = image.width;
        out->height = image.height;
    }
    out->output_count = outputs < DETECTOR_OUTPUTS ? (uint32_t)outputs : DETECTOR_OUTPUTS;
    for (uint32_t k = 0; k < out->output_count; k++) {
        (void)kiln_plan_output(plan, k, &out->outputs[k]);
    }
}

/* Whether it may be a detector at all. */
static bool is_plausible(const detector_layout *layout) {
    bool plausible =
        layout->width > 0 && kiln_plan_output_count(layout->plan) == layout->output_count;
    for (uint32_t k = 0; k < layout->output_count; k++) {
        plausible = plausible && layout->outputs[k].dtype == KILN_F32;
    }
    return plausible;
}

const detector_family *detector_recognise(const kiln_plan *plan, detector_layout *out_layout,
                                          kiln_error *error) {
    detector_layout seen;
    describe(plan, &seen);
    for (size_t k = 0; k < FAMILIES && is_plausible(&seen); k++) {
        *out_layout = seen;
        if (families[k]->recognise(out_layout)) {
            return families[k];
        }
    }
    refuse(plan, &seen, error);
    return NULL;
}

const char *kiln_detector_family(const kiln_plan *plan) {
    detector_layout layout;
    const detector_family *family = detector_recognise(plan, &layout, NULL);
    return family != NULL ? family->name : NULL;
}
