/* Counting in an open set: see open_set.h. */
#include "compiler/cli/people/open_set.h"
#include "compiler/cli/cli.h"

#include <math.h>
#include <stdlib.h>

/* ---- Collecting ---------------------------------------------------------------------------- */

void open_set_free(open_set *o) {
    free(o->known.values);
    free(o->strangers.values);
    *o = (open_set){.passed = 0};
}

static kiln_status add(similarities *to, float value, kiln_error *error) {
    if (to->count == to->capacity) {
        size_t capacity = to->capacity == 0 ? 256 : to->capacity * 2;
        float *grown = realloc(to->values, capacity * sizeof *grown);
        if (grown == NULL) {
            return kiln_fail(error, KILN_ERROR_MEMORY, "out of memory");
        }
        to->values = grown;
        to->capacity = capacity;
    }
    to->values[to->count++] = value;
    return KILN_OK;
}

kiln_status open_set_add(open_set *o, judge *j, const float *scores, size_t person,
                         kiln_error *error) {
    verdict asked, anyway;
    kiln_people_threshold threshold = j->threshold;
    kiln_status status = judge_decide(j, scores, &asked, error);
    j->threshold.similarity = -1;
    if (status == KILN_OK) {
        status = judge_decide(j, scores, &anyway, error);
    }
    j->threshold = o->threshold = threshold;
    if (status != KILN_OK) {
        return status;
    }
    if (person != SIZE_MAX) {
        o->named += asked.known && asked.person == person;
        return add(&o->known, anyway.person == person ? anyway.similarity : -2, error);
    }
    kiln_people_answer nearest;
    o->passed += asked.known;
    status = kiln_people_match(j->people, j->features, -1, &nearest, error);
    return status == KILN_OK ? add(&o->strangers, nearest.similarity, error) : status;
}

static int falling(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? 1 : -(x > y);
}

static void sort(similarities *s) {
    if (s->count > 0) {
        qsort(s->values, s->count, sizeof *s->values, falling);
    }
}

void open_set_settle(open_set *o) {
    sort(&o->known);
    sort(&o->strangers);
}

/* ---- Counting ------------------------------------------------------------------------------ */

share share_of(size_t of, size_t all) {
    const double z = 1.959964;
    double n = (double)all, p = (double)of / n;
    double centre = (p + z * z / (2 * n)) / (1 + z * z / n);
    double half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n));
    return all > 0 ? (share){of, all, p, fmax(0, centre - half), fmin(1, centre + half)}
                   : (share){of, all, NAN, NAN, NAN};
}

/* Of values that fall, how many are above. */
static size_t count_above(const similarities *s, double threshold) {
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if ((double)s->values[middle] > threshold) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

operating_point open_set_at(const open_set *o, double rate) {
    size_t allowed = (size_t)floor(rate * (double)o->strangers.count + 1e-9);
    double threshold = allowed < o->strangers.count ? (double)o->strangers.values[allowed] : -1;
    return (operating_point){threshold,
                             share_of(count_above(&o->strangers, threshold), o->strangers.count),
                             share_of(count_above(&o->known, threshold), o->known.count)};
}

/* ---- Telling ------------------------------------------------------------------------------- */

static const double told_rates[] = {0.001, 0.01, 0.1};
enum { TOLD_RATES = sizeof told_rates / sizeof *told_rates };

static void print_share(FILE *out, const char *what, share s) {
    fprintf(out, "  %-34s %8.2f %%  (%.2f to %.2f)  %zu of %zu\n", what, 100 * s.value, 100 * s.low,
            100 * s.high, s.of, s.all);
}

void open_set_print(const open_set *o, FILE *out) {
    fprintf(out,
            "strangers: %zu pictures, and %zu of people; intervals of 95 %% (Wilson)\n"
            "at similarity %.3f (asked: at most %.3g %% of strangers)\n",
            o->strangers.count, o->known.count, (double)o->threshold.similarity,
            100 * o->threshold.rate);
    print_share(out, "strangers who pass (FPIR)", share_of(o->passed, o->strangers.count));
    print_share(out, "people not named (FNIR)",
                share_of(o->known.count - o->named, o->known.count));
    for (size_t k = 0; k < TOLD_RATES; k++) {
        char what[64];
        operating_point at = open_set_at(o, told_rates[k]);
        snprintf(what, sizeof what, "named where %g %% of these pass", 100 * told_rates[k]);
        print_share(out, what, at.named);
    }
}

static void json_share(FILE *out, const char *name, share s) {
    fprintf(out, "\"%s\": {\"count\": %zu, \"of\": %zu, \"share\": ", name, s.of, s.all);
    json_number(out, s.value);
    fprintf(out, ", \"low\": ");
    json_number(out, s.low);
    fprintf(out, ", \"high\": ");
    json_number(out, s.high);
    fputc('}', out);
}

void open_set_json(const open_set *o, FILE *out) {
    fprintf(out, "{\"interval\": \"Wilson 95 %%\", \"asked\": ");
    json_number(out, o->threshold.rate);
    fprintf(out, ", \"similarity\": ");
    json_number(out, (double)o->threshold.similarity);
    fprintf(out, ", ");
    json_share(out, "fpir", share_of(o->passed, o->strangers.count));
    fprintf(out, ", ");
    json_share(out, "fnir", share_of(o->known.count - o->named, o->known.count));
    fprintf(out, ", \"at\": [");
    for (size_t k = 0; k < TOLD_RATES; k++) {
        operating_point at = open_set_at(o, told_rates[k]);
        fprintf(out, "%s{\"rate\": %g, \"similarity\": ", k > 0 ? ", " : "", told_rates[k]);
        json_number(out, at.threshold);
        fprintf(out, ", ");
        json_share(out, "fpir", at.passing);
        fprintf(out, ", ");
        json_share(out, "named", at.named);
        fputc('}', out);
    }
    fprintf(out, "]}");
}
