/* The embedded files: found by path only, with the right type, and both forms the same file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "www/assets.h"

static void root_is_the_page(void **state)
{
    (void)state;
    const struct www_asset *page = www_asset_find("/");
    assert_non_null(page);
    assert_ptr_equal(page, www_asset_find("/index.html"));
    assert_string_equal(page->mime, "text/html; charset=utf-8");
    assert_false(page->immutable);
    assert_memory_equal(page->raw, "<!doctype html>", 15);
}

static void other_paths_are_nothing(void **state)
{
    (void)state;
    static const char *const paths[] = {"",
                                        "index.html",
                                        "//",
                                        "/index.htm",
                                        "/Index.html",
                                        "/index.html/",
                                        "/../index.html",
                                        "/index.html.gz"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_null(www_asset_find(paths[i]));
    }
    assert_null(www_asset_find(NULL));
}

static bool is_entity_tag(const char *tag)
{
    size_t len = strlen(tag);
    return len > 2 && tag[0] == '"' && tag[len - 1] == '"' && strchr(tag + 1, '"') == tag + len - 1;
}

/* RFC 1952: magic, deflate, and the length of the raw form in the last four bytes. */
static void gzip_is_of_the_raw_form(const struct www_asset *asset)
{
    const unsigned char *end = asset->gzip + asset->gzip_len;
    assert_true(asset->gzip_len > 18 && asset->gzip_len < asset->raw_len);
    assert_memory_equal(asset->gzip, "\x1f\x8b\x08", 3);
    uint32_t size = (uint32_t)end[-4] | (uint32_t)end[-3] << 8 | (uint32_t)end[-2] << 16 |
                    (uint32_t)end[-1] << 24;
    assert_int_equal(size, asset->raw_len);
    assert_true(is_entity_tag(asset->gzip_etag));
    assert_string_not_equal(asset->gzip_etag, asset->etag);
}

static void every_file_is_whole(void **state)
{
    (void)state;
    size_t count = 0;
    const struct www_asset *all = www_asset_list(&count);
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(www_asset_find(all[i].path), &all[i]);
        assert_true(all[i].raw_len > 0);
        assert_true(is_entity_tag(all[i].etag));
        assert_non_null(strchr(all[i].mime, '/'));
        assert_true(i == 0 || strcmp(all[i - 1].path, all[i].path) < 0);
        if (all[i].gzip != NULL) {
            gzip_is_of_the_raw_form(&all[i]);
        } else {
            assert_int_equal(all[i].gzip_len, 0);
        }
    }
}

/* Whatever the page names is there: a script it names under another hash would be a blank page. */
static void the_page_names_what_exists(void **state)
{
    (void)state;
    size_t count = 0;
    const struct www_asset *all = www_asset_list(&count);
    const struct www_asset *page = www_asset_find("/");
    for (size_t i = 0; i < count; i++) {
        if (!all[i].immutable) {
            continue;
        }
        const char *name = all[i].path + 1;
        assert_non_null(memmem(page->raw, page->raw_len, name, strlen(name)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_the_page),
        cmocka_unit_test(other_paths_are_nothing),
        cmocka_unit_test(every_file_is_whole),
        cmocka_unit_test(the_page_names_what_exists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
