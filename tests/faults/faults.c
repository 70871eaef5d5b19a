/* Faults as SQLite tries them (sqlite.org/testing.html, 3): each call of a command that asks for
 * memory, a file or a thread fails in turn, once alone and once with all that follow it. The
 * command must then fail with a message or succeed with the right output: it must not crash, hang
 * or leak, and where it fails, what stood at its outputs' paths must be there unchanged and nothing
 * else.
 *
 *   faults INJECT.so KILN API API_APP GENERATOR FACES FRAMES MODELS [COUNT [CASE]]
 *
 * COUNT: so many faults of each kind and case, evenly spread from a random start; 0: all. */
#include "tests/scratch.h"
#include "tests/watchdog.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jpeglib.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SECONDS 60
#define MOST_TEXT 65536
#define OLD "what was there"

typedef struct fault_case {
    const char *name, *command; /* words between spaces; $K: kiln, $A, $P: programs of the C API */
    const char *outputs;        /* files in out/, words */
    bool varies;                /* outputs are not the same each time */
} fault_case;

static const fault_case cases[] = {
    {"compile", "$K compile model.onnx -o out/a.plan", "a.plan", false},
    {"inspect", "$K inspect base.plan --html out/a.html", "a.html", false},
    {"run", "$K run base.plan a.jpg people/ada/00.png", "", false},
    {"prepacked", "$K run base.plan people/ada/00.png --prepacked", "", false},
    {"verify", "$K verify model.onnx", "", true}, /* equal layers in any order; or unnamed: "?" */
    {"bench", "$K bench base.plan --threads 2 --runs 1 --trace out/a.json", "a.json", true},
    {"tune", "$K tune base.plan --threads 1 --runs 1 -o out/a.plan", "a.plan", true},
    {"export", "$K export base.plan -o out/a.onnx", "a.onnx", false},
    {"train",
     "$K train base.plan people -o out/a.plan --epochs 2 --threads 2 --no-checkpoint --report "
     "out/a.html --history out/a.csv",
     "a.plan a.html a.csv", true},
    {"classify", "$K classify faces.plan a.jpg --json", "", false},
    {"evaluate", "$K evaluate faces.plan people", "", false},
    {"embed", "$K embed base.plan a.jpg people/ada/00.png -o out/a.npy", "a.npy a.npy.names",
     true}, /* that a picture cannot be read is an answer, too, beside those of others */
    {"compare", "$K compare faces.plan a.jpg people/ada/00.png", "", false},
    {"view", "$K view base.plan people/ada/00.png --layer /MaxPool_2 -o out/a.png", "a.png", false},
    {"api", "$A model.onnx out/a.plan", "a.plan", false},
    {"app", "$P bundle.plan frame.nv21 320 240 out/a.plan", "a.plan", false},
};

typedef struct outcome {
    int status; /* as from wait */
    int reason; /* the errno of the call that failed */
    bool hangs;
    long calls, blocks;
    char text[MOST_TEXT]; /* standard output and error */
    size_t errors;        /* bytes of standard error */
} outcome;

static const char *kiln, *api, *app, *inject;
static char folder[] = "/tmp/kiln-faults-XXXXXX";
static size_t tried, bad;

/* ---- Files --------------------------------------------------------------------------------- */

static size_t read_text(const char *path, char *out, size_t most) {
    FILE *file = fopen(path, "rb");
    size_t size = file != NULL ? fread(out, 1, most - 1, file) : 0;
    out[size] = '\0';
    if (file != NULL) {
        (void)fclose(file);
    }
    return size;
}

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

static uint64_t hash_file(const char *path) {
    FILE *file = fopen(path, "rb");
    uint64_t hash = UINT64_C(14695981039346656037);
    for (int c = 0; file != NULL && (c = getc(file)) != EOF;) {
        hash = (hash ^ (uint64_t)c) * UINT64_C(1099511628211);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return hash;
}

static bool is_listed(const char *names, const char *name) {
    size_t length = strlen(name);
    for (const char *at = strstr(names, name); at != NULL; at = strstr(at + 1, name)) {
        if ((at == names || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* A file in out/ or tmp/ that is none of the outputs, or a temporary one beside the plans; NULL:
 * none. */
static const char *find_stray(const char *outputs) {
    static char name[300];
    static const char *const folders[] = {"out", "tmp", "."};
    bool found = false;
    for (size_t k = 0; k < 3 && !found; k++) {
        DIR *entries = opendir(folders[k]);
        for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
            bool ours = k < 2 || strstr(entry->d_name, "kiln-tmp") != NULL;
            bool own = !ours || strcmp(entry->d_name, ".") == 0 ||
                       strcmp(entry->d_name, "..") == 0 ||
                       (k == 0 && is_listed(outputs, entry->d_name));
            if (!own) {
                snprintf(name, sizeof name, "%s/%s", folders[k], entry->d_name);
                found = true;
            }
        }
        (void)closedir(entries);
    }
    return found ? name : NULL;
}

/* Old files at the outputs' paths, nothing else. */
static void clear(const char *outputs) {
    static const char *const folders[] = {"out", "tmp", "cache"};
    char names[200], path[300];
    (void)unlink("base.plan.packed");
    for (size_t k = 0; k < sizeof folders / sizeof *folders; k++) {
        (void)scratch_remove(folders[k]);
        (void)mkdir(folders[k], 0777);
    }
    snprintf(names, sizeof names, "%s", outputs);
    for (char *name = strtok(names, " "); name != NULL; name = strtok(NULL, " ")) {
        snprintf(path, sizeof path, "out/%s", name);
        write_text(path, OLD);
    }
}

/* Of all outputs together; *out_old: they are as they were. */
static uint64_t hash_outputs(const char *outputs, bool *out_old) {
    char names[200], path[300], text[sizeof OLD + 1];
    uint64_t hash = 0;
    *out_old = true;
    snprintf(names, sizeof names, "%s", outputs);
    for (char *name = strtok(names, " "); name != NULL; name = strtok(NULL, " ")) {
        snprintf(path, sizeof path, "out/%s", name);
        read_text(path, text, sizeof text);
        *out_old = *out_old && strcmp(text, OLD) == 0;
        hash = hash * 31 + hash_file(path);
    }
    return hash;
}

/* ---- Running ------------------------------------------------------------------------------- */

static void execute(const char *command, long fault, bool lasting) {
    char text[1024], number[32], *words[64];
    size_t count = 0;
    snprintf(text, sizeof text, "%s", command);
    for (char *word = strtok(text, " "); word != NULL && count < 63; word = strtok(NULL, " ")) {
        words[count++] = word;
    }
    words[count] = NULL;
    if (fault >= 0) {
        snprintf(number, sizeof number, "%ld", fault);
        (void)setenv("LD_PRELOAD", inject, 1);
        (void)setenv("KILN_FAULT", number, 1);
        (void)setenv("KILN_FAULT_REPORT", "report", 1);
    }
    if (lasting) {
        (void)setenv("KILN_FAULT_LASTING", "1", 1);
    }
    watchdog_set(SECONDS);
    const char *program = strcmp(words[0], "$K") == 0   ? kiln
                          : strcmp(words[0], "$A") == 0 ? api
                          : strcmp(words[0], "$P") == 0 ? app
                                                        : words[0];
    if (freopen("stdout", "wb", stdout) != NULL && freopen("stderr", "wb", stderr) != NULL) {
        (void)execv(program, words);
    }
    _exit(127);
}

static void run(const char *command, long fault, bool lasting, outcome *out) {
    char report[64], *end;
    *out = (outcome){.status = -1, .calls = -1};
    (void)fflush(stdout);
    (void)unlink("report");
    pid_t child = fork();
    if (child == 0) {
        execute(command, fault, lasting);
    }
    (void)waitpid(child, &out->status, 0);
    out->hangs = WIFSIGNALED(out->status) &&
                 (WTERMSIG(out->status) == SIGALRM || WTERMSIG(out->status) == SIGPROF);
    if (read_text("report", report, sizeof report) > 0) {
        out->calls = strtol(report, &end, 10);
        out->reason = (int)strtol(end, &end, 10);
        out->blocks = strtol(end, &end, 10);
    }
    out->errors = read_text("stderr", out->text, MOST_TEXT / 2);
    read_text("stdout", out->text + out->errors, MOST_TEXT / 2);
}

/* ---- Judging ------------------------------------------------------------------------------- */

/* A failure whose status, of the C interface, is not that of the fault; NULL: it is. */
static const char *judge_status(const outcome *o) {
    static const char memory[] = "out of memory: ", format[] = "bad format: ";
    /* Where want of memory came first and was survived, a file that failed later was not. */
    static const int later[] = {EMFILE, ENOSPC, EIO};
    bool told = strncmp(o->text, memory, strlen(memory)) == 0;
    for (size_t k = 0; k < sizeof later / sizeof *later; k++) {
        told = told || strstr(o->text, strerror(later[k])) != NULL;
    }
    return strncmp(o->text, format, strlen(format)) == 0 ? "takes a sound file for a damaged one"
           : o->reason == ENOMEM && !told                ? "does not tell that memory is out"
                                                         : NULL;
}

/* What is wrong; NULL: nothing. */
static const char *judge(const fault_case *c, const outcome *good, uint64_t good_hash,
                         const outcome *o) {
    bool old = false;
    uint64_t hash = hash_outputs(c->outputs, &old);
    if (o->hangs) {
        return "hangs";
    }
    if (!WIFEXITED(o->status)) {
        return "crashes";
    }
    if (o->calls < 0) {
        return "ends without its destructors";
    }
    /* Threads of a pool that could not start as a whole sleep until the end: see threads.c. */
    if (o->blocks > good->blocks && strstr(o->text, "cannot start") == NULL) {
        return "leaks";
    }
    if (find_stray(c->outputs) != NULL) {
        return "leaves a file";
    }
    /* The old output or the new: what fails afterwards may be the words about it. */
    bool sound = old || hash == good_hash || c->varies;
    if (WEXITSTATUS(o->status) != 0) {
        return o->errors == 0                              ? "fails without a message"
               : strstr(o->text, "internal error") != NULL ? "calls it an internal error"
               : !sound                                    ? "fails and changes the output"
               : strncmp(c->command, "$K", 2) == 0         ? NULL
                                                           : judge_status(o);
    }
    if (strstr(o->text, "skipped") != NULL && strstr(o->text, "out of memory") != NULL) {
        return "skips a picture for want of memory";
    }
    if (!c->varies &&
        (hash != good_hash || (o->errors == good->errors && strcmp(o->text, good->text) != 0))) {
        return "succeeds with another output";
    }
    return NULL;
}

static void try_faults(const fault_case *c, long count) {
    static outcome good, o;
    bool old;
    clear(c->outputs);
    run(c->command, 0, false, &good);
    uint64_t good_hash = hash_outputs(c->outputs, &old);
    size_t before = bad;
    if (good.status != 0 || good.calls <= 0 || (c->outputs[0] != '\0' && old)) {
        printf("%s: fails without a fault: %s\n", c->name, good.text);
        bad++;
        return;
    }
    long step = count == 0 || good.calls < count ? 1 : good.calls / count;
    long first = 1 + (step > 1 ? (long)(time(NULL) / 86400 % step) : 0);
    for (long fault = first; fault <= good.calls; fault += step) {
        for (int lasting = 0; lasting < 2; lasting++) {
            clear(c->outputs);
            run(c->command, fault, lasting != 0, &o);
            const char *wrong = judge(c, &good, good_hash, &o);
            tried++;
            if (wrong != NULL) {
                bad++;
                printf("%s: fault %ld%s: %s (status %#x, %ld blocks, %s): %.200s\n", c->name, fault,
                       lasting != 0 ? " and all that follow" : "", wrong, (unsigned)o.status,
                       o.blocks - good.blocks, find_stray(c->outputs) == NULL ? "-" : "stray",
                       o.text);
            }
        }
    }
    printf("%s: %ld calls, %zu bad\n", c->name, good.calls, bad - before);
    (void)fflush(stdout);
}

/* ---- Subjects ------------------------------------------------------------------------------ */

static bool write_jpeg(const char *path) {
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    uint8_t row[64 * 3];
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return false;
    }
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = 64;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 64; y++) {
        for (int x = 0; x < 64 * 3; x++) {
            row[x] = (uint8_t)(x * y);
        }
        JSAMPROW rows = row;
        (void)jpeg_write_scanlines(&jpeg, &rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return fclose(file) == 0;
}

static bool prepare(const char *generator, const char *faces, const char *frames,
                    const char *models) {
    static outcome o;
    char make[6][600];
    snprintf(make[0], sizeof make[0],
             "%s squeezenet -o model.onnx --width 0.03 --size 40 --classes 4", generator);
    snprintf(make[1], sizeof make[1], "%s -o people --people 2 --pictures 3 --size 32", faces);
    snprintf(make[2], sizeof make[2],
             "%s -o party --people 2 --together 2 --groups 1 --size 320 --seed 77", faces);
    snprintf(make[3], sizeof make[3], "%s nv21 frame.nv21 party/group-00.png", frames);
    snprintf(make[4], sizeof make[4],
             "$K compile -q %s/backbone.onnx -o backbone.plan --mean 127.5 --std 128", models);
    snprintf(make[5], sizeof make[5],
             "$K train backbone.plan people -o bundle.plan -q --no-checkpoint --bundle --detector "
             "%s/detector.onnx",
             models);
    const char *commands[] = {
        make[0],
        make[1],
        make[2],
        make[3],
        make[4],
        make[5],
        "$K compile -q model.onnx -o base.plan --memory speed --preprocess imagenet",
        "$K train base.plan people -o faces.plan -q --epochs 1"};
    for (size_t k = 0; k < sizeof commands / sizeof *commands; k++) {
        run(commands[k], -1, false, &o);
        if (o.status != 0) {
            printf("%s: %s\n", commands[k], o.text);
            return false;
        }
    }
    return write_jpeg("a.jpg");
}

int main(int argc, char **argv) {
    if (argc < 9 || mkdtemp(folder) == NULL || chdir(folder) != 0) {
        fprintf(stderr, "usage: faults INJECT.so KILN API API_APP GENERATOR FACES FRAMES MODELS "
                        "[COUNT [CASE]]\n");
        return 2;
    }
    inject = argv[1];
    kiln = argv[2];
    api = argv[3];
    app = argv[4];
    long count = argc > 9 ? strtol(argv[9], NULL, 10) : 0;
    char cache[sizeof folder + sizeof "/cache"]; /* one that is not absolute does not count */
    (void)snprintf(cache, sizeof cache, "%s/cache", folder);
    (void)setenv("XDG_CACHE_HOME", cache, 1);
    (void)setenv("TMPDIR", "tmp", 1);
    clear("");
    if (prepare(argv[5], argv[6], argv[7], argv[8])) {
        for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
            if (argc < 11 || strcmp(argv[10], cases[k].name) == 0) {
                try_faults(&cases[k], count);
            }
        }
    }
    printf("%zu faults tried, %zu bad\n", tried, bad);
    bool good = tried > 0 && bad == 0;
    (void)scratch_remove(folder);
    return good ? 0 : 1;
}
