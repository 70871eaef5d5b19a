/* kiln enrol: somebody new, or more pictures of somebody. */
#include "compiler/cli/faces/quality.h"
#include "compiler/cli/people/known.h"

#include <stdlib.h>
#include <string.h>

typedef struct enrolment {
    people_call call;
    path_list pictures;
    float *features; /* of those that could be used */
    const char **names;
    size_t count, skipped;
} enrolment;

/* What makes a poor picture, told and used all the same: it is the user's choice. */
static void tell_quality(const char *path, const rgb_picture *picture, const subject *which) {
    face_quality q;
    kiln_image image = picture_image(picture);
    if (!which->is_face || face_quality_of(&image, &which->face, &q, NULL) != KILN_OK) {
        return;
    }
    if (q.eyes < FACE_SMALL) {
        text_print(stderr, "kiln: %s: small: %.0f pixels between the eyes\n", path, q.eyes);
    }
    if (q.blur > FACE_BLURRED) {
        text_print(stderr, "kiln: %s: blurred (%.2f)\n", path, q.blur);
    }
}

static kiln_status look(enrolment *e, const char *path, float *out, kiln_error *error) {
    scorer *s = &e->call.known.scorer;
    rgb_picture picture = {0};
    char why[64];
    kiln_status status = scorer_load(s, path, &picture, error);
    if (status == KILN_OK && s->finder.count == 0) {
        status = kiln_fail(error, KILN_ERROR_UNSUPPORTED, "%s: %s", path,
                           subjects_why(s->finder.found, why, sizeof why));
    }
    if (status == KILN_OK) {
        status = scorer_run(s, &picture, &s->finder.subjects[0], out, error);
    }
    if (status == KILN_OK) {
        tell_quality(path, &picture, &s->finder.subjects[0]);
    }
    picture_free(&picture);
    return status;
}

/* Pictures that cannot be used are told, and passed over. */
static kiln_status look_at_all(enrolment *e, kiln_error *error) {
    size_t size = e->call.known.scorer.count;
    e->features = malloc((e->pictures.count * size + 1) * sizeof *e->features);
    e->names = malloc((e->pictures.count + 1) * sizeof *e->names);
    if (e->features == NULL || e->names == NULL) {
        return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
    }
    for (size_t k = 0; k < e->pictures.count; k++) {
        kiln_error problem;
        const char *path = e->pictures.paths[k];
        kiln_status status = look(e, path, e->features + e->count * size, &problem);
        if (status == KILN_ERROR_MEMORY) {
            return kiln_fail(error, status, "%s", problem.message);
        }
        if (status == KILN_OK) {
            e->names[e->count++] = picture_name(path);
        } else {
            (void)fail(&problem);
            e->skipped++;
        }
        progress_show("enrolling", k + 1, e->pictures.count);
    }
    progress_clear();
    return e->count > 0 ? KILN_OK
                        : kiln_fail(error, KILN_ERROR_ARGUMENT,
                                    "none of the pictures can be used: nothing has been changed");
}

/* Who a picture of somebody new looks like is worth knowing: one person by two names, or a picture
 * of somebody else among theirs. */
static void tell_likeness(const enrolment *e, size_t person) {
    const known *k = &e->call.known;
    kiln_people_threshold t;
    size_t other;
    double cosine;
    if (kiln_people_decide(k->people, 0, &t, NULL) == KILN_OK &&
        known_nearest(k, person, &other, &cosine) && cosine >= (double)t.similarity) {
        text_print(stderr, "kiln: %s is much like %s (%.2f): one person by two names?\n",
                   kiln_people_name(k->people, person), kiln_people_name(k->people, other), cosine);
    }
}

static kiln_status enrol(enrolment *e, char **words, int count, kiln_error *error) {
    const char *plan = words[0], *name = words[1];
    people_call *c = &e->call;
    size_t person, passed_over = 0;
    kiln_person now;
    const char *target = c->output != NULL ? c->output : plan;
    kiln_status status = file_try(target, error);
    if (status == KILN_OK) {
        status =
            paths_expand(words + 2, (size_t)count - 2, c->list, &e->pictures, &passed_over, error);
        tell_passed_over(passed_over);
    }
    if (status == KILN_OK) {
        status = known_open(plan, &c->options, &c->known, error);
    }
    if (status == KILN_OK) {
        status = look_at_all(e, error);
    }
    if (status == KILN_OK) {
        status = kiln_people_enrol(c->known.people, name, e->features, e->count, e->names, error);
    }
    if (status == KILN_OK) {
        status = known_save(&c->known, c->output, error);
    }
    if (status == KILN_OK && kiln_people_find(c->known.people, name, &person)) {
        (void)kiln_people_person(c->known.people, person, &now, NULL);
        text_print(stdout, "%s: %s has %zu picture%s, %zu people are known\n", target, name,
                   now.pictures, now.pictures == 1 ? "" : "s", kiln_people_count(c->known.people));
        tell_likeness(e, person);
    }
    return status;
}

#define AT(member) offsetof(people_call, member)

static const option_row rows[] = {
    OUTPUT_ROW(AT(output)),
    LIST_ROW(AT(list)),
    DETECTOR_ROW(AT(options.subjects.detector)),
    FACES_ROW(AT(options.subjects.faces), "largest"),
    PRESET_ROW(AT(options.preset)),
    THREADS_ROW(AT(options.threads)),
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    enrolment e = {.call = {.options = {.threads = 1}}};
    kiln_error error = {0};
    int status = people_read_call(self, &e.call, &argc, &argv, 2, 0);
    if (status == OPTIONS_READ && argc == 2 && e.call.list == NULL) {
        status = usage(self, "expected pictures of %s", argv[1]);
    } else if (status == OPTIONS_READ) {
        status = enrol(&e, argv, argc, &error) == KILN_OK ? 0 : fail(&error);
        status = e.skipped > 0 ? EXIT_FAILED : status;
    }
    known_close(&e.call.known);
    path_list_free(&e.pictures);
    free(e.features);
    free((void *)e.names);
    return status;
}

const command command_enrol = {
    .name = "enrol",
    .summary = "teach a plan somebody new, without training",
    .order = 310,
    .synopsis = "PLAN NAME PICTURE... [options]",
    .about = "Adds pictures of a person to a plan that knows people (kiln train makes one): no old "
             "pictures, no training; the result is what the plan would know if it had been made "
             "of all pictures. Pictures may be files or folders; the largest face near the middle "
             "counts. The plan is replaced when all is done.",
    .notes = "A picture that cannot be used is told and passed over; the exit status is then 1.",
    .examples = "kiln enrol faces.plan ada ada-1.jpg ada-2.jpg",
    .options = rows,
    .opens_plan = true,
    .run = run};

const command command_enroll = {.name = "enroll",
                                .summary = "the same as enrol",
                                .order = 311,
                                .synopsis = "PLAN NAME PICTURE... [options]",
                                .about = "See kiln enrol.",
                                .examples = "kiln enroll faces.plan ada ada-1.jpg ada-2.jpg",
                                .options = rows,
                                .opens_plan = true,
                                .run = run};
