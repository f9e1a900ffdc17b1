/* Each kind of mistake the schema knows, with exact place and words. */
#include "conf_test.h"

#define MAIN_NAMES                                                                                 \
    "{workers user state_dir listen trust admin store log limits resolver origins site forward}"
#define STORE_NAMES "{path size memory max_object flush read_threads}"
#define SITE_NAMES                                                                                     \
    "{origins cache compress compress_types compress_min compress_max compress_level "                 \
    "normalize_path strip_prefix add_prefix redirect_rewrite redirect respond error_page maintenance " \
    "cache_status via trust forwarded upgrade tunnel_idle header rule limit allow deny anonymize "     \
    "log_query}"
#define SITE(body) "listen :80; site * {" body " origins { server a http://a; } }"
#define ORIGINS(body) "listen :80; site * { origins { " body " } }"

static const struct bad_case unknown[] = {
    {"store { memroy 2G; }" REST,
     "1:9 unknown directive \"memroy\" in store [memory] " STORE_NAMES "\n"},
    {"Workers 2;" REST,
     "1:1 unknown directive \"Workers\" at the top level [workers] " MAIN_NAMES "\n"},
    {"certificate { x; }" REST,
     "1:1 unknown directive \"certificate\" at the top level " MAIN_NAMES "\n"},
    {"\"\";" REST, "1:1 unknown directive \"\" at the top level " MAIN_NAMES "\n"},
    {"memory 1G;" REST,
     "1:1 \"memory\" does not belong at the top level; it belongs in store " MAIN_NAMES "\n"},
    {SITE("memory 1G;"),
     "1:21 \"memory\" does not belong in site; it belongs in store " SITE_NAMES "\n"},
    {SITE("server a http://a;"),
     "1:21 \"server\" does not belong in site; it belongs in origins " SITE_NAMES "\n"},
    {"store { workers 2; }" REST,
     "1:9 \"workers\" does not belong in store; it belongs at the top level " STORE_NAMES "\n"},
};

static const struct bad_case amounts[] = {
    {"workers;" REST, "1:1 \"workers\" needs more words; write: workers auto | NUMBER;\n"},
    {"workers 0;" REST, "1:9 \"0\" is out of range for \"workers\": 1..256\n"},
    {"workers 257;" REST, "1:9 \"257\" is out of range for \"workers\": 1..256\n"},
    {"workers many;" REST, "1:9 \"many\" is not right: \"workers\" takes a whole number\n"},
    {"workers 4 5;" REST, "1:11 one word too many: \"5\"; write: workers auto | NUMBER;\n"},
    {"workers 99999999999999999999;" REST,
     "1:9 \"99999999999999999999\" is out of range for \"workers\": 1..256\n"},
    {"store { size 63M; }" REST, "1:14 \"63M\" is out of range for \"size\": 64M..1024T\n"},
    {"store { memory 15M; }" REST, "1:16 \"15M\" is out of range for \"memory\": 16M..16T\n"},
    {"store { memory 256m; }" REST,
     "1:16 \"256m\" has the wrong unit: \"memory\" takes a size like 10G {K M G T}\n"},
    {"store { memory 2g; }" REST,
     "1:16 \"2g\" is not right: \"memory\" takes a size like 10G [2G]\n"},
    {"store { memory 2GiB; }" REST,
     "1:16 \"2GiB\" is not right: \"memory\" takes a size like 10G [2G]\n"},
    {"store { flush 2G; }" REST,
     "1:15 \"2G\" has the wrong unit: \"flush\" takes a duration like 30s {ms s m h d}\n"},
    {"store { flush 1; }" REST, "1:15 \"1\" needs a unit [1s] {ms s m h d}\n"},
    {"store { flush 2001ms; }" REST, "1:15 \"2001ms\" is out of range for \"flush\": 100ms..2s\n"},
    {"store { read_threads 17; }" REST,
     "1:22 \"17\" is out of range for \"read_threads\": 1..16\n"},
    {"limits { connections 5K; }" REST,
     "1:22 \"5K\" has the wrong unit: \"connections\" takes a whole number\n"},
    {ORIGINS("server a http://a; timeout idle=30;"),
     "1:59 \"30\" needs a unit [30s] {ms s m h d}\n"},
    {ORIGINS("server a http://a; timeout idle=1s idle=2s;"),
     "1:67 \"idle\" is set twice in this \"timeout\"; remove one\n"},
    {ORIGINS("server a http://a; timeout connet=1s;"),
     "1:59 \"connet=1s\" is not an option of \"timeout\"; options are name=value [connect] "
     "{connect first_byte idle total}\n"},
    {ORIGINS("server a http://a; retry 1 methods=GET,POST;"),
     "1:59 \"POST\" may not be sent twice; GET, HEAD, OPTIONS, TRACE, PUT and DELETE may\n"},
    {ORIGINS("server a http://a; retry 1 on=connect,;"),
     "1:59 \"\" is nothing to retry on: connect, timeout, reset, or up to 16 statuses from 400 to "
     "599, with commas between\n"},
    {ORIGINS("server a http://a; retry 1 on=503 on=502;"),
     "1:66 \"on\" is set twice in this \"retry\"; remove one\n"},
    {ORIGINS("server a http://a; retry 1 often;"),
     "1:59 \"often\" is no option of \"retry\": on=, methods=, budget=\n"},
    {ORIGINS("server a http://a; queue 100;"),
     "1:57 \"100\" is not an option of \"queue\"; options are name=value [size=100] {size "
     "timeout}\n"},
    {ORIGINS("server a http://a backup=1;"), "1:50 \"backup\" takes no value; write: backup\n"},
    {ORIGINS("server a http://a bakcup;"),
     "1:50 \"bakcup\" is not an option of \"server\"; options are name=value [backup] {weight "
     "max backup}\n"},
    {SITE("redirect 301 https://x{path};"),
     "1:34 put the URL in quotes, because of its \"{\": \"https://x{path}\"\n"},
    {SITE("location /x { proxy_pass http://a; }"),
     "1:21 there is no \"location\" in site; write: rule path /PATH* { ... }, in a site\n"},
    {"listen [::1]:3128 { forward o; } forward o { allow 10.0.0.0/8; }" REST,
     "1:46 there is no \"allow\" in forward; write it in acl { ... }\n"},
    {"listen [::1]:3128 { forward o; } forward o { origins { server a http://a; } }" REST,
     "1:56 there is no \"server\" in origins; the client says which server is asked; parents are: "
     "upstream URL|POOL, in forward\n"},
    {"http_port 3128;" REST,
     "1:1 there is no \"http_port\" at the top level; write: listen ADDRESS:PORT { forward NAME; }\n"},
    {SITE("server_name a;"), "1:21 there is no \"server_name\" in site; the names stand behind "
                             "site: site NAME NAME { ... }\n"},
    {"upstream x { server 1.2.3.4; }" REST,
     "1:1 there is no \"upstream\" at the top level; write: origins NAME { server NAME URL; }\n"},
    {"server { listen 80; }" REST,
     "1:1 there is no \"server\" at the top level; site NAME { ... } is a host, origins NAME { "
     "server ... } a group of servers\n"},
    {ORIGINS("server a http://a; timeout idle;"), "1:59 \"idle\" needs a value: idle=VALUE\n"},
    {"admin { socket /s mode=0888; }" REST,
     "1:19 \"0888\" is not right: \"mode\" takes permission bits like 0660\n"},
    {"admin { socket /s mode=1777; }" REST,
     "1:19 \"1777\" is out of range for \"mode\": 0000..0777\n"},
};

static const struct bad_case choices[] = {
    {"admin { metrics onn; }" REST,
     "1:17 \"onn\" is not a value of \"metrics\" [on] {off on open}\n"},
    {SITE("cache_status yes;"), "1:34 \"yes\" is not a value of \"cache_status\" {on off}\n"},
    {SITE("cache { off on; }"), "1:33 one word too many: \"on\"; write: off;\n"},
    {SITE("cache { targeted \"A B\"; }"), "1:38 \"A B\" is not a field name (at most 64 bytes)\n"},
    {SITE("cache { targeted A b a; }"), "1:42 \"a\" is there twice\n"},
    {SITE("cache { targeted A off; }"), "1:40 \"off\" stands alone\n"},
    {SITE("compress gzpi;"),
     "1:30 \"gzpi\" is not a value of \"compress\" [gzip] {off gzip brotli}\n"},
    {SITE("compress;"),
     "1:21 \"compress\" needs more words; write: compress gzip brotli | gzip | brotli | off;\n"},
    {SITE("compress gzip off;"), "1:35 \"off\" stands alone\n"},
    {SITE("compress off gzip;"), "1:30 \"off\" stands alone\n"},
    {SITE("compress gzip gzip;"), "1:35 \"gzip\" is named twice; remove one\n"},
    {SITE("compress gzip brotli gzip;"),
     "1:42 one word too many: \"gzip\"; write: compress gzip brotli | gzip | brotli | off;\n"},
    {SITE("compress_types text/css html;"),
     "1:45 \"html\" is not a media type like text/css, text/* or application/*+json\n"},
    {SITE("compress_types \"text/css;a=b\";"),
     "1:36 \"text/css;a=b\" is not a media type like text/css, text/* or application/*+json\n"},
    {SITE("compress_types /css;"),
     "1:36 \"/css\" is not a media type like text/css, text/* or application/*+json\n"},
    {SITE("compress_level gzip=10;"), "1:36 \"10\" is out of range for \"gzip\": 1..9\n"},
    {SITE("compress_level brotli=12;"), "1:36 \"12\" is out of range for \"brotli\": 0..11\n"},
    {SITE("compress_min 2K; compress_max 1K;"),
     "1:34 \"compress_min\" (2K) may not be more than \"compress_max\" (1K); the other is at "
     "t:1:51\n"},
    {SITE("cache { set_cookie stripp; }"),
     "1:40 \"stripp\" is not a value of \"set_cookie\" [strip] {pass store strip}\n"},
    {SITE("cache { purge form 10.0.0.0/8; }"),
     "1:35 \"form\" is not a value of \"purge\" [from] {from off}\n"},
    {"listen :81 { proxy_protocol 10.0.0.0/8; }" REST,
     "1:29 \"10.0.0.0/8\" is not a value of \"proxy_protocol\" {from off}\n"},
    {"listen :81 { proxy_protocol off; proxy_protocol off; }" REST,
     "1:34 \"proxy_protocol\" is set twice in this listen block; it is already set at t:1:14; "
     "remove one\n"},
    {"listen :81 { proxy_protocl off; }" REST,
     "1:14 unknown directive \"proxy_protocl\" in listen [proxy_protocol] {proxy_protocol forward}\n"},
    {"proxy_protocol off;" REST, "1:1 \"proxy_protocol\" does not belong at the top level; it "
                                 "belongs in listen " MAIN_NAMES "\n"},
    {"listen { proxy_protocol off; }" REST,
     "1:1 \"listen\" needs more words; write: listen ADDRESS:PORT | :PORT;\n"},
    {"workers 2 { }" REST, "1:11 \"workers\" takes no block; write: workers auto | NUMBER;\n"},
    {"listen :81 { proxy_protocol off;" REST,
     "1:1 this \"listen\" block is never closed; a \"}\" is missing\n"},
    {SITE("trust;"),
     "1:21 \"trust\" needs more words; write: trust [x_forwarded | rfc7239] NETWORK... | off;\n"},
    {SITE("trust rfc7239;"),
     "1:21 \"trust\" needs more words; write: trust [x_forwarded | rfc7239] NETWORK... | off;\n"},
    {SITE("trust off 10.0.0.0/8;"),
     "1:31 one word too many: \"10.0.0.0/8\"; write: trust [x_forwarded | rfc7239] NETWORK... | "
     "off;\n"},
    {SITE("trust rfc7239 x_forwarded;"),
     "1:35 \"x_forwarded\" is not an IP address (names are not looked up here)\n"},
    {SITE("trust 10.0.0.1/8;"),
     "1:27 \"10.0.0.1/8\" is not a network: wrong prefix length, or address bits behind it\n"},
    {SITE("forwarded rfc7230;"), "1:31 \"rfc7230\" is not a value of \"forwarded\" [rfc7239] {off "
                                 "on x_forwarded rfc7239 both}\n"},
    {SITE("cache { purge from; }"),
     "1:29 \"purge\" needs more words; write: purge from NETWORK... | off;\n"},
    {SITE("cache { purge from 10.0.0.1/8 here; }"),
     "1:40 \"10.0.0.1/8\" is not a network: wrong prefix length, or address bits behind it\n"
     "1:51 \"here\" is not an IP address (names are not looked up here)\n"},
    {"log { access /a/b jsn; }" REST,
     "1:19 \"jsn\" is not a value of \"access\" [json] {combined json}\n"},
    {"log { access a.log; }" REST,
     "1:14 \"a.log\" is not an absolute path (one that begins with \"/\")\n"},
    {"log { error off; }" REST,
     "1:13 \"off\" is not an absolute path (one that begins with \"/\")\n"},
    {"store { path cache; }" REST,
     "1:14 \"cache\" is not an absolute path (one that begins with \"/\") {off}\n"},
    {SITE("via \"a b\";"),
     "1:25 \"a b\" is not a name of letters, digits and - . _ (at most 64)\n"},
    {"user \"\";" REST, "1:6 there is no user \"\" on this machine\n"},
};

static const struct bad_case twice[] = {
    {"workers 2;\nworkers 3;" REST,
     "2:1 \"workers\" is set twice at the top level; it is already set at t:1:1; remove one\n"},
    {"store { size 1G;\n size 2G; }" REST,
     "2:2 \"size\" is set twice in store; it is already set at t:1:9; remove one\n"},
    {"store { size 1G; }\nstore { memory 1G; }" REST,
     "2:1 \"store\" is set twice at the top level; it is already set at t:1:1; remove one\n"},
    {SITE("via a; via b;"),
     "1:28 \"via\" is set twice in this site block; it is already set at t:1:21; remove one\n"},
    {"listen :80;\nlisten :80;\n" REST,
     "2:8 \":80\" is already listened on at t:1:8\n3:8 \":80\" is already listened on at t:1:8\n"},
    {"listen 0.0.0.0:80;\n" REST, "2:8 \":80\" is already listened on at t:1:8\n"},
    {"admin { listen 127.0.0.1:81; }\nlisten 127.0.0.1:81;" REST,
     "1:16 \"127.0.0.1:81\" is already listened on at t:2:8\n"},
    {REST
     "\nsite a b { origins { server x http://x; } }\nsite c B { origins { server x http://x; } }",
     "3:8 site \"b\" is already defined at t:2:8\n"},
    {REST "\nsite * { origins { server x http://x; } }",
     "2:6 site \"*\" is already defined at t:1:18\n"},
    {REST "\nsite a A { origins { server x http://x; } }",
     "2:8 site \"a\" is already defined at t:2:6\n"},
    {ORIGINS("server a http://a;\nserver a http://b;"),
     "2:8 there is a server \"a\" in this pool already, at t:1:39\n"},
};

static const struct bad_case addresses[] = {
    {"listen 8081;" REST, "1:8 \"8081\" has no port [:8081]\n"},
    {"listen *:81;" REST,
     "1:8 \"*:81\" is not an IP address (names are not looked up here) [:81]\n"},
    {"listen localhost:81;" REST,
     "1:8 \"localhost:81\" is not an IP address (names are not looked up here) [127.0.0.1:81]\n"},
    {"listen :70000;" REST, "1:8 \":70000\" has no port from 1 to 65535\n"},
    {"admin { listen 0.0.0.0:8090; }" REST,
     "1:16 \"0.0.0.0:8090\" is not loopback, and TLS for the admin listener is not there yet: use "
     "127.0.0.1, or allow clear text with plain_http_from NETWORK...;\n"},
    {"admin { listen :8090; }" REST,
     "1:16 \":8090\" is not loopback, and TLS for the admin listener is not there yet: use "
     "127.0.0.1, or allow clear text with plain_http_from NETWORK...;\n"},
    {"admin { server_names a:1; }" REST, "1:22 \"a:1\" has a port; write the host name alone\n"},
    {ORIGINS("server a http://a; tls verify=off;"),
     "1:51 \"tls\" is for servers with https://, and this pool has none\n"},
    {ORIGINS("server a https://a; proxy_protocol v2;"),
     "1:52 \"proxy_protocol\" is not for servers with https://; X-Forwarded-For and Forwarded tell "
     "them the client's address\n"},
    {ORIGINS("server a https://a; tls verify=perhaps;"),
     "1:56 \"perhaps\" is not a value of \"tls\" {on off}\n"},
    {ORIGINS("server a 10.0.0.1:80;"),
     "1:41 \"10.0.0.1:80\" is not an origin: write http://HOST[:PORT] or https://HOST[:PORT] ["
     "http://10.0.0.1:80]\n"},
    {ORIGINS("server a http://a/b;"),
     "1:41 \"http://a/b\" has more than host and port; an origin is http[s]://HOST[:PORT]\n"},
    {ORIGINS("server http://a;"),
     "1:32 \"server\" needs more words; write: server NAME URL [weight=NUMBER] [max=NUMBER] [backup];\n"},
    {ORIGINS("server a http://a; host a/b;"),
     "1:56 \"a/b\" is not a host name: labels of letters, digits, - and _ with dots between\n"},
    {"listen :80; site a.example:80 a.*.b http://c d. e..f { origins { server a http://a; } }",
     "1:18 \"a.example:80\" has a port; write the host name alone\n"
     "1:31 \"a.*.b\" has a wildcard where none may be; a site has NAME, *.NAME or *\n"
     "1:37 \"http://c\" is an address; write the host name alone\n"
     "1:46 \"d.\" ends in a dot; browsers send the name without it [d]\n"
     "1:49 \"e..f\" is not a host name: labels of letters, digits, - and _ with dots between\n"},
    {"listen :80; site *.10.0.0.1 *. *a.b *.[::1] { origins { server a http://a; } }",
     "1:18 \"*.10.0.0.1\" has a wildcard where none may be; a site has NAME, *.NAME or *\n"
     "1:29 \"*.\" has a wildcard where none may be; a site has NAME, *.NAME or *\n"
     "1:32 \"*a.b\" has a wildcard where none may be; a site has NAME, *.NAME or *\n"
     "1:37 \"*.[::1]\" has a wildcard where none may be; a site has NAME, *.NAME or *\n"},
    {"listen :80; site *.B a { origins { server a http://a; } }\n"
     "site c *.b { origins { server a http://a; } }",
     "2:8 site \"*.b\" is already defined at t:1:18\n"},
};

static const struct bad_case together[] = {
    {"limits { target 33K; }" REST,
     "1:17 \"target\" (33K) may not be more than \"head\" (32K); the other is the default\n"},
    {"limits { head 8K; }" REST,
     "1:15 \"target\" (16K) may not be more than \"head\" (8K); the other is the default\n"},
    {"limits { head 8K;\n target 9K; }" REST,
     "2:9 \"target\" (9K) may not be more than \"head\" (8K); the other is at t:1:15\n"},
    {SITE("cache { min_ttl 2d;\nmax_ttl 1d; }"),
     "1:37 \"min_ttl\" (2d) may not be more than \"max_ttl\" (1d); the other is at t:2:9\n"},
    {SITE("cache { default_ttl 2d;\nmax_ttl 1d; }"),
     "1:41 \"default_ttl\" (2d) may not be more than \"max_ttl\" (1d); the other is at t:2:9\n"},
    /* one that is already wrong is not compared */
    {"limits { head 8; }" REST, "1:15 \"8\" is out of range for \"head\": 1K..1M\n"},
};

static const struct bad_case missing[] = {
    {"", "0:0 there is no \"listen\"; add: listen [::1]:8080;\n"
         "0:0 there is no \"site\"; add: site www.example.com example.com { origins { server app "
         "http://10.0.0.11:8080; } }\n"},
    {"site * { origins { server a http://a; } }",
     "0:0 there is no \"listen\"; add: listen [::1]:8080;\n"},
    {"listen :80; site a { }",
     "1:13 this \"site\" has no \"origins\"; add: origins { server app http://10.0.0.11:8080; }\n"},
    {"listen :80; site { origins { server a http://a; } }",
     "1:13 \"site\" needs more words; write: site NAME... { ... }\n"},
    {"listen :80; site a { origins { } }",
     "1:22 this \"origins\" has no \"server\"; add: server app http://10.0.0.11:8080;\n"},
    /* what is set wrong is not missing */
    {"listen; site a { origins { server; } }",
     "1:1 \"listen\" needs more words; write: listen ADDRESS:PORT | :PORT;\n"
     "1:28 \"server\" needs more words; write: server NAME URL [weight=NUMBER] [max=NUMBER] [backup];\n"},
};

#define RUN(name)                                                                                  \
    static void test_##name(void **state)                                                          \
    {                                                                                              \
        (void)state;                                                                               \
        bad_cases(name, ARRAY_LEN(name));                                                          \
    }
RUN(unknown)
RUN(amounts)
RUN(choices)
RUN(twice)
RUN(addresses)
RUN(together)
RUN(missing)

/* What this machine must have is asked only when not portable. */
static void test_machine(void **state)
{
    static const char text[] = "user larder-no-such; admin { www_dir /etc/passwd; }\n"
                               "log { access /larder-none/a.log; error /larder.log; }" REST;
    struct conf *conf;
    struct buf problems;

    (void)state;
    buf_init(&problems, TEXT_BYTES);
    text_load(span_str(text), 0, &conf, &problems);
    assert_string_equal(problems.data,
                        "1:6 there is no user \"larder-no-such\" on this machine\n"
                        "1:38 \"/etc/passwd\" is not a folder\n"
                        "2:14 the folder \"/larder-none\" does not exist; make it first\n");
    buf_free(&problems);
    conf = text_good(text);
    assert_string_equal(conf->user, "larder-no-such");
    conf_unref(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown),   cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_choices),   cmocka_unit_test(test_twice),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_together),
        cmocka_unit_test(test_missing),   cmocka_unit_test(test_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
