"""Certificates made on the spot with openssl's command line, and the scripted origin behind TLS."""
import os
import shutil
import ssl
import subprocess

from case import Skip, die_with_parent, free_port, wait_for
from client import Client
from origin import Origin


def run(folder, *words):
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, preexec_fn=die_with_parent)
    assert done.returncode == 0, (words, done.stderr)


class Authority:
    """A CA in a folder of its own."""

    def __init__(self, t, name="ca"):
        self.folder = os.path.join(t.folder, "tls-" + name)
        os.makedirs(self.folder)
        self.made = 0
        run(self.folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            "ca.key", "-out", "ca.pem", "-subj", f"/CN={name}", "-days", "10")
        self.path = os.path.join(self.folder, "ca.pem")

    def issue(self, names, days=10):
        """(certificate, key): paths of PEM files. names: as of subjectAltName."""
        self.made += 1
        stem = f"leaf{self.made}"
        run(self.folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            f"{stem}.key", "-out", f"{stem}.csr", "-subj", f"/CN={stem}")
        with open(os.path.join(self.folder, f"{stem}.ext"), "w", encoding="ascii") as out:
            out.write(f"subjectAltName={names}\n")
        run(self.folder, "x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", str(days), "-extfile", f"{stem}.ext", "-out", f"{stem}.pem")
        return tuple(os.path.join(self.folder, f"{stem}.{kind}") for kind in ("pem", "key"))


def log_lines(path, count):
    """Of an nginx, once there are so many: it writes each when its answer has been sent."""
    def there():
        with open(path, encoding="ascii") as lines:
            found = lines.read().splitlines()
        return found if len(found) >= count else None
    return wait_for(there, 10, f"{count} lines of nginx")


class TlsOrigin(Origin):
    """An Origin that speaks HTTP/1 over TLS. pair: of Authority.issue; demands: path of a CA for clients."""

    def __init__(self, t, pair, routes=None, demands=None, alpn=("http/1.1",), **words):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*pair)
        self.context.set_alpn_protocols(list(alpn))
        if demands:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(demands)
        self.context.sni_callback = self.on_name
        self.names, self.failures, self.resumed, self.peers = [], [], 0, []
        super().__init__(routes, **words)
        t.origins.append(self)

    def on_name(self, _socket, name, _context):
        self.names.append(name)

    def serve(self, conn):
        plain = conn.socket
        try:
            plain.settimeout(60)
            conn.socket = self.context.wrap_socket(plain, server_side=True)
            conn.socket.settimeout(None)
        except OSError as error:
            self.failures.append(error)
            plain.close()
            return
        with self.lock:
            self.live.discard(plain)
            self.live.add(conn.socket)
            self.resumed += conn.socket.session_reused
            self.peers.append(conn.socket.getpeercert())
        super().serve(conn)


def nginx(t, pair, files, http2=True, extra=""):
    """Debian's nginx with TLS: {path: bytes}. Returns its port and the path of its log: one line
    "connection requests-on-it protocol status uri" a request."""
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise Skip("nginx is not installed")
    port = free_port()
    folder = os.path.join(t.folder, f"nginx-tls-{port}")
    os.makedirs(os.path.join(folder, "root"))
    for name, data in files.items():
        with open(os.path.join(folder, "root", name.lstrip("/")), "wb") as out:
            out.write(data)
    temp = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.geteuid() == 0 else ""
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as out:
        out.write(f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 1024; }}
http {{ log_format one '$connection $connection_requests $server_protocol $status $uri';
  access_log {folder}/access.log one; {temp} client_max_body_size 100m;
  server {{ listen 127.0.0.1:{port} ssl{' http2' if http2 else ''}; root {folder}/root; expires 1h;
    ssl_certificate {pair[0]}; ssl_certificate_key {pair[1]};
    location /echo/ {{ proxy_pass http://127.0.0.1:$http_x_port; proxy_request_buffering off; }} {extra} }} }}
""")
    process = subprocess.Popen([program, "-p", folder, "-c", os.path.join(folder, "nginx.conf")],
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)
    t.undo.append(lambda: (process.terminate(), process.wait(60)))

    def listens():
        try:
            Client(port).close()
            return True
        except OSError:
            return False
    wait_for(listens, 10, "nginx")
    return port, os.path.join(folder, "access.log")


def site(port, tls, more="", host="127.0.0.1", timeouts="connect=10s first_byte=20s idle=20s"):
    """The sites of a configuration whose only origin speaks TLS."""
    return f"""site * {{ origins {{ server main https://{host}:{port}; timeout {timeouts};
  {f'tls {tls};' if tls else ''} {more} }} cache {{ purge from 127.0.0.1; }} }}"""
