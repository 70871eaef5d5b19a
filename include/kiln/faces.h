/* Kiln faces: find faces in pixels, turn them upright, and give them to a network.
 *
 *   kiln_detector *detector;
 *   kiln_detector_create(detector_plan, NULL, &detector, &error);
 *       (or kiln_detector_open_bundled(plan, NULL, &detector, &error): one file for both)
 *   kiln_face faces[16];
 *   size_t count;
 *   kiln_detector_find(detector, &image, faces, 16, &count, &error);
 *   for (size_t k = 0; k < count; k++) {
 *       kiln_face_to_input(&image, &faces[k], &input, &preprocess, 0, buffer, &error);
 *       kiln_session_run(session, 1, &buffer, 1, &output, 1, &error);
 *   }
 *
 * or all of it in one call: kiln_recogniser_run.
 *
 * A detector is a network of a known family, which the shapes of its outputs tell: SCRFD,
 * RetinaFace, YuNet, UltraFace, BlazeFace. What it needs to be run (order of channels, scale and
 * offset of pixels, thresholds) is the family's unless the plan's own preprocessing or the options
 * say otherwise.
 *
 * Coordinates are pixels of what is seen of the image (its crop, upright, mirrored), x to the right
 * and y down, and whole numbers are the centres of pixels. Boxes and points may lie outside of the
 * image.
 *
 * Threads: a detector and a recogniser belong to one thread at a time; any number of them may share
 * a plan. The other functions have no state. Ownership: images, faces and buffers are the caller's,
 * and images are only read, during the call. Memory of detectors and recognisers is of their plan's
 * allocator, that of the other functions from malloc. Errors: as in kiln.h. What a network computes
 * is not trusted: a box or point that is no finite number is no face.
 *
 * A runtime built with KILN_BUILD_FACES=OFF has none of this; it stands on KILN_BUILD_IMAGE.
 */
#ifndef KILN_FACES_H
#define KILN_FACES_H

#include <kiln/image.h>
#include <kiln/plan_format.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Faces --------------------------------------------------------------------------------- */

#define KILN_FACE_POINTS 5

typedef struct kiln_face {
    float left, top, right, bottom;
    float score;          /* 0..1 */
    uint32_t point_count; /* KILN_FACE_POINTS, or 0: the detector gives none */
    /* x, y of the eye that is left in the image, the other eye, the tip of the nose, the left and
     * the right corner of the mouth. A detector that gives the middle of the mouth alone
     * (BlazeFace) has it for both corners. */
    float points[KILN_FACE_POINTS][2];
} kiln_face;

/* ---- Detectors ----------------------------------------------------------------------------- */

typedef struct kiln_detector kiln_detector;

typedef struct kiln_detector_options {
    size_t size;      /* sizeof(kiln_detector_options) */
    uint32_t threads; /* of the network; 0: 1 */
    /* Faces of a lower score (0..1) are not told; 0: the family's. */
    float score;
    /* Of two boxes whose intersection is more than this part (0..1) of their union, the one with
     * the higher score is told; 0: the family's. */
    float overlap;
    /* Instead of the plan's own, or the family's. Its resize rule plays no part: an image is scaled
     * with its aspect ratio kept, to the upper left of the input, and black fills the rest. */
    const kiln_preprocess *preprocess;
    /* Never looks a second time. Without it, an image that shows no face is looked at again at half
     * the size, where a face may have been too large, and, if it is larger than the network's input
     * and still shows none, in four overlapping quarters, each about at twice the size: two runs of
     * the network then, or six. */
    bool once;
} kiln_detector_options;
KILN_OPTIONS_INIT(kiln_detector_options)

/* Makes a session of the plan, which must outlive the detector, and all memory that finding takes.
 * `options` may be NULL. KILN_ERROR_UNSUPPORTED: the plan is no detector of a known family; the
 * message tells the outputs that were seen and the families that are known. */
KILN_API kiln_status kiln_detector_create(const kiln_plan *plan,
                                          const kiln_detector_options *options,
                                          kiln_detector **out_detector, kiln_error *error);
/* NULL is allowed. */
KILN_API void kiln_detector_destroy(kiln_detector *detector);

/* Finds faces: at most `capacity` of them, by falling score. Allocates nothing, however large the
 * image is.
 *
 * Which faces are found depends on the network's input, which is the plan's: with 320 x 320, YuNet
 * finds faces from about 10 / 320 of the image's longer side on (half of that in a second look). An
 * input twice as wide and high finds those of half the size and takes four times as long. */
KILN_API kiln_status kiln_detector_find(kiln_detector *detector, const kiln_image *image,
                                        kiln_face *out_faces, size_t capacity, size_t *out_count,
                                        kiln_error *error);

/* What a detector is, and what it works with. */
typedef struct kiln_detector_info {
    const char *family;         /* "SCRFD", ...; a constant */
    uint32_t width, height;     /* of the network's input */
    bool points;                /* whether faces have points */
    bool second_look;           /* whether it looks again where it finds nothing */
    float score, overlap;       /* thresholds */
    kiln_preprocess preprocess; /* of the network's input */
} kiln_detector_info;

KILN_API void kiln_detector_describe(const kiln_detector *detector, kiln_detector_info *out_info);

/* The family of a plan's network, by the shapes of its outputs; NULL: none that is known. */
KILN_API const char *kiln_detector_family(const kiln_plan *plan);

/* ---- Aligned faces ------------------------------------------------------------------------- */

/* The template of InsightFace (ArcFace) at 112 x 112: where the points of an aligned face lie.
 * Other sizes scale it by the shorter side and centre it. The image is turned, scaled and shifted
 * (no more) by the similarity of least squares between a face's points and these; pixels are
 * bilinear, black outside of the image. Where it is reduced to less than half, squares of pixels
 * are averaged first. A face without points gives the square about its box, a fifth larger than the
 * longer side: networks for aligned faces recognise such pictures poorly. */
KILN_API extern const float kiln_face_template[KILN_FACE_POINTS][2];

/* The aligned face: `height` rows of `width` pixels of red, green and blue, a byte each. Allocates
 * (and frees) the part of the image that it is made of where it reduces that to less than half, or
 * the image is not upright RGB.
 * KILN_ERROR_ARGUMENT: the image is not sound, or the face has no extent or is not finite. */
KILN_API kiln_status kiln_face_crop(const kiln_image *image, const kiln_face *face, uint32_t width,
                                    uint32_t height, uint8_t *out_rgb, kiln_error *error);

/* The aligned face of the input's size as image number `index` of a network's input: what
 * kiln_image_to_input makes of kiln_face_crop. With face k as image k, a session of such a
 * max_batch takes all of them in one run; kiln_recogniser_run gives them to a network one by one.
 */
KILN_API kiln_status kiln_face_to_input(const kiln_image *image, const kiln_face *face,
                                        const kiln_tensor_info *input,
                                        const kiln_preprocess *preprocess, uint32_t index,
                                        kiln_buffer buffer, kiln_error *error);

/* ---- Detectors of trained plans ------------------------------------------------------------ */

/* A network that was trained on aligned faces is to be shown such faces, found by the same
 * detector. Its plan says which that was, and may hold it (kiln train --bundle), so that an app
 * needs one file. */
typedef struct kiln_plan_detector {
    bool present; /* false: the plan says nothing of a detector, and all else is zeros */
    bool bundled; /* the detector's own plan is inside */
    kiln_plan_detector_record record; /* sound: checked as what comes from a file */
} kiln_plan_detector;

/* KILN_ERROR_FORMAT: what the plan says is damaged. */
KILN_API kiln_status kiln_plan_find_detector(const kiln_plan *plan,
                                             kiln_plan_detector *out_detector, kiln_error *error);
/* Opens the plan that is inside, for several detectors of it; `plan` must outlive it. Its options
 * may be NULL. KILN_ERROR_ARGUMENT: there is none. */
KILN_API kiln_status kiln_plan_open_detector(const kiln_plan *plan,
                                             const kiln_plan_options *options,
                                             kiln_plan **out_detector_plan, kiln_error *error);
/* The detector that is inside, with the thresholds and the preprocessing of the training where the
 * options (or NULL) say nothing else. `plan` must outlive it. */
KILN_API kiln_status kiln_detector_open_bundled(const kiln_plan *plan,
                                                const kiln_detector_options *options,
                                                kiln_detector **out_detector, kiln_error *error);

/* What section DETECTOR of a plan says of this detector: for who trains (kiln_trainer_attach, with
 * the detector's plan as section DETPLAN to bundle it). name: its file's, shortened where it is too
 * long. */
KILN_API void kiln_detector_record(const kiln_detector *detector, const char *name,
                                   kiln_plan_detector_record *out_record);

/* ---- All of it ------------------------------------------------------------------------------- */

typedef struct kiln_recogniser kiln_recogniser;

typedef struct kiln_recogniser_options {
    size_t size;                       /* sizeof(kiln_recogniser_options) */
    uint32_t threads;                  /* of the network; 0: 1 */
    const kiln_preprocess *preprocess; /* of its input; NULL: the plan's own */
} kiln_recogniser_options;
KILN_OPTIONS_INIT(kiln_recogniser_options)

/* Finds faces by `detector`, and gives each of them, aligned, to a network of one image and one f32
 * output: a classifier that kiln train made, or one whose output is an embedding. The detector and
 * the plan are the caller's and must outlive the recogniser. `options` may be NULL.
 * KILN_ERROR_UNSUPPORTED: the network has other inputs and outputs. */
KILN_API kiln_status kiln_recogniser_create(kiln_detector *detector, const kiln_plan *network,
                                            const kiln_recogniser_options *options,
                                            kiln_recogniser **out_recogniser, kiln_error *error);
/* NULL is allowed. */
KILN_API void kiln_recogniser_destroy(kiln_recogniser *recogniser);

/* Numbers a face: elements of the network's output, such as one a label (kiln_plan_label). */
KILN_API size_t kiln_recogniser_numbers(const kiln_recogniser *recogniser);

/* Finds at most `capacity` faces, by falling score, and writes for face k
 * out_numbers[k * numbers ... (k + 1) * numbers - 1], which has room for capacity * numbers. After
 * an error neither is complete. */
KILN_API kiln_status kiln_recogniser_run(kiln_recogniser *recogniser, const kiln_image *image,
                                         kiln_face *out_faces, float *out_numbers, size_t capacity,
                                         size_t *out_count, kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
