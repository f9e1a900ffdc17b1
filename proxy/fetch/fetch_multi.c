/*
 * fetch_multi - libcurl's multi handle inside our loop.
 *
 * Every call into libcurl is followed by fetch_settle: what was cancelled meanwhile is taken out,
 * ended transfers are collected, batch is called for all that got data, then done. Data may come
 * from a socket, from a timer or from unpausing alike.
 */
#include <stdio.h>

#include "base/mem.h"
#include "fetch/fetch_private.h"

#define FETCH_MAGIC 0x66657463u

/* ---- libcurl's timer ---- */

static int fetch_timer_want(CURLM *multi, long timeout_ms, void *ctx)
{
    struct fetch_pool *pool = ctx;

    (void)multi;
    pool->timeout_due = false;
    loop_timer_clear(&pool->timer);
    if (timeout_ms > 0) {
        loop_timer_set(pool->loop, &pool->timer, (uint64_t)timeout_ms * 1000);
    } else if (timeout_ms == 0) {
        pool->timeout_due = true;
        loop_task_defer(pool->loop, &pool->task);
    }
    return 0;
}

static void fetch_timeout_run(struct fetch_pool *pool)
{
    int running;

    pool->timeout_due = false;
    pool->in_curl = true;
    (void)curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    pool->in_curl = false;
}

static void fetch_timer_fire(struct loop_timer *timer)
{
    struct fetch_pool *pool = CONTAINER_OF(timer, struct fetch_pool, timer);

    fetch_timeout_run(pool);
    fetch_settle(pool);
}

/* ---- work lists ---- */

void fetch_dirty(struct fetch *fetch)
{
    if (list_is_empty(&fetch->dirty_node)) {
        list_push(&fetch->pool->dirty, &fetch->dirty_node);
    }
}

void fetch_work(struct fetch *fetch, struct list *list)
{
    list_remove(&fetch->work_node);
    list_push(list, &fetch->work_node);
    if (!fetch->pool->in_curl) {
        loop_task_defer(fetch->pool->loop, &fetch->pool->task);
    }
}

static void fetch_free(struct fetch *fetch)
{
    curl_easy_cleanup(fetch->easy);
    fetch->magic = 0;
    mem_free(fetch->head);
    mem_free(fetch->text);
    mem_free(fetch->lines);
    mem_free(fetch);
}

/* Takes it out of libcurl and everything else, and puts it aside for the next request. */
static void fetch_release(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;

    CHECK_OBJ(fetch, FETCH_MAGIC);
    CHECK(!pool->in_curl);
    fetch->cancelled = true;
    if (fetch->in_multi) {
        fetch->in_multi = false;
        pool->in_curl = true;
        (void)curl_multi_remove_handle(pool->multi, fetch->easy);
        pool->in_curl = false;
    }
    loop_timer_clear(&fetch->deadline);
    list_remove(&fetch->work_node);
    list_remove(&fetch->dirty_node);
    list_remove(&fetch->node);
    pool->figures.active--;
    if (pool->idle_count >= FETCH_IDLE_HANDLES_MAX ||
        fetch->text_capacity > FETCH_TEXT_BYTES_KEPT || fetch->url[0] == '\0') {
        fetch_free(fetch);
        return;
    }
    list_push_front(&pool->idle, &fetch->node);
    pool->idle_count++;
}

static void fetch_finish(struct fetch *fetch, CURLcode code)
{
    struct fetch_pool *pool = fetch->pool;

    fetch_result_set(fetch, code);
    fetch->finished = true;
    if (fetch->connected) {
        if (fetch->result.reused_connection) {
            pool->figures.reused++;
        } else {
            pool->figures.connects++;
        }
    }
    /* The connection is free for others before done starts anything new. */
    if (fetch->in_multi) {
        fetch->in_multi = false;
        pool->in_curl = true;
        (void)curl_multi_remove_handle(pool->multi, fetch->easy);
        pool->in_curl = false;
    }
    loop_timer_clear(&fetch->deadline);
    list_remove(&fetch->work_node);
    list_push(&pool->finished, &fetch->work_node);
}

void fetch_fail(struct fetch *fetch, enum fetch_fault fault, const char *detail)
{
    if (fetch->result.fault == FETCH_OK) {
        fetch->result.fault = fault;
        (void)snprintf(fetch->result.detail, sizeof(fetch->result.detail), "%s", detail);
    }
    fetch_finish(fetch, CURLE_OK);
    fetch_settle(fetch->pool);
}

/* libcurl repeats a request whose reused connection died before any byte came, but counts that over
 * the life of a handle and gives up at each sixth, and not at all when already sending failed. */
static bool fetch_retry(struct fetch *fetch, CURLcode code)
{
    struct fetch_pool *pool = fetch->pool;
    long connects = 0;

    if (!fetch->may_retry || fetch->cancelled || fetch->head_len > 0 || fetch->head_done ||
        fetch->informational_count > 0 || fetch->result.fault != FETCH_OK ||
        (code != CURLE_RECV_ERROR && code != CURLE_SEND_ERROR && code != CURLE_GOT_NOTHING &&
         !fetch->line_stale) ||
        curl_easy_getinfo(fetch->easy, CURLINFO_NUM_CONNECTS, &connects) != CURLE_OK ||
        connects > 0) {
        return false;
    }
    fetch->may_retry = false;
    fetch->line_stale = false;
    fetch->connected = false;
    fetch->fresh = true;
    fetch->error[0] = '\0';
    pool->in_curl = true;
    (void)curl_multi_remove_handle(pool->multi, fetch->easy);
    fetch->in_multi = curl_easy_setopt(fetch->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK &&
                      curl_multi_add_handle(pool->multi, fetch->easy) == CURLM_OK;
    pool->in_curl = false;
    return fetch->in_multi;
}

static struct fetch *fetch_of_work(struct list *node)
{
    return CONTAINER_OF(node, struct fetch, work_node);
}

static void fetch_doomed_release(struct fetch_pool *pool)
{
    struct list *node;

    while ((node = list_pop(&pool->doomed)) != NULL) {
        fetch_release(fetch_of_work(node));
    }
}

static void fetch_early_finish(struct fetch_pool *pool)
{
    struct list *node;

    while ((node = list_pop(&pool->early)) != NULL) {
        fetch_finish(fetch_of_work(node), CURLE_OK);
    }
}

static void fetch_messages_read(struct fetch_pool *pool)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        char *private = NULL;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private) != CURLE_OK) {
            continue;
        }
        struct fetch *fetch = (struct fetch *)(void *)private;
        CHECK_OBJ(fetch, FETCH_MAGIC);
        CURLcode code = message->data.result;
        if (!fetch_retry(fetch, code)) {
            fetch_finish(fetch, code);
        }
    }
}

/* Tells handlers what happened. They may start, resume and cancel anything meanwhile. */
void fetch_settle(struct fetch_pool *pool)
{
    struct list *node;

    if (pool->settling) {
        return; /* the outer one goes on */
    }
    pool->settling = true;
    do {
        fetch_doomed_release(pool);
        fetch_messages_read(pool);
        fetch_early_finish(pool);
        while ((node = list_pop(&pool->dirty)) != NULL) {
            struct fetch *fetch = CONTAINER_OF(node, struct fetch, dirty_node);
            if (!fetch->cancelled) {
                fetch->handler->batch(fetch->ctx);
            }
        }
        node = list_pop(&pool->finished);
        if (node != NULL) {
            struct fetch *fetch = fetch_of_work(node);
            if (!fetch->cancelled) {
                fetch->cancelled = true; /* a cancel from inside done finds nothing to do */
                fetch->handler->done(fetch->ctx, &fetch->result);
            }
            fetch_release(fetch);
        }
    } while (!list_is_empty(&pool->doomed) || !list_is_empty(&pool->dirty) ||
             !list_is_empty(&pool->finished));
    pool->settling = false;
}

static void fetch_unpause(struct fetch *fetch)
{
    struct fetch_pool *pool = fetch->pool;
    int bits = (fetch->paused ? CURLPAUSE_RECV : 0) | (fetch->body_paused ? CURLPAUSE_SEND : 0);

    if (fetch->finished || fetch->cancelled || !fetch->in_multi) {
        return;
    }
    fetch->activity_us = loop_now_us(pool->loop);
    pool->in_curl = true;
    (void)curl_easy_pause(fetch->easy, bits);
    pool->in_curl = false;
}

static void fetch_task_run(struct loop_task *task)
{
    struct fetch_pool *pool = CONTAINER_OF(task, struct fetch_pool, task);
    struct list *node;

    /* In the order asked for, and only those asked for until now. */
    struct list now;
    list_init(&now);
    while ((node = list_pop(&pool->resumed)) != NULL) {
        list_push(&now, node);
    }
    while ((node = list_pop(&now)) != NULL) {
        fetch_unpause(fetch_of_work(node));
        fetch_settle(pool);
    }
    if (pool->timeout_due) {
        fetch_timeout_run(pool);
    }
    fetch_settle(pool);
}

/* ---- fetches ---- */

/* A handle that knows this origin already, else any, else a new one. */
static struct fetch *fetch_take(struct fetch_pool *pool, const struct fetch_origin *origin)
{
    char url[FETCH_URL_BYTES];
    struct fetch *fetch = NULL;
    unsigned looked = 0;

    if (fetch_url_write(url, origin)) {
        for (struct list *at = pool->idle.next; at != &pool->idle && looked < 8; at = at->next) {
            struct fetch *each = CONTAINER_OF(at, struct fetch, node);
            looked++;
            if (strcmp(each->url, url) == 0) {
                fetch = each;
                break;
            }
        }
    }
    if (fetch == NULL && !list_is_empty(&pool->idle)) {
        fetch = CONTAINER_OF(pool->idle.prev, struct fetch, node);
    }
    if (fetch != NULL) {
        list_remove(&fetch->node);
        pool->idle_count--;
        return fetch;
    }
    fetch = mem_new(sizeof(*fetch));
    fetch->magic = FETCH_MAGIC;
    fetch->pool = pool;
    list_init(&fetch->node);
    list_init(&fetch->dirty_node);
    list_init(&fetch->work_node);
    loop_timer_init(&fetch->deadline, fetch_deadline_fire);
    fetch->easy = curl_easy_init();
    CHECK(fetch->easy != NULL);
    CHECK(fetch_options_init(fetch));
    return fetch;
}

/* The deadline's timer fires early rather than being moved with each step. */
static uint64_t fetch_patience_least_us(const struct fetch *fetch)
{
    uint64_t least = fetch->connect_timeout_us + 1000000;

    least = fetch->first_byte_timeout_us < least ? fetch->first_byte_timeout_us : least;
    return fetch->idle_timeout_us < least ? fetch->idle_timeout_us : least;
}

struct fetch *fetch_start(struct fetch_pool *pool, const struct fetch_request *request,
                          const struct fetch_handler *handler, void *ctx)
{
    struct fetch *fetch = fetch_take(pool, request->origin);

    fetch->handler = handler;
    fetch->ctx = ctx;
    fetch->start_us = loop_now_us(pool->loop);
    fetch->activity_us = fetch->start_us;
    fetch->connect_timeout_us = request->origin->connect_timeout_us;
    fetch->first_byte_timeout_us = request->origin->first_byte_timeout_us;
    fetch->idle_timeout_us = request->origin->idle_timeout_us;
    fetch->cancelled = fetch->finished = fetch->connected = fetch->head_done = false;
    fetch->paused = fetch->body_paused = fetch->body_ended = false;
    fetch->is_head = span_eq(request->method, SPAN("HEAD"));
    fetch->has_body = request->has_body && !fetch->is_head;
    fetch->may_retry = request->may_retry;
    fetch->line_stale = false;
    fetch->body_length = request->body_length;
    fetch->body_sent = 0;
    fetch->informational_count = 0;
    fetch->head_len = 0;
    fetch->error[0] = '\0';
    memset(&fetch->result, 0, sizeof(fetch->result));
    list_push(&pool->active, &fetch->node);
    pool->figures.active++;
    pool->figures.requests++;
    if (!fetch_options_set(fetch, request) ||
        curl_multi_add_handle(pool->multi, fetch->easy) != CURLM_OK) {
        fetch->result.fault = FETCH_INTERNAL;
        fetch->finished = true;
        fetch->url[0] = '\0';
        fetch_work(fetch, &pool->finished);
        loop_task_defer(pool->loop, &pool->task);
        return fetch;
    }
    fetch->in_multi = true;
    loop_timer_set(pool->loop, &fetch->deadline, fetch_patience_least_us(fetch));
    return fetch;
}

void fetch_resume(struct fetch *fetch)
{
    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->paused) {
        fetch->paused = false;
        if (!fetch->finished && !fetch->cancelled) {
            fetch_work(fetch, &fetch->pool->resumed);
            loop_task_defer(fetch->pool->loop, &fetch->pool->task);
        }
    }
}

void fetch_resume_body(struct fetch *fetch)
{
    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->body_paused) {
        fetch->body_paused = false;
        if (!fetch->finished && !fetch->cancelled) {
            fetch_work(fetch, &fetch->pool->resumed);
            loop_task_defer(fetch->pool->loop, &fetch->pool->task);
        }
    }
}

void fetch_cancel(struct fetch **fetch_ptr)
{
    struct fetch *fetch = *fetch_ptr;

    *fetch_ptr = NULL;
    if (fetch == NULL) {
        return;
    }
    CHECK_OBJ(fetch, FETCH_MAGIC);
    if (fetch->cancelled) {
        return; /* from inside done */
    }
    fetch->cancelled = true;
    if (fetch->pool->in_curl || fetch->pool->settling) {
        fetch_work(fetch, &fetch->pool->doomed);
    } else {
        fetch_release(fetch);
    }
}

/* ---- the pool ---- */

void fetch_global_init(void)
{
    CHECK(curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK);
}

struct fetch_pool *fetch_pool_new(const struct fetch_pool_options *options)
{
    struct fetch_pool *pool = mem_new(sizeof(*pool));

    pool->loop = options->loop;
    pool->options = *options;
    list_init(&pool->active);
    list_init(&pool->idle);
    list_init(&pool->dirty);
    list_init(&pool->resumed);
    list_init(&pool->early);
    list_init(&pool->finished);
    list_init(&pool->doomed);
    fetch_sockets_init(pool);
    loop_timer_init(&pool->timer, fetch_timer_fire);
    loop_task_init(&pool->task, fetch_task_run);
    pool->multi = curl_multi_init();
    CHECK(pool->multi != NULL);
    bool good =
        curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, fetch_socket_want) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, fetch_timer_want) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
        curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)options->idle_connections) ==
            CURLM_OK;
    CHECK(good);
    return pool;
}

void fetch_pool_free(struct fetch_pool **pool_ptr)
{
    struct fetch_pool *pool = *pool_ptr;
    struct list *node;

    if (pool == NULL) {
        return;
    }
    *pool_ptr = NULL;
    CHECK(!pool->in_curl && !pool->settling);
    fetch_doomed_release(pool);
    CHECK(list_is_empty(&pool->active));
    while ((node = list_pop(&pool->idle)) != NULL) {
        fetch_free(CONTAINER_OF(node, struct fetch, node));
    }
    (void)curl_multi_cleanup(pool->multi);
    loop_timer_clear(&pool->timer);
    loop_task_clear(&pool->task);
    fetch_sockets_fini(pool);
    mem_free(pool);
}

void fetch_pool_figures(const struct fetch_pool *pool, struct fetch_pool_figures *out)
{
    *out = pool->figures;
}
