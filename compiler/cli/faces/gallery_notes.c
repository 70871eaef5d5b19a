/* What is told of the faces of a data set. */
#include "compiler/cli/faces/answer.h"
#include "compiler/cli/faces/gallery.h"
#include "compiler/cli/format.h"
#include "runtime/base/text.h"

#include <string.h>

static const struct {
    gallery_mark mark;
    const char *name; /* in JSON */
} kinds[] = {{GALLERY_NO_FACE, "without_face"},
             {GALLERY_SEVERAL, "several_faces"},
             {GALLERY_SMALL, "small"},
             {GALLERY_BLURRED, "blurred"}};
enum { KINDS = sizeof kinds / sizeof *kinds };

size_t gallery_count(const gallery *g, gallery_mark mark) {
    size_t count = 0;
    for (size_t k = 0; k < g->count; k++) {
        count += (g->notes[k].marks & (unsigned)mark) != 0;
    }
    return count;
}

static void say(char *out, size_t size, const char *more) {
    size_t used = strlen(out);
    snprintf(out + used, size - used, "%s%s", used > 0 ? "; " : "", more);
}

const char *gallery_text(const gallery_note *n, char *out, size_t size) {
    char part[96], box[64];
    out[0] = '\0';
    if ((n->marks & GALLERY_NO_FACE) != 0) {
        snprintf(part, sizeof part, "%s, skipped", subjects_why(n->found, box, sizeof box));
        say(out, size, part);
    }
    if ((n->marks & GALLERY_SEVERAL) != 0) {
        if (n->taken == 1) {
            snprintf(part, sizeof part, "%zu faces, that of %s taken", n->found,
                     face_text(&n->item.subject.face, box, sizeof box));
        } else {
            snprintf(part, sizeof part, "%zu faces, the %zu largest taken", n->found, n->taken);
        }
        say(out, size, part);
    }
    if ((n->marks & GALLERY_SMALL) != 0) {
        snprintf(part, sizeof part, "small, %.0f pixels between the eyes", n->eyes);
        say(out, size, part);
    }
    if ((n->marks & GALLERY_BLURRED) != 0) {
        snprintf(part, sizeof part, "blurred (%.2f)", n->blur);
        say(out, size, part);
    }
    return out;
}

void gallery_print(const gallery *g, size_t most, FILE *out) {
    if (g->count == 0) {
        return;
    }
    fprintf(out,
            "faces: of %zu pictures %zu without a face, %zu with several, %zu small, %zu "
            "blurred\n",
            g->pictures, gallery_count(g, GALLERY_NO_FACE), gallery_count(g, GALLERY_SEVERAL),
            gallery_count(g, GALLERY_SMALL), gallery_count(g, GALLERY_BLURRED));
    for (size_t k = 0; k < g->count && k < most; k++) {
        const gallery_note *n = &g->notes[k];
        char text[256];
        text_print(out, "  %s: %s\n", n->item.path != NULL ? n->item.path : "a sample",
                   gallery_text(n, text, sizeof text));
    }
    if (g->count > most) {
        fprintf(out, "  and %zu more\n", g->count - most);
    }
}

void gallery_json(const gallery *g, FILE *out) {
    if (g->pictures == 0) {
        fprintf(out, "null");
        return;
    }
    fprintf(out, "{\"pictures\": %zu", g->pictures);
    for (size_t k = 0; k < KINDS; k++) {
        fprintf(out, ", \"%s\": %zu", kinds[k].name, gallery_count(g, kinds[k].mark));
    }
    fprintf(out, ", \"notes\": [");
    for (size_t k = 0; k < g->count; k++) {
        const gallery_note *n = &g->notes[k];
        char text[256];
        fprintf(out, "%s{\"image\": ", k > 0 ? ", " : "");
        json_string(out, n->item.path != NULL ? n->item.path : "");
        fprintf(out, ", \"index\": %zu, \"note\": ", n->item.index);
        json_string(out, gallery_text(n, text, sizeof text));
        for (size_t m = 0; m < KINDS; m++) {
            if ((n->marks & (unsigned)kinds[m].mark) != 0) {
                fprintf(out, ", \"%s\": true", kinds[m].name);
            }
        }
        fprintf(out, "}");
    }
    fprintf(out, "]}");
}
