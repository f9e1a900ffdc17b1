/*
 * users - the desks, the queue and its threads.
 *
 * A check is in `checks` from users_begin until its answer is remembered; who asks the same in between
 * finds it there, under the lock of the queue, under which also the memory is asked once more: so one
 * password is hashed once however many ask at the same moment on however many threads. In between it
 * waits for its client's turn (turns.h), unless a thread has taken it.
 */
#include "users/users.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "users/credentials.h"
#include "users/turns.h"
#include "users/users_private.h"

#define THREADS_MAX 8u
#define KEY_BYTES 32u
#define FULL_MAC_BYTES 64u

_Static_assert(USERS_WHO_MAX <= TURNS_WHO_MAX, "a client fits");

struct users_check {
    struct list node;       /* [lock] of all checks */
    struct turns_item turn; /* [lock] waits while no thread has taken it */
    struct list waits;      /* [lock] */
    bool is_running;        /* [lock] */
    bool is_known;          /* else nobody has the name, and it is wrong anyway */
    uint8_t mac[USERS_MAC_BYTES];
    uint8_t who[USERS_WHO_MAX];
    size_t who_len;
    struct users_deposit deposit; /* give_back NULL: none */
    char password[USERS_PASSWORD_MAX + 1];
    char hash[CONF_USER_HASH_MAX + 1];
};

struct users_wait {
    struct mail mail;
    struct list node;          /* [lock] in its check's waits */
    struct users_check *check; /* [lock] NULL: the answer is on its way */
    bool is_beside;            /* waits for the end of the check, whatever it says */
    enum users_answer answer;
    struct users *users;
    struct mailbox *box;
    struct users_waiter waiter; /* the loop's; done NULL: nobody waits any more */
};

struct users {
    struct users_options options;
    uint8_t key[KEY_BYTES];
    EVP_MD *
        algorithm; /* BLAKE2b: behind a secret it is a keyed hash; no longer text can be made of one */
    struct users_memory *memory;
    struct lock lock; /* LOCK_QUEUE */
    struct cond work;
    struct list checks;           /* [lock] */
    struct turns *turns;          /* [lock] */
    struct users_figures figures; /* [lock] */
    bool is_started, is_closing;  /* [lock] */
    unsigned threads_running;
    pthread_t threads[THREADS_MAX];
};

struct users_desk {
    struct users *users;
    struct loop *loop;
    EVP_MD_CTX *mac;
};

/* ---- threads ---- */

static struct users_check *check_take(struct users *users)
{
    struct turns_item *first = NULL;

    lock_acquire(&users->lock);
    while (!users->is_closing && (first = turns_next(users->turns)) == NULL) {
        (void)cond_wait(&users->work, &users->lock, -1);
    }
    struct users_check *check =
        first == NULL ? NULL : CONTAINER_OF(first, struct users_check, turn);
    if (check != NULL) {
        check->is_running = true;
    }
    lock_release(&users->lock);
    return check;
}

/* [lock] It is gone from the lists; its memory holds a password. */
static void check_drop(struct users *users, struct users_check *check)
{
    list_remove(&check->node);
    turns_remove(&check->turn);
    users->figures.checks--;
    explicit_bzero(check->password, sizeof(check->password));
    mem_free(check);
}

static struct span who_of(const struct users_check *check)
{
    return span_of((const char *)check->who, check->who_len);
}

/* [lock] Drops it. Whoever waits goes over to told, to be told outside of the lock. */
static void check_settle(struct users *users, struct users_check *check, enum users_answer answer,
                         struct list *told)
{
    struct list *node;

    while ((node = list_pop(&check->waits)) != NULL) {
        struct users_wait *wait = CONTAINER_OF(node, struct users_wait, node);
        wait->check = NULL;
        wait->answer = wait->is_beside ? USERS_AGAIN : answer;
        list_push(told, node);
    }
    check_drop(users, check);
}

static void tell(struct list *told)
{
    struct list *node;

    while ((node = list_pop(told)) != NULL) {
        struct users_wait *wait = CONTAINER_OF(node, struct users_wait, node);
        mailbox_post(wait->box, &wait->mail); /* the loop's from here on */
    }
}

static void check_end(struct users *users, struct users_check *check, bool is_right)
{
    uint64_t now_us = clock_mono_us();
    struct list told;

    list_init(&told);
    if (is_right && check->deposit.give_back != NULL) {
        check->deposit.give_back(&check->deposit); /* before it is out of checks: users_join */
    }
    lock_acquire(&users->lock);
    users_memory_put(users->memory, check->mac, is_right, now_us);
    turns_note(users->turns, who_of(check), is_right, now_us);
    users->figures.right += is_right ? 1 : 0;
    users->figures.wrong += is_right ? 0 : 1;
    check_settle(users, check, is_right ? USERS_RIGHT : USERS_WRONG, &told);
    lock_release(&users->lock);
    tell(&told);
}

static void *users_run(void *arg)
{
    struct users *users = arg;
    struct users_hasher *hasher = users_hasher_new();
    struct users_check *check;

    thread_be_patient();
    while ((check = check_take(users)) != NULL) {
        bool is_same = users_hasher_check(hasher, check->password, check->hash);
        check_end(users, check, is_same && check->is_known);
    }
    users_hasher_free(&hasher);
    return NULL;
}

/* [lock] With one thread fewer it is only slower. */
static void users_start(struct users *users)
{
    users->is_started = true;
    for (unsigned i = 0; i < users->options.threads; i++) {
        if (thread_start(&users->threads[users->threads_running], "passwords", users_run, users) ==
            ERR_OK) {
            users->threads_running++;
        }
    }
}

/* ---- life ---- */

struct users *users_new(const struct users_options *options)
{
    struct users *users = mem_new(sizeof(*users));

    CHECK(options->threads > 0 && options->threads <= THREADS_MAX && options->queue_max > 0);
    users->options = *options;
    random_bytes(users->key, sizeof(users->key));
    users->algorithm = EVP_MD_fetch(NULL, "BLAKE2B-512", NULL);
    CHECK(users->algorithm != NULL); /* every OpenSSL of today has it */
    users->memory = users_memory_new(options->remembered);
    lock_init(&users->lock, LOCK_QUEUE);
    cond_init(&users->work);
    list_init(&users->checks);
    users->turns = turns_new();
    return users;
}

void users_free(struct users **users_at)
{
    struct users *users = *users_at;

    *users_at = NULL;
    if (users == NULL) {
        return;
    }
    lock_acquire(&users->lock);
    users->is_closing = true;
    cond_broadcast(&users->work);
    lock_release(&users->lock);
    for (unsigned i = 0; i < users->threads_running; i++) {
        CHECK(pthread_join(users->threads[i], NULL) == 0);
    }
    /* Whoever waited has cancelled, and so dropped what had not begun. */
    CHECK(list_is_empty(&users->checks));
    cond_fini(&users->work);
    lock_fini(&users->lock);
    turns_free(&users->turns);
    users_memory_free(&users->memory);
    EVP_MD_free(users->algorithm);
    explicit_bzero(users->key, sizeof(users->key));
    mem_free(users);
}

struct users_desk *users_desk_new(struct users *users, struct loop *loop)
{
    struct users_desk *desk = mem_new(sizeof(*desk));

    desk->users = users;
    desk->loop = loop;
    desk->mac = EVP_MD_CTX_new();
    CHECK(desk->mac != NULL && EVP_DigestInit_ex(desk->mac, users->algorithm, NULL) == 1);
    return desk;
}

void users_desk_free(struct users_desk **desk_at)
{
    struct users_desk *desk = *desk_at;

    *desk_at = NULL;
    if (desk != NULL) {
        EVP_MD_CTX_free(desk->mac);
        mem_free(desk);
    }
}

void users_figures(struct users *users, struct users_figures *out)
{
    lock_acquire(&users->lock);
    *out = users->figures;
    lock_release(&users->lock);
}

/* ---- questions ---- */

static void put(EVP_MD_CTX *mac, const void *bytes, size_t len)
{
    CHECK(EVP_DigestUpdate(mac, bytes, len) == 1);
}

/* Of the user's line, the name and the password; no two of them give the same bytes. */
static void mac_make(struct users_desk *desk, struct users_question *question)
{
    const struct conf_user *user = question->user;
    struct {
        uint8_t key[KEY_BYTES];
        uint8_t mark[CONF_USER_MARK_BYTES];
        uint32_t name_len;
        uint32_t is_known;
    } head = {.name_len = (uint32_t)question->name.len, .is_known = user != NULL};
    uint8_t full[FULL_MAC_BYTES];
    unsigned len;

    memcpy(head.key, desk->users->key, sizeof(head.key));
    if (user != NULL) {
        memcpy(head.mark, user->mark, sizeof(head.mark));
    }
    CHECK(EVP_DigestInit_ex(desk->mac, NULL, NULL) == 1);
    put(desk->mac, &head, sizeof(head));
    put(desk->mac, question->name.ptr, question->name.len);
    put(desk->mac, question->password.ptr, question->password.len);
    CHECK(EVP_DigestFinal_ex(desk->mac, full, &len) == 1 && len == sizeof(full));
    memcpy(question->mac, full, sizeof(question->mac));
}

static enum users_answer remembered(struct users_desk *desk, const struct users_question *question)
{
    return users_memory_find(desk->users->memory, question->mac, question->auth->cache_ms * 1000,
                             loop_now_us(desk->loop));
}

enum users_answer users_ask(struct users_desk *desk, struct users_question *question)
{
    question->user = conf_auth_find(question->auth, question->name);
    if (question->auth->user_count == 0) {
        return USERS_WRONG;
    }
    mac_make(desk, question);
    return remembered(desk, question);
}

/* [lock] */
static struct users_check *check_find(struct users *users, const uint8_t *mac)
{
    for (struct list *at = users->checks.next; at != &users->checks; at = at->next) {
        struct users_check *check = CONTAINER_OF(at, struct users_check, node);
        if (memcmp(check->mac, mac, USERS_MAC_BYTES) == 0) {
            return check;
        }
    }
    return NULL;
}

/* [lock] The one of this client that ends first, if there are `most` of them; else NULL. */
static struct users_check *check_crowd(struct users *users, struct span who, unsigned most)
{
    struct users_check *first = NULL;
    unsigned count = 0;

    for (struct list *at = users->checks.next; at != &users->checks; at = at->next) {
        struct users_check *check = CONTAINER_OF(at, struct users_check, node);
        if (span_eq(who_of(check), who)) {
            first = first == NULL ? check : first;
            count++;
        }
    }
    return count >= most ? first : NULL;
}

static void on_mail(struct mail *mail)
{
    struct users_wait *wait = CONTAINER_OF(mail, struct users_wait, mail);
    struct users_waiter waiter = wait->waiter;
    enum users_answer answer = wait->answer;

    mem_free(wait);
    if (waiter.done != NULL) {
        waiter.done(waiter.ctx, answer);
    }
}

static struct users_wait *wait_new(struct users_desk *desk, const struct users_waiter *waiter)
{
    struct users_wait *wait = mem_new(sizeof(*wait));

    wait->mail.deliver = on_mail;
    wait->users = desk->users;
    wait->box = loop_mailbox(desk->loop);
    wait->waiter = *waiter;
    list_init(&wait->node);
    return wait;
}

/* [lock] */
static void wait_for(struct users_wait *wait, struct users_check *check)
{
    wait->check = check;
    list_push(&check->waits, &wait->node);
}

enum users_answer users_join(struct users_desk *desk, const struct users_question *question,
                             unsigned most, const struct users_waiter *waiter,
                             struct users_wait **wait_out)
{
    struct users *users = desk->users;
    struct users_wait *wait = wait_new(desk, waiter);

    CHECK(most > 0);
    lock_acquire(&users->lock);
    struct users_check *check = check_find(users, question->mac);
    if (check == NULL) {
        check = check_crowd(users, question->who, most);
        wait->is_beside = true;
    }
    if (check != NULL) {
        wait_for(wait, check);
    }
    lock_release(&users->lock);
    if (check == NULL) {
        mem_free(wait);
        return USERS_NEW;
    }
    *wait_out = wait;
    return USERS_WAIT;
}

static struct users_check *check_new(const struct users_question *question)
{
    const struct conf_auth *auth = question->auth;
    const struct conf_user *user = question->user;
    struct users_check *check = mem_new(sizeof(*check));

    CHECK(question->password.len <= USERS_PASSWORD_MAX && question->who.len <= USERS_WHO_MAX);
    if (user == NULL) { /* one of the others, always the same for the same name */
        user = &auth->users[hash64(auth->seed, question->name) % auth->user_count];
    }
    list_init(&check->node);
    list_init(&check->waits);
    check->is_known = question->user != NULL;
    memcpy(check->mac, question->mac, sizeof(check->mac));
    check->who_len = question->who.len;
    if (question->who.len > 0) {
        memcpy(check->who, question->who.ptr, question->who.len);
    }
    memcpy(check->password, question->password.ptr, question->password.len); /* terminated: new */
    size_t len = strlen(user->hash);
    CHECK(len < sizeof(check->hash));
    memcpy(check->hash, user->hash, len);
    return check;
}

/* [lock] Is there room for one more of this client? If it is to be had only by taking it from one who
 * has more waiting, that one's last is dropped, and goes over to told. */
static bool has_room(struct users *users, struct span who, uint64_t now_us, struct list *told)
{
    if (!users->is_started) {
        users_start(users);
    }
    if (users->threads_running == 0 || users->figures.checks < users->options.queue_max) {
        return users->threads_running > 0;
    }
    struct turns_item *least = turns_least(users->turns, who, now_us);
    users->figures.full++; /* the one or the other */
    if (least == NULL) {
        return false;
    }
    check_settle(users, CONTAINER_OF(least, struct users_check, turn), USERS_FULL, told);
    return true;
}

/* [lock] */
static enum users_answer begin_locked(struct users_desk *desk,
                                      const struct users_question *question,
                                      struct users_wait *wait, struct users_check *new,
                                      struct list *told)
{
    struct users *users = desk->users;
    uint64_t now_us = loop_now_us(desk->loop);
    struct users_check *check = check_find(users, question->mac);

    if (check != NULL) {
        wait_for(wait, check);
        return USERS_JOINED;
    }
    enum users_answer answer = remembered(desk, question);
    if (answer != USERS_NEW) {
        return answer;
    }
    if (!has_room(users, question->who, now_us, told)) {
        return USERS_FULL;
    }
    list_push(&users->checks, &new->node);
    turns_add(users->turns, &new->turn, question->who, now_us);
    users->figures.checks++;
    wait_for(wait, new);
    cond_signal(&users->work);
    return USERS_WAIT;
}

enum users_answer users_begin(struct users_desk *desk, const struct users_question *question,
                              const struct users_deposit *deposit,
                              const struct users_waiter *waiter, struct users_wait **wait_out)
{
    struct users *users = desk->users;
    struct users_wait *wait = wait_new(desk, waiter);
    struct users_check *check = check_new(question);
    struct list told;

    list_init(&told);
    if (deposit != NULL) {
        check->deposit = *deposit;
    }
    lock_acquire(&users->lock);
    enum users_answer answer = begin_locked(desk, question, wait, check, &told);
    lock_release(&users->lock);
    tell(&told);
    if (answer != USERS_WAIT) { /* it was not wanted */
        explicit_bzero(check->password, sizeof(check->password));
        mem_free(check);
    }
    if (answer == USERS_WAIT || answer == USERS_JOINED) {
        *wait_out = wait;
    } else {
        mem_free(wait);
    }
    return answer;
}

void users_cancel(struct users_wait **wait_at)
{
    struct users_wait *wait = *wait_at;

    *wait_at = NULL;
    if (wait == NULL) {
        return;
    }
    struct users *users = wait->users;
    lock_acquire(&users->lock);
    struct users_check *check = wait->check;
    if (check != NULL) {
        list_remove(&wait->node);
        if (list_is_empty(&check->waits) && !check->is_running) {
            check_drop(users, check);
        }
    }
    lock_release(&users->lock);
    if (check != NULL) {
        mem_free(wait);
    } else {
        wait->waiter.done = NULL; /* its mail is on its way */
    }
}
