/* Reading Einsum's equation. */
#include "compiler/ops/einsum.h"

#include <ctype.h>

/* One term from *inout_text on, up to what ends it; its ellipsis has so many dims, the last of the
 * longest one. */
static bool read_term(const char **inout_text, uint32_t ellipsis, bool repeats, term *out) {
    const char *c = *inout_text;
    bool (*add)(term * t, uint8_t label) = repeats ? append_label : add_label;
    *out = (term){0};
    for (; *c != '\0' && *c != ',' && *c != '-'; c++) {
        if (strncmp(c, "...", 3) == 0) {
            for (uint32_t k = KILN_MAX_RANK - ellipsis; k < KILN_MAX_RANK; k++) {
                if (!add_label(out, (uint8_t)(LETTERS + k))) {
                    return false;
                }
            }
            c += 2;
        } else if (*c != ' ' && (!isalpha((unsigned char)*c) || !add(out, (uint8_t)*c))) {
            return false;
        }
    }
    *inout_text = c;
    return true;
}

static uint32_t letters_until_end(const char *c) {
    uint32_t letters = 0;
    for (; *c != '\0' && *c != ',' && *c != '-'; c++) {
        letters += isalpha((unsigned char)*c) != 0;
    }
    return letters;
}

/* Without "->" the output has the ellipsis and each label that occurs once, in alphabetical
 * order. */
static bool implied_output(equation *q) {
    bool fits = true;
    for (uint32_t k = 0; k < LABELS; k++) {
        uint8_t label = (uint8_t)(k < KILN_MAX_RANK ? LETTERS + k : k - KILN_MAX_RANK);
        uint32_t uses = 0;
        for (uint32_t t = 0; t < q->count; t++) {
            uses += uses_of_label(&q->terms[t], label);
        }
        if (uses == 1 || (uses > 0 && label >= LETTERS)) {
            fits = fits && add_label(&q->output, label);
        }
    }
    return fits;
}

static bool read_terms(const node *n, equation *q, uint32_t *out_ellipsis,
                       const char **inout_text) {
    const char *c = *inout_text;
    for (size_t k = 0; k < n->input_count; k++) {
        uint32_t rank = n->inputs[k]->rank, letters = letters_until_end(c);
        uint32_t ellipsis = letters < rank ? rank - letters : 0;
        if (!read_term(&c, ellipsis, true, &q->terms[k]) || q->terms[k].rank != rank) {
            return false;
        }
        *out_ellipsis = ellipsis > *out_ellipsis ? ellipsis : *out_ellipsis;
        bool more = k + 1 < n->input_count;
        if (more != (*c == ',')) {
            return false;
        }
        c += more;
    }
    *inout_text = c;
    return true;
}

/* A diagonal has one size: dims of 1 broadcast between operands only. */
static bool is_square(const term *t, const tensor *x, uint32_t d) {
    uint32_t first = 0;
    while (t->labels[first] != t->labels[d]) {
        first++;
    }
    return x->dims[first] == x->dims[d];
}

static bool read_sizes(const node *n, equation *q) {
    for (uint32_t t = 0; t < q->count; t++) {
        for (uint32_t d = 0; d < q->terms[t].rank; d++) {
            int64_t *size = &q->sizes[q->terms[t].labels[d]], dim = n->inputs[t]->dims[d];
            bool fits = *size <= 1 || dim == 1 || *size == dim;
            if (!fits || !is_square(&q->terms[t], n->inputs[t], d)) {
                return false;
            }
            *size = *size > dim ? *size : dim;
        }
    }
    double products = 1;
    for (uint32_t label = 0; label < LABELS; label++) {
        products *= q->sizes[label] != 0 ? (double)q->sizes[label] : 1;
    }
    for (uint32_t d = 0; d < q->output.rank; d++) {
        if (q->sizes[q->output.labels[d]] == 0) {
            return false;
        }
    }
    return products < 0x1p62;
}

bool einsum_read(const node *n, equation *out) {
    const char *c = node_string(n, "equation", "");
    uint32_t ellipsis = 0;
    *out = (equation){.count = (uint32_t)n->input_count};
    if (n->input_count > TERMS || !read_terms(n, out, &ellipsis, &c)) {
        return false;
    }
    bool given = strncmp(c, "->", 2) == 0;
    c += given ? 2 : 0;
    bool fits = given ? read_term(&c, ellipsis, false, &out->output) : implied_output(out);
    return fits && *c == '\0' && read_sizes(n, out);
}
