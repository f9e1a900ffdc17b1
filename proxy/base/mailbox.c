/*
 * mailbox - push is one compare-and-swap on the top of a stack; the owner takes the whole stack
 * with one exchange and turns it round. Nobody ever pops a single node, so there is no ABA problem.
 *
 * No wake-up is lost: a poster that found the box empty writes the eventfd after its push, and the
 * owner reads the eventfd before it takes the stack, so a write it swallowed belongs to a push it
 * sees.
 */
#include "base/mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

void mailbox_init(struct mailbox *box)
{
    atomic_init(&box->top, NULL);
    box->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(box->fd >= 0);
}

void mailbox_fini(struct mailbox *box)
{
    CHECK(atomic_load_explicit(&box->top, memory_order_acquire) == NULL);
    (void)close(box->fd);
    box->fd = -1;
}

void mailbox_post(struct mailbox *box, struct mail *mail)
{
    int fd = box->fd;
    struct mail *old = atomic_load_explicit(&box->top, memory_order_relaxed);

    do {
        mail->next = old;
        /* release: pairs with the exchange in mailbox_deliver */
    } while (!atomic_compare_exchange_weak_explicit(&box->top, &old, mail, memory_order_release,
                                                    memory_order_relaxed));
    if (old == NULL) {
        uint64_t one = 1;
        ssize_t written;
        do {
            written = write(fd, &one, sizeof(one));
        } while (written < 0 && errno == EINTR);
        /* EAGAIN would mean 2^64 - 2 pending wake-ups: it is readable anyway. */
        CHECK(written == (ssize_t)sizeof(one) || errno == EAGAIN);
    }
}

unsigned mailbox_deliver(struct mailbox *box)
{
    uint64_t posts;
    ssize_t got = read(box->fd, &posts, sizeof(posts));
    unsigned count = 0;
    struct mail *ordered = NULL;

    CHECK(got == (ssize_t)sizeof(posts) || errno == EAGAIN || errno == EINTR);
    /* acquire: pairs with the push in mailbox_post */
    struct mail *mail = atomic_exchange_explicit(&box->top, NULL, memory_order_acquire);
    while (mail != NULL) {
        struct mail *next = mail->next;
        mail->next = ordered;
        ordered = mail;
        mail = next;
    }
    while (ordered != NULL) {
        mail = ordered;
        ordered = mail->next; /* deliver may free the mail */
        mail->deliver(mail);
        count++;
    }
    return count;
}
