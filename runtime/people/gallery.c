/* The gallery: who is in it. */
#include "runtime/base/allocator.h"
#include "runtime/people/people.h"

#include <math.h>
#include <string.h>

/* ---- Making one ----------------------------------------------------------------------------- */

kiln_status kiln_people_create(size_t feature_count, const kiln_allocator *allocator,
                               kiln_people **out_people, kiln_error *error) {
    *out_people = NULL;
    if (feature_count == 0 || feature_count > 65536) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%zu features: expected 1 to 65536",
                         feature_count);
    }
    allocator = allocator != NULL ? allocator : default_allocator();
    kiln_people *people = memory_zeros(allocator, 1, sizeof *people);
    if (people == NULL) {
        return memory_fail(error);
    }
    people->allocator = *allocator;
    people->features = feature_count;
    *out_people = people;
    return KILN_OK;
}

static void person_free(person *p) {
    memory_free(p->name);
    memory_free(p->sum);
    memory_free(p->mean);
    memory_free(p->room);
    portraits_free(&p->kept);
    portraits_free(&p->refused);
}

void kiln_people_close(kiln_people *people) {
    if (people == NULL) {
        return;
    }
    for (size_t k = 0; k < people->count; k++) {
        person_free(&people->items[k]);
    }
    memory_free(people->items);
    portraits_free(&people->strangers);
    memory_free(people->metric);
    memory_free(people);
}

/* ---- People -------------------------------------------------------------------------------- */

size_t people_place(const kiln_people *people, const char *name, bool *out_found) {
    size_t low = 0, high = people->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(people->items[middle].name, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *out_found = low < people->count && strcmp(people->items[low].name, name) == 0;
    return low;
}

person *people_insert(kiln_people *people, size_t at, const char *name) {
    if (people->count == people->capacity) {
        size_t capacity = people->capacity == 0 ? 16 : people->capacity * 2;
        person *grown = memory_grow(&people->allocator, people->items, capacity * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        people->items = grown;
        people->capacity = capacity;
    }
    person p = {.name = memory_text(&people->allocator, name),
                .label = NOT_IN_HEAD,
                .sum = memory_zeros(&people->allocator, people->features, sizeof *p.sum),
                .mean = memory_zeros(&people->allocator, people->features, sizeof *p.mean),
                .room = people->metric != NULL
                            ? memory_zeros(&people->allocator, people->features, sizeof *p.room)
                            : NULL};
    if (p.name == NULL || p.sum == NULL || p.mean == NULL ||
        (people->metric != NULL && p.room == NULL)) {
        person_free(&p);
        return NULL;
    }
    memmove(people->items + at + 1, people->items + at, (people->count - at) * sizeof p);
    people->items[at] = p;
    people->count++;
    return &people->items[at];
}

void people_remove(kiln_people *people, size_t at) {
    person_free(&people->items[at]);
    people->count--;
    memmove(people->items + at, people->items + at + 1,
            (people->count - at) * sizeof *people->items);
}

void person_settle(const kiln_people *people, person *p) {
    size_t features = people->features;
    double squares = 0;
    for (size_t k = 0; k < features; k++) {
        squares += p->sum[k] * p->sum[k];
    }
    double scale = squares > 0 ? 1 / sqrt(squares) : 0;
    for (size_t k = 0; k < features; k++) {
        p->mean[k] = (float)(p->sum[k] * scale);
    }
    if (people->metric != NULL) {
        metric_apply(people, p->mean, p->room);
        scale = similarity_scale(p->room, features);
        for (size_t k = 0; k < features; k++) {
            p->room[k] = (float)(p->room[k] * scale);
        }
    }
}

static bool make_room(const kiln_people *people, float **inout_room) {
    *inout_room = *inout_room != NULL
                      ? *inout_room
                      : memory_zeros(&people->allocator, people->features, sizeof **inout_room);
    return *inout_room != NULL;
}

static bool make_room_for_all(const kiln_people *people, portraits *all) {
    bool room = true;
    for (size_t k = 0; k < all->count && room; k++) {
        room = make_room(people, &all->items[k].room);
    }
    return room;
}

bool gallery_make_room(kiln_people *people) {
    bool room = make_room_for_all(people, &people->strangers);
    for (size_t k = 0; k < people->count && room; k++) {
        person *p = &people->items[k];
        room = make_room(people, &p->room) && make_room_for_all(people, &p->kept) &&
               make_room_for_all(people, &p->refused);
    }
    return room;
}

static void settle_all(const kiln_people *people, portraits *all) {
    for (size_t k = 0; k < all->count; k++) {
        portrait_settle(people, &all->items[k]);
    }
}

void gallery_settle(kiln_people *people) {
    settle_all(people, &people->strangers);
    for (size_t k = 0; k < people->count; k++) {
        person *p = &people->items[k];
        person_settle(people, p);
        settle_all(people, &p->kept);
        settle_all(people, &p->refused);
    }
}

kiln_status people_check_name(const char *name, kiln_error *error) {
    size_t length = strlen(name);
    return length > 0 && length <= KILN_PEOPLE_NAME
               ? KILN_OK
               : kiln_fail(error, KILN_ERROR_ARGUMENT, "a name has 1 to %u bytes, not %zu",
                           KILN_PEOPLE_NAME, length);
}

/* ---- Asking -------------------------------------------------------------------------------- */

size_t kiln_people_feature_count(const kiln_people *people) {
    return people->features;
}

size_t kiln_people_count(const kiln_people *people) {
    return people->count;
}

const char *kiln_people_name(const kiln_people *people, size_t person) {
    return person < people->count ? people->items[person].name : NULL;
}

bool kiln_people_find(const kiln_people *people, const char *name, size_t *out_person) {
    bool found;
    *out_person = people_place(people, name, &found);
    return found;
}

size_t kiln_people_stranger_count(const kiln_people *people) {
    return people->strangers.count;
}

kiln_status kiln_people_person(const kiln_people *people, size_t person, kiln_person *out_person,
                               kiln_error *error) {
    if (person >= people->count) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "person %zu of %zu", person, people->count);
    }
    const struct person *p = &people->items[person];
    *out_person = (kiln_person){p->name, p->count, p->kept.count, p->refused.count, p->mean};
    return KILN_OK;
}

kiln_status kiln_people_picture(const kiln_people *people, size_t person, size_t picture,
                                kiln_person_picture *out_picture, kiln_error *error) {
    if (person >= people->count || picture >= people->items[person].kept.count) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "no picture %zu of person %zu", picture,
                         person);
    }
    const struct person *p = &people->items[person];
    const portrait *kept = &p->kept.items[picture];
    float own = NO_SCORE;
    for (size_t k = 0; k < p->kept.count; k++) {
        const portrait *other = &p->kept.items[k];
        float cosine = (float)(similarity_dot(compared(people, kept), compared(people, other),
                                              people->features) *
                               kept->scale * other->scale);
        own = k != picture && cosine > own ? cosine : own;
    }
    kiln_person_similarity s = similarity_to(people, p, compared(people, kept), kept->scale);
    *out_picture = (kiln_person_picture){kept->name, kept->features, s.to_mean, own, kept->score};
    return KILN_OK;
}

float kiln_people_alike(const kiln_people *people, size_t a, size_t b) {
    if (a >= people->count || b >= people->count) {
        return 0;
    }
    const struct person *p = &people->items[a], *q = &people->items[b];
    return (float)similarity_dot(people->metric != NULL ? p->room : p->mean,
                                 people->metric != NULL ? q->room : q->mean, people->features);
}
