/* Enrolling, forgetting, renaming, correcting. */
#include "runtime/people/people.h"

#include <string.h>

static kiln_status nobody(const char *name, kiln_error *error) {
    return kiln_fail(error, KILN_ERROR_ARGUMENT, "nobody is called '%s'", name);
}

static void free_all(portrait *all, size_t count) {
    for (size_t k = 0; k < count; k++) {
        portrait_free(&all[k]);
    }
    memory_free(all);
}

static kiln_status make_all(const kiln_people *people, const float *features, size_t count,
                            const char *const *names, portrait **out_all, kiln_error *error) {
    portrait *all = memory_zeros(&people->allocator, count, sizeof *all);
    kiln_status status = all != NULL ? KILN_OK : memory_fail(error);
    for (size_t k = 0; status == KILN_OK && k < count; k++) {
        status = portrait_make(people, features + k * people->features,
                               names != NULL ? names[k] : NULL, &all[k], error);
    }
    if (status != KILN_OK && all != NULL) {
        free_all(all, count);
        all = NULL;
    }
    *out_all = all;
    return status;
}

static void add_pictures(const kiln_people *people, person *p, const portrait *all, size_t count) {
    for (size_t k = 0; k < count; k++) {
        for (size_t j = 0; j < people->features; j++) {
            p->sum[j] += (double)all[k].features[j];
        }
        (void)portraits_keep(people, &p->kept, &all[k]);
    }
    p->count += (uint32_t)count;
    person_settle(people, p);
}

/* Whether the metric follows this change; *out_work: memory for that. */
static kiln_status begin_learning(const kiln_people *people, size_t count, metric_work **out_work,
                                  kiln_error *error) {
    bool learns = people->metric != NULL && count <= PEOPLE_LEARN_ANEW;
    *out_work = learns ? metric_begin(people) : NULL;
    return learns && *out_work == NULL ? memory_fail(error) : KILN_OK;
}

/* Takes them over, for the person at a place, who gets that name there, or (NULL) has one. */
static kiln_status add_all(kiln_people *people, size_t at, const char *new_name, portrait *all,
                           size_t count, metric_work *work, kiln_error *error) {
    person *p = new_name == NULL ? &people->items[at] : people_insert(people, at, new_name);
    /* Room first, so that nothing fails half way. */
    if (p == NULL || !portraits_reserve(people, &p->kept, KILN_PEOPLE_KEPT + 1)) {
        if (p != NULL && new_name != NULL) {
            people_remove(people, at);
        }
        free_all(all, count);
        return memory_fail(error);
    }
    if (new_name == NULL && work == NULL) {
        scores_leave(people, p);
    }
    add_pictures(people, p, all, count);
    if (work != NULL) {
        metric_renew(people, work);
    } else {
        scores_settle(people, p);
    }
    memory_free(all); /* its pictures are the person's */
    return KILN_OK;
}

kiln_status kiln_people_enrol(kiln_people *people, const char *name, const float *features,
                              size_t count, const char *const *picture_names, kiln_error *error) {
    bool found;
    portrait *all = NULL;
    kiln_status status = people_check_name(name, error);
    if (status != KILN_OK) {
        return status;
    }
    size_t at = people_place(people, name, &found);
    size_t before = found ? people->items[at].count : 0;
    if (count == 0 || count > KILN_PEOPLE_MOST - before || people->count >= KILN_PEOPLE_MOST) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "%zu pictures of '%s' in a gallery of %zu: at most %u of each", count,
                         name, people->count, KILN_PEOPLE_MOST);
    }
    metric_work *work = NULL;
    status = begin_learning(people, people->count + !found, &work, error);
    if (status == KILN_OK) {
        status = make_all(people, features, count, picture_names, &all, error);
    }
    if (status == KILN_OK) {
        status = add_all(people, at, found ? NULL : name, all, count, work, error);
    }
    memory_free(work);
    return status;
}

kiln_status kiln_people_forget(kiln_people *people, const char *name, kiln_error *error) {
    bool found;
    size_t at = people_place(people, name, &found);
    if (!found) {
        return nobody(name, error);
    }
    metric_work *work = NULL;
    kiln_status status = begin_learning(people, people->count - 1, &work, error);
    if (status != KILN_OK) {
        return status;
    }
    if (work != NULL) {
        people_remove(people, at);
        metric_renew(people, work);
    } else {
        scores_leave(people, &people->items[at]);
        people_remove(people, at);
        scores_settle(people, NULL);
    }
    memory_free(work);
    return KILN_OK;
}

kiln_status kiln_people_rename(kiln_people *people, const char *name, const char *new_name,
                               kiln_error *error) {
    bool found, taken;
    kiln_status status = people_check_name(new_name, error);
    if (status != KILN_OK) {
        return status;
    }
    size_t at = people_place(people, name, &found), to = people_place(people, new_name, &taken);
    if (!found) {
        return nobody(name, error);
    }
    if (taken) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "somebody is called '%s' already", new_name);
    }
    char *copy = memory_text(&people->allocator, new_name);
    if (copy == NULL) {
        return memory_fail(error);
    }
    person moved = people->items[at];
    memory_free(moved.name);
    moved.name = copy;
    to -= to > at; /* without the person */
    if (at < to) {
        memmove(people->items + at, people->items + at + 1, (to - at) * sizeof moved);
    } else {
        memmove(people->items + to + 1, people->items + to, (at - to) * sizeof moved);
    }
    people->items[to] = moved;
    return KILN_OK;
}

kiln_status kiln_people_correct(kiln_people *people, const char *name, const float *features,
                                const char *picture_name, kiln_error *error) {
    bool found;
    portrait p;
    size_t at = people_place(people, name, &found);
    if (!found) {
        return nobody(name, error);
    }
    if (people->items[at].refused.count >= KILN_PEOPLE_CORRECTIONS) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT,
                         "'%s' has %u corrections already: enrol better pictures", name,
                         KILN_PEOPLE_CORRECTIONS);
    }
    kiln_status status = portrait_make(people, features, picture_name, &p, error);
    if (status == KILN_OK && !portraits_append(people, &people->items[at].refused, &p)) {
        portrait_free(&p);
        status = memory_fail(error);
    }
    return status;
}

kiln_status kiln_people_add_stranger(kiln_people *people, const float *features, uint32_t who,
                                     kiln_error *error) {
    portrait p;
    if (people->strangers.count >= KILN_PEOPLE_MOST) {
        return kiln_fail(error, KILN_ERROR_ARGUMENT, "at most %u pictures of strangers",
                         KILN_PEOPLE_MOST);
    }
    kiln_status status = portrait_make(people, features, NULL, &p, error);
    if (status != KILN_OK) {
        return status;
    }
    p.who = who;
    p.score = score_of_stranger(people, &p);
    if (!portraits_append(people, &people->strangers, &p)) {
        portrait_free(&p);
        return memory_fail(error);
    }
    return KILN_OK;
}
