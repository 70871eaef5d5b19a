/* How similar features are to people, and who it is. */
#include "runtime/people/people.h"

#include <math.h>
#include <string.h>

/* ---- Numbers ------------------------------------------------------------------------------- */

#define LANES 16

/* Sums in lanes, so that compilers make vectors of them without leave to reorder. */
static double dot(const float *a, const float *b, size_t count) {
    float lanes[LANES] = {0};
    double sum = 0;
    size_t k = 0;
    for (; k + LANES <= count; k += LANES) {
        for (size_t j = 0; j < LANES; j++) {
            lanes[j] += a[k + j] * b[k + j];
        }
    }
    for (; k < count; k++) {
        sum += (double)a[k] * (double)b[k];
    }
    for (size_t j = 0; j < LANES; j++) {
        sum += (double)lanes[j];
    }
    return sum;
}

double similarity_scale(const float *features, size_t count) {
    double squares = 0;
    for (size_t k = 0; k < count; k++) {
        squares += (double)features[k] * (double)features[k];
    }
    return squares > 0 && isfinite(squares) ? 1 / sqrt(squares) : 0;
}

kiln_similarity similarity_to(const kiln_people *people, const person *p, const float *features,
                              double scale) {
    kiln_similarity s = {.to_kept = NO_SCORE};
    s.to_mean = (float)(dot(p->mean, features, people->features) * scale);
    for (size_t k = 0; k < p->kept.count; k++) {
        const portrait *kept = &p->kept.items[k];
        float to = (float)(dot(kept->features, features, people->features) * scale * kept->scale);
        s.kept = to > s.to_kept ? k : s.kept;
        s.to_kept = to > s.to_kept ? to : s.to_kept;
    }
    s.value = (s.to_mean + s.to_kept) / 2;
    return s;
}

/* ---- Impostor scores ----------------------------------------------------------------------- */

#define STALE (-2.0f) /* no similarity */

static float most_similar(const kiln_people *people, const portrait *p, const person *without) {
    float most = NO_SCORE;
    for (size_t k = 0; k < people->count; k++) {
        const person *other = &people->items[k];
        if (other != without) {
            float value = similarity_to(people, other, p->features, p->scale).value;
            most = value > most ? value : most;
        }
    }
    return most;
}

float score_of_stranger(const kiln_people *people, const portrait *p) {
    return most_similar(people, p, NULL);
}

static void leave(const kiln_people *people, portraits *all, const person *changing) {
    for (size_t k = 0; k < all->count; k++) {
        portrait *p = &all->items[k];
        bool from = p->score == similarity_to(people, changing, p->features, p->scale).value;
        p->score = from ? STALE : p->score;
    }
}

void scores_leave(kiln_people *people, const person *changing) {
    for (size_t k = 0; k < people->count; k++) {
        if (&people->items[k] != changing) {
            leave(people, &people->items[k].kept, changing);
        }
    }
    leave(people, &people->strangers, changing);
}

static void settle(const kiln_people *people, portraits *all, const person *owner,
                   const person *changed) {
    for (size_t k = 0; k < all->count; k++) {
        portrait *p = &all->items[k];
        if (p->score == STALE) {
            p->score = most_similar(people, p, owner);
        } else if (changed != NULL) {
            float value = similarity_to(people, changed, p->features, p->scale).value;
            p->score = value > p->score ? value : p->score;
        }
    }
}

/* All pictures of one person, against each of the others once: a large gallery passes through the
 * caches once. */
static void settle_own(const kiln_people *people, const person *owner) {
    portraits own = owner->kept;
    for (size_t j = 0; j < own.count; j++) {
        own.items[j].score = NO_SCORE;
    }
    for (size_t k = 0; k < people->count; k++) {
        const person *other = &people->items[k];
        for (size_t j = 0; j < own.count && other != owner; j++) {
            portrait *p = &own.items[j];
            float value = similarity_to(people, other, p->features, p->scale).value;
            p->score = value > p->score ? value : p->score;
        }
    }
}

void scores_settle(kiln_people *people, const person *changed) {
    for (size_t k = 0; k < people->count; k++) {
        const person *owner = &people->items[k];
        if (owner != changed) {
            settle(people, &people->items[k].kept, owner, changed);
        }
    }
    settle(people, &people->strangers, NULL, changed);
    if (changed != NULL) {
        settle_own(people, changed);
    }
}

/* ---- Who it is ----------------------------------------------------------------------------- */

/* More than the most similar picture that was said to be another's. */
float similarity_asked(const kiln_people *people, const person *p, float threshold) {
    for (size_t k = 0; k < p->refused.count; k++) {
        const portrait *other = &p->refused.items[k];
        float least = nextafterf(similarity_to(people, p, other->features, other->scale).value, 2);
        threshold = least > threshold ? least : threshold;
    }
    return threshold;
}

static kiln_status check(const kiln_people *people, const float *features, double *out_scale,
                         kiln_error *error) {
    *out_scale = similarity_scale(features, people->features);
    return *out_scale > 0 ? KILN_OK
                          : kiln_fail(error, KILN_ERROR_ARGUMENT,
                                      "features that are all zeros, or not finite, are nobody's");
}

kiln_status kiln_people_similarity(const kiln_people *people, const float *features, size_t person,
                                   float threshold, kiln_similarity *out_similarity,
                                   kiln_error *error) {
    double scale;
    if (person >= people->count) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "person %zu of %zu", person, people->count);
    }
    kiln_status status = check(people, features, &scale, error);
    if (status == KILN_OK) {
        const struct person *p = &people->items[person];
        *out_similarity = similarity_to(people, p, features, scale);
        out_similarity->asked = similarity_asked(people, p, threshold);
    }
    return status;
}

kiln_status kiln_people_match(const kiln_people *people, const float *features, float threshold,
                              kiln_people_answer *out_answer, kiln_error *error) {
    double scale;
    kiln_people_answer best = {.similarity = STALE};
    kiln_status status = check(people, features, &scale, error);
    if (status == KILN_OK && people->count == 0) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "nobody is enrolled");
    }
    for (size_t k = 0; status == KILN_OK && k < people->count; k++) {
        const person *p = &people->items[k];
        float value = similarity_to(people, p, features, scale).value;
        if (value <= best.similarity && best.known) {
            continue;
        }
        float asked = similarity_asked(people, p, threshold);
        bool known = value >= asked;
        if (known > best.known || (known == best.known && value > best.similarity)) {
            best = (kiln_people_answer){known, k, value, asked};
        }
    }
    if (status == KILN_OK) {
        *out_answer = best;
    }
    return status;
}
