/* Kiln people: names for the features of faces, and "nobody I know" at a rate that one chooses.
 *
 *   kiln_people *people;
 *   kiln_people_threshold threshold;
 *   kiln_people_open(plan, &people, &error);                     a plan that kiln train made
 *   kiln_people_decide(people, 0.01, &threshold, &error);        1 % of strangers may pass
 *   kiln_people_match(people, features, threshold.similarity, &match, &error);
 *   if (match.known) puts(kiln_people_name(people, match.person));
 *
 *   kiln_people_enrol(people, "ada", features, 3, NULL, &error); no old pictures, no training
 *   kiln_people_save(people, plan, "faces.plan", &error);
 *
 * Features are what feeds the plan's head: kiln_people_cut gives the network that computes them.
 * Their length does not matter, only their direction. From a camera's frame to names is one call
 * of kiln/namer.h; or, with kiln/faces.h, and buffers for the input of `cut`, made by
 * kiln_people_cut, and its output:
 *
 *   kiln_detector_find(detector, &frame, faces, 16, &count, &error);
 *   for (size_t k = 0; k < count; k++) {
 *       kiln_face_to_input(&frame, &faces[k], &input_info, &preprocess, 0, input, &error);
 *       kiln_session_run(session_of_cut, 1, &input, 1, &features, 1, &error);
 *       kiln_people_match(people, features.data, threshold.similarity, &match, &error);
 *   }
 *
 * What is kept. Of each person the sum of all pictures' features (of length 1), and the features of
 * at most KILN_PEOPLE_KEPT of the pictures, rounded to f16: which of them, a hash of the features
 * says, so that it is a random choice that no order of pictures changes. Sums of f16 numbers are
 * exact. So a gallery is the same, bit by bit, however its people and pictures came into it: all at
 * once when a plan was trained, or one by one.
 *
 * Similarity of features x to a person: (cos(x, mean) + the largest cos(x, kept picture)) / 2, from
 * -1 to 1. The mean is what the pictures have in common, the nearest picture what they have not;
 * the mean of both names more people than each alone, and costs no setting.
 *
 * Strangers. Impostor scores are similarities of pictures of somebody to the most similar other
 * person: of every kept picture, with its own person left out of the gallery, and of pictures of
 * strangers where there are some. n of them can speak for a rate of 3 / n at best (the rule of
 * three: where none of n passes, the rate is below 3 / n with 95 % confidence), and less is
 * refused. The threshold for a rate comes from the upper tail of the scores: the excess over their
 * 85th percentile is exponential (peaks over threshold, Pickands 1975, shape 0), and its scale is
 * uncertain by as many people as the excesses come from, k (at least 4), so that P(score > u + e) =
 * P(score > u) (1 + e / (k s))^-k, with s the mean excess; but it is at
 * most s beyond the highest score. Counting people, not pictures, is what keeps the promise:
 * pictures of one person are alike, and five of them say little more than one.
 *
 * Threads: functions that take a const gallery may be called from any threads at the same time,
 * unless one changes it. Errors: as in kiln.h; a gallery that a function failed to change is as it
 * was before. Memory: from the allocator of the plan that a gallery was opened from, or that it was
 * created with.
 *
 * A runtime built with KILN_BUILD_PEOPLE=OFF has none of this. */
#ifndef KILN_PEOPLE_H
#define KILN_PEOPLE_H

#include <kiln/kiln.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kiln_people kiln_people;

#define KILN_PEOPLE_KEPT 8u         /* pictures whose features are kept, of each person */
#define KILN_PEOPLE_CORRECTIONS 64u /* of each person, at most */
#define KILN_PEOPLE_MOST (1u << 20) /* people, and strangers' pictures, at most */
#define KILN_PEOPLE_LEARNT 256u     /* features, for kiln_people_learn, at most */
#define KILN_PEOPLE_NAME 1023u      /* bytes of a name, and of the name of a picture, at most */

/* ---- A gallery ----------------------------------------------------------------------------- */

/* One without people. feature_count: 1 to 65536. allocator: of all that it will hold; NULL: malloc.
 * It is copied; its context must outlive the gallery. */
KILN_API kiln_status kiln_people_create(size_t feature_count, const kiln_allocator *allocator,
                                        kiln_people **out_people, kiln_error *error);
/* That of a plan, which need not stay open (but its allocator must). KILN_ERROR_ARGUMENT: it has
 * none; KILN_ERROR_FORMAT: its section is damaged. */
KILN_API kiln_status kiln_people_open(const kiln_plan *plan, kiln_people **out_people,
                                      kiln_error *error);
/* NULL is allowed. */
KILN_API void kiln_people_close(kiln_people *people);
/* Whether the plan has a section of people, sound or not. */
KILN_API bool kiln_people_are_in(const kiln_plan *plan);
/* The network whose output are a gallery's features: the plan up to its head. It reads the weights
 * of `plan`, which must outlive it. */
KILN_API kiln_status kiln_people_cut(const kiln_plan *plan, kiln_plan **out_plan,
                                     kiln_error *error);
/* The step of the whole plan whose first output are the features, for who wants the head's scores,
 * too: kiln_session_observe, kiln_session_step_read. */
KILN_API kiln_status kiln_people_step(const kiln_plan *plan, size_t *out_step, kiln_error *error);

KILN_API size_t kiln_people_feature_count(const kiln_people *people);
/* People are in the order of their names, byte by byte. */
KILN_API size_t kiln_people_count(const kiln_people *people);
/* NULL when there is no such person. Names are owned by the gallery until it is next changed. */
KILN_API const char *kiln_people_name(const kiln_people *people, size_t person);
/* False: nobody has that name. */
KILN_API bool kiln_people_find(const kiln_people *people, const char *name, size_t *out_person);
/* Pictures of strangers that were added. */
KILN_API size_t kiln_people_stranger_count(const kiln_people *people);

typedef struct kiln_person {
    const char *name;
    size_t pictures;    /* that were enrolled */
    size_t kept;        /* of them */
    size_t corrections; /* pictures of which it was said: not this person */
    const float *mean;  /* [feature_count], of length 1 (or 0) */
} kiln_person;

KILN_API kiln_status kiln_people_person(const kiln_people *people, size_t person,
                                        kiln_person *out_person, kiln_error *error);

typedef struct kiln_person_picture {
    const char *name;      /* "" where it was enrolled without one */
    const float *features; /* [feature_count], rounded to f16 */
    float to_mean;         /* cosine of it and the person's mean */
    float to_own;          /* to the nearest other kept picture of the person; -1: there is none */
    float to_others;       /* its impostor score; -1 where there is nobody else */
} kiln_person_picture;

/* Kept pictures, in the order of their hash: `picture` is below kept. */
KILN_API kiln_status kiln_people_picture(const kiln_people *people, size_t person, size_t picture,
                                         kiln_person_picture *out_picture, kiln_error *error);

/* How alike two people are: the cosine of their means. */
KILN_API float kiln_people_alike(const kiln_people *people, size_t a, size_t b);

/* ---- Changing it --------------------------------------------------------------------------- */

/* Adds pictures of a person who is in the gallery, or is now: count * feature_count finite numbers,
 * no picture all zeros. picture_names: what they are called (of files without their folders), count
 * texts, or NULL; texts are copied. KILN_ERROR_ARGUMENT: other features, an empty name or one of
 * more than KILN_PEOPLE_NAME bytes, no pictures, or more than the gallery takes. */
KILN_API kiln_status kiln_people_enrol(kiln_people *people, const char *name, const float *features,
                                       size_t count, const char *const *picture_names,
                                       kiln_error *error);
/* Nothing of the person is kept. */
KILN_API kiln_status kiln_people_forget(kiln_people *people, const char *name, kiln_error *error);
/* KILN_ERROR_ARGUMENT: nobody is called `name`, or somebody `new_name`. */
KILN_API kiln_status kiln_people_rename(kiln_people *people, const char *name, const char *new_name,
                                        kiln_error *error);
/* "That is not NAME": from now on it takes more similarity than this picture has to be that person.
 * picture_name may be NULL. */
KILN_API kiln_status kiln_people_correct(kiln_people *people, const char *name,
                                         const float *features, const char *picture_name,
                                         kiln_error *error);
/* A picture of somebody who is not to be known, as evidence. Pictures of one stranger have the same
 * `who`; each picture another where one cannot tell. */
KILN_API kiln_status kiln_people_add_stranger(kiln_people *people, const float *features,
                                              uint32_t who, kiln_error *error);

/* Learns from the kept pictures how those of one person differ (the covariance within people,
 * shrunk by 0.7 to its average), and compares features by that from then on: directions in which
 * pictures of one person vary count less. Cosines are then of features that A was applied to, with
 * A A^T the inverse of the covariance. A gallery of at most 64 people
 * learns anew whenever people are enrolled or forgotten, so that it stays the one that would be
 * made of all pictures, and its impostor scores are by what is learnt without the person whom they
 * are of; a larger one keeps what it has learnt. Costs features^2 / 2 numbers of f32, in plans too.
 * KILN_ERROR_UNSUPPORTED: more than KILN_PEOPLE_LEARNT features. */
KILN_API kiln_status kiln_people_learn(kiln_people *people, kiln_error *error);

/* ---- Deciding ------------------------------------------------------------------------------ */

typedef struct kiln_people_threshold {
    double rate;      /* of strangers that pass, at most: what was asked, or the default */
    float similarity; /* from which on somebody is known */
    size_t scores;    /* impostor scores that speak for it */
    size_t groups;    /* people whom they are of */
} kiln_people_threshold;

/* The threshold for a rate (0 < rate < 1) of false accepts: of strangers who are taken for anybody
 * of the gallery (FPIR, in NIST's terms). rate 0: the default, which aims at 1 %, and says 1 %, or
 * 3 / n where that is more: the lowest that the scores can speak for. KILN_ERROR_ARGUMENT: too few
 * scores, and the error tells how many there are and how many are needed. Sorts all scores: to be
 * asked once, not for each match. */
KILN_API kiln_status kiln_people_decide(const kiln_people *people, double rate,
                                        kiln_people_threshold *out_threshold, kiln_error *error);
/* Impostor scores that a rate needs. */
KILN_API size_t kiln_people_scores_needed(double rate);

typedef struct kiln_person_similarity {
    float value;   /* (to_mean + to_kept) / 2 */
    float to_mean; /* cosine of the angle to the person's mean */
    float to_kept; /* to the nearest kept picture */
    size_t kept;   /* that picture */
    float asked;   /* what the person needs: the threshold, or more after corrections */
} kiln_person_similarity;

/* Of features to one person. */
KILN_API kiln_status kiln_people_similarity(const kiln_people *people, const float *features,
                                            size_t person, float threshold,
                                            kiln_person_similarity *out_similarity,
                                            kiln_error *error);

typedef struct kiln_people_answer {
    bool known;    /* the similarity is what the person needs */
    size_t person; /* the most similar of those who are known, else of all */
    float similarity, asked;
} kiln_people_answer;

/* Who it is. KILN_ERROR_ARGUMENT: there is nobody, or the features are all zeros or not finite. */
KILN_API kiln_status kiln_people_match(const kiln_people *people, const float *features,
                                       float threshold, kiln_people_answer *out_answer,
                                       kiln_error *error);

/* Whether the head of the plan that the gallery was opened from knows everybody who is in it now:
 * not once somebody has been enrolled since. (kiln_people_save makes new heads, see there.) */
KILN_API bool kiln_people_all_in_head(const kiln_people *people);

typedef struct kiln_people_verdict {
    bool known;
    size_t person; /* who it is, or is most similar to */
    float similarity, asked;
    float probability; /* the head's score of that person; NaN: none was given, or it does not have
                          everybody */
} kiln_people_verdict;

/* Who it is, by the one rule that `kiln classify` and kiln/namer.h share: similarity says who may
 * be meant, which is everybody whom the picture is similar enough to, and the plan's head which of
 * them it is. Where the head does not have everybody, the most similar of them. Where there is
 * nobody of the kind, the most similar of all is told, and is not known. Equal scores: the more
 * similar; then the first by name.
 * scores: the output of the whole plan that the gallery was opened from, a number a label; none, or
 * fewer than labels: similarity alone (kiln_people_match). Errors as of that. */
KILN_API kiln_status kiln_people_judge(const kiln_people *people, const float *features,
                                       const float *scores, size_t score_count, float threshold,
                                       kiln_people_verdict *out_verdict, kiln_error *error);
/* Likewise of everybody, at most `capacity` of them: the answer first, then the others in the order
 * in which they would be answers. */
KILN_API kiln_status kiln_people_rank(const kiln_people *people, const float *features,
                                      const float *scores, size_t score_count, float threshold,
                                      kiln_people_verdict *out_verdicts, size_t capacity,
                                      size_t *out_count, kiln_error *error);

/* ---- Files --------------------------------------------------------------------------------- */

/* Writes `plan` with these people in it, to a temporary file that then takes the place of `path`,
 * which may be the plan's own. A plan with labels has then those of its head that are people, by
 * their new names, and a head whose weights are directions (cosine, means, nearest neighbours) has
 * all of them: who is new gets their mean, or their kept pictures. Other heads know who is new as
 * little as before: the similarity decides. */
KILN_API kiln_status kiln_people_save(const kiln_people *people, const kiln_plan *plan,
                                      const char *path, kiln_error *error);
/* The content of the section PEOPLE (schemas/plan.md): *out_bytes is released with kiln_free.
 * For kiln_trainer_attach. */
KILN_API kiln_status kiln_people_section(const kiln_people *people, void **out_bytes,
                                         size_t *out_size, kiln_error *error);

#ifdef __cplusplus
}
#endif
#endif
