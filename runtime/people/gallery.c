/* The gallery: who is in it. */
#include "runtime/people/people.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Making one ----------------------------------------------------------------------------- */

kiln_status kiln_people_create(size_t feature_count, kiln_people **out_people, kiln_error *error) {
    *out_people = NULL;
    if (feature_count == 0 || feature_count > 65536) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "%zu features: expected 1 to 65536",
                         feature_count);
    }
    *out_people = calloc(1, sizeof **out_people);
    if (*out_people == NULL) {
        return people_memory(error);
    }
    (*out_people)->features = feature_count;
    return KILN_OK;
}

static void person_free(person *p) {
    free(p->name);
    free(p->sum);
    free(p->mean);
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
    free(people->items);
    portraits_free(&people->strangers);
    free(people);
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
        person *grown = realloc(people->items, capacity * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        people->items = grown;
        people->capacity = capacity;
    }
    person p = {.name = strdup(name),
                .label = NOT_IN_HEAD,
                .sum = calloc(people->features, sizeof *p.sum),
                .mean = calloc(people->features, sizeof *p.mean)};
    if (p.name == NULL || p.sum == NULL || p.mean == NULL) {
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

void person_settle(person *p, size_t features) {
    double squares = 0;
    for (size_t k = 0; k < features; k++) {
        squares += p->sum[k] * p->sum[k];
    }
    double scale = squares > 0 ? 1 / sqrt(squares) : 0;
    for (size_t k = 0; k < features; k++) {
        p->mean[k] = (float)(p->sum[k] * scale);
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
    kiln_similarity s = similarity_to(people, p, kept->features, kept->scale);
    *out_picture = (kiln_person_picture){kept->name, kept->features, s.to_mean, kept->score};
    return KILN_OK;
}
