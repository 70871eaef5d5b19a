/* kiln-faces: draws people, so that there are faces to learn from that are nobody's photographs. */
#include "models/faces/person.h"
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
    "  -o, --output DIR     where the folders go; made if it is not there\n"
    "  --people N           how many people (default 8)\n"
    "  --pictures M         of each (default 20)\n"
    "  --size S             pixels a side (default 112)\n"
    "  --seed K             other people (default 1)\n"
    "  --first-person F     number of the first person, to draw more people later (default 0)\n"
    "  --first-picture F    number of the first picture of each, to draw more later (default 0)\n\n"
    "Example: kiln-faces -o people --people 5 --pictures 12\n";

static const char *const names[] = {
    "ada",  "bruno", "chloe", "dario", "elif",  "felix", "greta", "hugo", "ines",  "jonas",
    "kaya", "luca",  "mina",  "noel",  "olga",  "pavel", "quinn", "rosa", "samir", "tessa",
    "umut", "vera",  "wanda", "xenia", "yusuf", "zoe",   "amos",  "bela", "cora",  "dina",
    "emil", "fara",  "gino",  "hana",  "igor",  "jada",  "koji",  "leni", "marek", "nadia"};
enum { NAMES = sizeof names / sizeof *names };

typedef struct faces_call {
    const char *folder;
    unsigned long people, pictures, size, seed, first_person, first;
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

static kiln_status write_png(const char *path, const uint8_t *rgb, unsigned long size,
                             kiln_error *error) {
    file_writer out;
    kiln_status status = file_begin(&out, path, error);
    if (status != KILN_OK) {
        return status;
    }
    png_image picture = {.version = PNG_IMAGE_VERSION,
                         .width = (png_uint_32)size,
                         .height = (png_uint_32)size,
                         .format = PNG_FORMAT_RGB};
    if (png_image_write_to_stdio(&picture, out.file, 0, rgb, 0, NULL) == 0) {
        status = kiln_fail(error, KILN_ERROR_IO, "%s: cannot write: %s", path, picture.message);
    }
    return file_end(&out, status, error);
}

static int draw_all(const faces_call *call, uint8_t *rgb) {
    char name[64], path[4096];
    kiln_error error;
    if (mkdir(call->folder, 0777) != 0 && errno != EEXIST) {
        return fail(call->folder, strerror(errno));
    }
    for (unsigned long k = call->first_person; k < call->first_person + call->people; k++) {
        person who = make_person(call->seed * 1000003 + k);
        person_name(k, name, sizeof name);
        snprintf(path, sizeof path, "%s/%s", call->folder, name);
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            return fail(path, strerror(errno));
        }
        for (unsigned long n = call->first; n < call->first + call->pictures; n++) {
            pose how = make_pose((call->seed * 1000003 + k) * 100003 + n);
            snprintf(path, sizeof path, "%s/%s/%02lu.png", call->folder, name, n);
            if (!draw_person(&who, &how, (int)call->size, rgb)) {
                return fail(path, "out of memory");
            }
            if (write_png(path, rgb, call->size, &error) != KILN_OK) {
                fprintf(stderr, "kiln-faces: %s\n", error.message);
                return 1;
            }
        }
    }
    printf("%s: %lu people, %lu pictures of each, %lux%lu pixels\n", call->folder, call->people,
           call->pictures, call->size, call->size);
    return 0;
}

static bool read_number(const char *text, unsigned long low, unsigned long high,
                        unsigned long *out) {
    char *end = NULL;
    *out = strtoul(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out >= low && *out <= high;
}

enum { OPT_PEOPLE = 256, OPT_PICTURES, OPT_SIZE, OPT_SEED, OPT_FIRST_PERSON, OPT_FIRST };

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
    uint8_t *rgb = malloc(call.size * call.size * 3);
    int status = rgb != NULL ? draw_all(&call, rgb) : fail(call.folder, "out of memory");
    free(rgb);
    return status;
}
