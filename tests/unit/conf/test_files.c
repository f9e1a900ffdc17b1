/* Files: includes, cycles, what cannot be read; and the files that are shipped. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf_test.h"
#include "tests/unit/remove_tree.h"

#define FOLDER "larder-conf-files"
#define SITE(name) "site " name " { origins { server a http://a; } }"

static char place[] = "/tmp/larder-conf-XXXXXX"; /* where FOLDER is */

static void file_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(place));
    assert_int_equal(chdir(place), 0);
    assert_int_equal(mkdir(FOLDER, 0700), 0);
    assert_int_equal(mkdir(FOLDER "/d [x]", 0700), 0);
    assert_int_equal(mkdir(FOLDER "/d [x]/sub", 0700), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    assert_int_equal(chdir("/"), 0);
    test_remove_tree(place);
    return 0;
}

/* Loads a file; what is wrong as "file:line:column message", folder cut off. */
static struct conf *file_load(const char *path, enum err wanted, struct buf *problems)
{
    struct conf_report *report = conf_report_new();
    const struct conf_problem *problem;
    struct conf *conf;

    enum err err = conf_load(path, &conf, report);
    for (size_t i = 0; (problem = conf_report_get(report, i)) != NULL; i++) {
        const char *file = problem->file;
        file += strncmp(file, FOLDER "/", sizeof(FOLDER)) == 0 ? sizeof(FOLDER) : 0;
        buf_printf(problems, "%s:%u:%u %s\n", file, problem->line, problem->column,
                   problem->message);
    }
    if (err != wanted) {
        fail_msg("%s: result %d instead of %d\n%s", path, (int)err, (int)wanted, problems->data);
    }
    assert_int_equal(conf == NULL, err != ERR_OK);
    conf_report_free(report);
    return conf;
}

static void bad_file(const char *path, enum err wanted, const char *text)
{
    struct buf problems;

    buf_init(&problems, TEXT_BYTES);
    buf_puts(&problems, "");
    struct conf *conf = file_load(path, wanted, &problems);
    assert_string_equal(problems.data, text);
    conf_unref(conf);
    buf_free(&problems);
}

static void test_include(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_BYTES);
    file_write(FOLDER "/d [x]/main.conf",
               "include common.conf \"sub/b c.conf\";\ninclude sub/*.site nothing/*.conf;\n"
               "site z { include sub/origins.conf; }\n");
    file_write(FOLDER "/d [x]/common.conf", "listen :80;\n");
    file_write(FOLDER "/d [x]/sub/b c.conf", "workers 3;\n");
    file_write(FOLDER "/d [x]/sub/2.site", SITE("two"));
    file_write(FOLDER "/d [x]/sub/1.site", SITE("one"));
    file_write(FOLDER "/d [x]/sub/origins.conf", "\norigins { include server.conf; }\n");
    file_write(FOLDER "/d [x]/sub/server.conf", "server app http://app;");
    struct conf *conf = file_load(FOLDER "/d [x]/main.conf", ERR_OK, &out);
    assert_int_equal(conf->site_count, 3);
    assert_string_equal(conf->sites[0].names.list[0], "one");
    assert_string_equal(conf->sites[1].names.list[0], "two");
    assert_string_equal(conf->sites[2].origins.servers[0].name, "app");
    assert_int_equal(conf->workers, 3);
    conf_print_effective(conf, false, &out);
    assert_non_null(strstr(out.data, "# " FOLDER "/d [x]/sub/b c.conf:1\n"));
    assert_non_null(strstr(out.data, "# " FOLDER "/d [x]/main.conf:3\n"));
    assert_non_null(strstr(out.data, "# " FOLDER "/d [x]/sub/origins.conf:2\n"));
    conf_unref(conf);
    buf_free(&out);
}

static void test_include_errors(void **state)
{
    (void)state;
    file_write(FOLDER "/m.conf", "listen :80;\n" SITE("a") "\ninclude *.part;\nworkers 0;\n");
    file_write(FOLDER "/1.part", "state_dir \"/x;\n}\n");
    file_write(FOLDER "/2.part", "workers 2;\n\n " SITE("a") "\nstore {");
    bad_file(FOLDER "/m.conf", ERR_SYNTAX,
             "m.conf:4:1 \"workers\" is set twice at the top level; it is already set at " FOLDER
             "/2.part:1:1; remove one\n"
             "1.part:1:11 this quote is not closed on its line\n"
             "1.part:2:1 unexpected \"}\": no block is open\n"
             "2.part:3:7 site \"a\" is already defined at " FOLDER "/m.conf:2:6\n"
             "2.part:4:1 this \"store\" block is never closed; a \"}\" is missing\n");
    assert_int_equal(unlink(FOLDER "/1.part"), 0);
    assert_int_equal(unlink(FOLDER "/2.part"), 0);
}

static void test_cycle(void **state)
{
    char name[64];
    char text[64];

    (void)state;
    file_write(FOLDER "/self.conf", "include self.conf;\n");
    bad_file(FOLDER "/self.conf", ERR_SYNTAX,
             "self.conf:1:9 these files include each other without end: " FOLDER
             "/self.conf -> " FOLDER "/self.conf\n");
    file_write(FOLDER "/a.conf", "\n include b.conf;\n");
    file_write(FOLDER "/b.conf", "include c.link;\n");
    (void)unlink(FOLDER "/c.link");
    assert_int_equal(symlink("a.conf", FOLDER "/c.link"), 0);
    bad_file(FOLDER "/a.conf", ERR_SYNTAX,
             "b.conf:1:9 these files include each other without end: " FOLDER "/a.conf -> " FOLDER
             "/b.conf -> " FOLDER "/a.conf\n");
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof(name), FOLDER "/deep%u.conf", i);
        (void)snprintf(text, sizeof(text), "include deep%u.conf;", i + 1);
        file_write(name, text);
    }
    bad_file(FOLDER "/deep0.conf", ERR_SYNTAX,
             "deep8.conf:1:1 includes are nested deeper than 8 files\n");
}

/* Twice the same file is no cycle; without end it stops at the limit of files. */
static void test_many(void **state)
{
    struct buf text;
    struct buf problems;

    (void)state;
    buf_init(&text, TEXT_BYTES);
    buf_init(&problems, TEXT_BYTES);
    file_write(FOLDER "/empty.conf", "");
    buf_puts(&text, REST);
    for (size_t i = 0; i < 255; i++) {
        buf_puts(&text, "include empty.conf;");
    }
    file_write(FOLDER "/many.conf", text.data);
    conf_unref(file_load(FOLDER "/many.conf", ERR_OK, &problems));
    buf_puts(&text, "\ninclude empty.conf;");
    file_write(FOLDER "/many.conf", text.data);
    bad_file(FOLDER "/many.conf", ERR_SYNTAX, "many.conf:2:9 more than 256 configuration files\n");
    buf_free(&text);
    buf_free(&problems);
}

static void test_unreadable(void **state)
{
    (void)state;
    bad_file(FOLDER "/none.conf", ERR_ABSENT,
             "none.conf:0:0 cannot read \"" FOLDER "/none.conf\": No such file or directory\n");
    bad_file(FOLDER "/d [x]", ERR_IO,
             "d [x]:0:0 cannot read \"" FOLDER "/d [x]\": not a regular file\n");
    (void)unlink(FOLDER "/pipe");
    assert_int_equal(mkfifo(FOLDER "/pipe", 0600), 0);
    bad_file(FOLDER "/pipe", ERR_IO, /* and it does not wait for a writer */
             "pipe:0:0 cannot read \"" FOLDER "/pipe\": not a regular file\n");
    int fd = open(FOLDER "/big.conf", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (4 << 20) + 1), 0);
    assert_int_equal(close(fd), 0);
    bad_file(FOLDER "/big.conf", ERR_LIMIT,
             "big.conf:0:0 \"" FOLDER "/big.conf\" is larger than 4M\n");
    assert_int_equal(unlink(FOLDER "/big.conf"), 0);
}

/* The socket is found where it can be read or is sure to be the default; else nobody guesses. */
static void test_socket(void **state)
{
    static const struct {
        const char *text;
        enum conf_socket found;
        const char *path;
    } cases[] = {
        {"admin { socket /s; } " SITE("a"), CONF_SOCKET_NAMED, "/s"},
        {SITE("a"), CONF_SOCKET_NAMED, "/run/larder/admin.sock"},
        {"admin { socket off; }", CONF_SOCKET_OFF, ""},
        /* errors elsewhere */
        {"store { size lots; } listen 1;", CONF_SOCKET_NAMED, "/run/larder/admin.sock"},
        {"listen :${LARDER_UNSET_1};\n" SITE("${A}"), CONF_SOCKET_NAMED, "/run/larder/admin.sock"},
        {"workers 2\nlisten :80;", CONF_SOCKET_NAMED, "/run/larder/admin.sock"},
        {"admin { listen nowhere; socket /s; }", CONF_SOCKET_NAMED, "/s"},
        {"admin { socket /s; } store { size \"1; }", CONF_SOCKET_NAMED, "/s"},
        {"admin { socket /s; } memroy 1; } site a {", CONF_SOCKET_NAMED, "/s"},
        /* where it may be named */
        {"admin { socket s; }", CONF_SOCKET_UNKNOWN, ""},
        {"admin { socket ${A}/s; }", CONF_SOCKET_UNKNOWN, ""},
        {"admin { sockte /s; }", CONF_SOCKET_UNKNOWN, ""},
        {"admni { socket /s; }", CONF_SOCKET_UNKNOWN, ""},
        {"admin { listen 127.0.0.1:1 socket /s; }", CONF_SOCKET_UNKNOWN, ""},
        {"include none.conf;", CONF_SOCKET_UNKNOWN, ""},
        {"include ${A};", CONF_SOCKET_UNKNOWN, ""},
        {"site a { ", CONF_SOCKET_UNKNOWN, ""},
        {"listen \"x;", CONF_SOCKET_UNKNOWN, ""},
        {"listen :80;\n\x01", CONF_SOCKET_UNKNOWN, ""},
    };
    struct buf found;

    (void)state;
    buf_init(&found, TEXT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_report *report = conf_report_new();
        file_write(FOLDER "/socket.conf", cases[i].text);
        buf_clear(&found);
        buf_puts(&found, "");
        enum conf_socket result = conf_find_socket(FOLDER "/socket.conf", report, &found);
        if (result != cases[i].found || strcmp(found.data, cases[i].path) != 0) {
            fail_msg("%s: %d \"%s\"", cases[i].text, (int)result, found.data);
        }
        assert_true(result != CONF_SOCKET_UNKNOWN || conf_report_count(report) > 0);
        conf_report_free(report);
    }
    buf_free(&found);
}

/* The shipped files, checked as text because this machine need not have the folders. */
static void test_shipped(void **state)
{
    static const char *const files[] = {"conf/larder.conf", "conf/minimal.conf"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[512];
        char data[16384];
        (void)snprintf(path, sizeof(path), "%s/%s", SOURCE_FOLDER, files[i]);
        FILE *file = fopen(path, "re");
        if (file == NULL) {
            fail_msg("cannot open %s", path);
        }
        size_t len = fread(data, 1, sizeof(data) - 1, file);
        assert_int_equal(fclose(file), 0);
        assert_in_range(len, 1, sizeof(data) - 2);
        data[len] = '\0';
        struct conf *conf = text_good(data);
        assert_int_equal(conf->listen_count, 1);
        assert_int_equal(conf->site_count, 1);
        conf_unref(conf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_include),    cmocka_unit_test(test_include_errors),
        cmocka_unit_test(test_cycle),      cmocka_unit_test(test_many),
        cmocka_unit_test(test_unreadable), cmocka_unit_test(test_shipped),
        cmocka_unit_test(test_socket),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
