/* The snapshot: values, defaults, dump and back, what needs a restart, references, shipped files.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "conf/schema.h"
#include "conf_test.h"

static void test_defaults(void **state)
{
    (void)state;
    struct conf *conf = text_good("listen :8080; site * { origins { server app http://h; } }");

    assert_int_equal(conf->workers, 0);
    assert_null(conf->user);
    assert_string_equal(conf->state_dir, "/var/lib/larder");
    assert_string_equal(conf->file, "t");
    assert_int_equal(conf->listen_count, 1);
    assert_true(conf->listens[0].any);
    assert_int_equal(conf->listens[0].port, 8080);
    assert_int_equal(conf->listens[0].address_len, sizeof(struct sockaddr_in6));
    assert_true(conf->admin.enabled);
    assert_int_equal(conf->admin.listen.port, 8090);
    assert_int_equal(conf->admin.listen.address.ss_family, AF_INET);
    assert_string_equal(conf->admin.socket_path, "/run/larder/admin.sock");
    assert_int_equal(conf->admin.socket_mode, 0660);
    assert_string_equal(conf->admin.tokens_path, "/var/lib/larder/tokens");
    assert_int_equal(conf->admin.session_ms, 12 * 3600 * 1000);
    assert_int_equal(conf->admin.metrics, CONF_METRICS_ON);
    assert_null(conf->admin.www_dir);
    assert_int_equal(conf->admin.plain_http_from.count, 0);
    assert_int_equal(conf->admin.server_names.count, 0);
    assert_string_equal(conf->store.path, "/var/cache/larder");
    assert_int_equal(conf->store.size_bytes, (uint64_t)10 << 30);
    assert_int_equal(conf->store.memory_bytes, (uint64_t)256 << 20);
    assert_int_equal(conf->store.max_object_bytes, (uint64_t)4 << 30);
    assert_int_equal(conf->store.flush_ms, 1500);
    assert_int_equal(conf->store.read_threads, 2);
    assert_int_equal(conf->log.access.kind, CONF_LOG_OFF);
    assert_int_equal(conf->log.error.kind, CONF_LOG_STDERR);
    assert_int_equal(conf->log.error.level, LOG_LEVEL_INFO);
    conf_unref(conf);
}

static void test_default_limits(void **state)
{
    (void)state;
    struct conf *conf = text_good("listen :8080; site * { origins { server app http://h; } }");
    const struct conf_limits *limits = &conf->limits;
    const struct conf_site *site = &conf->sites[0];

    assert_int_equal(limits->connections, 50000);
    assert_int_equal(limits->head_bytes, 32768);
    assert_int_equal(limits->target_bytes, 16384);
    assert_int_equal(limits->fields, 128);
    assert_int_equal(limits->request_body_bytes, 1 << 30);
    assert_int_equal(limits->head_timeout_ms, 15000);
    assert_int_equal(limits->body_timeout_ms, 60000);
    assert_int_equal(limits->client_idle_ms, 60000);
    assert_int_equal(limits->send_timeout_ms, 60000);
    assert_int_equal(limits->min_rate_bytes, 256);
    assert_int_equal(limits->min_rate_over_ms, 60000);
    assert_int_equal(limits->keepalive_requests, 0);
    assert_int_equal(limits->waiters, 10000);
    assert_int_equal(limits->drain_ms, 60000);
    assert_int_equal(conf->site_count, 1);
    assert_string_equal(site->names.list[0], "*");
    assert_string_equal(site->origins.servers[0].name, "app");
    assert_string_equal(site->origins.servers[0].url, "http://h");
    assert_int_equal(site->origins.servers[0].port, 80);
    assert_int_equal(site->origins.timeout.connect_ms, 2000);
    assert_int_equal(site->origins.timeout.first_byte_ms, 30000);
    assert_int_equal(site->origins.timeout.idle_ms, 30000);
    assert_int_equal(site->origins.keepalive.count, 64);
    assert_int_equal(site->origins.keepalive.idle_ms, 60000);
    assert_string_equal(site->origins.host, "client");
    assert_true(site->origins.retry.is_auto);
    assert_int_equal(conf_retry_of(&site->origins).count, 1);
    assert_int_equal(conf_retry_of(&site->origins).on, CONF_RETRY_CONNECT);
    assert_false(site->cache.off);
    assert_int_equal(site->cache.default_ttl_ms, 0);
    assert_int_equal(site->cache.max_ttl_ms, (uint64_t)365 * 86400 * 1000);
    assert_int_equal(site->cache.hit_for_miss_ms, 10000);
    assert_int_equal(site->cache.set_cookie, CONF_SET_COOKIE_PASS);
    assert_int_equal(site->cache.targeted.count, 2);
    assert_string_equal(site->cache.targeted.list[0], "Larder-Cache-Control");
    assert_string_equal(site->cache.targeted.list[1], "CDN-Cache-Control");
    assert_int_equal(site->cache.purge_from.count, 0);
    assert_true(site->cache.client_revalidate);
    assert_false(site->compress.gzip || site->compress.brotli);
    assert_int_equal(site->compress.types.count, 13);
    assert_string_equal(site->compress.types.list[0], "text/*");
    assert_int_equal(site->compress.min_bytes, 1024);
    assert_int_equal(site->compress.max_bytes, 16 << 20);
    assert_int_equal(site->compress.gzip_level, 6);
    assert_int_equal(site->compress.brotli_level, 5);
    assert_true(site->cache_status);
    assert_string_equal(site->via, "larder");
    assert_int_equal(site->forwarded, CONF_FORWARDED_ON);
    assert_false(site->trust.is_set);
    assert_int_equal(conf->trust.networks.count, 0);
    assert_int_equal(site->upgrade.count, 0);
    assert_int_equal(site->tunnel_idle_ms, 3600 * 1000);
    conf_unref(conf);
}

/* Every directive, each with a value that is not the default. */
static const char everything[] =
    "workers 4; trust x_forwarded 10.0.0.0/8 ::1; user nobody; state_dir \"/s t\"; listen 1.2.3.4:1;\n"
    "resolver 10.0.0.53; listen [::1]:2 { forward office; proxy_protocol from 10.0.0.0/8 ::1; }\n"
    "admin { listen 10.0.0.1:9; socket /a mode=0600; tokens /t; session 1h; metrics open;\n"
    "  www_dir /w; plain_http_from 10.0.0.0/8 fe80::/10; server_names A.b c; }\n"
    "store { path off; size 1T; memory 1G; max_object 1M; flush 100ms; read_threads 3; }\n"
    "log { access /a/b json; error /e debug; }\n"
    "limits { connections 1; head 1K; target 256; fields 9; request_body 0; head_timeout 1s;\n"
    "  body_timeout 2s; client_idle 1d; send_timeout 3m; min_rate off;\n"
    "  min_rate_over 5s; keepalive_requests 7; waiters 1; drain 0;\n"
    "  connections_per_client 7; connections_except 10.0.0.0/8 ::1; limit_memory 1M; }\n"
    "site WWW.a a { origins { server x HTTP://H:1/; timeout connect=1s first_byte=2s idle=3s;\n"
    "    proxy_protocol v1; keepalive 1 idle=2m; host H:1; retry 3 on=503,timeout,429 methods=PUT,GET budget=50%; }\n"
    "  cache { off; default_ttl 1s; min_ttl 2s; max_ttl 9d; stale_while_revalidate 3s;\n"
    "    stale_if_error 4d; hit_for_miss 5s; set_cookie strip; targeted X-A B; purge from 1.0.0.0/8 ::1;\n"
    "    client_revalidate off; max_object 2M; ignore_cookies; ignore_query utm_* a; sort_query on;\n"
    "    vary_ignore Origin; vary_max 7; }\n"
    "  compress brotli gzip; compress_types text/* Application/JSON; compress_min 2K;\n"
    "  compress_max 3M; compress_level brotli=11 gzip=1;\n"
    "  cache_status off; via x; forwarded off; trust rfc7239 10.1.0.0/16;\n"
    "  upgrade websocket foo/1.0; tunnel_idle 2m;\n"
    "  limit requests 10/s burst=3 key=header:X-A status=503 count=misses name=n; limit concurrent 4;\n"
    "  limit except 10.0.0.0/8 ::1; allow 10.0.0.1; deny 10.0.0.0/8 ::/0; allow all;\n"
    "  header request set X-A \"b c\"; header response remove Server;\n"
    "  normalize_path fold; strip_prefix /a; add_prefix /b/c; redirect_rewrite off;\n"
    "  redirect https host b port=81; respond 404 \"a b\" type=text/html;\n"
    "  error_page 404 500-503 5xx /f intercept type=a/b; error_page 403 /g;\n"
    "  maintenance { allow 10.0.0.0/8 ::1; page /f type=a/b; retry_after 0; cached on; }\n"
    "  rule path /a/* \"*path\" method GET header X-B=c* { pass; ttl 1d; default_ttl 1s; min_ttl 0;\n"
    "    max_ttl 2s; stale_while_revalidate 3s; stale_if_error 4s; hit_for_miss 0; set_cookie store;\n"
    "    client_revalidate on; serve_stale off; max_object store; ignore_cookies off; vary_ignore off; vary_max 1;\n"
    "    cache_status on; compress brotli; upgrade off; header response add X-C \"\"; header request remove X-D; }\n"
    "  rule path * { ignore_query off; sort_query off; pass off; timeout first_byte=2m idle=1h;\n"
    "    limit off; deny 1.2.3.4; allow all; }\n"
    "  rule prefix /p { redirect 301 \"/x{path}\"; respond 410 /f; host server; strip_prefix off;\n"
    "    add_prefix /q; redirect_rewrite on; }\n"
    "  rule type IMAGE/* status 404 500-503 2xx { ttl 0; } rule cookie s* t=x=* { pass; } }\n"
    "site * { origins { server y http://[::1]; server z https://[::1]:2;\n"
    "    tls verify=off name=N.a ca=/a/ca.pem cert=/a/cert.pem key=/a/key.pem min=1.3; http2 off; }\n"
    "  trust off; forwarded both; anonymize truncate; log_query off; }\n"
    "forward office { auth basic /u realm=\"A b\" cache=1m failures=3/h; auth_except 10.0.0.0/8;\n"
    "  groups /g; group staff anna \"b c\"; tunnel_time 12h; tunnel_idle 2m; origins { timeout connect=1s; }\n"
    "  identity forward; user_agent \"U\"; referer origin; drop_cookies *.x; pac on;\n"
    "  pac_direct a 10.0.0.0/8; pac_proxy p:1; fetch_https on; outgoing [2001:db8::7] 10.0.0.7;\n"
    "  bandwidth 10M/s down key=user; quota 5G per=day; limit connections 9 key=user; }\n";

/* The same of a forward proxy. */
static const char everything_forward[] =
    "listen :3128 { forward f; } origins up { server a http://a:1; }\n"
    "forward f { origins { timeout connect=1s; }\n"
    "  upstream up credentials=/c else=direct;\n"
    "  rule host *.b c { upstream http://[::1]:2; } rule host d { upstream direct; } }\n";

static void check_users(const struct conf_forward *forward)
{
    assert_string_equal(forward->auth.path, "/u");
    assert_string_equal(forward->auth.realm, "A b");
    assert_int_equal(forward->auth.cache_ms, 60000);
    assert_int_equal(forward->auth.failures.count, 3);
    assert_int_equal(forward->auth.failures.period_s, 3600);
    assert_int_equal(forward->auth_except.count, 1);
    assert_string_equal(forward->group_file.path, "/g");
    assert_int_equal(forward->group_count, 1);
    assert_string_equal(forward->groups[0].name, "staff");
    assert_int_equal(forward->groups[0].count, 2);
    assert_string_equal(forward->groups[0].users[1].ptr, "b c");
}

static void test_everything_server(void **state)
{
    (void)state;
    struct conf *conf = text_good(everything);

    assert_int_equal(conf->workers, 4);
    assert_string_equal(conf->user, "nobody");
    assert_string_equal(conf->state_dir, "/s t");
    assert_int_equal(conf->listen_count, 2);
    assert_false(conf->listens[0].any);
    assert_int_equal(conf->trust.networks.count, 2);
    assert_int_equal(conf->trust.by, CONF_TRUST_X_FORWARDED);
    assert_string_equal(conf->listens[1].text, "[::1]:2");
    assert_int_equal(conf->listens[1].address.ss_family, AF_INET6);
    assert_int_equal(conf->listens[0].proxy_from.count, 0);
    assert_int_equal(conf->listens[1].proxy_from.count, 2);
    assert_int_equal(conf->listens[1].proxy_from.list[0].bits, 8);
    assert_int_equal(conf->admin.socket_mode, 0600);
    assert_string_equal(conf->admin.tokens_path, "/t");
    assert_int_equal(conf->admin.metrics, CONF_METRICS_OPEN);
    assert_string_equal(conf->admin.www_dir, "/w");
    assert_int_equal(conf->admin.plain_http_from.count, 2);
    assert_int_equal(conf->admin.plain_http_from.list[1].bits, 10);
    assert_string_equal(conf->admin.server_names.list[0], "a.b");
    assert_null(conf->store.path);
    assert_int_equal(conf->store.size_bytes, (uint64_t)1 << 40);
    assert_int_equal(conf->store.flush_ms, 100);
    assert_int_equal(conf->store.read_threads, 3);
    assert_int_equal(conf->log.access.kind, CONF_LOG_FILE);
    assert_int_equal(conf->log.access.format, CONF_LOG_JSON);
    assert_string_equal(conf->log.access.path, "/a/b");
    assert_int_equal(conf->log.error.level, LOG_LEVEL_DEBUG);
    assert_int_equal(conf->limits.target_bytes, 256);
    assert_int_equal(conf->limits.request_body_bytes, 0);
    assert_int_equal(conf->limits.min_rate_bytes, 0);
    assert_int_equal(conf->limits.min_rate_over_ms, 5000);
    assert_int_equal(conf->limits.keepalive_requests, 7);
    assert_int_equal(conf->limits.drain_ms, 0);
    conf_unref(conf);
}

static void test_everything_site(void **state)
{
    (void)state;
    struct conf *conf = text_good(everything);
    const struct conf_site *site = &conf->sites[0];

    assert_int_equal(conf->site_count, 3);
    assert_int_equal(site->names.count, 2);
    assert_string_equal(site->names.list[0], "www.a");
    assert_string_equal(site->origins.servers[0].url, "http://h:1");
    assert_string_equal(site->origins.servers[0].host, "h");
    assert_int_equal(site->origins.servers[0].port, 1);
    assert_int_equal(site->origins.timeout.first_byte_ms, 2000);
    assert_string_equal(site->origins.host, "h:1");
    const struct conf_retry retry = conf_retry_of(&site->origins);
    assert_int_equal(retry.count, 3);
    assert_int_equal(retry.on, CONF_RETRY_TIMEOUT);
    assert_int_equal(retry.status_count, 2);
    assert_int_equal(retry.statuses[1], 429);
    assert_int_equal(retry.methods, CONF_RETRY_PUT | CONF_RETRY_GET);
    assert_int_equal(retry.budget, 50);
    assert_int_equal(conf_retry_of(&conf->sites[1].origins).count, 2);
    assert_int_equal(conf_retry_of(&conf->sites[1].origins).on,
                     CONF_RETRY_CONNECT | CONF_RETRY_RESET);
    assert_true(site->cache.off);
    assert_int_equal(site->cache.min_ttl_ms, 2000);
    assert_int_equal(site->cache.stale_if_error_ms, (uint64_t)4 * 86400 * 1000);
    assert_int_equal(site->cache.set_cookie, CONF_SET_COOKIE_STRIP);
    assert_int_equal(site->cache.targeted.count, 2);
    assert_string_equal(site->cache.targeted.list[0], "X-A");
    assert_int_equal(site->cache.purge_from.count, 2);
    assert_false(site->cache.client_revalidate);
    assert_true(site->compress.gzip && site->compress.brotli);
    assert_int_equal(site->compress.types.count, 2);
    assert_string_equal(site->compress.types.list[1], "application/json");
    assert_int_equal(site->compress.min_bytes, 2048);
    assert_int_equal(site->compress.max_bytes, 3 << 20);
    assert_int_equal(site->compress.gzip_level, 1);
    assert_int_equal(site->compress.brotli_level, 11);
    assert_false(site->cache_status);
    assert_string_equal(site->via, "x");
    assert_int_equal(site->forwarded, CONF_FORWARDED_OFF);
    assert_true(site->trust.is_set);
    assert_int_equal(site->trust.by, CONF_TRUST_RFC7239);
    assert_int_equal(site->trust.networks.count, 1);
    assert_string_equal(conf->sites[1].origins.servers[0].host, "::1");
    assert_false(conf->sites[1].cache.off);
    assert_int_equal(conf->sites[1].forwarded, CONF_FORWARDED_BOTH);
    assert_true(conf->sites[1].trust.is_set);
    assert_int_equal(conf->sites[1].trust.networks.count, 0);
    assert_string_equal(conf->sites[2].forward.name, "office");
    check_users(&conf->sites[2].forward);
    assert_int_equal(conf->sites[2].forward.tunnel_time_ms, 12 * 3600 * 1000);
    assert_int_equal(conf->sites[2].tunnel_idle_ms, 120 * 1000);
    conf_unref(conf);
}

/* Without the notes, a dump of a dump is the dump; with them, each value says where it was set. */
static char *dump_bare(const struct conf *conf)
{
    struct buf text;
    struct buf bare;

    buf_init(&text, TEXT_BYTES);
    buf_init(&bare, TEXT_BYTES);
    conf_print_effective(conf, true, &text);
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '#') {
            i += strcspn(text.data + i, "\n");
        }
        buf_putc(&bare, text.data[i]);
    }
    buf_free(&text);
    char *copy = mem_copy(bare.data, bare.len);
    buf_free(&bare);
    return copy;
}

static void test_dump_loads(void **state)
{
    static const char *const texts[] = {everything, everything_forward, REST};
    struct buf all;

    (void)state;
    buf_init(&all, TEXT_BYTES);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct conf *conf = text_good(texts[i]);
        char *first = dump_bare(conf);
        struct conf *again = text_good(first);
        char *second = dump_bare(again);
        assert_string_equal(first, second);
        buf_puts(&all, first);
        mem_free(first);
        mem_free(second);
        conf_unref(conf);
        conf_unref(again);
    }
    /* Every directive is there: all that has a value. */
    for (size_t row = 0; row < schema_row_count(); row++) {
        if (schema_row_at(row)->type != SCHEMA_INCLUDE &&
            strstr(all.data, schema_row_at(row)->name) == NULL) {
            fail_msg("no %s in the dumps", schema_row_at(row)->name);
        }
    }
    buf_free(&all);
}

static void test_dump_notes(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_BYTES);
    struct conf *conf =
        text_good("listen :80;\nstore {\n size 2G;\n}\nsite a { origins { server x http://x; } }\n"
                  "site b {\n origins { server y http://y; }\n via v;\n}");
    conf_print_effective(conf, false, &out);
    assert_string_equal(out.data, "listen :80;                                 # t:1\n"
                                  "store {                                     # t:2\n"
                                  "    size 2G;                                # t:3\n"
                                  "}\n"
                                  "site a {                                    # t:5\n"
                                  "    origins {                               # t:5\n"
                                  "        server x http://x;                  # t:5\n"
                                  "    }\n"
                                  "}\n"
                                  "site b {                                    # t:6\n"
                                  "    origins {                               # t:7\n"
                                  "        server y http://y;                  # t:7\n"
                                  "    }\n"
                                  "    via v;                                  # t:8\n"
                                  "}\n");
    buf_clear(&out);
    conf_print_effective(conf, true, &out);
    assert_non_null(strstr(out.data, "workers auto;                               # default\n"));
    assert_non_null(strstr(out.data, "    memory 256M;                            # default\n"));
    conf_unref(conf);
    buf_free(&out);
}

static void test_restart(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_BYTES);
    struct conf *old = text_good(REST);
    struct conf *same = text_good("store { memory 1G; } limits { connections 9; } log { access "
                                  "stderr; } site x { origins { server a http://x; } }" REST);
    struct conf *new = text_good("workers 3; user x; store { path off; size 11G; read_threads 3; } "
                                 "admin { listen off; } listen :81;" REST);
    assert_int_equal(conf_diff_restart(old, same, &out), 0);
    assert_int_equal(out.len, 0);
    assert_int_equal(conf_diff_restart(old, new, &out), 7);
    assert_string_equal(out.data,
                        "workers: stays auto until a restart; the file says 3\n"
                        "user: stays unset until a restart; the file says x\n"
                        "listen: stays :80 until a restart; the file says :81 :80\n"
                        "admin.listen: stays 127.0.0.1:8090 until a restart; the file says off\n"
                        "store.path: stays /var/cache/larder until a restart; the file says off\n"
                        "store.size: stays 10G until a restart; the file says 11G\n"
                        "store.read_threads: stays 2 until a restart; the file says 3\n");
    conf_unref(old);
    conf_unref(same);
    conf_unref(new);
    buf_free(&out);
}

/* A reload keeps what needs a restart, says so, and forgets nothing at the next reload. */
static void test_keep(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_BYTES);
    struct conf *start = text_good("workers 3; state_dir /a; admin { socket /s mode=0600; }" REST);
    struct conf *second =
        text_good("store { size 11G; memory 1G; } listen :81; admin { listen off; "
                  "socket /s mode=0660; }" REST);
    struct conf *third = text_good("store { size 11G; } user x; state_dir /a;" REST);
    conf_keep_restart(second, start);
    conf_unref(start);
    assert_int_equal(second->workers, 3);
    assert_string_equal(second->state_dir, "/a");
    assert_string_equal(second->admin.tokens_path, "/a/tokens");
    assert_int_equal(second->listen_count, 1);
    assert_true(second->admin.enabled);
    assert_int_equal(second->admin.listen.port, 8090);
    assert_int_equal(second->admin.socket_mode, 0600);
    assert_int_equal(second->store.size_bytes, (uint64_t)10 << 30);
    assert_int_equal(second->store.memory_bytes, 1 << 30);
    conf_print_effective(second, false, &out);
    assert_non_null(
        strstr(out.data, "workers 3;                                  # until a restart\n"));
    assert_non_null(
        strstr(out.data, "listen :80;                                 # until a restart\n"));
    assert_non_null(
        strstr(out.data, "    size 10G;                               # until a restart\n"));
    assert_non_null(strstr(out.data, "    memory 1G;                              # t:1\n"));
    buf_clear(&out);
    assert_int_equal(conf_diff_restart(second, third, &out), 4);
    assert_non_null(strstr(out.data, "workers: stays 3 until a restart; the file says auto\n"));
    assert_non_null(strstr(out.data, "user: stays unset until a restart; the file says x\n"));
    assert_non_null(strstr(out.data, "admin.socket: stays /s mode=0600 until a restart"));
    assert_non_null(strstr(out.data, "store.size: stays 10G until a restart; the file says 11G\n"));
    conf_keep_restart(third, second);
    conf_unref(second);
    assert_string_equal(third->state_dir, "/a"); /* the first one's memory: ASan would see */
    assert_string_equal(third->listens[0].text, ":80");
    assert_null(third->user);
    conf_unref(third);
    buf_free(&out);
}

/* Which addresses are listened on stays, what their blocks say does not, over any number of reloads;
 * one that is gone from the file goes on as it began. */
static void test_keep_blocks(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_BYTES);
    struct conf *start = text_good("listen :81 { proxy_protocol from 10.0.0.0/8; }" REST);
    struct conf *second = text_good("listen :82; listen :81 {\n"
                                    "proxy_protocol from ::1 ::2; }" REST);
    struct conf *third = text_good(REST);
    assert_int_equal(conf_diff_restart(start, second, &out), 1);
    conf_keep_restart(second, start);
    conf_unref(start);
    assert_int_equal(second->listen_count, 2);
    assert_string_equal(second->listens[0].text, ":81");
    assert_int_equal(second->listens[0].proxy_from.count, 2);
    buf_clear(&out);
    conf_print_effective(second, false, &out);
    assert_non_null(strstr(out.data,
                           "listen :81 {                                # until a restart\n"
                           "    proxy_protocol from ::1/128 ::2/128;    # t:2\n}\n"));
    conf_keep_restart(third, second);
    conf_unref(second);
    assert_string_equal(third->listens[0].text, ":81"); /* ASan would see what is gone */
    assert_int_equal(third->listens[0].proxy_from.count, 1);
    assert_int_equal(third->listens[0].proxy_from.list[0].bits, 8);
    assert_string_equal(third->listens[1].text, ":80");
    buf_clear(&out);
    conf_print_effective(third, false, &out);
    assert_non_null(strstr(out.data,
                           "    proxy_protocol from 10.0.0.0/8;         # until a restart\n}\n"
                           "listen :80;"));
    struct conf *fourth = text_good("listen :80 { } listen :81 { proxy_protocol off; }"
                                    "site * { origins { server a http://a; } }");
    conf_keep_restart(fourth, third);
    conf_unref(third);
    assert_int_equal(fourth->listens[0].proxy_from.count, 0);
    buf_clear(&out);
    conf_print_effective(fourth, false, &out);
    assert_non_null(strstr(out.data, "listen :81 {"));
    assert_non_null(strstr(out.data, "    proxy_protocol off; "));
    conf_unref(fourth);
    buf_free(&out);
}

static void test_references(void **state)
{
    (void)state;
    struct conf *conf = text_good(REST);

    assert_ptr_equal(conf_ref(conf), conf);
    conf_unref(conf);
    assert_string_equal(conf->sites[0].via, "larder"); /* still alive: ASan would see */
    conf_unref(conf);
    conf_unref(NULL);
}

/* The example of every directive is accepted where the table says it belongs. */
static void test_examples(void **state)
{
    static const char *const around[][2] = {
        [SCHEMA_MAIN] = {"", REST},
        [SCHEMA_ADMIN] = {"admin {", "}" REST},
        [SCHEMA_STORE] = {"store {", "}" REST},
        [SCHEMA_LOG] = {"log {", "}" REST},
        [SCHEMA_LIMITS] = {"limits {", "}" REST},
        [SCHEMA_LISTENER] = {"forward office { } listen :81 {", "}" REST},
        [SCHEMA_SITE] = {"site x { ", " }" REST},
        [SCHEMA_ORIGINS] = {"site x { origins {", "} }" REST},
        [SCHEMA_RULE] = {"origins api { server b http://b; } "
                         "site x { origins { server a http://a; } rule path /* {",
                         "} }" REST},
        [SCHEMA_MAINTENANCE] = {"site x { origins { server a http://a; } maintenance {",
                                "} }" REST},
        [SCHEMA_CACHE] = {"site x { origins { server a http://a; } cache {", "} }" REST},
        [SCHEMA_FORWARD] = {"listen :81 { forward x; } forward x {", "}" REST},
        [SCHEMA_ACL] = {"listen :81 { forward x; } forward x { acl {", "} }" REST},
        [SCHEMA_DIRECT] = {"listen :81 { forward x; } forward x { origins {", "} }" REST},
    };

    (void)state;
    for (size_t i = 0; i < schema_row_count(); i++) {
        const struct schema_row *row = schema_row_at(i);
        struct buf text;
        if (row->context == SCHEMA_ANY) {
            continue;
        }
        bool needs_server = row->context == SCHEMA_ORIGINS && !row->required;
        bool needs_origins = row->context == SCHEMA_SITE && !row->required;
        bool is_upstream = row->type == SCHEMA_UPSTREAM;
        bool is_whole = strncmp(row->example, "cache { off", 11) == 0;
        buf_init(&text, TEXT_BYTES);
        buf_puts(&text, is_upstream ? "origins parents { server a http://a; } forward x { "
                        : is_whole  ? "site x { "
                                    : around[row->context][0]);
        if (needs_server) {
            buf_printf(&text, "server a http%s://a;", strcmp(row->name, "tls") == 0 ? "s" : "");
        }
        buf_puts(&text, needs_origins || is_whole ? "origins { server a http://a; }" : "");
        buf_puts(&text, row->example);
        buf_puts(&text, is_whole || is_upstream ? " }" REST : around[row->context][1]);
        conf_unref(text_good(text.data));
        buf_free(&text);
    }
}

static void test_reference(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, TEXT_BYTES);
    assert_true(conf_print_reference("store.size", &out));
    assert_string_equal(out.data,
                        "size SIZE;\n"
                        "    Most bytes all files of the store may take; the oldest unused objects "
                        "leave first.\n"
                        "    where    store\n"
                        "    default  10G\n"
                        "    range    64M..1024T\n"
                        "    changed  by a restart\n"
                        "    example  size 200G;\n");
    buf_clear(&out);
    assert_true(conf_print_reference("listen", &out));
    assert_non_null(strstr(out.data, "where    the top level"));
    assert_non_null(strstr(out.data, "where    admin"));
    buf_clear(&out);
    assert_false(conf_print_reference("store.memroy", &out));
    assert_string_equal(out.data,
                        "no directive is called \"store.memroy\"; did you mean \"memory\"?\n");
    buf_clear(&out);
    assert_true(conf_print_reference(NULL, &out));
    for (size_t i = 0; i < schema_row_count(); i++) {
        assert_non_null(strstr(out.data, schema_row_at(i)->doc));
    }
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),          cmocka_unit_test(test_default_limits),
        cmocka_unit_test(test_everything_server), cmocka_unit_test(test_everything_site),
        cmocka_unit_test(test_dump_loads),        cmocka_unit_test(test_dump_notes),
        cmocka_unit_test(test_restart),           cmocka_unit_test(test_keep),
        cmocka_unit_test(test_references),        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_reference),         cmocka_unit_test(test_keep_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
