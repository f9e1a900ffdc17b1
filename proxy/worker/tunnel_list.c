/* tunnel_list - see tunnel_list.h. */
#include "worker/tunnel_list.h"

#include <string.h>

#include "base/clock.h"
#include "base/lock.h"
#include "base/mem.h"
#include "exchange/tunnels.h"
#include "worker/worker.h"

#define WAIT_MS 1000

struct question;

struct asked {
    struct mail mail;
    struct question *question;
    struct worker *worker;
};

/* Lives until the last of those who have it has let go. */
struct question {
    struct lock lock;
    struct cond cond;
    unsigned users;           /* [lock] */
    unsigned unanswered;      /* [lock] */
    unsigned most;            /* rows */
    struct tunnel_list *list; /* [lock] NULL: nobody waits any more */
    struct asked asked[];
};

static void put(char *out, size_t size, struct span text)
{
    size_t len = text.len < size ? text.len : size - 1;

    memcpy(out, text.ptr, len);
    out[len] = '\0';
}

static void let_go(struct question *question)
{
    bool is_last = --question->users == 0;

    lock_release(&question->lock);
    if (is_last) {
        cond_fini(&question->cond);
        lock_fini(&question->lock);
        mem_free(question);
    }
}

static bool see(void *ctx, const struct tunnel_view *view)
{
    const struct question *question = ctx;
    struct tunnel_list *list = question->list;

    if (list->count == question->most) {
        return false;
    }
    struct tunnel_row *row = &list->rows[list->count++];
    put(row->client, sizeof(row->client), view->client);
    put(row->user, sizeof(row->user), view->user);
    put(row->host, sizeof(row->host), view->host);
    put(row->proxy, sizeof(row->proxy), view->site);
    row->since_ms = view->since_ms;
    row->to_client = view->to_client;
    row->to_server = view->to_server;
    return true;
}

/* On the worker. The lock is never waited for long: it is held for copying alone. */
static void answer(struct mail *mail)
{
    struct asked *asked = CONTAINER_OF(mail, struct asked, mail);
    struct question *question = asked->question;

    lock_acquire(&question->lock);
    if (question->list != NULL) {
        question->list->total += tunnels_see(worker_env(asked->worker), see, question);
    }
    question->unanswered--;
    cond_signal(&question->cond);
    let_go(question);
}

struct tunnel_list *tunnel_list_new(struct worker *const *workers, unsigned count, unsigned most)
{
    struct question *question = mem_new(sizeof(*question) + count * sizeof(question->asked[0]));
    struct tunnel_list *list = mem_new(sizeof(*list) + most * sizeof(list->rows[0]));
    uint64_t until_ms = clock_mono_us() / 1000 + WAIT_MS;

    CHECK(most > 0 && most <= TUNNEL_LIST_MOST);
    lock_init(&question->lock, LOCK_STATS);
    cond_init(&question->cond);
    question->users = count + 1;
    question->unanswered = count;
    question->most = most;
    question->list = list;
    for (unsigned i = 0; i < count; i++) {
        question->asked[i] =
            (struct asked){.mail = {.deliver = answer}, .question = question, .worker = workers[i]};
        worker_post(workers[i], &question->asked[i].mail);
    }
    lock_acquire(&question->lock);
    for (uint64_t now_ms = clock_mono_us() / 1000; question->unanswered > 0 && now_ms < until_ms;
         now_ms = clock_mono_us() / 1000) {
        (void)cond_wait(&question->cond, &question->lock, (int)(until_ms - now_ms));
    }
    question->list = NULL;
    let_go(question);
    return list;
}
