/* kiln-faces: draws photographs of people, so that there are faces to learn from that are nobody's.
 */
#include "models/faces/scene.h"
#include "runtime/base/files.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <png.h>

static const char help_text[] =
    "usage: kiln-faces -o DIR [options]\n\n"
    "Draws people: a folder a person, with pictures in varied pose, light and expression. The "
    "same\n"
    "seed draws the same people.\n\n"
    "  -o, --output DIR     where the pictures go; made if it is not there\n"
    "  --people N           how many people (default 8)\n"
    "  --pictures M         of each (default 20)\n"
    "  --size S             pixels of the longer side (default 112)\n"
    "  --scenes             photographs: the person anywhere, small or large, before a "
    "background;\n"
    "                       without, the head fills the picture\n"
    "  --restyle            hair, beard and glasses change from picture to picture\n"
    "  --groups G           instead of folders G photographs of several of the people together\n"
    "  --together T         as many in each of them (default: 1 to 6, up to 8)\n"
    "  --empty E            E photographs of no face: nobody, or people with their backs to us\n"
    "  --truth FILE         a table (CSV) of all faces drawn: picture, name, seed, box, five "
    "points\n"
    "  --seed K             other people (default 1)\n"
    "  --first-person F     number of the first person, to draw more people later (default 0)\n"
    "  --first-picture F    number of the first picture of each, to draw more later (default 0)\n\n"
    "Examples: kiln-faces -o people --people 5 --pictures 12 --scenes --size 320\n"
    "          kiln-faces -o party --groups 3 --together 5 --size 640 --truth party.csv\n";

static const char *const names[] = {
    "ada",  "bruno", "chloe", "dario", "elif",  "felix", "greta", "hugo", "ines",  "jonas",
    "kaya", "luca",  "mina",  "noel",  "olga",  "pavel", "quinn", "rosa", "samir", "tessa",
    "umut", "vera",  "wanda", "xenia", "yusuf", "zoe",   "amos",  "bela", "cora",  "dina",
    "emil", "fara",  "gino",  "hana",  "igor",  "jada",  "koji",  "leni", "marek", "nadia"};
enum { NAMES = sizeof names / sizeof *names };

typedef struct faces_call {
    const char *folder, *truth_path;
    unsigned long people, pictures, size, seed, first_person, first, groups, together, empty;
    bool scenes, restyle;
    uint8_t *rgb;
    FILE *truth; /* NULL: not asked for */
} faces_call;

static int fail(const char *path, const char *why) {
    fprintf(stderr, "kiln-faces: %s: %s\n", path, why);
    return 1;
}

static void person_name(unsigned long number, char *out, size_t size) {
    if (number < NAMES) {
        snprintf(out, size, "%s", names[number]);
    } else {
        snprintf(out, size, "%s-%lu", names[number % NAMES], number / NAMES + 1);
    }
}

static uint64_t person_seed(const faces_call *call, unsigned long number) {
    return call->seed * 1000003 + number;
}

static kiln_status write_png(const char *path, const photograph *p, const uint8_t *rgb,
                             kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    png_image picture = {.version = PNG_IMAGE_VERSION,
                         .width = (png_uint_32)p->width,
                         .height = (png_uint_32)p->height,
                         .format = PNG_FORMAT_RGB};
    if (png_image_write_to_stdio(&picture, out.file, 0, rgb, 0, NULL) == 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "%s: cannot write: %s", path, picture.message);
    }
    return file_end(&out, status, error);
}

/* In quotes where commas or quotes are in it (RFC 4180). */
static void write_cell(FILE *file, const char *text) {
    if (strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text != '\0'; text++) {
        fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, file);
    }
    fputc('"', file);
}

/* A row a face; a picture without one has a row with its name alone. */
static void write_truth(const faces_call *call, const char *path, const photograph *p) {
    char name[64];
    int faces = 0;
    for (int k = 0; k < p->count && call->truth != NULL; k++) {
        const sitter *who = p->sitters + k;
        const truth *t = p->truths + k;
        if (who->turned_away) {
            continue;
        }
        faces++;
        person_name((unsigned long)(who->who.seed - person_seed(call, 0)), name, sizeof name);
        write_cell(call->truth, path);
        fprintf(call->truth, ",%s,%llu,%.2f,%.2f,%.2f,%.2f", name,
                (unsigned long long)who->who.seed, t->left, t->top, t->right, t->bottom);
        for (int n = 0; n < POINTS; n++) {
            fprintf(call->truth, ",%.2f,%.2f", t->points[n][0], t->points[n][1]);
        }
        fputc('\n', call->truth);
    }
    if (call->truth != NULL && faces == 0) {
        write_cell(call->truth, path);
        fputs(",,,,,,,,,,,,,,,,\n", call->truth);
    }
}

static int finish_picture(const faces_call *call, const char *path, photograph *p) {
    kiln_error error;
    if (!photograph_take(p, call->rgb)) {
        return fail(path, "out of memory");
    }
    if (write_png(path, p, call->rgb, &error) != KILN_OK) {
        fprintf(stderr, "kiln-faces: %s\n", error.message);
        return 1;
    }
    write_truth(call, path, p);
    return 0;
}

static int make_folder(const char *path) {
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : fail(path, strerror(errno));
}

static int draw_people(const faces_call *call) {
    char name[64], path[4096];
    int status = 0;
    for (unsigned long k = call->first_person; status == 0 && k < call->first_person + call->people;
         k++) {
        person who = make_person(person_seed(call, k));
        person_name(k, name, sizeof name);
        snprintf(path, sizeof path, "%s/%s", call->folder, name);
        status = make_folder(path);
        for (unsigned long n = call->first; status == 0 && n < call->first + call->pictures; n++) {
            photograph p;
            uint64_t seed = who.seed * 100003 + n;
            person now = call->restyle ? restyle_person(&who, seed) : who;
            (call->scenes ? compose_scene : compose_portrait)(&p, &now, (int)call->size, seed);
            snprintf(path, sizeof path, "%s/%s/%02lu.png", call->folder, name, n);
            status = finish_picture(call, path, &p);
        }
    }
    return status;
}

/* Different people, drawn from those of the call. */
static int choose_people(const faces_call *call, chance *c, int count, person *out) {
    unsigned long chosen[SITTERS];
    int found = 0;
    while (found < count && (unsigned long)found < call->people) {
        unsigned long number = (unsigned long)(chance_bits(c) % call->people);
        bool fresh = true;
        for (int k = 0; k < found; k++) {
            fresh = fresh && chosen[k] != number;
        }
        if (fresh) {
            chosen[found] = number;
            out[found++] = make_person(person_seed(call, call->first_person + number));
        }
    }
    return found;
}

static int draw_groups(const faces_call *call, unsigned long pictures, bool empty) {
    char path[4096];
    int status = 0;
    for (unsigned long n = call->first; status == 0 && n < call->first + pictures; n++) {
        person people[SITTERS];
        photograph p;
        uint64_t seed = person_seed(call, call->first_person) * 7919 + n * 2 + (empty ? 1 : 0);
        chance c = {seed * 0x94d049bb133111ebu};
        int count = empty                ? chance_below(&c, 4)
                    : call->together > 0 ? (int)call->together
                                         : 1 + chance_below(&c, 6);
        count = choose_people(call, &c, count, people);
        (empty ? compose_empty : compose_group)(&p, people, count, (int)call->size, seed);
        snprintf(path, sizeof path, "%s/%s-%02lu.png", call->folder, empty ? "empty" : "group", n);
        status = finish_picture(call, path, &p);
    }
    return status;
}

static int draw_all(const faces_call *call) {
    int status = make_folder(call->folder);
    if (call->groups > 0 || call->empty > 0) {
        status = status != 0 ? status : draw_groups(call, call->groups, false);
        status = status != 0 ? status : draw_groups(call, call->empty, true);
        printf("%s: %lu photographs of groups, %lu without a face\n", call->folder, call->groups,
               call->empty);
        return status;
    }
    status = status != 0 ? status : draw_people(call);
    printf("%s: %lu people, %lu pictures of each\n", call->folder, call->people, call->pictures);
    return status;
}

/* The table goes through the writer of files: whole, or not at all. */
static int draw_with_truth(faces_call *call) {
    file_writer out;
    kiln_error error;
    if (call->truth_path == NULL) {
        return draw_all(call);
    }
    if (file_begin(&out, call->truth_path, &error) != KILN_OK) {
        fprintf(stderr, "kiln-faces: %s\n", error.message);
        return 1;
    }
    call->truth = out.file;
    fputs("picture,name,seed,left,top,right,bottom,left_eye_x,left_eye_y,right_eye_x,right_eye_y,"
          "nose_x,nose_y,left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y\n",
          out.file);
    int failed = draw_all(call);
    if (file_end(&out, failed != 0 ? KILN_ERROR_IO : KILN_OK, &error) != KILN_OK && failed == 0) {
        fprintf(stderr, "kiln-faces: %s\n", error.message);
        failed = 1;
    }
    return failed;
}

static bool read_number(const char *text, unsigned long low, unsigned long high,
                        unsigned long *out) {
    char *end = NULL;
    *out = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out >= low && *out <= high;
}

enum {
    OPT_PEOPLE = 256,
    OPT_PICTURES,
    OPT_SIZE,
    OPT_SEED,
    OPT_FIRST_PERSON,
    OPT_FIRST,
    OPT_SCENES,
    OPT_RESTYLE,
    OPT_GROUPS,
    OPT_TOGETHER,
    OPT_EMPTY,
    OPT_TRUTH
};

static bool take_option(faces_call *call, int option, const char *value) {
    switch (option) {
    case 'o':
        call->folder = value;
        return true;
    case OPT_PEOPLE:
        return read_number(value, 1, 1000000, &call->people);
    case OPT_PICTURES:
        return read_number(value, 1, 100000, &call->pictures);
    case OPT_SIZE:
        return read_number(value, 16, 2048, &call->size);
    case OPT_SEED:
        return read_number(value, 0, 1000000000, &call->seed);
    case OPT_FIRST_PERSON:
        return read_number(value, 0, 1000000, &call->first_person);
    case OPT_FIRST:
        return read_number(value, 0, 100000, &call->first);
    case OPT_SCENES:
        call->scenes = true;
        return true;
    case OPT_RESTYLE:
        call->restyle = true;
        return true;
    case OPT_GROUPS:
        return read_number(value, 1, 1000000, &call->groups);
    case OPT_TOGETHER:
        return read_number(value, 1, SITTERS, &call->together);
    case OPT_EMPTY:
        return read_number(value, 1, 1000000, &call->empty);
    case OPT_TRUTH:
        call->truth_path = value;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"output", required_argument, NULL, 'o'},
        {"people", required_argument, NULL, OPT_PEOPLE},
        {"pictures", required_argument, NULL, OPT_PICTURES},
        {"size", required_argument, NULL, OPT_SIZE},
        {"scenes", no_argument, NULL, OPT_SCENES},
        {"restyle", no_argument, NULL, OPT_RESTYLE},
        {"groups", required_argument, NULL, OPT_GROUPS},
        {"together", required_argument, NULL, OPT_TOGETHER},
        {"empty", required_argument, NULL, OPT_EMPTY},
        {"truth", required_argument, NULL, OPT_TRUTH},
        {"seed", required_argument, NULL, OPT_SEED},
        {"first-person", required_argument, NULL, OPT_FIRST_PERSON},
        {"first-picture", required_argument, NULL, OPT_FIRST},
        {"help", no_argument, NULL, 'h'},
        {0}};
    faces_call call = {.people = 8, .pictures = 20, .size = 112, .seed = 1};
    int option;
    while ((option = getopt_long(argc, argv, ":ho:", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help_text, stdout);
            return 0;
        }
        if (option == '?' || option == ':') {
            fprintf(stderr, "kiln-faces: %s: %s (see: kiln-faces --help)\n", argv[optind - 1],
                    option == '?' ? "no such option" : "expected a value");
            return 2;
        }
        if (!take_option(&call, option, optarg)) {
            fprintf(stderr, "kiln-faces: %s: not in the allowed range (see: kiln-faces --help)\n",
                    optarg);
            return 2;
        }
    }
    if (call.folder == NULL || optind != argc) {
        fprintf(stderr, "kiln-faces: expected -o DIR (see: kiln-faces --help)\n");
        return 2;
    }
    call.rgb = malloc(call.size * call.size * 3);
    int status = call.rgb != NULL ? draw_with_truth(&call) : fail(call.folder, "out of memory");
    free(call.rgb);
    return status;
}
