/*
 * corpus.c - main() of the corpus runner: a fuzz target without a fuzzer. It runs the
 * files and folders it is given, so that what was found once is checked by every
 * compiler.
 */
#include "common/buf.h"
#include "common/file.h"
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS_FILE_MAX ((size_t)1 << 20)

/* FUZZ_VERBOSE=1 names each file before it runs. */
static int corpus_run_file(const char *path)
{
    struct buf bytes = {0};
    struct error err;

    if (file_read(path, CORPUS_FILE_MAX, &bytes, &err) != 0) {
        fprintf(stderr, "%s: %s\n", path, err.text);
        return -1;
    }
    /* A copy of just the right size: reading behind it is seen by valgrind and ASan. */
    uint8_t *data = malloc(bytes.len > 0 ? bytes.len : 1);
    if (data == NULL)
        abort();
    if (bytes.len > 0)
        memcpy(data, bytes.data, bytes.len);
    if (getenv("FUZZ_VERBOSE") != NULL)
        fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(data, bytes.len);
    free(data);
    buf_release(&bytes);
    return 1;
}

/* Returns how many files were run; -1 if one could not be read. */
static int corpus_run(const char *path)
{
    DIR *dir = opendir(path);
    int n_run = 0, n = 0;

    if (dir == NULL)
        return corpus_run_file(path);
    for (struct dirent *entry; n >= 0 && (entry = readdir(dir)) != NULL;) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        n = corpus_run(name);
        n_run += n;
    }
    closedir(dir);
    return n < 0 ? n : n_run;
}

int main(int argc, char **argv)
{
    int n_run = 0;

    for (int i = 1; i < argc; i++) {
        int n = corpus_run(argv[i]);
        if (n < 0)
            return EXIT_FAILURE;
        n_run += n;
    }
    const char *name = strrchr(argv[0], '/');
    printf("  OK    %s: %d inputs\n", name != NULL ? name + 1 : argv[0], n_run);
    return EXIT_SUCCESS;
}
