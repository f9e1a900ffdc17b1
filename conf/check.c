/*
 * check - one walk over the tree, block by block. A directive is found by its row, the row's type
 * does the words; what was not set gets the default from the same table by the same code. The
 * recursion follows the schema's nesting, four deep, not the file's.
 */
#include "conf/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define FALLBACK_WORDS_MAX ((size_t)16)

/* One block being checked: whose settings, and where they go. */
struct block {
    enum schema_context context;
    const struct conf_node *node; /* NULL: the block is absent, all is default */
    void *owner;
    uint32_t owner_index;
    const struct conf_node *seen[SCHEMA_ROWS_MAX]; /* the first of each row */
    uint32_t count[SCHEMA_ROWS_MAX];               /* of repeated rows: how many so far */
};

static void check_block(struct conf_checker *checker, enum schema_context context,
                        const struct conf_node *node, void *owner, uint32_t owner_index);

const char *conf_show_place(struct conf_shown *out, struct conf_place place)
{
    struct conf_shown name;

    (void)snprintf(out->text, sizeof(out->text), "%.50s:%u:%u",
                   conf_show(&name, span_str(place.source->name)), place.line, place.column);
    return out->text;
}

/* "this rule block" where there may be several. */
static const char *context_here(enum schema_context context)
{
    if (context == SCHEMA_SITE) {
        return "this site block";
    }
    if (context == SCHEMA_LISTENER) {
        return "this listen block";
    }
    if (context == SCHEMA_FORWARD) {
        return "this forward block";
    }
    return context == SCHEMA_RULE ? "this rule block" : schema_context_name(context);
}

static const char *context_preposition(enum schema_context context)
{
    return context == SCHEMA_MAIN ? "at" : "in";
}

static void check_remember(struct conf_checker *checker, const struct conf_setting *setting)
{
    struct conf_settings *settings = &checker->settings;

    if (settings->count == settings->cap) {
        size_t cap = settings->cap == 0 ? 64 : settings->cap * 2;
        struct conf_setting *list = mem_try_resize(settings->list, cap * sizeof(*list));
        if (list == NULL) {
            checker->base.arena->overflow = true; /* reported with it */
            return;
        }
        settings->list = list;
        settings->cap = cap;
    }
    settings->list[settings->count++] = *setting;
}

static int setting_compare(const void *left, const void *right)
{
    const struct conf_setting *a = left;
    const struct conf_setting *b = right;

    if (a->owner != b->owner) {
        return a->owner < b->owner ? -1 : 1;
    }
    if (a->row != b->row) {
        return a->row < b->row ? -1 : 1;
    }
    return (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

const struct conf_setting *conf_setting_find(const struct conf_settings *settings, uint32_t owner,
                                             const struct schema_row *row, uint32_t ordinal)
{
    const struct conf_setting wanted = {
        .owner = owner, .row = schema_index(row), .ordinal = ordinal};

    if (settings->count == 0) {
        return NULL;
    }
    return bsearch(&wanted, settings->list, settings->count, sizeof(wanted), setting_compare);
}

/* Sets a row's value to its default. */
static void check_fallback(struct conf_checker *checker, const struct schema_row *row, void *owner)
{
    struct conf_word words[FALLBACK_WORDS_MAX] = {0};
    struct conf_item item = {.check = &checker->base,
                             .row = row,
                             .name = &words[0],
                             .words = words,
                             .owner = owner,
                             .target = (char *)owner + row->offset};
    const char *at = row->fallback;

    if (at == NULL) {
        return;
    }
    while (*at != '\0') {
        size_t len = strcspn(at, " ");
        CHECK(item.count < FALLBACK_WORDS_MAX);
        words[item.count++].text = span_of(at, len);
        at += len + strspn(at + len, " ");
    }
    CHECK(conf_item_set(&item)); /* the table's own words */
}

/* What stands here for a word of another server's configuration; NULL: it is none. */
static const char *foreign_word(enum schema_context context, struct span name)
{
    static const struct {
        const char *word;
        const char *here;
        enum schema_context only; /* elsewhere it is a word of ours, or stands elsewhere */
    } words[] = {
        {"server", "site NAME { ... } is a host, origins NAME { server ... } a group of servers",
         SCHEMA_MAIN},
        {"server",
         "the client says which server is asked; parents are: upstream URL|POOL, in forward",
         SCHEMA_DIRECT},
        {"allow", "write it in acl { ... }", SCHEMA_FORWARD},
        {"deny", "write it in acl { ... }", SCHEMA_FORWARD},
        {"http", "what it holds stands at the top level here", SCHEMA_MAIN},
        {"upstream", "write: origins NAME { server NAME URL; }", SCHEMA_NONE},
        {"backend", "write: origins NAME { server NAME URL; }", SCHEMA_NONE},
        {"location", "write: rule path /PATH* { ... }, in a site", SCHEMA_NONE},
        {"proxy_pass", "write: origins { server NAME URL; } or origins POOL;", SCHEMA_NONE},
        {"server_name", "the names stand behind site: site NAME NAME { ... }", SCHEMA_NONE},
        {"root", "no files are served from here; a site asks its origins", SCHEMA_NONE},
        {"http_port", "write: listen ADDRESS:PORT { forward NAME; }", SCHEMA_NONE},
        {"http_access", "write: allow and deny, in the acl { ... } of a forward", SCHEMA_NONE},
        {"cache_peer", "write: upstream URL|POOL, in a forward", SCHEMA_NONE},
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (span_eq(name, span_str(words[i].word)) &&
            (words[i].only == SCHEMA_NONE || words[i].only == context)) {
            return words[i].here;
        }
    }
    return NULL;
}

static void report_unknown(struct conf_checker *checker, const struct block *block,
                           const struct conf_node *node)
{
    const char *names[SCHEMA_ROWS_MAX];
    struct conf_shown shown;
    struct conf_report *report = checker->base.report;
    struct span name = node->words[0].text;
    const struct schema_row *elsewhere = schema_find_elsewhere(block->context, name);
    struct conf_advice advice = {.allowed = names};

    if (elsewhere != NULL && block->node->is_unclosed) {
        return; /* it stands in the wrong block only because a "}" is missing, which is said */
    }
    const char *here = foreign_word(block->context, name);
    if (here != NULL) {
        conf_report_add(report, node->words[0].place, NULL, "there is no \"%s\" %s %s; %s",
                        conf_show(&shown, name), context_preposition(block->context),
                        schema_context_name(block->context), here);
        return;
    }
    advice.allowed_count = schema_names(block->context, names);
    if (elsewhere != NULL) {
        conf_report_add(report, node->words[0].place, &advice,
                        "\"%s\" does not belong %s %s; it belongs %s %s", conf_show(&shown, name),
                        context_preposition(block->context), schema_context_name(block->context),
                        context_preposition(elsewhere->context),
                        schema_context_name(elsewhere->context));
        return;
    }
    advice.hint =
        conf_report_is_full(report) ? NULL : conf_nearest(name, names, advice.allowed_count);
    conf_report_add(report, node->words[0].place, &advice, "unknown directive \"%s\" %s %s",
                    conf_show(&shown, name), context_preposition(block->context),
                    schema_context_name(block->context));
}

/* `origins` of a site: a block, or the name of a pool. */
static bool is_reference(const struct conf_node *node)
{
    return node->row->context == SCHEMA_SITE && node->row->block == SCHEMA_ORIGINS &&
           !node->is_block;
}

/* A block where one belongs, and none where not; some may have one or not. */
static bool node_fits(const struct conf_node *node)
{
    if (node->row->type == SCHEMA_BLOCK) {
        return node->is_block || (is_reference(node) && node->word_count > 1);
    }
    return !node->is_block || node->row->block != SCHEMA_NONE;
}

static bool check_form(struct conf_checker *checker, const struct conf_node *node)
{
    const struct schema_row *row = node->row;
    struct conf_place place = node->words[0].place;

    if (node_fits(node) || node->is_bad) {
        return node_fits(node);
    }
    if (row->type == SCHEMA_BLOCK) {
        conf_report_add(checker->base.report, place, NULL, "\"%s\" needs a block; write: %s %s",
                        row->name, row->name, row->syntax);
    } else {
        conf_report_add(checker->base.report, node->open, NULL,
                        "\"%s\" takes no block; write: %s%s%s;", row->name, row->name,
                        row->syntax[0] == '\0' ? "" : " ", row->syntax);
    }
    return false;
}

/* False: a second time for what may stand only once. */
static bool check_once(struct conf_checker *checker, struct block *block,
                       const struct conf_node *node)
{
    uint32_t index = schema_index(node->row);
    const struct conf_node *first = block->seen[index];
    struct conf_shown place;

    if (first == NULL) {
        block->seen[index] = node;
        return true;
    }
    if (node->row->element_bytes > 0) {
        return true;
    }
    (void)conf_show_place(&place, first->words[0].place);
    conf_report_add(checker->base.report, node->words[0].place, NULL,
                    "\"%s\" is set twice %s %s; it is already set at %s; remove one",
                    node->row->name, context_preposition(block->context),
                    context_here(block->context), place.text);
    return false;
}

/* The memory of one more value: a field of the owner, or the next element of its list. */
static void *check_target(const struct block *block, const struct schema_row *row, uint32_t ordinal)
{
    char *field = (char *)block->owner + row->offset;
    char *list;

    if (row->element_bytes == 0) {
        return field;
    }
    memcpy(&list, field, sizeof(list));
    return list + row->element_bytes * ordinal;
}

static bool check_site(struct conf_checker *checker, const struct conf_item *item,
                       const struct conf_node *node, uint32_t ordinal)
{
    struct conf_site *site = item->target;
    bool good = !node->is_bad && conf_item_site_names(item, &site->names);

    check_block(checker, SCHEMA_SITE, node, site, ordinal + 1);
    return good;
}

static bool check_forward(struct conf_checker *checker, const struct conf_item *item,
                          const struct conf_node *node, uint32_t ordinal)
{
    struct conf_site *site = item->target;
    const char **name = arena_alloc(item->check->arena, sizeof(*name));
    bool good = !node->is_bad && conf_item_expect(item, 1, 1) &&
                conf_item_label(item, &item->words[0], "forward proxy", &site->forward.name);

    site->forward.name = good ? site->forward.name : "";
    if (name != NULL) {
        *name = arena_printf(item->check->arena, "forward:%s%c", site->forward.name, 0).ptr;
        site->names = (struct conf_names){.list = name, .count = *name == NULL ? 0 : 1};
    }
    check_block(checker, SCHEMA_FORWARD, node, site, ordinal + 1);
    return good;
}

/* By what the settings of one more repeated block are known. */
static uint32_t check_owner(struct conf_checker *checker, const struct conf_item *item)
{
    uint32_t owner = 1 + (uint32_t)checker->conf->site_count + checker->block_count++;

    CHECK(item->row->owner_offset > 0);
    memcpy((char *)item->target + item->row->owner_offset, &owner, sizeof(owner));
    return owner;
}

/* A pool with a name. */
static bool check_pool(struct conf_checker *checker, const struct conf_item *item,
                       const struct conf_node *node)
{
    struct conf_origins *pool = item->target;
    bool good = !node->is_bad && conf_item_expect(item, 1, 1) &&
                conf_item_label(item, &item->words[0], "pool", &pool->name);

    check_block(checker, SCHEMA_ORIGINS, node, pool, check_owner(checker, item));
    return good;
}

static bool check_rule(struct conf_checker *checker, const struct conf_item *item,
                       const struct conf_node *node)
{
    struct conf_rule *rule = item->target;
    bool good = conf_item_conditions(item, rule);

    check_block(checker, SCHEMA_RULE, node, rule, check_owner(checker, item));
    return good;
}

static bool check_value(struct conf_checker *checker, const struct block *block,
                        const struct conf_node *node, uint32_t ordinal)
{
    const struct schema_row *row = node->row;
    struct conf_item item = {.check = &checker->base,
                             .row = row,
                             .name = &node->words[0],
                             .words = node->words + 1,
                             .count = node->word_count - 1,
                             .owner = block->owner,
                             .target = check_target(block, row, ordinal)};

    if (row->block == SCHEMA_SITE) {
        return check_site(checker, &item, node, ordinal);
    }
    if (row->block == SCHEMA_FORWARD) {
        return check_forward(checker, &item, node, ordinal);
    }
    if (row->block == SCHEMA_RULE) {
        return check_rule(checker, &item, node);
    }
    if (is_reference(node)) {
        struct conf_origins *pool = item.target;
        return !node->is_bad && conf_item_expect(&item, 1, 1) &&
               conf_item_label(&item, &item.words[0], "pool", &pool->name);
    }
    if (row->block == SCHEMA_ORIGINS && row->element_bytes > 0) {
        return check_pool(checker, &item, node);
    }
    if (row->type == SCHEMA_BLOCK) {
        bool good = !node->is_bad && conf_item_expect(&item, 0, 0);
        check_block(checker, row->block, node, item.target, block->owner_index);
        return good;
    }
    bool good = !node->is_bad && conf_item_set(&item);
    if (row->block != SCHEMA_NONE) {
        check_block(checker, row->block, node->is_block ? node : NULL, item.target,
                    check_owner(checker, &item));
    }
    return good;
}

static void check_directive(struct conf_checker *checker, struct block *block,
                            const struct conf_node *node)
{
    if (node->row == NULL) {
        if (!node->is_bad) {
            report_unknown(checker, block, node);
        }
        return;
    }
    if (!check_once(checker, block, node)) {
        return;
    }
    if (!check_form(checker, node)) {
        return;
    }
    uint32_t index = schema_index(schema_list_row(node->row));
    uint32_t ordinal = block->count[index]++;
    bool good = check_value(checker, block, node, ordinal);
    const struct conf_setting setting = {.owner = block->owner_index,
                                         .row = index,
                                         .ordinal = node->row->element_bytes > 0 ? ordinal : 0,
                                         .line = node->words[0].place.line,
                                         .file = node->words[0].place.source->name,
                                         .node = node,
                                         .good = good};
    if (block->context == SCHEMA_RULE) {
        struct conf_rule *rule = block->owner;
        rule->set |= node->row->set_bit;
    }
    check_remember(checker, &setting);
}

static bool node_is_element(const struct conf_node *node, const struct schema_row *row)
{
    return node->row != NULL && schema_list_row(node->row) == row && node_fits(node);
}

/* Arrays for repeated rows, as long as they will get. */
static void check_lists(struct conf_checker *checker, const struct block *block)
{
    for (size_t i = 0; i < schema_row_count(); i++) {
        const struct schema_row *row = schema_row_at(i);
        size_t count = 0;
        if (!schema_belongs(row, block->context) || row->element_bytes == 0 || row->joins != NULL) {
            continue;
        }
        for (const struct conf_node *at = block->node->first_child; at != NULL; at = at->next) {
            count += node_is_element(at, row) ? 1 : 0;
        }
        void *list = arena_alloc(checker->base.arena, count * row->element_bytes);
        if (list == NULL) {
            return;
        }
        memset(list, 0, count * row->element_bytes);
        memcpy((char *)block->owner + row->offset, &list, sizeof(list));
        memcpy((char *)block->owner + row->count_offset, &count, sizeof(count));
    }
}

static void report_missing(struct conf_checker *checker, const struct block *block,
                           const struct schema_row *row)
{
    struct conf_place place = {0};

    if (block->node == NULL || !checker->tree->is_complete) {
        return; /* it may be there, in what was not understood */
    }
    if (block->node->word_count > 0) {
        place = block->node->words[0].place;
        conf_report_add(checker->base.report, place, NULL, "this \"%s\" has no \"%s\"; add: %s",
                        schema_context_name(block->context), row->name, row->example);
        return;
    }
    place.source = checker->tree->main;
    conf_report_add(checker->base.report, place, NULL, "there is no \"%s\"; add: %s", row->name,
                    row->example);
}

/* Do others stand in its list? A forward proxy alone is enough. */
static bool is_joined(const struct block *block, const struct schema_row *row)
{
    return row->element_bytes > 0 && block->count[schema_index(row)] > 0;
}

/* What nobody set. */
static void check_absent(struct conf_checker *checker, struct block *block)
{
    for (size_t i = 0; i < schema_row_count(); i++) {
        const struct schema_row *row = schema_row_at(i);
        if (!schema_belongs(row, block->context) || block->seen[i] != NULL) {
            continue;
        }
        if (row->required && !is_joined(block, row)) {
            report_missing(checker, block, row);
        }
        if (row->element_bytes > 0) {
            continue;
        }
        CHECK(row->set_bit == 0 || row->fallback == NULL);
        if (row->type == SCHEMA_BLOCK) {
            check_block(checker, row->block, NULL, (char *)block->owner + row->offset,
                        block->owner_index);
        } else {
            check_fallback(checker, row, block->owner);
        }
    }
}

static void check_block(struct conf_checker *checker, enum schema_context context,
                        const struct conf_node *node, void *owner, uint32_t owner_index)
{
    struct block block = {
        .context = context, .node = node, .owner = owner, .owner_index = owner_index};

    if (node != NULL) {
        check_lists(checker, &block);
        if (checker->base.arena->overflow) {
            return;
        }
        for (const struct conf_node *at = node->first_child; at != NULL; at = at->next) {
            check_directive(checker, &block, at);
        }
    }
    check_absent(checker, &block);
}

void conf_check_defaults(struct conf_checker *checker, enum schema_context context, void *owner)
{
    check_block(checker, context, NULL, owner, 0);
}

/* The snapshot keeps the names of files, the tree goes. */
static void check_keep_files(struct conf_checker *checker)
{
    const char *last = NULL;
    const char *kept = NULL;

    for (size_t i = 0; i < checker->settings.count; i++) {
        struct conf_setting *setting = &checker->settings.list[i];
        if (setting->file != last) {
            last = setting->file;
            kept = conf_check_copy(&checker->base, span_str(last));
        }
        setting->file = kept;
    }
}

void conf_check_tree(struct conf_checker *checker)
{
    struct conf *conf = checker->conf;
    struct conf_settings *settings = &checker->settings;

    check_block(checker, SCHEMA_MAIN, &checker->tree->root, conf, 0);
    if (checker->base.arena->overflow) {
        conf_report_add(checker->base.report, (struct conf_place){.source = checker->tree->main},
                        NULL, "the configuration is too large");
        return;
    }
    if (settings->count > 0) {
        qsort(settings->list, settings->count, sizeof(*settings->list), setting_compare);
    }
    check_keep_files(checker);
    conf_check_rules(checker);
    conf_check_site_rules(checker);
    conf_check_origins(checker);
    conf_check_guards(checker);
    conf_check_forwards(checker);
    conf_check_upstreams(checker);
    conf_check_quotas(checker);
    conf_check_users(checker);
    conf_check_privacy(checker);
    if (conf->admin.tokens_path == NULL && conf->state_dir != NULL) {
        struct span path = arena_printf(checker->base.arena, "%s%s", conf->state_dir, "/tokens");
        conf->admin.tokens_path = path.ptr;
    }
    conf->file = conf_check_copy(&checker->base, span_str(checker->tree->main->name));
}
