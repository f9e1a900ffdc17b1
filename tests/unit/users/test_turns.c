/* Turns: tables of arrivals, and in which order they are served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "users/turns.h"

#define ITEMS_MAX 64u
#define BEGAN_US 1000000u

/* a..z: one more of that client arrives. Then of the letter behind it: ! its last password was wrong, = was
 * right, - its latest is given up, * who makes room for one of it (written down in capitals, and gone; _: none).
 * "." one is served, > a minute goes by. At the end the rest is served. */
static const struct {
    const char *what, *arrivals, *order;
} rows[] = {
    {"nothing", "", ""},
    {"one after another", "aaa", "aaa"},
    {"a round each", "aaaabbc", "abcabaa"},
    {"a newcomer waits for one of each", "aaaaabbbbb....c",
     "ababab"
     "cab"
     "ab"},
    {"who comes back stands at the end", "ab.a.a",
     "ab"
     "a"
     "a"},
    {"who has been served stands at the end", "aabb.c", "abacb"},
    {"wrong: behind who was not", "aaa!abb", "bbaaa"},
    {"wrong: after the first of many", "aaab.!a", "abaa"},
    {"behind, but one turn of four", "!aaaabbbbbbbb", "bbbabbbabba"},
    {"the fourth turn is nobody's while nobody stands behind", "bbbb....!aab", "bbbbba"},
    {"all wrong: as all right", "!a!baaabb", "ababa"},
    {"right again", "!a=aab", "ab"},
    {"right while it waits", "!aaabb=a", "baba"},
    {"wrong of who does not wait", "!cab", "ab"},
    {"a minute later", "!a>abb", "abb"},
    {"wrong again within the minute", "!a!a>!abab", "bba"},
    {"given up", "aab-a", "ab"},
    {"given up, the last one", "ab-a", "b"},
    {"given up, and back", "ab-aa", "ba"},
    {"room: of who has most", "aaabb*c", "Aabab"},
    {"room: not of who would have as many", "aab*b*c", "_Aab"},
    {"room: not by one's own", "aaa*a", "_aaa"},
    {"room: one each", "abc*d", "_abc"},
    {"room: of who failed, where both have one", "a!bb*c", "Ba"},
    {"room: not for who failed as well", "!bab*b", "_ab"},
    {"room: who failed has it of who has more", "!baaab*b", "Aaab"},
};

static struct span who_of(const char *letter)
{
    return span_of(letter, 1);
}

struct play {
    struct turns *turns;
    struct turns_item items[ITEMS_MAX];
    char whose[ITEMS_MAX];
    unsigned count;
    unsigned latest[256]; /* served, by client, + 1 */
    char order[ITEMS_MAX];
    unsigned served;
    uint64_t now_us;
};

static bool serve(struct play *play)
{
    struct turns_item *item = turns_next(play->turns);

    if (item == NULL) {
        return false;
    }
    unsigned number = (unsigned)(item - play->items);
    unsigned char whose = (unsigned char)play->whose[number];
    assert_null(item->client);
    assert_true(number + 1 > play->latest[whose]); /* of one client in its order */
    play->latest[whose] = number + 1;
    play->order[play->served++] = (char)whose;
    return true;
}

static void give_up(struct play *play, char whose)
{
    for (unsigned i = play->count; i-- > 0;) {
        if (play->whose[i] == whose && play->items[i].client != NULL) {
            turns_remove(&play->items[i]);
            turns_remove(&play->items[i]); /* harmless */
            return;
        }
    }
    fail();
}

static void make_room(struct play *play, const char *letter)
{
    struct turns_item *least = turns_least(play->turns, who_of(letter), play->now_us);

    if (least == NULL) {
        play->order[play->served++] = '_';
        return;
    }
    char whose = play->whose[least - play->items];
    play->order[play->served++] = (char)(whose - 'a' + 'A');
    give_up(play, whose); /* it is the latest of its client */
    assert_null(least->client);
}

static const char *step(struct play *play, const char *at)
{
    switch (*at) {
    case '.':
        assert_true(serve(play));
        return at + 1;
    case '>':
        play->now_us += TURNS_FAILED_US + 1;
        return at + 1;
    case '!':
    case '=':
        turns_note(play->turns, who_of(at + 1), *at == '=', play->now_us);
        return at + 2;
    case '-':
        give_up(play, at[1]);
        return at + 2;
    case '*':
        make_room(play, at + 1);
        return at + 2;
    default:
        play->whose[play->count] = *at;
        turns_add(play->turns, &play->items[play->count++], who_of(at), play->now_us);
        return at + 1;
    }
}

static void orders(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct play play = {.turns = turns_new(), .now_us = BEGAN_US};
        for (const char *at = rows[i].arrivals; *at != '\0';) {
            at = step(&play, at);
        }
        while (serve(&play)) {
        }
        if (strcmp(play.order, rows[i].order) != 0) {
            fail_msg("%s: %s, not %s", rows[i].what, play.order, rows[i].order);
        }
        turns_free(&play.turns);
        assert_null(play.turns);
    }
}

/* Prefixes are others, and so is nobody. */
static void names(void **state)
{
    static const char *const who[] = {"", "a", "ab", "0123456789abcdef"};
    struct turns *turns = turns_new();
    struct turns_item items[2 * ARRAY_LEN(who)] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        turns_add(turns, &items[i], span_str(who[i / 2]), BEGAN_US);
    }
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        assert_ptr_equal(turns_next(turns), &items[i % ARRAY_LEN(who) * 2 + i / ARRAY_LEN(who)]);
    }
    assert_null(turns_next(turns));
    turns_free(&turns);
}

/* However many failed: those who did last are known, and nobody who did not is taken for one. */
static void many_failed(void **state)
{
    struct turns *turns = turns_new();
    struct turns_item first = {0}, second = {0};
    uint32_t number;

    (void)state;
    for (number = 0; number < 100000; number++) {
        turns_note(turns, span_of((const char *)&number, sizeof(number)), false, BEGAN_US + number);
    }
    number--;
    turns_add(turns, &first, span_of((const char *)&number, sizeof(number)), BEGAN_US + number);
    number = UINT32_MAX;
    turns_add(turns, &second, span_of((const char *)&number, sizeof(number)), BEGAN_US + number);
    assert_ptr_equal(turns_next(turns), &second);
    assert_ptr_equal(turns_next(turns), &first);
    turns_free(&turns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders),
        cmocka_unit_test(names),
        cmocka_unit_test(many_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
