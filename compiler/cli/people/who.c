/* kiln who: the people who are most like a picture. */
#include "compiler/cli/people/known.h"

#include <stdlib.h>

typedef struct who_call {
    people_call call; /* first, for people_read_call */
    uint32_t nearest;
    kiln_people_threshold threshold;
} who_call;

static void print_json(const who_call *c, const char *picture, const ranked_person *all,
                       size_t count) {
    const kiln_people *people = c->call.known.people;
    printf("{\"image\": ");
    json_string(stdout, picture);
    printf(", \"people\": [");
    for (size_t k = 0; k < count; k++) {
        const kiln_person_similarity *s = &all[k].similarity;
        printf("%s{\"name\": ", k > 0 ? ", " : "");
        json_string(stdout, kiln_people_name(people, all[k].person));
        printf(", \"similarity\": ");
        json_number(stdout, (double)s->value);
        printf(", \"asked\": ");
        json_number(stdout, (double)s->asked);
        printf(", \"known\": %s, \"picture\": ", ranked_is_known(&all[k]) ? "true" : "false");
        json_string(stdout, all[k].nearest.name);
        printf("}");
    }
    printf("]}\n");
}

static void print_text(const who_call *c, const char *picture, const ranked_person *all,
                       size_t count) {
    const kiln_people *people = c->call.known.people;
    text_print(stdout, "%s\n", picture);
    for (size_t k = 0; k < count; k++) {
        const kiln_person_similarity *s = &all[k].similarity;
        char name[TEXT_COLUMN(24)];
        printf("  %s %.3f ", text_column(kiln_people_name(people, all[k].person), 24, name),
               (double)s->value);
        if (ranked_is_known(&all[k])) {
            printf("known ");
        } else {
            printf("(%.3f is asked) ", (double)s->asked);
        }
        const char *nearest = all[k].nearest.name;
        text_print(stdout, "nearest picture: %s\n", nearest[0] != '\0' ? nearest : "-");
    }
}

static kiln_status answer(who_call *c, const char *picture, kiln_error *error) {
    known *k = &c->call.known;
    ranked_person *all = NULL;
    size_t count = 0;
    kiln_status status = known_look(k, picture, error);
    if (status == KILN_OK) {
        status = known_rank(k, c->threshold.similarity, &all, &count, error);
    }
    if (status == KILN_OK) {
        count = count < c->nearest ? count : c->nearest;
        (c->call.json ? print_json : print_text)(c, picture, all, count);
    }
    free(all);
    return status;
}

#define AT(member) offsetof(who_call, member)

static const option_row rows[] = {
    {.kind = OPTION_NUMBER,
     .name = "nearest",
     .value = "N",
     .place = AT(nearest),
     .low = 1,
     .high = KILN_PEOPLE_MOST,
     .help = "so many people (default 5)"},
    DETECTOR_ROW(AT(call.options.subjects.detector)),
    FACES_ROW(AT(call.options.subjects.faces), "largest"),
    PRESET_ROW(AT(call.options.preset)),
    THREADS_ROW(AT(call.options.threads)),
    {.kind = OPTION_SET, .name = "json", .place = AT(call.json), .help = "the same as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    who_call c = {.call = {.options = {.threads = 1}}, .nearest = 5};
    kiln_error error = {0};
    int status = people_read_call(self, &c.call, &argc, &argv, 2, 2);
    if (status == OPTIONS_READ) {
        kiln_status done = known_open(argv[0], &c.call.options, &c.call.known, &error);
        if (done == KILN_OK) {
            done = kiln_people_decide(c.call.known.people, 0, &c.threshold, &error);
        }
        if (done == KILN_OK) {
            done = answer(&c, argv[1], &error);
        }
        status = done == KILN_OK ? 0 : fail(&error);
    }
    known_close(&c.call.known);
    return status;
}

const command command_who = {
    .name = "who",
    .summary = "the people who are most like a picture",
    .order = 350,
    .synopsis = "PLAN PICTURE [options]",
    .about =
        "Lists the people of a plan who are most like the face in a picture, with their "
        "similarity and the picture of theirs that is nearest, whether they are known by it or "
        "not: for finding somebody, where kiln classify names or does not.",
    .examples = "kiln who faces.plan door.jpg --nearest 5",
    .options = rows,
    .opens_plan = true,
    .run = run};
