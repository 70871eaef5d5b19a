/* Rows of an image that is resized: each pixel is interpolated between four. */
#include "runtime/ukernels/vector.h"

#define WIDTH ((size_t)VECTOR_WIDTH)

INLINE vector between(vector a, vector b, vector part) {
    return a + part * (b - a);
}

/* Nothing is read past the channels: of the image's last pixel they may end the memory. */
INLINE vector interpolate(const float *const *corners, size_t c, size_t left, vector across,
                          vector down) {
    vector upper =
        between(load_some(corners[0] + c, left), load_some(corners[1] + c, left), across);
    vector lower =
        between(load_some(corners[2] + c, left), load_some(corners[3] + c, left), across);
    return between(upper, lower, down);
}

static void few_channels(const bilinear_row *r) {
    for (size_t x = 0; x < r->count; x++) {
        const bilinear_column *at = &r->columns[x];
        for (size_t c = 0; c < r->channels; c++) {
            float upper = r->upper[at->left + c], lower = r->lower[at->left + c];
            upper += at->part * (r->upper[at->right + c] - upper);
            lower += at->part * (r->lower[at->right + c] - lower);
            r->to[x * r->to_stride + c] = upper + r->part * (lower - upper);
        }
    }
}

void UKERNEL(bilinear)(const bilinear_row *row) {
    const bilinear_row r = *row; /* a copy, which no store can change */
    if (r.channels < 4) {
        few_channels(&r);
        return;
    }
    const vector down = all(r.part);
    for (size_t x = 0; x < r.count; x++) {
        const bilinear_column at = r.columns[x];
        const float *corners[4] = {r.upper + at.left, r.upper + at.right, r.lower + at.left,
                                   r.lower + at.right};
        const vector across = all(at.part);
        float *to = r.to + x * r.to_stride;
        size_t c = 0;
        for (; c + WIDTH <= r.channels; c += WIDTH) {
            store(to + c, interpolate(corners, c, WIDTH, across, down));
        }
        if (c < r.channels) {
            size_t left = r.channels - c;
            store_some(to + c, interpolate(corners, c, left, across, down), left);
        }
    }
    leave();
}
