/* kiln forget, rename, not: a plan's people, one edit each. */
#include "compiler/cli/people/known.h"

#define AT(member) offsetof(people_call, member)

typedef kiln_status (*edit)(people_call *call, char **words, int count, kiln_error *error);

/* Opens, edits, saves. */
static int edit_plan(const command *self, edit change, bool pictures, int least, int most, int argc,
                     char **argv) {
    people_call c = {.options = {.threads = 1}};
    kiln_error error = {0};
    int status = people_read_call(self, &c, &argc, &argv, least, most);
    if (status == OPTIONS_READ) {
        kiln_status done = file_try(c.output != NULL ? c.output : argv[0], &error);
        if (done == KILN_OK) {
            done = known_open(argv[0], pictures ? &c.options : NULL, &c.known, &error);
        }
        if (done == KILN_OK) {
            done = change(&c, argv, argc, &error);
        }
        if (done == KILN_OK) {
            done = known_save(&c.known, c.output, &error);
        }
        status = done == KILN_OK ? 0 : fail(&error);
    }
    known_close(&c.known);
    return status;
}

/* ---- Forget -------------------------------------------------------------------------------- */

static kiln_status forget(people_call *c, char **words, int count, kiln_error *error) {
    kiln_status status = KILN_OK;
    size_t person;
    for (int k = 1; k < count && status == KILN_OK; k++) {
        status = known_person(&c->known, words[k], &person, error);
        if (status == KILN_OK) {
            status = kiln_people_forget(c->known.people, words[k], error);
        }
    }
    return status;
}

static const option_row edit_rows[] = {OUTPUT_ROW(AT(output)), OPTIONS_END};

static int run_forget(const command *self, int argc, char **argv) {
    return edit_plan(self, forget, false, 2, 0, argc, argv);
}

const command command_forget = {
    .name = "forget",
    .summary = "make a plan forget somebody",
    .order = 320,
    .synopsis = "PLAN NAME... [options]",
    .about = "Removes people from a plan: their pictures' features, their mean, their name, and "
             "their row of the network's head. All names, or none: when one of them is unknown the "
             "plan stays as it is.",
    .examples = "kiln forget faces.plan ada",
    .options = edit_rows,
    .opens_plan = true,
    .run = run_forget};

/* ---- Rename -------------------------------------------------------------------------------- */

static kiln_status rename_person(people_call *c, char **words, int count, kiln_error *error) {
    size_t person;
    (void)count;
    kiln_status status = known_person(&c->known, words[1], &person, error);
    return status == KILN_OK ? kiln_people_rename(c->known.people, words[1], words[2], error)
                             : status;
}

static int run_rename(const command *self, int argc, char **argv) {
    return edit_plan(self, rename_person, false, 3, 3, argc, argv);
}

const command command_rename = {.name = "rename",
                                .summary = "give somebody another name",
                                .order = 330,
                                .synopsis = "PLAN NAME NEW-NAME [options]",
                                .about =
                                    "Gives a person of a plan another name. Nothing else changes.",
                                .examples = "kiln rename faces.plan s7 \"Ada Lovelace\"",
                                .options = edit_rows,
                                .opens_plan = true,
                                .run = run_rename};

/* ---- Not ----------------------------------------------------------------------------------- */

static kiln_status correct(people_call *c, char **words, int count, kiln_error *error) {
    size_t person;
    kiln_status status = known_person(&c->known, words[1], &person, error);
    for (int k = 2; k < count && status == KILN_OK; k++) {
        kiln_person_similarity s;
        status = known_look(&c->known, words[k], error);
        if (status == KILN_OK) {
            status = kiln_people_correct(c->known.people, words[1], c->known.features,
                                         picture_name(words[k]), error);
        }
        if (status == KILN_OK) {
            status =
                kiln_people_similarity(c->known.people, c->known.features, person, -1, &s, error);
        }
        if (status == KILN_OK) {
            text_print(stdout,
                       "%s is not %s: who is asked to be %s is to be more similar than it, %.2f\n",
                       words[k], words[1], words[1], (double)s.value);
        }
    }
    return status;
}

static const option_row not_rows[] = {
    OUTPUT_ROW(AT(output)),
    DETECTOR_ROW(AT(options.subjects.detector)),
    FACES_ROW(AT(options.subjects.faces), "largest"),
    PRESET_ROW(AT(options.preset)),
    THREADS_ROW(AT(options.threads)),
    OPTIONS_END,
};

static int run_not(const command *self, int argc, char **argv) {
    return edit_plan(self, correct, true, 3, 0, argc, argv);
}

const command command_not = {
    .name = "not",
    .summary = "tell a plan that a picture is not of somebody",
    .order = 340,
    .synopsis = "PLAN NAME PICTURE... [options]",
    .about = "Corrects a plan that took a picture for a person: its features are kept with the "
             "person, who is from then on named only where the similarity is more than that "
             "picture's. Everybody else is asked for what they were before.",
    .examples = "kiln not faces.plan ada stranger.jpg",
    .options = not_rows,
    .opens_plan = true,
    .run = run_not};
