// SPDX-License-Identifier: MIT
/*
 * warm - touches and gives back GIGABYTES of memory. Some virtual machines hand free memory back to
 * their host within seconds; touching it again then costs twenty times what it costs on a machine of
 * its own (0.5 against 10 GB per second seen), and that would be all a row of stored misses shows.
 * Called right before a round, it lets every proxy begin with memory the machine really has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

int main(int argc, char **argv)
{
    const size_t piece = (size_t)64 << 20;
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) * 16 : 0;
    if (count == 0 || count > 16 * 1024) {
        fprintf(stderr, "usage: warm GIGABYTES\n");
        return 2;
    }
    for (size_t i = 0; i < count; i++) {
        char *memory =
            mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) {
            return 1;
        }
        madvise(memory, piece, MADV_HUGEPAGE);
        for (size_t at = 0; at < piece; at += 4096) {
            ((volatile char *)memory)[at] = 1;
        }
    }
    return 0; /* all is given back at the end */
}
