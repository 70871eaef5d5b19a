/* Kiln answers: from an image to what a network says of it, in one call.
 *
 *   kiln_image frame = {.format = KILN_IMAGE_NV21, .width = 640, .height = 480,
 *                       .pixels = pixels, .stride = 640, .rotation = 90};
 *   kiln_answer best[5];
 *   size_t count;
 *   kiln_classify(session, &frame, best, 5, &count, &error);
 *   for (size_t k = 0; k < count; k++) printf("%s %.3f\n", best[k].label, best[k].score);
 *
 * The session is of a network with one input, which holds one image, and whose last output is f32.
 * The image becomes the input by the plan's own preprocessing (kiln_image_to_input); a plan that
 * says nothing of that sees pixels as 0 to 255.
 *
 * Threads, errors and ownership are as of kiln_session_run; kiln_session_cancel works. The first
 * call of a session allocates buffers, which are kept until the session is destroyed. Networks of
 * other kinds are KILN_ERROR_UNSUPPORTED.
 *
 * A runtime built with KILN_BUILD_IMAGE=OFF has none of this. */
#ifndef KILN_ANSWER_H
#define KILN_ANSWER_H

#include <kiln/image.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kiln_answer {
    size_t index;      /* of the class: of the output's numbers, from 0 */
    const char *label; /* the plan's; "" where it has none. Owned by the plan */
    float score;       /* that number: a probability, where the network ends in softmax */
} kiln_answer;

/* The classes with the largest scores, at most `capacity` of them, by falling score and of equal
 * ones by rising index. Scores that are not numbers are passed over. */
KILN_API kiln_status kiln_classify(kiln_session *session, const kiln_image *image,
                                   kiln_answer *out_answers, size_t capacity, size_t *out_count,
                                   kiln_error *error);

/* The last output's numbers, divided by their length (the root of the sum of squares): the image's
 * features, where the plan is a network up to its head (kiln_plan_cut, kiln_people_cut) or ends in
 * an embedding. count: of the numbers in the output. KILN_ERROR_ARGUMENT: it is another, or the
 * numbers are all zeros or not finite, so that they have no direction. */
KILN_API kiln_status kiln_embed(kiln_session *session, const kiln_image *image, float *out_features,
                                size_t count, kiln_error *error);

/* How alike two images are by their features, of any length: the cosine of the angle between them,
 * -1 to 1; 0 where one has no direction. */
KILN_API float kiln_similarity(const float *a, const float *b, size_t count);

#ifdef __cplusplus
}
#endif
#endif
