#ifndef TESTS_UNIT_REMOVE_TREE_H
#define TESTS_UNIT_REMOVE_TREE_H
/* remove_tree - a test's folder goes with all that is in it. */
#include <ftw.h>
#include <stdio.h>

static inline int test_remove_one(const char *path, const struct stat *stat, int kind,
                                  struct FTW *ftw)
{
    (void)stat;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline void test_remove_tree(const char *path)
{
    (void)nftw(path, test_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
#endif
