/*
 * pattern - PCRE2's own match limit begins again at each place where a match may begin, so that
 * their product with the length of the text is what it allows. Callouts between the items of a
 * pattern count all steps instead.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "base/pattern.h"

#include <pcre2.h>

#include "base/mem.h"

#define PATTERN_MAX_BYTES 4096u
#define PARENS_MAX 64u
/* A question that needs no backtracking takes a few steps for each byte. */
#define STEPS_MIN ((size_t)20000)
#define STEPS_PER_BYTE ((size_t)8)
#define DEPTH_MAX 20000u
#define HEAP_MAX_KIB 4096u

struct pattern {
    pcre2_code *code;
};

struct pattern_room {
    pcre2_match_data *data;
    pcre2_match_context *context;
    size_t steps; /* left */
};

struct pattern *pattern_new(struct span text, struct pattern_fault *fault)
{
    /* \C reads past the end of a character; bytes are all we know. */
    const uint32_t options =
        PCRE2_AUTO_CALLOUT | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    struct pattern *pattern = mem_new(sizeof(*pattern));
    int error = 0;
    PCRE2_SIZE at = 0;

    *fault = (struct pattern_fault){.why = "no memory"};
    if (context != NULL) {
        (void)pcre2_set_max_pattern_length(context, PATTERN_MAX_BYTES);
        (void)pcre2_set_parens_nest_limit(context, PARENS_MAX);
        pattern->code =
            pcre2_compile((PCRE2_SPTR)text.ptr, text.len, options, &error, &at, context);
        pcre2_compile_context_free(context);
        if (pattern->code == NULL) {
            fault->offset = at;
            (void)pcre2_get_error_message(error, (PCRE2_UCHAR *)fault->why, sizeof(fault->why));
        }
    }
    if (pattern->code == NULL) {
        pattern_free(&pattern);
    }
    return pattern;
}

void pattern_free(struct pattern **pattern_at)
{
    struct pattern *pattern = *pattern_at;
    *pattern_at = NULL;
    if (pattern != NULL) {
        pcre2_code_free(pattern->code);
        mem_free(pattern);
    }
}

static int step(pcre2_callout_block *block, void *ctx)
{
    struct pattern_room *room = ctx;
    (void)block;
    if (room->steps == 0) {
        return PCRE2_ERROR_MATCHLIMIT;
    }
    room->steps--;
    return 0;
}

struct pattern_room *pattern_room_new(void)
{
    struct pattern_room *room = mem_new(sizeof(*room));
    room->data = pcre2_match_data_create(1, NULL);
    room->context = pcre2_match_context_create(NULL);
    if (room->data == NULL || room->context == NULL) {
        pattern_room_free(&room);
        return NULL;
    }
    (void)pcre2_set_depth_limit(room->context, DEPTH_MAX);
    (void)pcre2_set_heap_limit(room->context, HEAP_MAX_KIB);
    (void)pcre2_set_callout(room->context, step, room);
    return room;
}

void pattern_room_free(struct pattern_room **room_at)
{
    struct pattern_room *room = *room_at;
    *room_at = NULL;
    if (room != NULL) {
        pcre2_match_data_free(room->data);
        pcre2_match_context_free(room->context);
        mem_free(room);
    }
}

enum pattern_answer pattern_ask(const struct pattern *pattern, struct pattern_room *room,
                                struct span text)
{
    room->steps = STEPS_MIN + STEPS_PER_BYTE * text.len;
    (void)pcre2_set_match_limit(room->context, (uint32_t)room->steps);
    int count = pcre2_match(pattern->code, (PCRE2_SPTR)(text.len == 0 ? "" : text.ptr), text.len, 0,
                            0, room->data, room->context);
    if (count >= 0) {
        return PATTERN_YES;
    }
    return count == PCRE2_ERROR_NOMATCH ? PATTERN_NO : PATTERN_GAVE_UP;
}
