/* memfile - see memfile.h. */
#include "store/memfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/mem.h"

#define MEMFILE_HUGE_BYTES ((size_t)MEMFILE_BYTES_MIN)
/* Newer than the headers of some systems that know them. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

struct memfile {
    _Atomic int32_t refs;
    _Atomic uint32_t *count; /* or NULL */
    int fd;
    uint64_t bytes;
    char *room; /* of addresses, with what aligning left over */
    size_t room_bytes;
    const char *data;
};

static int memfile_create(void)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("larder-body", flags | MFD_NOEXEC_SEAL);

    return fd < 0 && errno == EINVAL ? memfd_create("larder-body", flags) : fd;
}

/* A huge page is made of what lies there, so one small page of each is laid there first. */
static bool memfile_make_huge(struct memfile *file)
{
    size_t bytes = file->bytes / MEMFILE_HUGE_BYTES * MEMFILE_HUGE_BYTES;

    for (size_t at = 0; at < bytes; at += MEMFILE_HUGE_BYTES) {
        if (pwrite(file->fd, "", 1, (off_t)at) != 1) {
            return false;
        }
    }
    return madvise((void *)file->data, bytes, MADV_COLLAPSE) == 0;
}

/* At an address where huge pages may lie. */
static bool memfile_map(struct memfile *file)
{
    size_t bytes = (size_t)file->bytes + MEMFILE_HUGE_BYTES;
    char *room = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (room == MAP_FAILED) {
        return false;
    }
    file->room = room;
    file->room_bytes = bytes;
    size_t past = (uintptr_t)room % MEMFILE_HUGE_BYTES;
    char *at = room + (past == 0 ? 0 : MEMFILE_HUGE_BYTES - past);
    file->data = at;
    return mmap(at, (size_t)file->bytes, PROT_READ, MAP_SHARED | MAP_FIXED, file->fd, 0) == at;
}

enum err memfile_new(uint64_t bytes, struct memfile **out)
{
    CHECK(bytes >= MEMFILE_BYTES_MIN);
    struct memfile *file = mem_new(sizeof(*file));
    enum err err = ERR_OK;

    atomic_init(&file->refs, 1);
    file->bytes = bytes;
    file->fd = memfile_create();
    if (file->fd < 0 || ftruncate(file->fd, (off_t)bytes) != 0 || !memfile_map(file)) {
        err = ERR_NOMEM;
    } else if (!memfile_make_huge(file)) {
        err = errno == EINVAL ? ERR_ABSENT : ERR_NOMEM;
    }
    if (err != ERR_OK) {
        memfile_unref(&file);
    }
    *out = file;
    return err;
}

void memfile_count(struct memfile *file, _Atomic uint32_t *count)
{
    CHECK(file->count == NULL);
    file->count = count;
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

struct memfile *memfile_ref(struct memfile *file)
{
    int32_t before = atomic_fetch_add_explicit(&file->refs, 1, memory_order_relaxed);

    CHECK(before > 0);
    return file;
}

void memfile_unref(struct memfile **file_in)
{
    struct memfile *file = *file_in;

    *file_in = NULL;
    /* acq_rel: what others did with it is done before it goes */
    if (file == NULL || atomic_fetch_sub_explicit(&file->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (file->room != NULL) {
        (void)munmap(file->room, file->room_bytes);
    }
    if (file->fd >= 0) {
        (void)close(file->fd);
    }
    if (file->count != NULL) {
        atomic_fetch_sub_explicit(file->count, 1, memory_order_relaxed);
    }
    mem_free(file);
}

enum err memfile_write(struct memfile *file, uint64_t offset, struct span data)
{
    size_t done = 0;

    CHECK(offset <= file->bytes && data.len <= file->bytes - offset);
    while (done < data.len) {
        ssize_t n = pwrite(file->fd, data.ptr + done, data.len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ERR_NOMEM;
        }
        done += (size_t)n;
    }
    return ERR_OK;
}

enum err memfile_seal(struct memfile *file)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;

    return fcntl(file->fd, F_ADD_SEALS, seals) == 0 ? ERR_OK : ERR_IO;
}

int memfile_fd(const struct memfile *file)
{
    return file->fd;
}

const char *memfile_data(const struct memfile *file)
{
    return file->data;
}
