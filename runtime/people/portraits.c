/* Pictures of a gallery: features of length 1, rounded to f16. */
#include "runtime/people/people.h"
#include <kiln/half.h>

#include <math.h>
#include <string.h>

/* FNV-1a over the numbers as f16, then a finaliser (SplitMix64), for features that differ in their
 * last bits alone are to be told apart in the highest. */
static uint64_t hash_of(const float *features, size_t count) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t k = 0; k < count; k++) {
        hash = (hash ^ kiln_f16_from_f32(features[k])) * 0x100000001b3u;
    }
    hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 27) * 0x94d049bb133111ebu;
    return hash ^ hash >> 31;
}

double similarity_scale(const float *features, size_t count) {
    double squares = 0;
    for (size_t k = 0; k < count; k++) {
        squares += (double)features[k] * (double)features[k];
    }
    return squares > 0 && isfinite(squares) ? 1 / sqrt(squares) : 0;
}

kiln_status features_scale(const float *features, size_t count, double *out_scale,
                           kiln_error *error) {
    *out_scale = similarity_scale(features, count);
    return *out_scale != 0 ? KILN_OK
                           : kiln_fail(error, KILN_ERROR_ARGUMENT,
                                       "features that are all zeros, or not finite, are nobody's");
}

kiln_status portrait_make(const kiln_people *people, const float *features, const char *name,
                          portrait *out_picture, kiln_error *error) {
    size_t count = people->features;
    double scale;
    kiln_status status = features_scale(features, count, &scale, error);
    if (status != KILN_OK) {
        return status;
    }
    name = name != NULL ? name : "";
    if (strlen(name) > KILN_PEOPLE_NAME) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "a picture's name has more than %u bytes",
                         KILN_PEOPLE_NAME);
    }
    float *rounded = memory_take(&people->allocator, count * sizeof *rounded);
    char *copy = memory_text(&people->allocator, name);
    for (size_t k = 0; rounded != NULL && k < count; k++) {
        rounded[k] = kiln_f32_from_f16(kiln_f16_from_f32((float)(features[k] * scale)));
    }
    if (rounded == NULL || copy == NULL ||
        portrait_adopt(people, rounded, copy, out_picture) != KILN_OK) {
        memory_free(rounded);
        memory_free(copy);
        return memory_fail(error);
    }
    return KILN_OK;
}

kiln_status portrait_adopt(const kiln_people *people, float *features, char *name,
                           portrait *out_picture) {
    double scale = similarity_scale(features, people->features);
    portrait p = {.features = features, .score = NO_SCORE, .name = name};
    if (!(scale > 0.9 && scale < 1.1)) {
        return KILN_ERROR_FORMAT;
    }
    if (people->metric != NULL) {
        p.room = memory_take(&people->allocator, people->features * sizeof *p.room);
        if (p.room == NULL) {
            return KILN_ERROR_MEMORY;
        }
    }
    portrait_settle(people, &p);
    *out_picture = p;
    return KILN_OK;
}

void portrait_settle(const kiln_people *people, portrait *p) {
    if (people->metric != NULL) {
        metric_apply(people, p->features, p->room);
    }
    p->scale = similarity_scale(compared(people, p), people->features);
}

void portrait_free(portrait *p) {
    memory_free(p->features);
    memory_free(p->room);
    memory_free(p->name);
    *p = (portrait){0};
}

bool portraits_reserve(const kiln_people *people, portraits *all, size_t count) {
    if (count <= all->capacity) {
        return true;
    }
    size_t capacity = all->capacity == 0 ? KILN_PEOPLE_KEPT + 1 : all->capacity * 2;
    portrait *grown = memory_grow(&people->allocator, all->items, capacity * sizeof *grown);
    if (grown != NULL) {
        all->items = grown;
        all->capacity = capacity;
    }
    return grown != NULL;
}

bool portraits_append(const kiln_people *people, portraits *all, const portrait *p) {
    bool room = portraits_reserve(people, all, all->count + 1);
    if (room) {
        all->items[all->count++] = *p;
    }
    return room;
}

/* Equal features may have different names: the order must not depend on which came first. */
static bool before(const portrait *a, const portrait *b, size_t features) {
    uint64_t x = hash_of(a->features, features), y = hash_of(b->features, features);
    return x != y ? x < y : strcmp(a->name, b->name) < 0;
}

bool portraits_keep(const kiln_people *people, portraits *all, const portrait *p) {
    if (!portraits_append(people, all, p)) {
        return false;
    }
    size_t at = all->count - 1;
    for (; at > 0 && before(p, &all->items[at - 1], people->features); at--) {
    }
    memmove(all->items + at + 1, all->items + at, (all->count - 1 - at) * sizeof *p);
    all->items[at] = *p;
    if (all->count > KILN_PEOPLE_KEPT) {
        portrait_free(&all->items[--all->count]);
    }
    return true;
}

void portraits_free(portraits *all) {
    for (size_t k = 0; k < all->count; k++) {
        portrait_free(&all->items[k]);
    }
    memory_free(all->items);
    *all = (portraits){0};
}
