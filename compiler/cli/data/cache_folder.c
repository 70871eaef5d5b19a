#include "compiler/cli/data/cache_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path) {
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* Makes a folder and those above it. */
static void make_folders(char *path) {
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)mkdir(path, 0777);
            *at = '/';
        }
    }
    (void)mkdir(path, 0777);
}

bool cache_folder(const char *folder, char *out, size_t size) {
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length = 0;
    if (folder != NULL) {
        length = snprintf(out, size, "%s", folder);
    } else if (xdg != NULL && xdg[0] == '/') {
        length = snprintf(out, size, "%s/kiln", xdg);
    } else if (home != NULL && is_folder(home)) {
        length = snprintf(out, size, "%s/.cache/kiln", home);
    }
    if (length < 1 || (size_t)length >= size) {
        return false;
    }
    make_folders(out);
    return is_folder(out) && access(out, W_OK | X_OK) == 0;
}
