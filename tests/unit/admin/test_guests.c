/* Who must make room at a door. The far ends of socket pairs see who was hung up on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/guests.h"
#include "base/check.h"

#define ROOM 3u

static struct guests guests;
static struct guest *list[8];
static int ours[8];
static int theirs[8];

static int set_up(void **state)
{
    (void)state;
    guests_init(&guests, ROOM);
    for (unsigned i = 0; i < ARRAY_LEN(ours); i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
            return -1;
        }
        ours[i] = pair[0];
        theirs[i] = pair[1];
        list[i] = NULL;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(ours); i++) {
        if (list[i] != NULL) {
            guest_free(&list[i]);
        }
        (void)close(ours[i]);
        (void)close(theirs[i]);
    }
    return guests.count == 0 && list_is_empty(&guests.waiting) ? 0 : -1;
}

static void come(unsigned number)
{
    list[number] = guest_new(&guests, ours[number]);
}

static bool is_gone(unsigned number)
{
    char byte;

    return recv(theirs[number], &byte, 1, 0) == 0;
}

static void test_the_oldest_goes(void **state)
{
    (void)state;
    come(0);
    come(1);
    come(2);
    assert_false(is_gone(0));
    come(3);
    assert_true(is_gone(0));
    assert_false(is_gone(1));
    come(4); /* the first one is still counted: it is on its way out */
    assert_true(is_gone(1));
    guest_free(&list[0]);
    guest_free(&list[1]);
    guest_free(&list[2]);
    come(5);
    assert_false(is_gone(3));
    assert_int_equal(guests.count, 3);
}

static void test_the_served_stay(void **state)
{
    (void)state;
    come(0);
    guest_is_served(list[0]);
    come(1);
    come(2);
    come(3);
    assert_false(is_gone(0));
    assert_true(is_gone(1));
    guest_waits(list[0]); /* behind the others */
    come(4);
    assert_true(is_gone(2));
    come(5);
    assert_true(is_gone(3));
    come(6);
    assert_true(is_gone(0));
    guest_is_served(list[4]);
    guest_is_served(list[5]);
    guest_is_served(list[6]);
    come(7); /* nobody to hang up on */
    assert_false(is_gone(4) || is_gone(5) || is_gone(6) || is_gone(7));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_oldest_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_served_stay, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
