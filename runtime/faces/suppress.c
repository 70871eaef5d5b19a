/* Of candidates, the faces: non-maximum suppression. */
#include "runtime/faces/detector.h"

static bool is_worse(const struct candidate *a, const struct candidate *b) {
    return a->face.score < b->face.score || (a->face.score == b->face.score && a->order > b->order);
}

static void swap(struct candidate *a, struct candidate *b) {
    struct candidate kept = *a;
    *a = *b;
    *b = kept;
}

/* Moves `at` down until nothing below it is worse. */
static void sink(struct candidate *heap, size_t count, size_t at) {
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        child += child + 1 < count && is_worse(&heap[child + 1], &heap[child]);
        if (!is_worse(&heap[child], &heap[at])) {
            return;
        }
        swap(&heap[child], &heap[at]);
        at = child;
    }
}

void candidates_add(candidates *c, const kiln_face *face) {
    struct candidate added = {.face = *face, .order = c->seen++};
    if (c->count == DETECTOR_CANDIDATES) {
        if (is_worse(&c->best[0], &added)) {
            c->best[0] = added;
            sink(c->best, c->count, 0);
        }
        return;
    }
    size_t at = c->count++;
    c->best[at] = added;
    for (; at > 0 && is_worse(&c->best[at], &c->best[(at - 1) / 2]); at = (at - 1) / 2) {
        swap(&c->best[at], &c->best[(at - 1) / 2]);
    }
}

/* By falling score: the root of the heap, the worst, goes to its end each time. */
static void sort(candidates *c) {
    for (size_t left = c->count; left > 1; left--) {
        swap(&c->best[0], &c->best[left - 1]);
        sink(c->best, left - 1, 0);
    }
}

static double area(const kiln_face *f) {
    return ((double)f->right - (double)f->left) * ((double)f->bottom - (double)f->top);
}

/* The part that the intersection has of the union. */
static double overlap_of(const kiln_face *a, const kiln_face *b) {
    double left = (double)(a->left > b->left ? a->left : b->left);
    double right = (double)(a->right < b->right ? a->right : b->right);
    double top = (double)(a->top > b->top ? a->top : b->top);
    double bottom = (double)(a->bottom < b->bottom ? a->bottom : b->bottom);
    if (right <= left || bottom <= top) {
        return 0;
    }
    double common = (right - left) * (bottom - top);
    return common / (area(a) + area(b) - common);
}

/* What is averaged of a face, as an array. */
enum { MEAN_NUMBERS = 4 + 2 * KILN_FACE_POINTS };

static void gather(const kiln_face *f, double weight, double *inout_sum) {
    const float box[4] = {f->left, f->top, f->right, f->bottom};
    for (size_t k = 0; k < 4; k++) {
        inout_sum[k] += weight * (double)box[k];
    }
    for (size_t k = 0; k < (size_t)2 * KILN_FACE_POINTS; k++) {
        inout_sum[4 + k] += weight * (double)f->points[k / 2][k % 2];
    }
}

static void divide(const double *sum, double weight, kiln_face *out) {
    out->left = (float)(sum[0] / weight), out->top = (float)(sum[1] / weight);
    out->right = (float)(sum[2] / weight), out->bottom = (float)(sum[3] / weight);
    for (size_t k = 0; k < (size_t)2 * KILN_FACE_POINTS; k++) {
        out->points[k / 2][k % 2] = (float)(sum[4 + k] / weight);
    }
}

size_t candidates_suppress(candidates *c, float overlap, bool weighted, kiln_face *out_faces,
                           size_t capacity) {
    size_t told = 0;
    sort(c);
    for (size_t k = 0; k < c->count && told < capacity; k++) {
        const kiln_face *face = &c->best[k].face;
        double sum[MEAN_NUMBERS] = {0}, weight = (double)face->score;
        if (c->best[k].dropped) {
            continue;
        }
        gather(face, weight, sum);
        for (size_t j = k + 1; j < c->count; j++) {
            struct candidate *other = &c->best[j];
            if (!other->dropped && overlap_of(face, &other->face) > (double)overlap) {
                other->dropped = true;
                gather(&other->face, (double)other->face.score, sum);
                weight += (double)other->face.score;
            }
        }
        out_faces[told] = *face;
        if (weighted) {
            divide(sum, weight, &out_faces[told]);
        }
        told++;
    }
    return told;
}
