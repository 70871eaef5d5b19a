/* How similar features are to people, and who it is. */
#include "runtime/people/people.h"

#include <math.h>

kiln_person_similarity similarity_to(const kiln_people *people, const person *p,
                                     const float *features, double scale) {
    const float *mean = people->metric != NULL ? p->room : p->mean;
    kiln_person_similarity s = {.to_kept = NO_SCORE};
    s.to_mean = (float)(similarity_dot(mean, features, people->features) * scale);
    for (size_t k = 0; k < p->kept.count; k++) {
        const portrait *kept = &p->kept.items[k];
        float to = (float)(similarity_dot(compared(people, kept), features, people->features) *
                           scale * kept->scale);
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
            float value = similarity_to(people, other, compared(people, p), p->scale).value;
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
        bool from =
            p->score == similarity_to(people, changing, compared(people, p), p->scale).value;
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
            float value = similarity_to(people, changed, compared(people, p), p->scale).value;
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
            float value = similarity_to(people, other, compared(people, p), p->scale).value;
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

void scores_of(kiln_people *people, const person *owner) {
    settle_own(people, owner);
}

void scores_of_strangers(kiln_people *people) {
    for (size_t k = 0; k < people->strangers.count; k++) {
        portrait *p = &people->strangers.items[k];
        p->score = score_of_stranger(people, p);
    }
}

/* ---- Who it is ----------------------------------------------------------------------------- */

/* By so much the picture itself may be more similar than its features as they are kept, which are
 * rounded to f16: 2^-11 of each, of the product with the mean and with a kept picture. */
#define ROUNDING 0x1p-10f

/* More than the most similar picture that was said to be another's. */
float similarity_asked(const kiln_people *people, const person *p, float threshold) {
    for (size_t k = 0; k < p->refused.count; k++) {
        const portrait *other = &p->refused.items[k];
        float least =
            similarity_to(people, p, compared(people, other), other->scale).value + ROUNDING;
        threshold = least > threshold ? least : threshold;
    }
    return threshold;
}

/* Features of a picture as they are compared; *out_room is to be freed. */
static kiln_status look(const kiln_people *people, const float *features,
                        const float **out_compared, double *out_scale, float **out_room,
                        kiln_error *error) {
    *out_room = NULL;
    *out_compared = features;
    kiln_status status = features_scale(features, people->features, out_scale, error);
    if (status == KILN_OK && people->metric != NULL) {
        *out_compared = *out_room =
            memory_take(&people->allocator, people->features * sizeof **out_room);
        if (*out_room == NULL) {
            return memory_fail(error);
        }
        metric_apply(people, features, *out_room);
        *out_scale = similarity_scale(*out_room, people->features);
    }
    return status;
}

kiln_status kiln_people_similarity(const kiln_people *people, const float *features, size_t person,
                                   float threshold, kiln_person_similarity *out_similarity,
                                   kiln_error *error) {
    const float *y;
    float *room;
    double scale;
    if (person >= people->count) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "person %zu of %zu", person, people->count);
    }
    kiln_status status = look(people, features, &y, &scale, &room, error);
    if (status == KILN_OK) {
        const struct person *p = &people->items[person];
        *out_similarity = similarity_to(people, p, y, scale);
        out_similarity->asked = similarity_asked(people, p, threshold);
    }
    memory_free(room);
    return status;
}

/* The most similar of those who are known, else of all. */
static kiln_people_answer find_best(const kiln_people *people, const float *y, double scale,
                                    float threshold) {
    kiln_people_answer best = {.similarity = STALE};
    for (size_t k = 0; k < people->count; k++) {
        const person *p = &people->items[k];
        float value = similarity_to(people, p, y, scale).value;
        if (value <= best.similarity && best.known) {
            continue;
        }
        float asked = similarity_asked(people, p, threshold);
        bool known = value >= asked;
        if (known > best.known || (known == best.known && value > best.similarity)) {
            best = (kiln_people_answer){known, k, value, asked};
        }
    }
    return best;
}

kiln_status kiln_people_match(const kiln_people *people, const float *features, float threshold,
                              kiln_people_answer *out_answer, kiln_error *error) {
    const float *y;
    float *room;
    double scale;
    kiln_status status = look(people, features, &y, &scale, &room, error);
    if (status == KILN_OK && people->count == 0) {
        status = kiln_fail(error, KILN_ERROR_ARGUMENT, "nobody is enrolled");
    }
    if (status == KILN_OK) {
        *out_answer = find_best(people, y, scale, threshold);
    }
    memory_free(room);
    return status;
}
