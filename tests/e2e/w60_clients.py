"""The clients that people have, by a forward proxy, with nothing set but the proxy: over http, where packages are then in the
cache (conf/presets), and over https, which is a tunnel."""
import base64
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import zipfile

from browser import Browser
from case import Skip, fetch, free_port, head, same, slow, wait_for
from dns import NameServer
from larder import die_with_parent
from nginx import Nginx
from tls import Authority

PRESETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf", "presets")
NAME = "pkg.test"


class Lab:
    """An nginx under a name that only the proxy can resolve, over http and https, and the proxy."""

    def __init__(self, t, files, preset=None, block=""):
        self.folder, self.number = os.path.join(t.folder, "home"), 0
        os.makedirs(self.folder, exist_ok=True)
        authority = Authority(t)
        self.ca = authority.path
        pair = authority.issue(f"DNS:{NAME}")
        self.tls_port = free_port()
        self.nginx = Nginx(os.path.join(t.folder, "nginx"), files, f"""listen 127.0.0.1:{self.tls_port} ssl;
            ssl_certificate {pair[0]}; ssl_certificate_key {pair[1]}; types {{ text/html html; application/json json; }}
            location = /larder-hello {{ default_type application/json; try_files /about.json =404; }}""")
        t.undo.append(self.nginx.end)
        server = NameServer({NAME: [("A", "127.0.0.1", 60)]})
        t.undo.append(server.stop)
        include = f"include {PRESETS}/{preset}.conf;" if preset else ""
        self.larder = t.larder(listen="forward office;", extra=f"resolver 127.0.0.1:{server.port};", sites=f"""
            forward office {{ acl {{ allow tests to loopback port 1-65535; }} {include} {block} }}""")
        self.proxy = f"http://127.0.0.1:{self.larder.port}"
        self.http, self.https = f"http://{NAME}:{self.nginx.port}", f"https://{NAME}:{self.tls_port}"

    def run(self, *words, env=None, fails=False):
        clean = {key: value for key, value in os.environ.items() if "proxy" not in key.lower() and
                 not key.upper().startswith(("PIP_", "NPM_", "GIT_"))}
        done = subprocess.run([str(word) for word in words], cwd=self.folder, capture_output=True, text=True, timeout=150,
                              preexec_fn=die_with_parent, stdin=subprocess.DEVNULL,
                              env={**clean, "HOME": self.folder, "PIP_CONFIG_FILE": "/dev/null", **(env or {})})
        assert fails or done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def asked(self):
        """Paths that nginx was asked for, since the last call. It writes one line after the other: behind that of a request
        of our own none is missing."""
        self.number += 1
        fetch(self.nginx.port, f"/last{self.number}")
        wait_for(lambda: f"/last{self.number} " in open(self.nginx.log, encoding="utf-8").read(), 20, "the log of nginx")
        with open(self.nginx.log, encoding="utf-8") as data:
            lines = data.read().splitlines()
        open(self.nginx.log, "w", encoding="utf-8").close()
        paths = [line.split('"')[1].split()[1] for line in lines]
        return [path for path in paths if not path.startswith("/last")]

    def tunnels(self, at_least=1):
        """Their lines in the log come at their ends."""
        wait_for(lambda: len([r for r in self.larder.access_records() if r["method"] == "CONNECT" and r["status"] == 200 and
                              r["host"] == f"{NAME}:{self.tls_port}"]) >= at_least, 20, "tunnels in the log")


def program(name):
    if shutil.which(name) is None:
        raise Skip(f"{name} is not installed")
    return name


@slow(60)
def test_curl_and_wget(t):
    program("wget")
    lab = Lab(t, {"page.html": b"<p>page</p>", "large.bin": os.urandom(3 << 20)})
    for url in (lab.http, lab.https):
        same(lab.run("curl", "-sS", "--cacert", lab.ca, "-x", lab.proxy, f"{url}/page.html"), "<p>page</p>")
        env = {"http_proxy": lab.proxy, "https_proxy": lab.proxy}
        lab.run("wget", "-q", "--ca-certificate", lab.ca, "-O", "got", f"{url}/large.bin", env=env)
        with open(os.path.join(lab.folder, "got"), "rb") as got, open(f"{lab.nginx.folder}/root/large.bin", "rb") as sent:
            same(got.read() == sent.read(), True, "the bytes")
    same(sorted(lab.asked()), ["/large.bin", "/large.bin", "/page.html", "/page.html"])
    lab.run("curl", "-sS", "-x", lab.proxy, f"{lab.http}/page.html")
    same(lab.asked(), [])
    lab.tunnels(2)


def deb(name, version, text):
    """A package with one file."""
    def tar(files):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for path, data in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return out.getvalue()

    def member(title, data):
        return f"{title:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@pkg.test>\nDescription: x\n"
    return b"!<arch>\n" + b"".join([member("debian-binary", b"2.0\n"), member("control.tar.gz", tar({"./control": control.encode()})),
                                    member("data.tar.gz", tar({f"./usr/share/{name}": text}))]), control


@slow(120)
def test_apt(t):
    program("apt-get")
    package, control = deb("larder-hello", "1.0", b"hello" * 10000)
    listed = (f"{control}Filename: ./pool/larder-hello_1.0_all.deb\nSize: {len(package)}\n"
              f"SHA256: {hashlib.sha256(package).hexdigest()}\n\n").encode()
    packed = gzip.compress(listed)
    sums = "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n"
                   for name, data in (("Packages", listed), ("Packages.gz", packed)))
    release = f"Origin: x\nLabel: x\nSuite: x\nDate: Thu, 26 Nov 2026 00:00:00 UTC\nSHA256:\n{sums}"
    lab = Lab(t, {"pool/larder-hello_1.0_all.deb": package, "Packages": listed, "Packages.gz": packed,
                  "Release": release.encode()}, "apt")
    for number, url in enumerate((lab.http, lab.http, lab.https)):
        root = os.path.join(lab.folder, f"apt{number}")
        for name in ("state/lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "etc/trusted.gpg.d"):
            os.makedirs(os.path.join(root, name))
        with open(os.path.join(root, "etc/sources.list"), "w", encoding="ascii") as out:
            out.write(f"deb [trusted=yes] {url} ./\n")
        open(os.path.join(root, "status"), "w", encoding="ascii").close()
        options = [word for pair in (("Dir::State", f"{root}/state"), ("Dir::State::status", f"{root}/status"),
                                     ("Dir::Cache", f"{root}/cache"), ("Dir::Etc", f"{root}/etc"),
                                     ("Dir::Etc::sourcelist", f"{root}/etc/sources.list"), ("Dir::Etc::sourceparts", "-"),
                                     ("Dir::Etc::main", "apt.conf"), ("APT::Sandbox::User", "root"),
                                     ("Debug::NoLocking", "1"), ("Acquire::Languages", "none"),
                                     ("Acquire::http::Proxy", lab.proxy), ("Acquire::https::Proxy", lab.proxy),
                                     ("Acquire::https::CaInfo", lab.ca), ("Acquire::Retries", "0"))
                   for word in ("-o", f"{pair[0]}={pair[1]}")]
        lab.run("apt-get", *options, "update", env={"APT_CONFIG": "/dev/null"})
        lab.run("apt-get", *options, "download", "larder-hello", env={"APT_CONFIG": "/dev/null"})
        path = os.path.join(lab.folder, "larder-hello_1.0_all.deb")
        with open(path, "rb") as got:
            same(got.read() == package, True, "the package")
        os.unlink(path)
        asked = lab.asked()
        same(any(path.endswith("/larder-hello_1.0_all.deb") for path in asked), number != 1, asked)
    lab.tunnels()
    hits = wait_for(lambda: [r for r in lab.larder.access_records() if r["path"].endswith(".deb") and r["result"] == "hit"], 10,
                    "the hit")
    same(len(hits), 1)


def tarball(name, version):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, data in {"package.json": json.dumps({"name": name, "version": version}), "index.js": "module.exports = 42;"}.items():
            info = tarfile.TarInfo(f"package/{path}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data.encode()))
    return out.getvalue()


@slow(180)
def test_npm(t):
    program("npm")
    package = tarball("larder-hello", "1.0.0")
    files = {"larder-hello/-/larder-hello-1.0.0.tgz": package}
    lab = Lab(t, files, "npm", "cache { default_ttl 0; }")
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    for number, url in enumerate((lab.http, lab.http, lab.https)):
        about = {"name": "larder-hello", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {
            "name": "larder-hello", "version": "1.0.0", "dist": {"tarball": f"{url}/larder-hello/-/larder-hello-1.0.0.tgz",
                                                                 "integrity": integrity}}}}
        with open(os.path.join(lab.nginx.folder, "root", "about.json"), "w", encoding="ascii") as out:
            json.dump(about, out)
        folder = os.path.join(lab.folder, f"npm{number}")
        os.makedirs(folder)
        with open(os.path.join(folder, "package.json"), "w", encoding="ascii") as out:
            out.write('{"name": "x", "version": "1.0.0"}')
        lab.run("npm", "install", "--prefix", folder, f"--cache={folder}/cache", "--no-audit", "--no-fund", "--loglevel=error",
                f"--proxy={lab.proxy}", f"--https-proxy={lab.proxy}", f"--cafile={lab.ca}",
                f"--registry={url}/", "larder-hello")
        with open(os.path.join(folder, "node_modules/larder-hello/index.js"), encoding="ascii") as got:
            same(got.read(), "module.exports = 42;")
        asked = lab.asked()
        same("/larder-hello/-/larder-hello-1.0.0.tgz" in asked, number != 1, asked)
    lab.tunnels()


def wheel(name, version):
    out = io.BytesIO()
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(f"{name}.py", "answer = 42\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return out.getvalue()


@slow(180)
def test_pip(t):
    package = wheel("larder_hello", "1.0")
    name = "larder_hello-1.0-py3-none-any.whl"
    page = f'<!doctype html><a href="/files/{name}#sha256={hashlib.sha256(package).hexdigest()}">{name}</a>'.encode()
    lab = Lab(t, {f"files/{name}": package, "simple/larder-hello/index.html": page}, "pip")
    python = shutil.which("python3", path="/usr/bin") or "python3"
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        raise Skip("pip is not installed")
    for number, url in enumerate((lab.http, lab.http, lab.https)):
        folder = os.path.join(lab.folder, f"pip{number}")
        lab.run(python, "-m", "pip", "download", "--disable-pip-version-check", "--no-cache-dir", "--no-deps", "-q", "-d", folder,
                "--proxy", lab.proxy, "--cert", lab.ca, "--trusted-host", NAME, "--index-url", f"{url}/simple/", "larder-hello")
        with open(os.path.join(folder, name), "rb") as got:
            same(got.read() == package, True, "the package")
        same(f"/files/{name}" in lab.asked(), number != 1)
    lab.tunnels()


@slow(120)
def test_git(t):
    program("git")
    lab = Lab(t, {"x": b""}, "git")
    work, bare = os.path.join(lab.folder, "work"), os.path.join(lab.nginx.folder, "root", "repo.git")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@pkg.test", "-c", "init.defaultBranch=main"]
    lab.run(*git, "init", "-q", work)
    with open(os.path.join(work, "file"), "wb") as out:
        out.write(os.urandom(200_000))
    lab.run(*git, "-C", work, "add", "file")
    lab.run(*git, "-C", work, "commit", "-q", "-m", "x")
    lab.run(*git, "clone", "-q", "--bare", work, bare)
    lab.run(*git, "-C", bare, "repack", "-q", "-a", "-d")
    lab.run(*git, "-C", bare, "update-server-info")
    head = lab.run(*git, "-C", work, "rev-parse", "HEAD")
    for number, url in enumerate((lab.http, lab.http, lab.https)):
        folder = os.path.join(lab.folder, f"clone{number}")
        lab.run(*git, "-c", f"http.proxy={lab.proxy}", "-c", f"http.sslCAInfo={lab.ca}", "clone", "-q", f"{url}/repo.git", folder)
        same(lab.run(*git, "-C", folder, "rev-parse", "HEAD"), head)
        packs = [path for path in lab.asked() if path.endswith(".pack")]
        same(len(packs), 0 if number == 1 else 1, packs)
    lab.tunnels()


def backend(folder):
    """git's own program behind a scripted origin: the protocol that hosting sites speak, with POST."""
    def behave(conn, request):
        path, _, query = request.target.partition("?")
        env = {"PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": folder, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
               "QUERY_STRING": query, "REQUEST_METHOD": request.method, "REMOTE_ADDR": "127.0.0.1", "REMOTE_USER": "x",
               "CONTENT_TYPE": request.get("Content-Type") or "", "HTTP_CONTENT_ENCODING": request.get("Content-Encoding") or "",
               "CONTENT_LENGTH": str(len(request.body)), "GIT_PROTOCOL": request.get("Git-Protocol") or ""}
        said = subprocess.run(["git", "http-backend"], input=request.body, capture_output=True, env=env, timeout=60,
                              check=True, preexec_fn=die_with_parent).stdout
        top, _, body = said.partition(b"\r\n\r\n")
        lines = [tuple(line.split(": ", 1)) for line in top.decode().split("\r\n")]
        status = int(dict(lines).get("Status", "200").split()[0])
        fields = [pair for pair in lines if pair[0] != "Status"]
        conn.send(head(status, fields + [("Content-Length", str(len(body)))]) + body)
    return behave


@slow(120)
def test_git_smart(t):
    """Clone, push and fetch: nothing of it may come from the cache once the repository has changed."""
    program("git")
    folder = os.path.join(t.folder, "hosted")
    os.makedirs(folder)
    lab = Lab(t, {"x": b""}, "git")
    origin = t.origin(default=backend(folder))
    url, by = f"http://{NAME}:{origin.port}/repo.git", ("-c", f"http.proxy={lab.proxy}")
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@pkg.test", "-c", "init.defaultBranch=main"]
    lab.run(*git, "init", "-q", "--bare", os.path.join(folder, "repo.git"))
    lab.run(*git, "-C", os.path.join(folder, "repo.git"), "config", "http.receivepack", "true")
    work, other = os.path.join(lab.folder, "work"), os.path.join(lab.folder, "other")
    lab.run(*git, "init", "-q", work)
    for number in range(2):
        with open(os.path.join(work, f"file{number}"), "wb") as out:
            out.write(os.urandom(3 << 20))  # more than git sends with a length
        lab.run(*git, "-C", work, "add", ".")
        lab.run(*git, "-C", work, "commit", "-q", "-m", str(number))
        lab.run(*git, *by, "-C", work, "push", "-q", url, "main")
        lab.run(*git, *by, *(("clone", "-q", url, other) if number == 0 else ("-C", other, "pull", "-q", "--ff-only")))
        same(lab.run(*git, "-C", other, "rev-parse", "HEAD"), lab.run(*git, "-C", work, "rev-parse", "HEAD"))
    assert any(r.method == "POST" and r.target.endswith("/git-receive-pack") for r in origin.requests)


@slow(120)
def test_chromium(t):
    style, page = b"p { color: rgb(1, 2, 3) }", b"<!doctype html><link rel=stylesheet href=/style.css><p>page"
    lab = Lab(t, {"page.html": page, "style.css": style, "favicon.ico": b""}, block="cache { client_revalidate off; }")
    for number, url in enumerate((lab.http, lab.http, lab.https)):
        t.folder, before = os.path.join(t.folder, f"run{number}"), t.folder
        os.makedirs(t.folder)
        browser = Browser(t, lab.larder.port)
        t.folder = before
        status, text = browser.visit(f"{url}/page.html")
        same((status, "page" in text), (200, True))
        browser.stop()
        asked = lab.asked()
        same("/style.css" in asked, number != 1, asked)
    lab.tunnels()
