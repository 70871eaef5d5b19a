/* kiln explain: why a picture is, or is not, somebody. */
#include "compiler/cli/people/explain.h"
#include "compiler/cli/faces/answer.h"
#include "compiler/cli/people/judge.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- Looking ------------------------------------------------------------------------------- */

static kiln_status rank(explanation *e, kiln_error *error) {
    kiln_status status =
        known_rank(e->known, e->threshold.similarity, &e->people, &e->count, error);
    e->answer = SIZE_MAX;
    for (size_t k = e->count; k-- > 0;) {
        e->answer = ranked_is_known(&e->people[k]) ? k : e->answer;
    }
    return status;
}

static kiln_status look(explanation *e, known *k, kiln_error *error) {
    scorer *s = &k->scorer;
    kiln_status status = scorer_load(s, e->path, &e->picture, error);
    e->known = k;
    e->faces = s->finder.found;
    if (status != KILN_OK || s->finder.count == 0) {
        return status;
    }
    e->subject = s->finder.subjects[0];
    status = scorer_run(s, &e->picture, &e->subject, k->features, error);
    if (status == KILN_OK && e->subject.is_face) {
        kiln_image image = picture_image(&e->picture);
        status = face_quality_of(&image, &e->subject.face, &e->quality, error);
    }
    return status == KILN_OK ? rank(e, error) : status;
}

/* ---- What would change the answer ---------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void remark(explanation *e, const char *format, ...) {
    va_list arguments;
    if (e->remark_count < MOST_REMARKS) {
        va_start(arguments, format);
        vsnprintf(e->remarks[e->remark_count++], REMARK_SIZE, format, arguments);
        va_end(arguments);
    }
}

static bool passes(const explanation *e, double rate, float similarity) {
    kiln_people_threshold t;
    return kiln_people_decide(e->known->people, rate, &t, NULL) == KILN_OK &&
           similarity >= t.similarity;
}

/* The lowest rate, to a hundredth of it, at which the similarity is enough; above 1: none. */
static double rate_for(const explanation *e, float similarity) {
    double low = 3 / (double)e->threshold.scores, high = 0.5;
    if (low >= high || !passes(e, high, similarity)) {
        return 2;
    }
    while (high / low > 1.01) {
        double middle = (high + low) / 2;
        if (passes(e, middle, similarity)) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

static void remark_picture(explanation *e) {
    const face_quality *q = &e->quality;
    if (e->faces > 1) {
        remark(e, "%zu faces were found; the largest near the middle is explained", e->faces);
    }
    if (e->subject.is_face && q->eyes < FACE_SMALL) {
        remark(e, "the face is small: %.0f pixels between the eyes, %.0f are wanted", q->eyes,
               FACE_SMALL);
    }
    if (e->subject.is_face && q->blur > FACE_BLURRED) {
        remark(e, "the face is blurred: %.2f, where sharp ones have 0.2 to 0.4", q->blur);
    }
    if (e->subject.is_face && (q->angle > 30 || q->angle < -30)) {
        remark(e,
               "the head is turned by %.0f degrees; the alignment undoes that, if the points were "
               "found right",
               q->angle);
    }
}

static void remark_unknown(explanation *e) {
    const ranked_person *r = &e->people[0];
    const char *name = kiln_people_name(e->known->people, r->person);
    float lacking = r->similarity.asked - r->similarity.value;
    if (r->similarity.asked > e->threshold.similarity) {
        remark(e, "%s is asked for %.3f instead of %.3f because of corrections (kiln not)", name,
               (double)r->similarity.asked, (double)e->threshold.similarity);
    } else {
        double rate = rate_for(e, r->similarity.value);
        if (rate < 1) {
            remark(e, "--far %.3g, so many strangers let in, would make it %s", rate, name);
        } else {
            remark(e, "no rate of strangers that the plan can promise would make it %s", name);
        }
    }
    remark(e,
           "it lacks %.3f of similarity to %s; if it is %s, enrolling it (kiln enrol) makes such "
           "pictures known",
           (double)lacking, name, name);
}

static void remark_known(explanation *e) {
    const kiln_people *people = e->known->people;
    const ranked_person *r = &e->people[e->answer];
    const char *name = kiln_people_name(people, r->person);
    remark(e, "it has %.3f more similarity than is asked for",
           (double)(r->similarity.value - r->similarity.asked));
    if (e->count > 1) {
        const ranked_person *other = &e->people[e->answer == 0 ? 1 : 0];
        remark(e, "without %s it would be %s, with %.3f", name,
               ranked_is_known(other) ? kiln_people_name(people, other->person) : "unknown",
               (double)other->similarity.value);
    }
    if (r->similarity.to_kept > r->similarity.to_mean + 0.1f) {
        remark(e, "it is one picture that pulls: %s (%.3f, the mean of all pictures %.3f)",
               r->nearest.name[0] != '\0' ? r->nearest.name : "without a name",
               (double)r->similarity.to_kept, (double)r->similarity.to_mean);
    }
}

static void find_remarks(explanation *e) {
    remark_picture(e);
    if (e->count > 0 && e->answer == SIZE_MAX) {
        remark_unknown(e);
    } else if (e->count > 0) {
        remark_known(e);
    }
}

/* ---- Telling ------------------------------------------------------------------------------- */

static void print_text(const explanation *e, size_t most) {
    char box[64];
    if (e->count == 0) {
        text_print(stdout, "%s: no face found, so nobody\n", e->path);
        return;
    }
    text_print(stdout, "%s: %s\n", e->path, explained_name(e));
    if (e->subject.is_face) {
        printf("face      %s, %.0f pixels between the eyes, blur %.2f, turned %.0f degrees\n",
               face_text(&e->subject.face, box, sizeof box), e->quality.eyes, e->quality.blur,
               e->quality.angle);
    } else {
        printf("face      not looked for: the whole picture (--detector finds and aligns faces)\n");
    }
    printf("asked     %.3f, so that at most %.3g %% of strangers pass (%zu impostor scores of %zu "
           "people)\n",
           (double)e->threshold.similarity, 100 * e->threshold.rate, e->threshold.scores,
           e->threshold.groups);
    for (size_t k = 0; k < e->count && k < most; k++) {
        const ranked_person *r = &e->people[k];
        char name[TEXT_COLUMN(20)];
        printf("%s %s %.3f of %.3f (mean %.3f, nearest %.3f: ", k == 0 ? "similar  " : "         ",
               text_column(kiln_people_name(e->known->people, r->person), 20, name),
               (double)r->similarity.value, (double)r->similarity.asked,
               (double)r->similarity.to_mean, (double)r->similarity.to_kept);
        text_print(stdout, "%s)\n", r->nearest.name[0] != '\0' ? r->nearest.name : "no name");
    }
    for (size_t k = 0; k < e->remark_count; k++) {
        text_print(stdout, "%s %s\n", k == 0 ? "notes    " : "         ", e->remarks[k]);
    }
}

static void json_people(const explanation *e) {
    for (size_t k = 0; k < e->count; k++) {
        const ranked_person *r = &e->people[k];
        printf("%s{\"name\": ", k > 0 ? ", " : "");
        json_string(stdout, kiln_people_name(e->known->people, r->person));
        printf(", \"similarity\": ");
        json_number(stdout, (double)r->similarity.value);
        printf(", \"asked\": ");
        json_number(stdout, (double)r->similarity.asked);
        printf(", \"to_mean\": ");
        json_number(stdout, (double)r->similarity.to_mean);
        printf(", \"to_nearest\": ");
        json_number(stdout, (double)r->similarity.to_kept);
        printf(", \"nearest\": ");
        json_string(stdout, r->nearest.name);
        putchar('}');
    }
}

static void print_json(const explanation *e) {
    printf("{\"image\": ");
    json_string(stdout, e->path);
    printf(", \"answer\": ");
    json_string(stdout, explained_name(e));
    printf(", \"faces\": %zu, \"face\": ", e->faces);
    if (e->subject.is_face) {
        printf("{");
        face_json(stdout, &e->subject.face);
        printf(", \"eyes\": ");
        json_number(stdout, e->quality.eyes);
        printf(", \"blur\": ");
        json_number(stdout, e->quality.blur);
        printf(", \"angle\": ");
        json_number(stdout, e->quality.angle);
        printf("}");
    } else {
        printf("null");
    }
    printf(", \"threshold\": ");
    json_number(stdout, (double)e->threshold.similarity);
    printf(", \"far\": ");
    json_number(stdout, e->threshold.rate);
    printf(", \"scores\": %zu, \"people\": [", e->threshold.scores);
    json_people(e);
    printf("], \"notes\": [");
    for (size_t k = 0; k < e->remark_count; k++) {
        printf("%s", k > 0 ? ", " : "");
        json_string(stdout, e->remarks[k]);
    }
    printf("]}\n");
}

/* ---- Command ------------------------------------------------------------------------------- */

typedef struct explain_call {
    people_call call; /* first, for people_read_call */
    const char *page, *pictures;
    double far;
    uint32_t nearest;
    explanation explanation;
} explain_call;

static kiln_status explain(explain_call *c, char **words, kiln_error *error) {
    explanation *e = &c->explanation;
    known *k = &c->call.known;
    e->path = words[1];
    kiln_status status = check_outputs(&c->page, 1, (const char *const *)words, 2, error);
    if (status == KILN_OK) {
        status = known_open(words[0], &c->call.options, k, error);
    }
    if (status == KILN_OK) {
        status = kiln_people_decide(k->people, c->far < 1 ? c->far : 0, &e->threshold, error);
    }
    if (status == KILN_OK) {
        status = look(e, k, error);
    }
    if (status == KILN_OK) {
        find_remarks(e);
        if (c->call.json) {
            print_json(e);
        } else {
            print_text(e, c->nearest);
        }
    }
    return status == KILN_OK && c->page != NULL ? explain_page(e, c->pictures, c->page, error)
                                                : status;
}

#define AT(member) offsetof(explain_call, member)

static const option_row rows[] = {
    {.kind = OPTION_NUMBER,
     .name = "nearest",
     .value = "N",
     .place = AT(nearest),
     .low = 1,
     .high = KILN_PEOPLE_MOST,
     .help = "tell of so many people (default 5; JSON and the page tell of all)"},
    FAR_ROW(AT(far)),
    {.kind = OPTION_TEXT,
     .name = "report",
     .value = "FILE.html",
     .place = AT(page),
     .help = "a page with pictures"},
    {.kind = OPTION_TEXT,
     .name = "pictures",
     .value = "DIR",
     .place = AT(pictures),
     .help = "for the page: the people's pictures, a sub-folder each, as for kiln train"},
    DETECTOR_ROW(AT(call.options.subjects.detector)),
    FACES_ROW(AT(call.options.subjects.faces), "largest"),
    PRESET_ROW(AT(call.options.preset)),
    THREADS_ROW(AT(call.options.threads)),
    {.kind = OPTION_SET, .name = "json", .place = AT(call.json), .help = "the same as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    explain_call c = {.call = {.options = {.threads = 1}}, .nearest = 5};
    kiln_error error = {0};
    int status = people_read_call(self, &c.call, &argc, &argv, 2, 2);
    if (status == OPTIONS_READ) {
        status = explain(&c, argv, &error) == KILN_OK ? 0 : fail(&error);
    }
    picture_free(&c.explanation.picture);
    free(c.explanation.people);
    known_close(&c.call.known);
    return status;
}

const command command_explain = {
    .name = "explain",
    .summary = "why a picture is, or is not, somebody",
    .order = 360,
    .synopsis = "PLAN PICTURE [options]",
    .about =
        "Tells what an answer of kiln classify rests on, for a plan that knows people: whether "
        "a face was found and how good it is, how similar it is to each person and how similar "
        "it would have to be, which of their pictures is nearest, and what would change the "
        "answer. Here similarity alone decides, without the network's head.",
    .examples = "kiln explain faces.plan door.jpg --detector yunet.onnx --report why.html",
    .options = rows,
    .opens_plan = true,
    .run = run};
