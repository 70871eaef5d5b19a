/* What the files of people share: the gallery in memory. */
#ifndef KILN_RUNTIME_PEOPLE_H
#define KILN_RUNTIME_PEOPLE_H

#include "runtime/base/memory.h"
#include <kiln/people.h>

#define PEOPLE_TAG "PEOPLE"
#define NOT_IN_HEAD UINT32_MAX
/* No other person's. */
#define NO_SCORE (-1.0f)

/* A picture's features. */
typedef struct portrait {
    float *features; /* of length 1, rounded to f16 */
    float *room;     /* with a metric: as they are compared */
    double scale;    /* 1 / length, of what is compared */
    float score;     /* impostor score; of kept pictures and of strangers */
    uint32_t who;    /* strangers: who it is */
    char *name;
} portrait;

/* Pictures, in an array that grows. */
typedef struct portraits {
    portrait *items;
    size_t count, capacity;
} portraits;

typedef struct person {
    char *name;
    uint32_t count;    /* of pictures */
    uint32_t label;    /* of the plan that it came from; NOT_IN_HEAD: new */
    double *sum;       /* of the pictures' features: exact */
    float *mean;       /* of length 1 */
    float *room;       /* with a metric: as it is compared, of length 1 */
    portraits kept;    /* by hash */
    portraits refused; /* corrections */
} person;

struct kiln_people {
    kiln_allocator allocator; /* of all that it holds */
    size_t features;
    person *items; /* by name */
    size_t count, capacity;
    portraits strangers;
    float *metric; /* NULL: features are compared as they are */
};

/* Up to so many people a metric is learnt anew whenever they change, and once more without each of
 * them: that takes no time worth speaking of. */
enum { PEOPLE_LEARN_ANEW = 64 };

/* What similarities compare. */
static inline const float *compared(const kiln_people *people, const portrait *p) {
    return people->metric != NULL ? p->room : p->features;
}

/* Counts are small, and converting a signed number is one instruction where an unsigned one takes
 * ten: on them it depends how much code all of this is. */
static inline double as_double(size_t count) {
    return (double)(int64_t)count;
}

/* ---- vectors.c ----------------------------------------------------------------------------- */

double similarity_dot(const float *a, const float *b, size_t count);
size_t metric_count(size_t features); /* numbers of a metric */
void metric_apply(const kiln_people *people, const float *x, float *out);

/* ---- portraits.c ---------------------------------------------------------------------------- */

/* 1 / length; 0: all zeros, or not finite. */
double similarity_scale(const float *features, size_t count);
/* Likewise, of a picture's features that somebody gives: KILN_ERROR_ARGUMENT where it is 0. */
kiln_status features_scale(const float *features, size_t count, double *out_scale,
                           kiln_error *error);
/* Features as pictures have them. `name` may be NULL. */
kiln_status portrait_make(const kiln_people *people, const float *features, const char *name,
                          portrait *out_picture, kiln_error *error);
/* Takes over features and a name. KILN_ERROR_FORMAT: they are not of length 1; KILN_ERROR_MEMORY.
 */
kiln_status portrait_adopt(const kiln_people *people, float *features, char *name,
                           portrait *out_picture);
/* After the metric has changed. */
void portrait_settle(const kiln_people *people, portrait *p);
void portrait_free(portrait *p);
/* Room for so many in all; false: no memory. */
bool portraits_reserve(const kiln_people *people, portraits *all, size_t count);
/* Takes the picture over; false: no memory, and the picture is the caller's. */
bool portraits_append(const kiln_people *people, portraits *all, const portrait *p);
/* Takes it over by a hash of its features; the one with the highest goes where there are more than
 * are kept. */
bool portraits_keep(const kiln_people *people, portraits *all, const portrait *p);
void portraits_free(portraits *all);

/* ---- gallery.c ----------------------------------------------------------------------------- */

/* Where a name is, or belongs. */
size_t people_place(const kiln_people *people, const char *name, bool *out_found);
/* Room for somebody at a place: empty, without a name. NULL: no memory. */
person *people_insert(kiln_people *people, size_t at, const char *name);
void people_remove(kiln_people *people, size_t at);
/* The mean, from the sum. */
void person_settle(const kiln_people *people, person *p);
/* Room for what is compared, of all pictures and means; false: no memory, and nothing changed. */
bool gallery_make_room(kiln_people *people);
/* All of it, after the metric has changed. */
void gallery_settle(kiln_people *people);
kiln_status people_check_name(const char *name, kiln_error *error);

/* ---- similarity.c -------------------------------------------------------------------------- */

/* features: what is compared. scale: 1 / their length. */
kiln_person_similarity similarity_to(const kiln_people *people, const person *p,
                                     const float *features, double scale);
/* What a person asks for beyond the threshold. */
float similarity_asked(const kiln_people *people, const person *p, float threshold);

/* Impostor scores, when a person changes: before it, those that come from it are marked; after it
 * they are computed anew, and others with it (none: NULL, it is gone). */
void scores_leave(kiln_people *people, const person *changing);
void scores_settle(kiln_people *people, const person *changed);
float score_of_stranger(const kiln_people *people, const portrait *p);
void scores_of(kiln_people *people, const person *owner); /* of the pictures of one */
void scores_of_strangers(kiln_people *people);

/* ---- metric.c ------------------------------------------------------------------------------ */

/* Learning, with memory of its own (memory_free), so that nothing fails half way; NULL: none. */
typedef struct metric_work metric_work;
metric_work *metric_begin(const kiln_people *people);
/* Learns anew from the gallery as it is; everything in it follows. */
void metric_renew(kiln_people *people, metric_work *w);

/* ---- section.c ----------------------------------------------------------------------------- */

/* `allocator` as of kiln_people_create. */
kiln_status people_read(kiln_span content, const kiln_allocator *allocator,
                        kiln_people **out_people, kiln_error *error);

#endif
