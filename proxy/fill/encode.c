/*
 * encode - one job from lead to commit: the press reads the base object's pieces, which stay as
 * they are for as long as we hold a reference, or a copy of a body that is not in memory; its
 * result comes back by mail to the worker that leads.
 */
#include "fill/encode.h"

#include "base/mem.h"
#include "http/coded_head.h"
#include "net/loop.h"
#include "press/press.h"
#include "record/counters.h"

#define ENCODE_MAGIC 0x454e434fu
#define HEAD_LIMIT (256u * 1024u)
/* A variant that is not smaller by this part of the body is not worth its room. */
#define GAIN_SHARE 16u

struct encode {
    uint32_t magic;
    enum http_coding coding;
    struct press_job press;
    struct fill_env *env;
    struct store_lead *lead;
    struct store_object *base; /* a reference */
    struct list node;
    struct store_reader *reader; /* while the body is read from disk */
    char *body;                  /* where to; NULL: the base is whole */
    size_t read;                 /* bytes of it */
    size_t appended;
    bool in_press;
    struct span pieces[];
};

static const struct http_stored *facts_of(const struct store_object *object)
{
    return (const struct http_stored *)(const void *)store_object_facts(object);
}

/* The base's, but for what differs in the head: a length is always there. */
static struct http_stored facts_derive(const struct http_stored *base)
{
    struct http_stored facts = *base;

    facts.flags = (uint16_t)(facts.flags & ~(unsigned)HTTP_STORED_NO_LENGTH);
    return facts;
}

bool encode_is_current(const uint8_t *variant, const struct http_stored *base)
{
    const struct encode_facts *facts = (const struct encode_facts *)(const void *)variant;
    struct http_stored wanted = facts_derive(base);

    return facts->is_mark != 0 || memcmp(&facts->stored, &wanted, sizeof(wanted)) == 0;
}

/* Head and facts of a variant of base into out; text holds the head's bytes. */
static bool describe(struct store_head *out, struct buf *text, const struct store_object *base,
                     const struct http_coded_head *coded)
{
    struct encode_facts facts = {.stored = facts_derive(facts_of(base)), .check = coded->check};

    if (!http_coded_head_write(text, store_object_head(base), coded)) {
        return false;
    }
    *out = (struct store_head){.head = buf_span(text), .length = coded->length};
    memcpy(out->facts, &facts, sizeof(facts));
    return true;
}

struct store_object *encode_refresh(struct store_lead *lead, const struct store_object *variant,
                                    const struct store_object *base, enum http_coding coding)
{
    const struct encode_facts *facts =
        (const struct encode_facts *)(const void *)store_object_facts(variant);
    const struct http_coded_head coded = {
        .coding = coding, .length = store_object_length(variant), .check = facts->check};
    struct store_object *object = NULL;
    struct store_head head;
    struct buf text;

    buf_init(&text, HEAD_LIMIT);
    if (describe(&head, &text, base, &coded)) {
        object = store_lead_refresh(&lead, &head);
        if (!encode_is_current(store_object_facts(object), facts_of(base))) {
            store_object_unref(&object); /* no memory: as it was */
        }
    } else {
        store_lead_abort(&lead, 0);
    }
    buf_free(&text);
    return object;
}

static void encode_end_reading(struct encode *encode)
{
    if (encode->reader != NULL) {
        store_reader_close(&encode->reader);
        encode->env->encode_reads--;
    }
}

static void encode_free(struct encode *encode)
{
    encode_end_reading(encode);
    mem_free(encode->body);
    store_lead_abort(&encode->lead, 0);
    store_object_unref(&encode->base);
    list_remove(&encode->node);
    mem_free(encode->press.data);
    encode->magic = 0;
    mem_free(encode);
}

/* Stores that there is nothing to be gained. */
static void encode_mark(struct encode *encode)
{
    const struct encode_facts facts = {.is_mark = 1};
    struct store_head head = {.head = SPAN("no gain"), .length = 0};

    memcpy(head.facts, &facts, sizeof(facts));
    if (store_lead_head(encode->lead, &head) == ERR_OK) {
        store_lead_commit(&encode->lead);
    }
}

/* Appends as far as the store takes it; its wake goes on. Ends the job otherwise. */
static void encode_append(struct encode *encode)
{
    const struct press_job *press = &encode->press;

    while (encode->appended < press->len) {
        size_t left = press->len - encode->appended;
        size_t n = left < STORE_PIECE_BYTES ? left : STORE_PIECE_BYTES;
        if (store_lead_append(encode->lead, span_of(press->data + encode->appended, n)) != ERR_OK) {
            encode_free(encode);
            return;
        }
        encode->appended += n;
        if (encode->appended < press->len && store_lead_must_pause(encode->lead)) {
            return;
        }
    }
    store_lead_commit(&encode->lead);
    encode_free(encode);
}

static void on_wake(void *ctx)
{
    struct encode *encode = ctx;

    CHECK_OBJ(encode, ENCODE_MAGIC);
    if (!encode->in_press && encode->reader == NULL && !encode->env->is_ended) {
        encode_append(encode);
    }
}

static void encode_store(struct encode *encode)
{
    const struct http_coded_head coded = {
        .coding = encode->coding, .length = encode->press.len, .check = encode->press.check};
    struct store_head head;
    struct buf text;

    buf_init(&text, HEAD_LIMIT);
    bool is_good = describe(&head, &text, encode->base, &coded) &&
                   store_lead_head(encode->lead, &head) == ERR_OK;
    buf_free(&text);
    if (is_good) {
        encode_append(encode);
    } else {
        encode_free(encode);
    }
}

static void on_pressed(struct press_job *job)
{
    struct encode *encode = CONTAINER_OF(job, struct encode, press);
    CHECK_OBJ(encode, ENCODE_MAGIC);
    struct counters *counters = encode->env->counters;

    encode->in_press = false;
    if (encode->env->is_ended) {
        encode_free(encode);
        return;
    }
    switch (job->result) {
    case PRESS_DONE:
        counter_add(&counters->encoded[encode->coding], 1);
        counter_add(&counters->encoded_bytes_in, job->length);
        counter_add(&counters->encoded_bytes_out, job->len);
        encode_store(encode);
        return;
    case PRESS_NO_GAIN:
        counter_add(&counters->encode_no_gain, 1);
        encode_mark(encode);
        break;
    case PRESS_FAILED:
        counter_add(&counters->encode_failed, 1);
        break;
    case PRESS_CANCELLED:
        break;
    }
    encode_free(encode);
}

static void encode_submit(struct encode *encode)
{
    encode->in_press = true;
    if (!press_submit(encode->env->press, &encode->press)) {
        counter_add(&encode->env->counters->encode_dropped, 1);
        encode_free(encode);
    }
}

/* Copies what has come from disk; the reader's wake goes on. */
static void encode_read(void *ctx)
{
    struct encode *encode = ctx;
    CHECK_OBJ(encode, ENCODE_MAGIC);
    struct span bytes;

    for (;;) {
        switch (store_reader_next(encode->reader, &bytes)) {
        case STORE_READ_BYTES:
            break;
        case STORE_READ_WAIT:
            return;
        case STORE_READ_END:
        case STORE_READ_FAILED:
            encode_free(encode); /* read errors are the store's to count */
            return;
        }
        CHECK(encode->body != NULL && bytes.len <= encode->press.length - encode->read);
        memcpy(encode->body + encode->read, bytes.ptr, bytes.len);
        encode->read += bytes.len;
        store_reader_advance(encode->reader, bytes.len);
        if (encode->read == encode->press.length) {
            encode_end_reading(encode);
            encode_submit(encode);
            return;
        }
    }
}

static void encode_begin_reading(struct encode *encode)
{
    struct fill_env *env = encode->env;

    encode->body = mem_try((size_t)encode->press.length);
    if (encode->body != NULL) {
        encode->pieces[0] = span_of(encode->body, (size_t)encode->press.length);
        encode->press.piece_count = 1;
        encode->reader = store_reader_open(env->store, encode->base, 0, false,
                                           loop_mailbox(env->loop), encode_read, encode);
    }
    if (encode->reader == NULL) {
        counter_add(&env->counters->encode_failed, 1);
        encode_free(encode);
        return;
    }
    env->encode_reads++;
    encode_read(encode);
}

bool encode_has_room(const struct fill_env *env, const struct store_object *base)
{
    return !press_is_full(env->press) && (store_object_is_whole(base) || env->encode_reads == 0);
}

static struct encode *encode_new(struct fill_env *env, struct store_object *base,
                                 enum http_coding coding)
{
    uint64_t length = store_object_length(base);
    size_t count = (size_t)((length + STORE_PIECE_BYTES - 1) / STORE_PIECE_BYTES);
    struct encode *encode = mem_new(sizeof(*encode) + count * sizeof(encode->pieces[0]));

    encode->magic = ENCODE_MAGIC;
    encode->coding = coding;
    encode->env = env;
    encode->base = store_object_ref(base);
    list_init(&encode->node);
    list_push(&env->encodes, &encode->node);
    encode->press.pieces = encode->pieces;
    encode->press.piece_count = count;
    encode->press.length = length;
    encode->press.limit = (size_t)(length - length / GAIN_SHARE);
    return encode;
}

void encode_start(struct fill_env *env, const struct site *site, struct store_lead *lead,
                  struct store_object *base, enum http_coding coding)
{
    CHECK(coding != HTTP_CODING_IDENTITY);
    struct encode *encode = encode_new(env, base, coding);

    encode->lead = lead;
    encode->press.format = coding == HTTP_CODING_BR ? PRESS_BROTLI : PRESS_GZIP;
    encode->press.level = site->compress.level[coding];
    encode->press.box = loop_mailbox(env->loop);
    encode->press.done = on_pressed;
    store_lead_bind(lead, loop_mailbox(env->loop), on_wake, encode);
    if (!store_object_is_whole(base)) {
        encode_begin_reading(encode);
        return;
    }
    for (size_t i = 0; i < encode->press.piece_count; i++) {
        encode->pieces[i] = store_object_piece(base, i);
    }
    encode_submit(encode);
}

void encode_env_end(struct fill_env *env)
{
    struct list *node = env->encodes.next;

    env->is_ended = true;
    while (node != &env->encodes) {
        struct encode *encode = CONTAINER_OF(node, struct encode, node);
        node = node->next;
        if (!encode->in_press) {
            encode_free(encode);
        }
    }
}
