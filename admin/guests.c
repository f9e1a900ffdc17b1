/* guests - hanging up is shutdown(): libmicrohttpd sees the end of the stream and closes. */
#include "admin/guests.h"

#include <sys/socket.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mem.h"

void guests_init(struct guests *guests, unsigned room)
{
    *guests = (struct guests){.room = room};
    list_init(&guests->waiting);
}

static void make_room(struct guests *guests)
{
    struct list *oldest = list_pop(&guests->waiting);

    if (oldest == NULL) {
        return; /* all are being served; the limit of libmicrohttpd holds */
    }
    (void)shutdown(CONTAINER_OF(oldest, struct guest, node)->fd, SHUT_RDWR);
    if (!guests->is_crowded) {
        guests->is_crowded = true;
        log_warn("admin_crowded",
                 "connections=%u note=\"the oldest without a request are closed for new ones\"",
                 guests->count);
    }
}

struct guest *guest_new(struct guests *guests, int fd)
{
    struct guest *guest = mem_new(sizeof(*guest));

    if (guests->count >= guests->room) {
        make_room(guests);
    }
    guest->all = guests;
    guest->fd = fd;
    list_init(&guest->node);
    guest_waits(guest);
    guests->count++;
    return guest;
}

void guest_is_served(struct guest *guest)
{
    list_remove(&guest->node);
}

void guest_waits(struct guest *guest)
{
    list_remove(&guest->node);
    list_push(&guest->all->waiting, &guest->node);
}

void guest_free(struct guest **guest)
{
    struct guests *guests = (*guest)->all;

    CHECK(guests->count > 0);
    guests->count--;
    guests->is_crowded = guests->is_crowded && guests->count > guests->room / 2;
    list_remove(&(*guest)->node);
    mem_free(*guest);
    *guest = NULL;
}
