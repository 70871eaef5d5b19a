/* Files: what is refused for reading and writing, links, permissions, writers that are killed. */
#include "runtime/base/files.h"
#include "tests/scratch.h"
#include "tests/unit/suite.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static kiln_error error;

static void make_folder(void) {
    snprintf(folder, sizeof folder, "/tmp/kiln-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void remove_folder(void) {
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert(scratch_remove(folder));
}

static kiln_status put(const char *path, const char *text) {
    file_writer out;
    kiln_status status = file_begin(&out, path, &error);
    return status == KILN_OK ? file_end(&out, file_write(&out, text, strlen(text), &error), &error)
                             : status;
}

static void check_content(const char *path, const char *expected) {
    char *text;
    size_t size;
    ck_assert_msg(file_read(path, 1000, &text, &size, &error) == KILN_OK, "%s", error.message);
    ck_assert_str_eq(text, expected);
    ck_assert_uint_eq(size, strlen(expected));
    kiln_free(text);
}

/* What lies in the folder, hidden files included. */
static int count_files(void) {
    int count = 0;
    DIR *open_folder = opendir(".");
    ck_assert_ptr_nonnull(open_folder);
    for (const struct dirent *e; (e = readdir(open_folder)) != NULL;) {
        count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    }
    (void)closedir(open_folder);
    return count;
}

static void expect_refused(kiln_status status, const char *text) {
    ck_assert_int_eq(status, KILN_ERROR_IO);
    ck_assert_msg(strstr(error.message, text) != NULL, "'%s' has no '%s'", error.message, text);
}

/* ---- Reading ------------------------------------------------------------------------------- */

START_TEST(reads_regular_files_only) {
    kiln_span bytes;
    char *text;
    size_t size;
    ck_assert_int_eq(mkfifo("pipe", 0666), 0);
    (void)alarm(10); /* nobody writes to the pipe: waiting for one would be for ever */
    expect_refused(file_map("pipe", &bytes, &error), "pipe: not a regular file but a pipe");
    expect_refused(file_map(".", &bytes, &error), "directory");
    expect_refused(file_read("/dev/zero", 1000, &text, &size, &error), "device");
    expect_refused(file_map("absent", &bytes, &error), "absent: No such file");
    (void)alarm(0);
}
END_TEST

START_TEST(reads_whole_files) {
    kiln_span bytes;
    char *text;
    size_t size;
    ck_assert_int_eq(put("a", "some text"), KILN_OK);
    check_content("a", "some text");
    ck_assert_int_eq(file_map("a", &bytes, &error), KILN_OK);
    ck_assert_uint_eq(bytes.size, 9);
    ck_assert_int_eq(memcmp(bytes.data, "some text", 9), 0);
    file_unmap(bytes);
    ck_assert_int_eq(file_read("a", 8, &text, &size, &error), KILN_ERROR_UNSUPPORTED);
    ck_assert_ptr_null(text);
    ck_assert_int_eq(put("empty", ""), KILN_OK);
    check_content("empty", "");
    ck_assert_int_eq(file_map("empty", &bytes, &error), KILN_OK);
    ck_assert_uint_eq(bytes.size, 0);
}
END_TEST

/* ---- Writing ------------------------------------------------------------------------------- */

START_TEST(writes_regular_files_only) {
    struct stat about;
    ck_assert_int_eq(mkfifo("pipe", 0666), 0);
    ck_assert_int_eq(mkdir("sub", 0777), 0);
    ck_assert_int_eq(symlink("/dev/null", "link"), 0);
    expect_refused(put("pipe", "x"), "not a regular file");
    expect_refused(put("sub", "x"), "not a regular file");
    expect_refused(put("sub/", "x"), "not a regular file");
    expect_refused(put("link", "x"), "not a regular file");
    expect_refused(put("/dev/null", "x"), "not a regular file");
    expect_refused(put("new/", "x"), "cannot create: Is a directory");
    expect_refused(put("absent/file", "x"), "cannot create: No such file");
    expect_refused(put("", "x"), "cannot create");
    ck_assert_int_eq(stat("/dev/null", &about), 0);
    ck_assert(S_ISCHR(about.st_mode));
    ck_assert_int_eq(count_files(), 3);
}
END_TEST

/* What comes between the beginning and the end is not replaced either. */
START_TEST(looks_again_at_the_end) {
    file_writer out;
    ck_assert_int_eq(file_begin(&out, "later", &error), KILN_OK);
    ck_assert_int_eq(mkfifo("later", 0666), 0);
    expect_refused(file_end(&out, KILN_OK, &error), "not a regular file");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(follows_links) {
    struct stat about;
    ck_assert_int_eq(mkdir("sub", 0777), 0);
    ck_assert_int_eq(put("sub/target", "old"), KILN_OK);
    ck_assert_int_eq(symlink("sub/target", "link"), 0);
    ck_assert_int_eq(symlink("other", "sub/dangling"), 0);
    ck_assert_int_eq(symlink("sub/dangling", "far"), 0);
    ck_assert_int_eq(symlink("round", "round"), 0);
    ck_assert_int_eq(put("link", "new"), KILN_OK);
    check_content("sub/target", "new");
    ck_assert_int_eq(put("far", "made"), KILN_OK);
    check_content("sub/other", "made");
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(lstat(k == 0 ? "link" : "far", &about), 0);
        ck_assert(S_ISLNK(about.st_mode));
    }
    expect_refused(put("round", "x"), "cannot write");
}
END_TEST

START_TEST(keeps_permissions) {
    struct stat about;
    (void)umask(022);
    ck_assert_int_eq(put("a", "old"), KILN_OK);
    ck_assert_int_eq(stat("a", &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0644);
    ck_assert_int_eq(chmod("a", 0600), 0);
    ck_assert_int_eq(put("a", "new"), KILN_OK);
    ck_assert_int_eq(stat("a", &about), 0);
    ck_assert_uint_eq(about.st_mode & 0777, 0600);
    check_content("a", "new");
}
END_TEST

START_TEST(leaves_the_old_file_where_it_fails) {
    file_writer out;
    ck_assert_int_eq(put("a", "old"), KILN_OK);
    ck_assert_int_eq(file_begin(&out, "a", &error), KILN_OK);
    ck_assert_int_eq(file_write(&out, "new", 3, &error), KILN_OK);
    ck_assert_int_eq(file_end(&out, KILN_ERROR_MEMORY, &error), KILN_ERROR_MEMORY);
    check_content("a", "old");
    ck_assert_int_eq(file_try("b", &error), KILN_OK);
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(may_be_told_not_to_replace) {
    file_writer out, late;
    ck_assert_int_eq(file_begin(&out, "a", &error), KILN_OK);
    ck_assert_int_eq(file_begin(&late, "a", &error), KILN_OK);
    out.only_new = late.only_new = true;
    ck_assert_int_eq(file_write(&out, "first", 5, &error), KILN_OK);
    ck_assert_int_eq(file_write(&late, "late", 4, &error), KILN_OK);
    ck_assert_int_eq(file_end(&out, KILN_OK, &error), KILN_OK);
    expect_refused(file_end(&late, KILN_OK, &error), "cannot write: File exists");
    check_content("a", "first");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

/* A limit on the file's size stands for a full disk. */
START_TEST(tells_of_a_full_disk) {
    file_writer out;
    static const char block[1 << 16];
    struct rlimit limit = {.rlim_cur = sizeof block / 2, .rlim_max = RLIM_INFINITY};
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int way = 0; way < 3; way++) {
        kiln_status status = file_begin(&out, "a", &error);
        ck_assert_int_eq(status, KILN_OK);
        size_t size = way == 2 ? sizeof block / 2 + 1 : sizeof block;
        status = way == 0 ? file_write_at(&out, block, size, 0, &error)
                          : file_write(&out, block, size, &error);
        expect_refused(file_end(&out, status, &error), "a: cannot write: File too large");
    }
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

START_TEST(knows_what_is_the_same) {
    ck_assert_int_eq(put("a", "x"), KILN_OK);
    ck_assert_int_eq(link("a", "hard"), 0);
    ck_assert_int_eq(symlink("a", "soft"), 0);
    ck_assert_int_eq(mkdir("sub", 0777), 0);
    ck_assert(file_is_same("a", "./sub/../a") && file_is_same("a", "hard"));
    ck_assert(file_is_same("a", "soft") && !file_is_same("a", "b"));
    ck_assert(file_is_same("b", "sub/../b") && !file_is_same("b", "sub/b"));
    ck_assert_int_eq(file_keep("a", "hard", &error), KILN_ERROR_ARGUMENT);
    ck_assert_int_eq(file_keep("a", "b", &error), KILN_OK);
    ck_assert_int_eq(file_keep(NULL, "a", &error), KILN_OK);
}
END_TEST

/* ---- The dead ------------------------------------------------------------------------------ */

START_TEST(killed_writers_leave_nothing) {
    pid_t child = fork();
    if (child == 0) {
        file_writer out;
        (void)file_begin(&out, "a", NULL);
        (void)file_write(&out, "half", 4, NULL);
        (void)fflush(out.file);
        (void)raise(SIGKILL);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status));
    /* Where there are no files without a name, the next writer clears up. */
    ck_assert_int_eq(put("a", "whole"), KILN_OK);
    check_content("a", "whole");
    ck_assert_int_eq(count_files(), 1);
}
END_TEST

START_TEST(only_the_dead_are_removed) {
    char all[] = ".a.0.kiln-tmp";
    ck_assert_int_eq(put("a", "old"), KILN_OK);
    for (int k = '0'; k < '8'; k++) { /* what writers killed between naming and renaming leave */
        all[3] = (char)k;
        int file = open(all, O_RDWR | O_CREAT | O_EXCL, 0666);
        ck_assert_int_ge(file, 0);
        if (k == '0') {
            ck_assert_int_eq(flock(file, LOCK_EX | LOCK_NB), 0); /* one that lives: left open */
        } else {
            ck_assert_int_eq(close(file), 0);
        }
    }
    ck_assert_int_eq(put("a", "new"), KILN_OK);
    check_content("a", "new");
    ck_assert_int_eq(access(".a.0.kiln-tmp", F_OK), 0);
    ck_assert_int_ne(access(".a.1.kiln-tmp", F_OK), 0);
}
END_TEST

/* Whatever lies in the way, there is another name. */
START_TEST(strays_do_not_stop_a_writer) {
    char name[] = ".a.0.kiln-tmp";
    ck_assert_int_eq(put("a", "old"), KILN_OK);
    for (int k = '0'; k <= '9'; k++) {
        name[3] = (char)k;
        ck_assert_int_eq(k % 2 == 0 ? mkdir(name, 0777) : symlink("a", name), 0);
    }
    ck_assert_int_eq(put("a", "new"), KILN_OK);
    check_content("a", "new");
    ck_assert_int_eq(count_files(), 11);
}
END_TEST

START_TEST(scratch_files_have_no_name) {
    file_writer out;
    char text[3];
    ck_assert_int_eq(setenv("TMPDIR", folder, 1), 0);
    ck_assert_int_eq(file_begin_scratch(&out, &error), KILN_OK);
    ck_assert_int_eq(file_write_at(&out, "abc", 3, 0, &error), KILN_OK);
    ck_assert_int_eq(count_files(), 0);
    ck_assert_int_eq(pread(out.descriptor, text, 3, 0), 3);
    ck_assert_int_eq(memcmp(text, "abc", 3), 0);
    (void)file_end(&out, KILN_ERROR_IO, NULL);
    ck_assert_int_eq(count_files(), 0);
}
END_TEST

int main(void) {
    const suite_test tests[] = {
        TEST("reading", reads_regular_files_only),
        TEST("reading", reads_whole_files),
        TEST("writing", writes_regular_files_only),
        TEST("writing", looks_again_at_the_end),
        TEST("writing", follows_links),
        TEST("writing", keeps_permissions),
        TEST("writing", leaves_the_old_file_where_it_fails),
        TEST("writing", may_be_told_not_to_replace),
        TEST("writing", tells_of_a_full_disk),
        TEST("writing", knows_what_is_the_same),
        TEST("scratch", killed_writers_leave_nothing),
        TEST("scratch", only_the_dead_are_removed),
        TEST("scratch", strays_do_not_stop_a_writer),
        TEST("scratch", scratch_files_have_no_name),
    };
    return SUITE("files", tests, .begin = make_folder, .end = remove_folder);
}
