/* conf - load: text, tree, snapshot; and the snapshot's life. */
#include "conf/conf.h"

#include "base/mem.h"
#include "conf/print.h"

static void conf_free(struct conf *conf)
{
    struct conf_places *places = conf->places;

    conf_unref(places->kept);
    places->magic = 0;
    conf_certificates_free(&places->certificates);
    conf_lists_free(&places->lists);
    arena_reset(&places->arena);
    mem_free(places->settings.list);
    mem_free(places);
    mem_free(conf);
}

static struct conf *conf_new(void)
{
    struct conf *conf = mem_new(sizeof(*conf));

    conf->places = mem_new(sizeof(*conf->places));
    conf->places->magic = CONF_PLACES_MAGIC;
    atomic_init(&conf->places->refs, 1);
    arena_init(&conf->places->arena, CONF_SNAPSHOT_MAX_BYTES);
    return conf;
}

struct conf *conf_ref(struct conf *conf)
{
    CHECK_OBJ(conf->places, CONF_PLACES_MAGIC);
    int before = atomic_fetch_add_explicit(&conf->places->refs, 1, memory_order_relaxed);
    CHECK(before > 0);
    return conf;
}

void conf_unref(struct conf *conf)
{
    if (conf == NULL) {
        return;
    }
    CHECK_OBJ(conf->places, CONF_PLACES_MAGIC);
    /* Release our reads, and acquire those of the others before the memory goes. */
    int before = atomic_fetch_sub_explicit(&conf->places->refs, 1, memory_order_acq_rel);
    CHECK(before > 0);
    if (before == 1) {
        conf_free(conf);
    }
}

/* The parsed tree into a snapshot, good or not: the report says. */
static struct conf *conf_check(const struct conf_tree *tree)
{
    struct conf *conf = conf_new();
    struct conf_places *places = conf->places;
    struct conf_checker checker = {.base = {.report = tree->report,
                                            .arena = &places->arena,
                                            .flags = tree->flags,
                                            .certificates = &places->certificates,
                                            .lists = &places->lists},
                                   .conf = conf,
                                   .tree = tree};

    conf_check_tree(&checker);
    places->settings = checker.settings;
    if (places->arena.overflow && conf_report_count(tree->report) == 0) {
        conf_report_add(tree->report, (struct conf_place){.source = tree->main}, NULL,
                        "the configuration is too large");
    }
    conf_report_sort(tree->report);
    return conf;
}

/* The parsed tree into a snapshot, or nothing and a report. */
static enum err conf_build(const struct conf_tree *tree, struct conf **out)
{
    struct conf *conf = conf_check(tree);
    struct conf_places *places = conf->places;

    for (size_t i = 0; i < places->settings.count; i++) {
        places->settings.list[i].node = NULL; /* the tree goes */
    }
    if (conf_report_count(tree->report) > 0) {
        conf_unref(conf);
        return ERR_SYNTAX;
    }
    *out = conf;
    return ERR_OK;
}

enum err conf_load(const char *path, struct conf **out, struct conf_report *report)
{
    struct conf_tree tree;

    *out = NULL;
    conf_tree_init(&tree, report, 0);
    enum err err = conf_tree_parse_file(&tree, path);
    if (err == ERR_OK) {
        err = conf_build(&tree, out);
    }
    conf_tree_fini(&tree);
    return err;
}

enum err conf_load_text(const char *name, struct span text, unsigned flags, struct conf **out,
                        struct conf_report *report)
{
    struct conf_tree tree;

    *out = NULL;
    conf_tree_init(&tree, report, flags);
    conf_tree_parse_text(&tree, name, text);
    enum err err = conf_build(&tree, out);
    conf_tree_fini(&tree);
    return err;
}

static bool node_has_word(const struct conf_node *node, struct span word)
{
    for (size_t i = 0; i < node->word_count; i++) {
        if (span_eq(node->words[i].text, word)) {
            return true;
        }
    }
    return false;
}

/* Could what was not understood name a socket? A misspelt directive might, or one whose ";" is
 * missing; anything, when it is not sure where blocks end. */
static bool tree_may_name_socket(const struct conf_tree *tree)
{
    for (const struct conf_node *at = tree->root.first_child; at != NULL; at = at->next) {
        if (at->row == NULL) {
            return true;
        }
        if (at->row->block != SCHEMA_ADMIN) {
            continue;
        }
        for (const struct conf_node *in = at->first_child; in != NULL; in = in->next) {
            if (in->row == NULL || node_has_word(in, SPAN("socket"))) {
                return true;
            }
        }
    }
    return tree->is_torn;
}

enum conf_socket conf_find_socket(const char *path, struct conf_report *report, struct buf *out)
{
    enum conf_socket found = CONF_SOCKET_UNKNOWN;
    struct conf_tree tree;

    conf_tree_init(&tree, report, CONF_PORTABLE);
    if (conf_tree_parse_file(&tree, path) == ERR_OK) {
        struct conf *conf = conf_check(&tree);
        const struct conf_places *places = conf->places;
        const struct conf_setting *set =
            conf_setting_find(&places->settings, 0, schema_find(SCHEMA_ADMIN, SPAN("socket")), 0);
        bool is_sure = set == NULL ? !tree_may_name_socket(&tree) : set->good;
        if (is_sure && !places->arena.overflow) {
            buf_puts(out, conf->admin.socket_path == NULL ? "" : conf->admin.socket_path);
            found = conf->admin.socket_path == NULL ? CONF_SOCKET_OFF : CONF_SOCKET_NAMED;
        }
        conf_unref(conf);
    }
    conf_tree_fini(&tree);
    return found;
}

size_t conf_list_bytes(const struct conf *conf)
{
    return conf_lists_bytes(&conf->places->lists);
}

struct conf_retry conf_retry_of(const struct conf_origins *pool)
{
    struct conf_retry retry = pool->retry;

    if (retry.is_auto) {
        bool has_others = pool->server_count > 1;
        retry.count = has_others ? 2 : 1;
        retry.on = has_others ? CONF_RETRY_CONNECT | CONF_RETRY_RESET : CONF_RETRY_CONNECT;
    }
    return retry;
}

const struct conf_origins *conf_find_pool(const struct conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->pool_count; i++) {
        if (conf->pools[i].name != NULL && strcmp(conf->pools[i].name, name) == 0) {
            return &conf->pools[i];
        }
    }
    return NULL;
}
