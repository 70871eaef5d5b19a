/* People whose pictures are drawn: each has a direction of their own. */
#ifndef KILN_TESTS_PEOPLE_GALLERY_H
#define KILN_TESTS_PEOPLE_GALLERY_H

#include "runtime/people/people.h"
#include "tests/unit/trainer_samples.h"

#include <stdio.h>
#include <stdlib.h>

enum { SIZE = FEATURES, PICTURES = 12 };

/* Picture `n` of somebody: their own direction, and something of the picture's. `noise` 1: as much
 * as the direction. */
static inline void draw(uint64_t who, uint64_t n, float noise, float out[SIZE]) {
    for (uint64_t k = 0; k < SIZE; k++) {
        out[k] = random_uniform(9, who, k) + noise * random_uniform(10 + who, n, k);
    }
}

static inline void enrol(kiln_people *people, const char *name, uint64_t who, size_t first,
                         size_t count) {
    float pictures[PICTURES][SIZE];
    char names[PICTURES][16];
    const char *list[PICTURES];
    for (size_t k = 0; k < count; k++) {
        draw(who, first + k, 0.7f, pictures[k]);
        snprintf(names[k], sizeof names[k], "%zu.jpg", first + k);
        list[k] = names[k];
    }
    GOOD(kiln_people_enrol(people, name, pictures[0], count, list, &error));
}

static inline kiln_people *nobody(void) {
    kiln_people *people;
    GOOD(kiln_people_create(SIZE, NULL, &people, &error));
    return people;
}

static inline uint8_t *section_of(kiln_people *people, size_t *out_size) {
    void *bytes;
    GOOD(kiln_people_section(people, &bytes, out_size, &error));
    return bytes;
}

#endif
