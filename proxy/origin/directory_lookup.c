/* directory_lookup - the watch thread's side of the directory: lookups begun, late, over. */
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "origin/directory_private.h"
#include "origin/resolve.h"

/* With resolv.conf(5) as it was at the last reload, as everywhere. */
#define SYSTEM_PATH "/etc/resolv.conf"
#define BILLION INT64_C(1000000000)

struct directory_search {
    struct list node;
    struct directory *directory;
    struct directory_name *name;
    struct lookup *lookup;
    struct loop_timer timer;
    bool is_late;
};

static void search_over(struct directory_search *search, const struct names_result *result,
                        uint32_t ttl_s)
{
    struct directory *directory = search->directory;
    struct directory_name *name = search->name;

    lookup_cancel(&search->lookup);
    loop_timer_clear(&search->timer);
    list_remove(&search->node);
    mem_free(search);
    directory_answer(directory, name, result, ttl_s, loop_now_us(directory->loop));
}

static void on_found(void *ctx, const struct names_result *result, uint32_t ttl_s)
{
    struct directory_search *search = ctx;
    struct directory *directory = search->directory;

    if (result->is_partial) {
        directory_part(directory, search->name, result, ttl_s, loop_now_us(directory->loop));
        return;
    }
    search->lookup = NULL;
    search_over(search, result, ttl_s);
}

static void on_timer(struct loop_timer *timer)
{
    static const struct names_result silent = {.answer = NAMES_FAILED, .is_silent = true};
    struct directory_search *search = CONTAINER_OF(timer, struct directory_search, timer);
    struct directory *directory = search->directory;

    if (search->is_late) {
        search_over(search, &silent, 0);
        return;
    }
    search->is_late = true;
    loop_timer_set(directory->loop, &search->timer, DIRECTORY_LOOKUP_US - DIRECTORY_LATE_US);
    directory_late(directory, search->name);
}

/* ---- the resolver ---- */

static int64_t system_mtime_ns(void)
{
    struct stat info;

    return stat(SYSTEM_PATH, &info) == 0
               ? (int64_t)info.st_mtim.tv_sec * BILLION + info.st_mtim.tv_nsec
               : 0;
}

static bool has_resolver(struct directory *directory)
{
    if (directory->resolver == NULL && directory->conf != NULL) {
        directory->system_mtime_ns = system_mtime_ns();
        directory->resolver =
            resolver_new(directory->loop, &directory->conf->resolvers, RESOLVE_ABSOLUTE);
        if (directory->resolver == NULL) {
            log_error("resolver", "cannot be set up; names clients ask for are not looked up");
        }
    }
    return directory->resolver != NULL;
}

static bool is_same(const struct conf_names *a, const struct conf_names *b)
{
    bool is_same = a->count == b->count;

    for (size_t i = 0; is_same && i < a->count; i++) {
        is_same = strcmp(a->list[i], b->list[i]) == 0;
    }
    return is_same;
}

static void search_begin(struct directory_search *search)
{
    static const struct names_result failed = {.answer = NAMES_FAILED};
    struct directory *directory = search->directory;

    if (!has_resolver(directory)) {
        search_over(search, &failed, 0);
        return;
    }
    search->lookup = lookup_start(directory->resolver, search->name->text, on_found, search);
}

/* Lookups under way begin anew with the other name servers; what failed before may work now. */
static void renew(struct directory *directory)
{
    struct list all;
    struct list *node;

    for (node = directory->searches.next; node != &directory->searches; node = node->next) {
        lookup_cancel(&CONTAINER_OF(node, struct directory_search, node)->lookup);
    }
    resolver_free(&directory->resolver);
    lock_acquire(&directory->lock);
    directory->forgotten_us = loop_now_us(directory->loop);
    lock_release(&directory->lock);
    list_init(&all);
    while ((node = list_pop(&directory->searches)) != NULL) {
        list_push(&all, node);
    }
    while ((node = list_pop(&all)) != NULL) {
        list_push(&directory->searches, node);
        search_begin(CONTAINER_OF(node, struct directory_search, node));
    }
}

void directory_configure(struct directory *directory, struct conf *conf)
{
    struct conf *old = directory->conf;

    if (conf == old) {
        return;
    }
    directory->conf = conf_ref(conf);
    bool is_news =
        directory->resolver != NULL &&
        (!is_same(&old->resolvers, &conf->resolvers) ||
         (conf->resolvers.count == 0 && directory->system_mtime_ns != system_mtime_ns()));
    conf_unref(old);
    if (is_news) {
        renew(directory);
    }
}

/* ---- life ---- */

static void on_stir(struct mail *mail)
{
    struct directory *directory = CONTAINER_OF(mail, struct directory, stir);
    struct directory_name *name;

    if (directory->loop == NULL) {
        return; /* the thread has ended; so has all waiting */
    }
    while ((name = directory_next(directory)) != NULL) {
        struct directory_search *search = mem_new(sizeof(*search));
        search->directory = directory;
        search->name = name;
        loop_timer_init(&search->timer, on_timer);
        loop_timer_set(directory->loop, &search->timer, DIRECTORY_LATE_US);
        list_push(&directory->searches, &search->node);
        search_begin(search);
    }
}

void directory_open(struct directory *directory, struct loop *loop)
{
    directory->loop = loop;
    directory->stir.deliver = on_stir;
    lock_acquire(&directory->lock);
    directory->mailbox = loop_mailbox(loop);
    directory->is_open = true;
    lock_release(&directory->lock);
}

void directory_close(struct directory *directory)
{
    static const struct names_result failed = {.answer = NAMES_FAILED};
    struct directory_name *name;

    lock_acquire(&directory->lock);
    directory->is_open = false;
    lock_release(&directory->lock);
    while (!list_is_empty(&directory->searches)) {
        search_over(CONTAINER_OF(directory->searches.next, struct directory_search, node), &failed,
                    0);
    }
    while ((name = directory_next(directory)) != NULL) {
        directory_answer(directory, name, &failed, 0, loop_now_us(directory->loop));
    }
    resolver_free(&directory->resolver);
    conf_unref(directory->conf);
    directory->conf = NULL;
    directory->loop = NULL;
}
