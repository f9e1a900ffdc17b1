#ifndef BASE_MAILBOX_H
#define BASE_MAILBOX_H
/*
 * mailbox - messages from any thread to the one thread that owns the mailbox.
 *
 * A lock-free stack; the eventfd is written only when the box goes from empty to not. The owner
 * polls `fd` in its epoll set and calls mailbox_deliver() when it is readable.
 *
 * Threads:   post from any thread; deliver from the owner only.
 * Ownership: a mail is embedded in the sender's own struct and belongs to the mailbox from post to
 *            the call of its deliver function, which may free or post it again.
 * Order:     mails of one sender arrive in the order posted.
 */
#include <stdatomic.h>
#include <stdint.h>

struct mail {
    struct mail *next;
    void (*deliver)(struct mail *mail); /* runs on the owner's thread */
};

struct mailbox {
    _Atomic(struct mail *) top;
    int fd; /* eventfd, non-blocking */
};

void mailbox_init(struct mailbox *box);
/* The box must be empty. */
void mailbox_fini(struct mailbox *box);
void mailbox_post(struct mailbox *box, struct mail *mail);
/* Runs every waiting mail. Returns how many ran. */
unsigned mailbox_deliver(struct mailbox *box);
#endif
