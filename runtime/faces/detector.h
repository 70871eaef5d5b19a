/* What detectors consist of, for the files that make them up:
 *   detector.c   creates, finds, destroys
 *   families.c   the table of families, and what none of them takes
 *   layout.c     outputs as fields over levels of cells
 *   trace.c      what a network's last steps compute
 *   fit.c        images to inputs
 *   suppress.c   of candidates, the faces
 *   align.c      faces turned upright
 *   trained.c    detectors of trained plans
 * and a file a family: how its shapes are recognised, and its arithmetic.
 *
 * A detector gives, for each level of a pyramid of maps, so many anchors in each cell; each anchor
 * has scores, a box and perhaps points. A level's stride is how many pixels of the input a cell
 * stands for. */
#ifndef KILN_RUNTIME_FACES_DETECTOR_H
#define KILN_RUNTIME_FACES_DETECTOR_H

#include "runtime/base/memory.h"
#include "runtime/image/filter.h"
#include "runtime/plan/plan.h"
#include "runtime/ukernels/ukernels.h"
#include <kiln/faces.h>

enum {
    DETECTOR_OUTPUTS = 15,
    DETECTOR_LEVELS = 5,
    DETECTOR_CANDIDATES = 1024 /* of the highest scores, which are compared with each other */
};

/* Where the numbers of one kind lie: number k of an anchor of a cell is
 * data[cell * cell_stride + anchor * anchor_stride + k * value_stride]. */
typedef struct detector_field {
    uint32_t output; /* of the network */
    size_t offset;   /* of the first number in that output; data points at it */
    const float *data;
    size_t cell_stride, anchor_stride, value_stride;
} detector_field;

typedef struct detector_level {
    uint32_t stride, columns, rows, anchors;
    detector_field scores, objects, boxes, points; /* objects: YuNet's alone */
} detector_level;

/* What a network looks like from outside, and what a family finds in that. */
typedef struct detector_layout {
    const kiln_plan *plan;
    uint32_t width, height; /* of the input */
    uint32_t output_count;
    kiln_tensor_info outputs[DETECTOR_OUTPUTS];
    /* To be filled in by the family. */
    uint32_t level_count;
    detector_level levels[DETECTOR_LEVELS];
    bool has_points;
    /* What the network itself has done (trace.c). */
    bool sigmoid, softmax; /* of scores */
    bool exponential;      /* of boxes, which are then decoded already */
} detector_layout;

/* One anchor. */
typedef struct detector_anchor {
    const detector_layout *layout;
    const detector_level *level;
    uint32_t column, row, anchor;
} detector_anchor;

typedef struct detector_family {
    const char *name;
    bool (*recognise)(detector_layout *inout_layout);
    float scale, bias[3]; /* of pixels, by channel of the tensor */
    bool bgr;
    float score, overlap; /* thresholds */
    bool weighted;        /* overlapping boxes are averaged by score, not dropped */
    float (*score_of)(const detector_anchor *at);
    /* Box and points in pixels of the input; whatever the network gives. */
    void (*decode)(const detector_anchor *at, kiln_face *out_face);
} detector_family;

/* ---- Families (families.c) ------------------------------------------------------------------- */

extern const detector_family detector_scrfd, detector_retinaface, detector_yunet,
    detector_ultraface, detector_blazeface;

/* The family of a plan, with its layout; NULL: none, and why not. */
const detector_family *detector_recognise(const kiln_plan *plan, detector_layout *out_layout,
                                          kiln_error *error);

/* ---- Outputs (layout.c) ---------------------------------------------------------------------- */

/* Begins a level: its cells follow from the input's size. */
void layout_level(const detector_layout *layout, uint32_t stride, uint32_t anchors,
                  detector_level *out_level);
/* Finds an output a level, of strides from 8 on, for each kind of numbers: 1 of scores, and of
 * objects, 4 of boxes and perhaps 10 of points. An output holds an anchor's numbers as
 * [cells * anchors, count], perhaps behind dims of 1, as maps [1, anchors * count, rows, columns],
 * or as maps with the channels last. */
bool layout_find(detector_layout *layout, uint32_t levels, uint32_t anchors, bool objects,
                 bool points);
/* The one output [1, anchors, count] of all levels one after the other; for level k of them. */
bool layout_find_joined(const detector_layout *layout, uint32_t count, uint32_t *out_output);
void layout_join(const detector_layout *layout, uint32_t output, uint32_t level, uint32_t count,
                 detector_field *out_field);

float field_value(const detector_field *field, const detector_anchor *at, uint32_t k);
/* A box by its middle. */
void face_box(float x, float y, float width, float height, kiln_face *out);
/* The level's points, where it has some: from (x, y), in so many pixels, times `variance`. */
void face_points(const detector_anchor *at, float x, float y, float width, float height,
                 float variance, kiln_face *out);
/* A score, by the sigmoid where the network has none. */
float score_of_one(const detector_anchor *at, const detector_field *field);
/* The second of background and face, by softmax where the network has none. */
float score_of_two(const detector_anchor *at);

/* ---- What a network computes (trace.c) ------------------------------------------------------- */

/* Finds out what lies between the last convolutions and the outputs. */
kiln_status trace_outputs(detector_layout *inout_layout, kiln_error *error);

/* ---- Images to inputs (fit.c) ---------------------------------------------------------------- */

/* A rectangle of what is seen of an image. */
typedef struct fit_part {
    const image_view *view;
    uint32_t left, top, width, height;
} fit_part;

enum {
    FIT_TAPS = 2,     /* enlarged, a pixel lies between two */
    FIT_CHUNK = 1024, /* pixels of a row of the image that are worked at a time */
    FIT_AHEAD = 4     /* rows are fetched so early */
};

/* How `count` pixels of a row (or column) become `wanted` ones. */
typedef struct fit_axis {
    uint32_t count, wanted;
    double step;     /* of the image, for one of the result */
    float *inverses; /* reducing: 1 / the sum of weights, of each of the result */
    image_filter enlarging;
} fit_axis;

typedef struct fit {
    uint32_t width, height;
    fit_axis columns, rows; /* of at most width, height */
    float rises[FIT_CHUNK]; /* of a chunk's pixels */
    image_run *runs;        /* [width + 2], of a chunk */
    float *sums[2];         /* of rows, [FIT_CHUNK][3] or [width][3], and one */
    uint8_t *pixels[2];     /* likewise */
    float *rgb;             /* [height][width][3], in 0..255, and one */
} fit;

/* Makes room; false: no memory. fit_free follows in both cases. */
bool fit_make(const kiln_allocator *allocator, fit *f, uint32_t width, uint32_t height);
void fit_free(fit *f);
/* Scales the part, its aspect ratio kept to the nearest pixel, into the upper left `share` (of
 * width and height) of f->rgb; the rest becomes black. out_factors: of x and of y. Allocates
 * nothing. */
void fit_image(fit *f, const fit_part *part, double share, double out_factors[2]);

/* ---- Aligned faces (align.c) ----------------------------------------------------------------- */

/* kiln_face_to_input with memory from an allocator (NULL: the default one). */
kiln_status face_to_input(const kiln_allocator *allocator, const kiln_image *image,
                          const kiln_face *face, const kiln_tensor_info *input,
                          const kiln_preprocess *preprocess, uint32_t index, kiln_buffer buffer,
                          kiln_error *error);

/* ---- Candidates (suppress.c) ----------------------------------------------------------------- */

/* The best faces so far: a heap whose root is the worst of them. */
typedef struct candidates {
    size_t count;
    uint64_t seen;
    struct candidate {
        kiln_face face;
        uint64_t order; /* of two with one score, the one that came first is the better */
        bool dropped;
    } best[DETECTOR_CANDIDATES];
} candidates;

void candidates_add(candidates *c, const kiln_face *face);
/* Drops those that overlap a better one by more than `overlap`, and writes the others by falling
 * score. weighted: a face is the mean, by score, of those that overlap it. */
size_t candidates_suppress(candidates *c, float overlap, bool weighted, kiln_face *out_faces,
                           size_t capacity);

/* ---- Detector and network (recogniser.c) ------------------------------------------------------
 */

/* That of the network, which is run once for each face, in the order of the faces. */
kiln_session *recogniser_session(const kiln_recogniser *recogniser);

/* ---- The detector (detector.c) --------------------------------------------------------------- */

struct kiln_detector {
    const detector_family *family;
    detector_layout layout;
    kiln_detector_info info;
    kiln_plan *own_plan; /* closed with it; NULL: the plan is the caller's */
    kiln_session *session;
    kiln_tensor_info input;
    kiln_image_layout input_layout;
    kiln_buffer input_buffer, outputs[DETECTOR_OUTPUTS];
    fit fit;
    candidates candidates;
};

/* Where a part of the image lies, and how its pixels became the input's. */
typedef struct detector_glance {
    double begin[2], factor[2]; /* of x, y */
} detector_glance;

/* Adds the faces that the outputs show to the candidates. Outputs may hold anything. */
void detector_collect(kiln_detector *d, const detector_glance *g);

#endif
