/* What kiln train does where nothing is said: the head, and variants of the pictures. */
#include "compiler/cli/data/augment.h"
#include "compiler/cli/train/training.h"

/* Directions of features tell faces apart; other networks' features are for softmax, with weights
 * that few pictures do not make large. */
kiln_status choose_head(training *t, kiln_error *error) {
    bool told = t->head != NULL || t->scratch || t->options.fine_tune > 0;
    kiln_status status = KILN_OK;
    if (!told) {
        const char *head = kiln_plan_is_embedding(t->backbone) ? "lda" : "softmax,l2:prior";
        status = kiln_head_parse(head, &t->options.head, error);
    }
    held_out_choose(t);
    return status;
}

/* Each picture's mirror image, and a few where its face is somewhat moved and turned: what these
 * change is what a discriminant should not go by. So many more pictures go through the network at
 * most, since variants tell least where there are many pictures. */
enum { VARIANTS = 5, MOST_MORE = 2560, VARIANTS_ASKED = 4 };

static uint32_t affordable(const data_set *data) {
    size_t pictures = 0;
    for (size_t k = 0; k < data->count; k++) {
        pictures += !data->items[k].validation;
    }
    size_t each = pictures > 0 ? MOST_MORE / pictures : 0;
    return each < VARIANTS ? (uint32_t)each : VARIANTS;
}

void choose_variants(training *t) {
    feature_source *s = &t->source;
    if (!t->augment_given && t->options.head.rule == KILN_RULE_LDA && t->data.pictures &&
        t->features_path == NULL) {
        s->augment = AUGMENT_MIRROR | AUGMENT_FLIP | AUGMENT_SHIFT | AUGMENT_ROTATE;
        s->variants = s->variants > 0 ? s->variants : affordable(&t->data);
    }
    if (s->augment == 0) {
        s->variants = 0;
    } else if (s->variants == 0 && t->augment_given) {
        s->variants = VARIANTS_ASKED;
    }
    t->options.variants = s->variants + 1;
    t->options.views = s->variants > 0 && (s->augment & AUGMENT_MIRROR) != 0 ? 2 : 1;
}
