/* A plan that takes one picture and gives one row of numbers: of the picture as a whole, or of each
 * face in it. */
#ifndef KILN_CLI_TRAIN_SCORER_H
#define KILN_CLI_TRAIN_SCORER_H

#include "compiler/cli/faces/subjects.h"

typedef struct scorer {
    kiln_plan *plan, *cut; /* cut: with features, else NULL */
    kiln_session *session;
    kiln_tensor_info input, output;
    kiln_preprocess preprocess;
    void *tensor;
    size_t count; /* numbers of the output */
    subject_source subjects;
    subject_finder finder; /* of them, made by the first scorer_load */
    uint32_t threads;
    bool beside; /* plans and subjects are another's */
} scorer;

typedef struct scorer_options {
    bool features;      /* the features that feed the final dense layers, instead of the output */
    bool people;        /* those that its people have, instead; see kiln/people.h */
    const char *cut;    /* a layer of features; NULL: the default */
    const char *preset; /* normalisation; NULL: as the plan says */
    subject_options subjects;
    uint32_t threads;
    bool numbers; /* the input is given as numbers, not as pictures */
    packed_place prepacked;
} scorer_options;

kiln_status scorer_open(const char *path, const scorer_options *options, scorer *out_scorer,
                        kiln_error *error);
/* Another for a thread of its own, which shares the plan (and with it its packed weights) and the
 * detector of one that outlives it. */
kiln_status scorer_open_beside(const scorer *first, scorer *out_scorer, kiln_error *error);
void scorer_close(scorer *s);
/* What decides about the output, besides the pixels: network, cut and normalisation. Equal for
 * equal features, not for those of another version of Kiln. */
uint64_t scorer_key(const scorer *s);
uint64_t network_key(const kiln_plan *plan, const kiln_preprocess *preprocess);
/* Reads a picture and finds its subjects: s->finder has them until the next is read, and there may
 * be none. On failure *out_picture is empty. */
kiln_status scorer_load(scorer *s, const char *path, rgb_picture *out_picture, kiln_error *error);
/* out: s->count numbers. */
kiln_status scorer_run(scorer *s, const rgb_picture *picture, const subject *which, float *out,
                       kiln_error *error);
/* Of a file's first subject; none is KILN_ERROR_UNSUPPORTED. */
kiln_status scorer_run_file(scorer *s, const char *path, float *out, kiln_error *error);
/* Refuses a backbone: a network without labels whose outputs are features or maps. One that ends in
 * a softmax, or in a number of outputs as classes have it, is a classifier without names. */
kiln_status scorer_check_classifier(const scorer *s, const char *path, kiln_error *error);
/* Whether the outputs are probabilities: the network ends in a softmax, or in a sigmoid of each
 * class. Those of others are scores (logits, say), of which nothing is known but their order. */
bool scorer_gives_probabilities(const scorer *s);
/* Labels of the plan, or "class K" where it has none; from malloc, the texts too. */
kiln_status scorer_names(const scorer *s, char ***out_names, kiln_error *error);
void scorer_free_names(char **names, size_t count);

/* Cosine of the angle between two rows; 0 where one is all zeros. */
double cosine_similarity(const float *a, const float *b, size_t count);
enum { THRESHOLD_SAMPLES = 1000 }; /* half a million pairs tell enough */
/* Finds the similarity that best tells pairs of samples of one class from the others (most pairs
 * right, both kinds weighing the same), of the first THRESHOLD_SAMPLES. False: there are no pairs
 * of both kinds. */
bool choose_threshold(const float *features, size_t count, size_t size, const uint32_t *labels,
                      double *out_threshold, double *out_accuracy);

/* How pictures become input: the preset, else the plan's; an error when neither says. */
kiln_status choose_preprocess(const kiln_plan *plan, const char *preset,
                              kiln_preprocess *out_preprocess, kiln_error *error);

#endif
