/* kiln people: whom a plan knows. */
#include "compiler/cli/people/known.h"

/* What is to be told of a person. */
typedef struct summary {
    kiln_person person;
    double spread; /* mean cosine of kept pictures and the person's mean */
    bool has_other;
    size_t other; /* the nearest */
    double cosine;
} summary;

/* A kept picture that is more like somebody else than like any other of its own person: a wrong or
 * a poor one. */
static bool is_outlier(const known *k, size_t person, size_t picture) {
    kiln_person_picture kept;
    (void)kiln_people_picture(k->people, person, picture, &kept, NULL);
    return kept.to_own > -1 && kept.to_own < kept.to_others;
}

static summary summarise(const known *k, size_t person) {
    summary s = {.spread = 0};
    (void)kiln_people_person(k->people, person, &s.person, NULL);
    for (size_t j = 0; j < s.person.kept; j++) {
        kiln_person_picture kept;
        (void)kiln_people_picture(k->people, person, j, &kept, NULL);
        s.spread += (double)kept.to_mean / (double)s.person.kept;
    }
    s.has_other = known_nearest(k, person, &s.other, &s.cosine);
    return s;
}

static const char *name_of(const kiln_person_picture *kept) {
    return kept->name[0] != '\0' ? kept->name : "(a picture without a name)";
}

static void print_outliers(const known *k, size_t person, const char *name) {
    kiln_person p;
    (void)kiln_people_person(k->people, person, &p, NULL);
    for (size_t j = 0; j < p.kept; j++) {
        kiln_person_picture kept;
        (void)kiln_people_picture(k->people, person, j, &kept, NULL);
        if (is_outlier(k, person, j)) {
            text_print(stdout, "%s: %s is more like somebody else (%.2f) than like %s\n", name,
                       name_of(&kept), (double)kept.to_others, name);
        }
    }
}

static void print_table(const known *k) {
    char name[TEXT_COLUMN(24)], other[TEXT_COLUMN(24)];
    size_t count = kiln_people_count(k->people);
    printf("%-24s %8s %11s %7s  %-24s %8s\n", "person", "pictures", "corrections", "spread",
           "nearest other", "cosine");
    for (size_t j = 0; j < count; j++) {
        summary s = summarise(k, j);
        printf("%s %8zu %11zu %7.3f  ", text_column(s.person.name, 24, name), s.person.pictures,
               s.person.corrections, s.spread);
        if (s.has_other) {
            printf("%s %8.3f\n", text_column(kiln_people_name(k->people, s.other), 24, other),
                   s.cosine);
        } else {
            printf("-\n");
        }
    }
    for (size_t j = 0; j < count; j++) {
        print_outliers(k, j, kiln_people_name(k->people, j));
    }
}

static void print_threshold(const known *k) {
    kiln_people_threshold t;
    kiln_error why;
    if (kiln_people_decide(k->people, 0, &t, &why) == KILN_OK) {
        printf("threshold %.3f: at most %.3g %% of strangers pass, by %zu impostor scores of %zu "
               "people\n",
               (double)t.similarity, 100 * t.rate, t.scores, t.groups);
    } else {
        text_print(stdout, "no threshold: %s\n", why.message);
    }
}

static void print_person_json(const known *k, size_t person) {
    summary s = summarise(k, person);
    printf("{\"name\": ");
    json_string(stdout, s.person.name);
    printf(", \"pictures\": %zu, \"corrections\": %zu, \"spread\": ", s.person.pictures,
           s.person.corrections);
    json_number(stdout, s.spread);
    printf(", \"nearest\": ");
    if (s.has_other) {
        json_string(stdout, kiln_people_name(k->people, s.other));
        printf(", \"cosine\": ");
        json_number(stdout, s.cosine);
    } else {
        printf("null, \"cosine\": null");
    }
    printf(", \"kept\": [");
    for (size_t j = 0; j < s.person.kept; j++) {
        kiln_person_picture kept;
        (void)kiln_people_picture(k->people, person, j, &kept, NULL);
        printf("%s{\"picture\": ", j > 0 ? ", " : "");
        json_string(stdout, kept.name);
        printf(", \"to_mean\": ");
        json_number(stdout, (double)kept.to_mean);
        printf(", \"to_others\": ");
        json_number(stdout, (double)kept.to_others);
        printf(", \"outlier\": %s}", is_outlier(k, person, j) ? "true" : "false");
    }
    printf("]}");
}

static void print_json(const known *k) {
    kiln_people_threshold t;
    printf("{\"features\": %zu, \"strangers\": %zu, \"threshold\": ",
           kiln_people_feature_count(k->people), kiln_people_stranger_count(k->people));
    if (kiln_people_decide(k->people, 0, &t, NULL) == KILN_OK) {
        printf("{\"similarity\": ");
        json_number(stdout, (double)t.similarity);
        printf(", \"rate\": ");
        json_number(stdout, t.rate);
        printf(", \"scores\": %zu, \"groups\": %zu}", t.scores, t.groups);
    } else {
        printf("null");
    }
    printf(", \"people\": [");
    for (size_t j = 0; j < kiln_people_count(k->people); j++) {
        printf("%s", j > 0 ? ",\n " : "");
        print_person_json(k, j);
    }
    printf("]}\n");
}

#define AT(member) offsetof(people_call, member)

static const option_row rows[] = {
    {.kind = OPTION_SET, .name = "json", .place = AT(json), .help = "the same as JSON"},
    OPTIONS_END,
};

static int run(const command *self, int argc, char **argv) {
    people_call c = {.json = false};
    kiln_error error = {0};
    int status = people_read_call(self, &c, &argc, &argv, 1, 1);
    if (status == OPTIONS_READ) {
        status = known_open(argv[0], NULL, &c.known, &error) == KILN_OK ? 0 : fail(&error);
        if (status == 0 && c.json) {
            print_json(&c.known);
        } else if (status == 0) {
            print_table(&c.known);
            print_threshold(&c.known);
        }
    }
    known_close(&c.known);
    return status;
}

const command command_people = {
    .name = "people",
    .summary = "list the people that a plan knows",
    .order = 300,
    .synopsis = "PLAN [options]",
    .about =
        "Lists the people of a plan: how many pictures each has and corrections (kiln not), how "
        "alike the pictures are (spread: the mean cosine to their mean; 1 is all the same), and "
        "who of the others is nearest. Then the pictures, of those that are kept (up to 8 a "
        "person), that are more like somebody else than like any other of their person: wrong or "
        "poor ones.",
    .examples = "kiln people faces.plan",
    .options = rows,
    .opens_plan = true,
    .run = run};
