/* Folders that tests write in. */
#ifndef KILN_TESTS_SCRATCH_H
#define KILN_TESTS_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>

static inline int scratch_remove_entry(const char *path, const struct stat *about, int type,
                                       struct FTW *place) {
    (void)about;
    (void)type;
    (void)place;
    return remove(path);
}

/* Removes a folder and what lies in it; links are not followed. */
static inline bool scratch_remove(const char *folder) {
    return nftw(folder, scratch_remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0;
}

#endif
