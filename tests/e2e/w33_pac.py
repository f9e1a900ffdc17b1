"""The file by which clients configure themselves: who gets it, what is in it, and what it answers in node and in a browser."""
import json
import os
import shutil
import subprocess

from case import Client, Skip, fetch, free_port, reply, same, slow, wait_for
from forwarding import proxy

TYPE = "application/x-ns-proxy-autoconfig"


def run_pac(text, hosts):
    """What FindProxyForURL says of each host, in a sandbox without any helper of browsers."""
    node = shutil.which("node")
    if node is None:
        raise Skip("node is not installed")
    script = """const vm = require("vm");
const input = JSON.parse(require("fs").readFileSync(0, "utf8"));
const box = vm.createContext({});
vm.runInContext('"use strict";' + input.text, box);
console.log(JSON.stringify(input.hosts.map((host) =>
    vm.runInContext("FindProxyForURL(" + JSON.stringify("http://" + host + "/x") + ", " + JSON.stringify(host) + ")", box))));"""
    done = subprocess.run([node, "-e", script], input=json.dumps({"text": text, "hosts": hosts}), capture_output=True, text=True,
                          timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    return dict(zip(hosts, json.loads(done.stdout)))


DIRECT = ["localhost", "LOCALHOST", "intranet", "printer.", "a.localhost", "127.0.0.1", "127.255.255.255", "10.0.0.1", "172.16.0.1",
          "172.31.255.255", "192.168.3.4", "169.254.1.1", "0.0.0.0", "100.64.0.1", "::1", "[::1]", "::", "fc00::1", "fdff::1",
          "fe80::1", "[fe80::1%25eth0]", "febf::1", "::ffff:10.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:0:0:1"]
PROXIED = ["www.example.com", "example.com", "172.15.0.1", "172.32.0.1", "192.169.0.1", "11.0.0.1", "128.0.0.1", "100.128.0.1",
           "2001:db8::1", "[2001:db8::1]", "fec0::1", "::ffff:8.8.8.8", "::2", "10.0.0.1.example.com", "127.0.0.1.evil.test",
           "1.2.3", "10.0.0.256", "localhost.example", "notlocalhost.test", "1:2:3:4:5:6:7:8", "10.example", "010.0.0.1"]


def test_what_it_answers(t):
    larder = proxy(t, "pac on;")
    where = f"PROXY 127.0.0.1:{larder.proxy}"
    response = fetch(larder.proxy, "/proxy.pac", host=f"127.0.0.1:{larder.proxy}")
    same((response.status, response.get("Content-Type")), (200, TYPE))
    text = response.body.decode("ascii")
    got = run_pac(text, DIRECT + PROXIED)
    same({host: word for host, word in got.items() if word != "DIRECT" and host in DIRECT}, {})
    same({host: word for host, word in got.items() if word != where and host in PROXIED}, {})


def test_pac_direct(t):
    larder = proxy(t, """pac on; pac_proxy proxy.example:8080;
        pac_direct *.Intra.example intra.example 192.0.2.0/28 203.0.113.7 2001:db8:1::/48 a-b_c.test [2001:db9::1];""")
    text = fetch(larder.proxy, "/wpad.dat").body.decode("ascii")
    yes = ["a.intra.example", "A.B.INTRA.example", "intra.example", "192.0.2.15", "203.0.113.7", "2001:db8:1::5", "a-b_c.test",
           "10.1.1.1", "2001:db9::1", "[2001:db9::1]"]
    no = ["xintra.example", "a.intraxexample", "intra.example.evil.test", "192.0.2.16", "203.0.113.8", "2001:db8:2::1", "aXb_c.test",
          "2001:db9::11"]
    got = run_pac(text, yes + no)
    same({host for host in yes if got[host] != "DIRECT"}, set())
    same({got[host] for host in no}, {"PROXY proxy.example:8080"}, got)


def test_who_gets_it(t):
    """In origin form, without a login; with a tag; the Host it was asked by is the proxy's name. Off: nobody."""
    larder = proxy(t, "pac on;")
    for target in ("/proxy.pac", "/wpad.dat", "/wpad.dat?x=1"):
        response = fetch(larder.proxy, target, host="Proxy.Corp.test:3128")
        same(response.status, 200, target)
        tag = response.get("ETag")
        same((response.get("Cache-Control"), response.get("X-Content-Type-Options")), ("max-age=300", "nosniff"))
        same(set(run_pac(response.body.decode(), ["a.test"]).values()), {"PROXY proxy.corp.test:3128"})
        head = fetch(larder.proxy, target, "HEAD", host="proxy.corp.test:3128")
        same((head.status, head.get("Content-Length"), head.body, head.get("ETag")), (200, str(len(response.body)), b"", tag))
        again = fetch(larder.proxy, target, host="proxy.corp.test:3128", headers=[("If-None-Match", f'"x", {tag}')])
        same((again.status, again.body, again.get("ETag")), (304, b"", tag))
    other = fetch(larder.proxy, "/wpad.dat", host="wpad")
    assert other.get("ETag") != tag, "another name is another file"
    same(run_pac(other.body.decode(), ["a.test"])["a.test"], "PROXY wpad:80")
    same(run_pac(fetch(larder.proxy, "/wpad.dat", host="[::1]").body.decode(), ["a.test"])["a.test"], "PROXY [::1]:80")
    with Client(larder.proxy) as client:
        client.request("/wpad.dat", host=None, version="HTTP/1.0")
        same(client.read_response().status, 400, "no name at all")
    for method, target in (("POST", "/proxy.pac"), ("GET", "/proxy.pacx"), ("GET", "/x/proxy.pac"), ("GET", "/")):
        same(fetch(larder.proxy, target, method).status, 400, (method, target))
    same(fetch(larder.port, "/proxy.pac").status, 502, "a site has none")
    larder.write("pac off;")
    larder.command("reload", check=0)
    same(fetch(larder.proxy, "/proxy.pac").status, 400)
    same(larder.admin("/proxy.pac").status, 404)


def test_limits(t):
    """It is a request as any other to those who ask too much."""
    larder = proxy(t, "pac on; limit requests 1/m burst=2;")
    same([fetch(larder.proxy, "/proxy.pac").status for _ in range(3)], [200, 200, 429])


def test_file(t):
    larder = proxy(t)
    path = os.path.join(larder.folder, "own.pac")
    with open(path, "w", encoding="utf-8") as out:
        out.write('function FindProxyForURL(u, h) { return "PROXY own:1"; } // \u00e9')
    larder.write(f"pac {path};")
    larder.command("reload", check=0)
    with open(path, "rb") as data:
        whole = data.read()
    response = fetch(larder.proxy, "/proxy.pac")
    same((response.body, response.get("Content-Type")), (whole, TYPE))
    same(larder.admin("/wpad.dat?forward=office").body, whole)


def test_admin_port(t):
    """Without a token, only where the operator says so; a listener with an address of its own is named by that."""
    larder = proxy(t, "pac on;")
    for target in ("/proxy.pac", "/wpad.dat", "/proxy.pac?forward=office"):
        response = larder.admin(target)
        same((response.status, response.get("Content-Type"), response.get("X-Content-Type-Options")), (200, TYPE, "nosniff"))
        same(run_pac(response.body.decode(), ["a.test"])["a.test"], f"PROXY 127.0.0.1:{larder.proxy}")
        tag = response.get("ETag")
        again = larder.admin(target, headers=[("If-None-Match", tag)])
        same((again.status, again.body), (304, b""))
        same(larder.admin(target, "HEAD").status, 200)
        same(larder.admin(target, "POST", body={}).status, 405)
    same(larder.admin("/proxy.pac?forward=none").status, 404)
    port = free_port()
    second = f"listen 0.0.0.0:{port} {{ forward home; }} forward home {{ pac on; }}"
    larder.stop()
    larder.write("pac on;", second)
    larder.start()
    same(larder.admin("/proxy.pac").status, 404, "which of two")
    same(run_pac(larder.admin("/proxy.pac?forward=home").body.decode(), ["a.test"])["a.test"], f"PROXY 127.0.0.1:{port}")
    same(fetch(larder.admin_port, "/proxy.pac", host="evil.test").status, fetch(larder.admin_port, "/", host="evil.test").status)


@slow(120)
def test_browser(t):
    """Chromium finds the proxy by it: what is DIRECT comes from the browser, the rest through us."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise Skip("no chromium")
    origin = t.origin(default=reply("<title>x</title><p>reached</p>", cache="no-store", headers=[("Content-Type", "text/html")]))
    larder = proxy(t, "pac on; identity forward; via office; rule path /* { header request set X-Through office; }")
    page = f"http://127.0.0.1:{origin.port}"
    folder = os.path.join(larder.folder, "profile")

    def load(url):
        return subprocess.run([chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom",
                               "--no-first-run", "--disable-background-networking", f"--user-data-dir={folder}",
                               "--host-resolver-rules=MAP *.test 127.0.0.1",
                               f"--proxy-pac-url=http://127.0.0.1:{larder.proxy}/proxy.pac", url],
                              capture_output=True, text=True, timeout=110, stdin=subprocess.DEVNULL, check=False).stdout
    assert "reached" in load(page + "/direct")
    same(origin.last("/direct").get("X-Through"), None, "loopback is DIRECT")
    load(f"http://www.example.test:{origin.port}/through")
    same(origin.count("/through"), 0, "the browser did not go there by itself")
    wait_for(lambda: any("/through" in line and "www.example.test" in line for line in larder.access_lines()), 10,
             "the request that came to the proxy")
