/* Users of forward proxies: lines of their files, which hashes are taken, what is said of the others, who is found,
 * and who is in which group. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/user_file.h"
#include "conf_test.h"

#define FORWARD(body) "listen :80 {forward x;} forward x {" body "}"
#define A22 "abcdefghijklmnopqrstuv"
#define A31 "ABCDEFGHIJKLMNOPQRSTUVWXYZ01234"
#define A43 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
#define A86 A43 A43
#define AGAIN "; make it anew: htpasswd -B FILE NAME, or openssl passwd -6"
#define CUT "the hash is cut or damaged" AGAIN
#define COSTLY "one login would take seconds or hundreds of megabytes" AGAIN
#define UNKNOWN "this scheme is not known here" AGAIN

struct hash_case {
    const char *hash;
    const char *problem; /* NULL: it is taken */
};

static const struct hash_case hashes[] = {
    {"$2y$05$" A22 A31, NULL},
    {"$2a$04$" A22 A31, NULL},
    {"$2b$15$" A22 A31, NULL},
    {"$2b$16$" A22 A31, COSTLY},
    {"$2b$03$" A22 A31, CUT},
    {"$2b$5$" A22 A31, CUT},
    {"$2b$005$" A22 A31, CUT},
    {"$2b$05$" A22 A31 "x", CUT},
    {"$2b$05$" A22 "ABC", CUT},
    {"$2b$05$" A22 A22 "ABCDEFGH!", CUT},
    {"$2b$05", CUT},
    {"$2b$", CUT},
    {"$2x$05$" A22 A31, "$2x$ marks hashes of a faulty bcrypt" AGAIN},
    {"$2$05$" A22 A31, "$2$ marks hashes of a faulty bcrypt" AGAIN},
    {"$5$salt$" A43, NULL},
    {"$5$$" A43, NULL},
    {"$5$rounds=1000$0123456789abcdef$" A43, NULL},
    {"$5$0123456789abcdefg$" A43, CUT},
    {"$5$sa lt$" A43, CUT},
    {"$5$salt$" A43 "x", CUT},
    {"$5$" A43, CUT},
    {"$6$salt$" A86, NULL},
    {"$6$rounds=1000000$salt$" A86, NULL},
    {"$6$rounds=1000001$salt$" A86, COSTLY},
    {"$6$rounds=999$salt$" A86, CUT},
    {"$6$rounds=x$salt$" A86, CUT},
    {"$6$rounds=99999999999999999999$salt$" A86, CUT},
    {"$6$rounds=5000$" A86, CUT},
    {"$6$salt$" A43, CUT},
    {"$y$j9T$salt$" A43, NULL},
    {"$y$j9T$$" A43, NULL},
    {"$y$jDT$salt$" A43, NULL},   /* 256 MiB */
    {"$y$jET$salt$" A43, COSTLY}, /* 512 */
    {"$y$jzT$salt$" A43, COSTLY},
    {"$y$j9z$salt$" A43, COSTLY},
    {"$y$j9T.$salt$" A43, COSTLY},
    {"$y$j9$salt$" A43, CUT},
    {"$y$j9T$sa:t$" A43, CUT},
    {"$y$j9T$salt", CUT},
    {"$7$CU..../....saltsalt$" A43, NULL},
    {"$7$EU..../....$" A43, NULL},
    {"$7$FU..../....salt$" A43, COSTLY},
    {"$7$CU..........salt$" A43, CUT},   /* none in parallel */
    {"$7$CU....G....salt$" A43, COSTLY}, /* 18 */
    {"$7$Czzzzz/....salt$" A43, COSTLY},
    {"$7$zzzzzz/....salt$" A43, CUT},
    {"$7$C...../....salt$" A43, CUT},
    {"$7$CU..../...$" A43, CUT},
    {"$7$CU..../....sa\x01t$" A43, CUT},
    {"$7$", CUT},
    {"$apr1$xxxxxxxx$" A22, "apr1 (MD5) is too weak" AGAIN},
    {"$1$xxxxxxxx$" A22, "MD5 crypt is too weak" AGAIN},
    {"$md5,rounds=5$x$$y", "MD5 crypt is too weak" AGAIN},
    {"$sha1$1$x$y", "SHA-1 crypt is too weak" AGAIN},
    {"$3$$8846f7eaee8fb117ad06bdd830b7586c", "NT hashes are too weak" AGAIN},
    {"{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "{SHA} (SHA-1 without salt) is too weak" AGAIN},
    {"{SSHA}x", "{SSHA} is too weak" AGAIN},
    {"{SSHA512}x", "{SSHA} is too weak" AGAIN},
    {"{PLAIN}secret", UNKNOWN},
    {"$argon2id$v=19$m=65536,t=3,p=4$x$y", UNKNOWN},
    {"$gy$j9T$salt$" A43, UNKNOWN},
    {"$", UNKNOWN},
    {"_J9..rasmBYk8r9AiWNc", "DES crypt is too weak" AGAIN},
    {"rqXexS6ZhobKA", "this is DES crypt, which is too weak, or no hash at all" AGAIN},
    {"secret", "the password stands here as it is, or in a scheme that is not known" AGAIN},
    {"", "there is no hash" AGAIN},
};

static void test_hashes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hashes); i++) {
        const char *problem = user_hash_problem(span_str(hashes[i].hash));
        if (problem == NULL || hashes[i].problem == NULL) {
            if (problem != hashes[i].problem) {
                fail_msg("%s: %s", hashes[i].hash, problem == NULL ? "taken" : problem);
            }
            continue;
        }
        assert_string_equal(problem, hashes[i].problem);
    }
    char text[400];
    (void)snprintf(text, sizeof(text), "$7$CU..../....%0250d$" A43, 1);
    assert_string_equal(user_hash_problem(span_str(text)), CUT);
}

static void test_lines(void **state)
{
    struct span rest = SPAN("\n# anna:x\n  \t\nanna:1\r\n\tben:2 \n\r\n#\ncarl:3");
    static const char *const texts[] = {"anna:1", "ben:2", "carl:3"};
    static const size_t numbers[] = {4, 5, 8};
    struct user_line line = {0};
    struct span name;
    struct span hash;

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(user_line_next(&rest, &line));
        assert_true(span_eq(line.text, span_str(texts[i])));
        assert_int_equal(line.number, numbers[i]);
    }
    assert_false(user_line_next(&rest, &line));
    assert_null(user_line_password(SPAN("a b:$5$salt$" A43 ":a comment: of mine"), &name, &hash));
    assert_true(span_eq(name, SPAN("a b")));
    assert_true(span_eq(hash, SPAN("$5$salt$" A43)));
    assert_null(user_line_password(SPAN("J\xc3\xb6rg:$5$salt$" A43), &name, &hash));
    assert_string_equal(user_line_password(SPAN("anna"), &name, &hash),
                        "there is no colon: a line is NAME:HASH");
    assert_int_equal(name.len, 0); /* it may be a password */
    assert_string_equal(user_line_password(SPAN(":x"), &name, &hash),
                        "there is no name before the colon");
    assert_string_equal(user_line_password(SPAN("J\xf6rg:x"), &name, &hash),
                        "the name is not printable UTF-8 without a colon");
    assert_string_equal(user_line_password(SPAN("a\x01:x"), &name, &hash),
                        "the name is not printable UTF-8 without a colon");
    char text[300];
    (void)snprintf(text, sizeof(text), "%0256d:x", 1);
    assert_string_equal(user_line_password(span_str(text), &name, &hash),
                        "the name is longer than 255 bytes");
}

static const struct bad_case mistakes[] = {
    {FORWARD("auth;"),
     "1:36 \"auth\" needs more words; write: auth basic FILE [realm=TEXT] [cache=DURATION] "
     "[failures=NUMBER/s | NUMBER/m | NUMBER/h | off];\n"},
    {FORWARD("auth digest /x;"), "1:41 \"digest\" is not a value of \"auth\" {basic}\n"},
    {FORWARD("auth basic x;"), "1:47 \"x\" is not an absolute path (one that begins with \"/\")\n"},
    {FORWARD("auth basic /x relm=a;"),
     "1:50 \"relm=a\" is not an option of \"auth\"; options are name=value [realm] {realm cache "
     "failures}\n"},
    {FORWARD("auth basic /x realm=\"a\\\"b\" cache=0 failures=0/m;"),
     "1:63 \"0\" is out of range for \"cache\": 1s..1d\n"
     "1:71 \"0/m\" is not a rate like 10/m (per s, m or h; 1 to 1,000,000), or off\n"},
    {FORWARD("auth basic /x realm=\"a\\\"b\";"),
     "1:50 a realm is 1 to 128 visible characters of ASCII and spaces, without \" and \\\n"},
    {FORWARD("auth basic /x realm=\"\";"),
     "1:50 a realm is 1 to 128 visible characters of ASCII and spaces, without \" and \\\n"},
    {FORWARD("auth basic /x failures=10;"),
     "1:50 \"10\" is not a rate like 10/m (per s, m or h; 1 to 1,000,000), or off\n"},
    {FORWARD("auth basic /x failures=1000001/h;"),
     "1:50 \"1000001/h\" is not a rate like 10/m (per s, m or h; 1 to 1,000,000), or off\n"},
    {FORWARD("auth basic /x; group a/b anna; group staff;"),
     "1:57 \"a/b\": a group has a name of letters, digits and - . _ (at most 64)\n"
     "1:67 \"group\" needs more words; write: group GROUP NAME...;\n"},
    {"listen :80 { forward x; } forward { } forward { } forward a b { } forward x { } forward x { }",
     "1:27 \"forward\" needs more words; write: forward NAME { ... }\n"
     "1:39 \"forward\" needs more words; write: forward NAME { ... }\n"
     "1:61 one word too many: \"b\"; write: forward NAME { ... }\n"
     "1:89 forward proxy \"x\" is already defined at t:1:75\n"},
    {FORWARD("auth basic /x; group staff \"a:b\";"),
     "1:63 \"a:b\": the name is not printable UTF-8 without a colon\n"},
};

static void test_mistakes(void **state)
{
    (void)state;
    bad_cases(mistakes, ARRAY_LEN(mistakes));
}

/* ---- with files ---- */

static char folder[] = "/tmp/larder-users-XXXXXX";

static void file_write(const char *name, const char *text)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    static const char *const names[] = {"users", "groups"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        (void)unlink(path);
    }
    return rmdir(folder);
}

/* A forward block with "@" for the folder. What is said of it, warnings too, goes to problems. */
static struct conf *forward_load(const char *body, struct buf *problems)
{
    struct conf_report *report = conf_report_new();
    struct conf *conf;
    struct buf text;

    buf_init(&text, TEXT_BYTES);
    buf_puts(&text,
             "listen :80 { forward x; } admin { listen off; } store { path off; } forward x { ");
    for (; *body != '\0'; body++) {
        buf_puts(&text, *body == '@' ? folder : (const char[]){*body, '\0'});
    }
    buf_puts(&text, " }");
    buf_clear(problems);
    buf_puts(problems, "");
    enum err err = conf_load_text("t", buf_span(&text), 0, &conf, report);
    assert_int_equal(err == ERR_OK, conf != NULL);
    const struct conf_problem *problem;
    for (size_t i = 0; (problem = conf_report_get(report, i)) != NULL; i++) {
        const char *at = problem->message;
        const char *found;
        while ((found = strstr(at, folder)) != NULL) {
            buf_append(problems, span_of(at, (size_t)(found - at)));
            buf_putc(problems, '@');
            at = found + sizeof(folder) - 1;
        }
        buf_printf(problems, "%s\n", at);
    }
    conf_report_free(report);
    buf_free(&text);
    return conf;
}

static const struct conf_user *user_of(const struct conf *conf, const char *name)
{
    return conf_auth_find(&conf->sites[0].forward.auth, span_str(name));
}

static void test_found(void **state)
{
    struct buf problems;

    (void)state;
    buf_init(&problems, TEXT_BYTES);
    file_write("users", "anna:$5$salt$" A43 "\nben:$6$salt$" A86 ":x\nA b:$5$salt$" A43 "\n");
    file_write("groups",
               "# who is who\nstaff: anna  ben\nkitchen:\n night : ben zoe anna\nstaff:ben\n");
    struct conf *conf = forward_load("auth basic @/users; groups @/groups; group staff anna; "
                                     "group day \"A b\" anna;",
                                     &problems);
    assert_string_equal(problems.data, "1 in these groups have no password in \"auth\", the first "
                                       "is \"zoe\" in \"night\"\n");
    assert_non_null(conf);
    const struct conf_user *anna = user_of(conf, "anna");
    assert_string_equal(anna->hash, "$5$salt$" A43);
    assert_int_equal(anna->group_count, 3);
    assert_string_equal(anna->groups[0], "day");
    assert_string_equal(anna->groups[1], "night");
    assert_string_equal(anna->groups[2], "staff");
    const struct conf_user *ben = user_of(conf, "ben");
    assert_string_equal(ben->hash, "$6$salt$" A86);
    assert_int_equal(ben->group_count, 2);
    assert_memory_not_equal(ben->mark, anna->mark, sizeof(ben->mark));
    assert_memory_equal(user_of(conf, "A b")->mark, anna->mark, sizeof(ben->mark));
    assert_null(user_of(conf, "Anna"));
    assert_null(user_of(conf, ""));
    assert_null(user_of(conf, "zoe"));
    const struct conf_forward *forward = &conf->sites[0].forward;
    assert_true(conf_forward_has_group(forward, SPAN("kitchen")));
    assert_true(conf_forward_has_group(forward, SPAN("day")));
    assert_false(conf_forward_has_group(forward, SPAN("nights")));
    conf_unref(conf);
    buf_free(&problems);
}

struct file_case {
    const char *users, *groups, *problems;
    bool good;
};

static const struct file_case files[] = {
    {"# nobody yet\n", "", "there is no user in \"@/users\": whoever is asked is refused\n", true},
    {"anna:$5$salt$" A43 "\n\nanna:$5$salt$" A43 "\n", "",
     "line 3 of \"@/users\": \"anna\" stands in line 1 already; remove one\n", false},
    {"anna:$5$salt$" A43 "\nben:secret\ncarl\n:x\n", "",
     "line 2 of \"@/users\", \"ben\": the password stands here as it is, or in a scheme that is not "
     "known" AGAIN "\nline 3 of \"@/users\": there is no colon: a line is NAME:HASH\nline 4 of "
     "\"@/users\": there is no name before the colon\n",
     false},
    {"anna:$5$salt$" A43 "\n", "staff\nst aff: anna\nstaff: an\x01na\n",
     "line 1 of \"@/groups\": there is no colon: a line is GROUP: NAME NAME\nline 2 of \"@/groups\", "
     "\"st aff\": a group has a name of letters, digits and - . _ (at most 64)\nline 3 of "
     "\"@/groups\", \"an?na\": the name is not printable UTF-8 without a colon\n",
     false},
};

static void test_files(void **state)
{
    struct buf problems;

    (void)state;
    buf_init(&problems, TEXT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        file_write("users", files[i].users);
        file_write("groups", files[i].groups);
        struct conf *conf = forward_load("auth basic @/users; groups @/groups;", &problems);
        assert_string_equal(problems.data, files[i].problems);
        assert_int_equal(conf != NULL, files[i].good);
        conf_unref(conf);
    }
    assert_null(forward_load("auth basic @/none; groups @;", &problems));
    assert_string_equal(problems.data, "cannot use \"@/none\": No such file or directory\n"
                                       "cannot use \"@\": not a regular file\n");
    struct conf *conf =
        forward_load("auth_except 10.0.0.0/8; groups @/groups; group a b;", &problems);
    assert_null(conf); /* the groups are those of the last case */
    file_write("groups", "");
    conf = forward_load("auth_except 10.0.0.0/8; groups @/groups; group a b;", &problems);
    assert_non_null(conf);
    assert_string_equal(
        problems.data, "\"auth_except\" has no effect: without \"auth\" nobody is asked who he is\n"
                       "\"groups\" has no effect: without \"auth\" nobody is asked who he is\n"
                       "\"group\" has no effect: without \"auth\" nobody is asked who he is\n");
    conf_unref(conf);
    buf_free(&problems);
}

/* Access rules that name nobody. */
static void test_acl(void **state)
{
    static const char acl[] =
        "acl { allow a user anna zoe; deny b group staff night; allow c user *; "
        "allow d group day to public; }";
    struct buf problems;
    struct buf text;

    (void)state;
    buf_init(&problems, TEXT_BYTES);
    buf_init(&text, TEXT_BYTES);
    file_write("users", "anna:$5$salt$" A43 "\n");
    file_write("groups", "night:\n");
    buf_printf(&text, "auth basic @/users; groups @/groups; group day anna; %s", acl);
    conf_unref(forward_load(text.data, &problems));
    assert_string_equal(problems.data,
                        "\"zoe\" is no user: there is no line for him in the file of \"auth\"\n"
                        "\"staff\" is no group: nobody is in it\n");
    conf_unref(forward_load("acl { allow a user anna; deny b group staff; }", &problems));
    assert_string_equal(problems.data,
                        "\"anna\" is asked for, but without \"auth\" nobody is asked who he is\n"
                        "\"staff\" is asked for, but without \"auth\" nobody is in a group\n");
    buf_free(&text);
    buf_free(&problems);
}

/* Many are found as one is. */
static void test_many(void **state)
{
    struct buf text;
    struct buf problems;
    char name[24];

    (void)state;
    buf_init(&text, (size_t)32 << 20);
    buf_init(&problems, TEXT_BYTES);
    for (unsigned i = 0; i < 100000; i++) {
        buf_printf(&text, "user%u:$5$salt%u$" A43 "\n", i, i);
    }
    file_write("users", text.data);
    file_write("groups", "even: user0 user99998\n");
    struct conf *conf = forward_load("auth basic @/users; groups @/groups;", &problems);
    assert_string_equal(problems.data, "");
    for (unsigned i = 0; i < 100000; i += 7) {
        (void)snprintf(name, sizeof(name), "user%u", i);
        const struct conf_user *user = user_of(conf, name);
        assert_true(user != NULL && span_eq(user->name, span_str(name)));
        assert_int_equal(user->group_count, i == 0 || i == 99998 ? 1 : 0);
    }
    assert_null(user_of(conf, "user100000"));
    conf_unref(conf);
    buf_puts(&text, "one:$5$salt$" A43 "\n");
    file_write("users", text.data);
    assert_null(forward_load("auth basic @/users;", &problems));
    assert_string_equal(problems.data, "cannot use \"@/users\": it has more than 100,000 users\n");
    buf_free(&text);
    buf_free(&problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes),   cmocka_unit_test(test_lines),
        cmocka_unit_test(test_mistakes), cmocka_unit_test(test_found),
        cmocka_unit_test(test_files),    cmocka_unit_test(test_acl),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
