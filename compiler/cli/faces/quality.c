/* Size, blur and angle of a face. */
#include "compiler/cli/faces/quality.h"

#include <math.h>
#include <stdlib.h>

/* The face without what surrounds it, which may be black: rows and columns EDGE .. EDGE + SIDE. */
enum { CROP = 112, EDGE = 20, SIDE = CROP - 2 * EDGE, HALF = 4 /* of a filter of 9 taps */ };

static void crop_luma(const uint8_t *rgb, float out[CROP][CROP]) {
    for (size_t y = 0; y < CROP; y++) {
        for (size_t x = 0; x < CROP; x++, rgb += 3) {
            out[y][x] = 0.299f * (float)rgb[0] + 0.587f * (float)rgb[1] + 0.114f * (float)rgb[2];
        }
    }
}

/* The mean of the pixel and HALF before and behind it. dx, dy: along the row or the column. */
static double mean_about(float luma[CROP][CROP], int x, int y, int dx, int dy) {
    double sum = 0;
    for (int k = -HALF; k <= HALF; k++) {
        sum += (double)luma[y + k * dy][x + k * dx];
    }
    return sum / (2 * HALF + 1);
}

/* How little of the differences along one direction a blur takes away; 0 where there are none, as
 * in stripes along it. */
static double blur_along(float luma[CROP][CROP], int dx, int dy) {
    double before = 0, lost = 0;
    for (int y = EDGE; y < EDGE + SIDE; y++) {
        for (int x = EDGE; x < EDGE + SIDE; x++) {
            double own = fabs((double)luma[y][x] - (double)luma[y - dy][x - dx]);
            double blurred =
                fabs(mean_about(luma, x, y, dx, dy) - mean_about(luma, x - dx, y - dy, dx, dy));
            before += own;
            lost += fmax(0, own - blurred);
        }
    }
    return before > 0 ? (before - lost) / before : 0;
}

/* The template's eyes are 35 apart in boxes that detectors draw 80 to 90 wide. */
double face_eye_distance(const kiln_face *face) {
    return face->point_count == KILN_FACE_POINTS
               ? hypot((double)face->points[1][0] - (double)face->points[0][0],
                       (double)face->points[1][1] - (double)face->points[0][1])
               : 0.42 * ((double)face->right - (double)face->left);
}

static double eye_angle(const kiln_face *face) {
    return face->point_count == KILN_FACE_POINTS
               ? atan2((double)face->points[1][1] - (double)face->points[0][1],
                       (double)face->points[1][0] - (double)face->points[0][0]) *
                     180 / M_PI
               : 0;
}

kiln_status face_quality_of(const kiln_image *image, const kiln_face *face,
                            face_quality *out_quality, kiln_error *error) {
    uint8_t *rgb = malloc((size_t)CROP * CROP * 3);
    float(*luma)[CROP] = malloc(CROP * sizeof *luma);
    kiln_status status = rgb != NULL && luma != NULL
                             ? kiln_face_crop(image, face, CROP, CROP, rgb, error)
                             : kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    if (status == KILN_OK) {
        crop_luma(rgb, luma);
        double across = blur_along(luma, 1, 0), down = blur_along(luma, 0, 1);
        *out_quality = (face_quality){.eyes = face_eye_distance(face),
                                      .blur = across + down > 0 ? fmax(across, down) : 1,
                                      .angle = eye_angle(face)};
    }
    free(rgb);
    free(luma);
    return status;
}
