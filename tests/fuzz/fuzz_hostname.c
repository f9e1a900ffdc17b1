// layer: base
/* Hosts in any spelling, and lists of names: what comes out once comes out again, and is found. */
#include <stdint.h>
#include <stdlib.h>

#include "base/hostname.h"
#include "base/namelist.h"

static void tell(void *ctx, const struct namelist_fault *fault)
{
    (void)ctx;
    if (fault->line == 0 || fault->why == NULL) {
        abort();
    }
}

static void check_host(struct span text)
{
    char room[HOSTNAME_BYTES];
    char again_room[HOSTNAME_BYTES];
    struct span out;
    struct span again;
    struct sockaddr_storage address;
    enum hostname_kind kind = hostname_read(text, room, &out, &address);

    if (kind == HOSTNAME_BAD) {
        return;
    }
    if (hostname_read(out, again_room, &again, &address) != kind || !span_eq(out, again)) {
        abort();
    }
    struct nameset *set = nameset_new(0);
    if (namelist_add(set, out) != NULL || !nameset_has(set, out)) {
        abort();
    }
    nameset_free(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of((const char *)data, size);
    struct nameset *set = nameset_new(size % 5);

    check_host(text);
    (void)namelist_read(set, text, tell, NULL);
    nameset_settle(set);
    (void)nameset_has(set, text);
    nameset_free(&set);
    return 0;
}
