"""Debian's nginx as a real origin, master and worker: to stop, kill, hang and start."""
import os
import shutil
import signal
import subprocess

from client import Client, wait_for
from larder import die_with_parent, free_port


def program():
    """Its path, or None."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


class Nginx:
    """Serves {path: bytes} from a folder; locations: more of the server block. Keeps its port over all starts."""

    def __init__(self, folder, files, locations=""):
        self.folder, self.port = folder, free_port()
        self.log, self.config = os.path.join(folder, "access.log"), os.path.join(folder, "nginx.conf")
        self.process = None
        os.makedirs(folder, exist_ok=True)
        for name, data in files.items():
            path = os.path.join(folder, "root", name.lstrip("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as out:
                out.write(data)
        user = "user root;" if os.geteuid() == 0 else ""
        temp = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi",
                                                                          "scgi"))
        with open(self.config, "w", encoding="ascii") as out:
            out.write(f"""daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{ worker_connections 1024; }}
http {{ access_log {self.log}; {temp} types {{ text/html html; text/css css; image/svg+xml svg; }}
  server {{ listen 127.0.0.1:{self.port}; root {folder}/root; expires 1h; {locations} }} }}
""")
        self.start()

    def start(self):
        self.process = subprocess.Popen([program(), "-p", self.folder, "-c", self.config], stdin=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

        def serves():
            try:
                Client(self.port).close()
            except OSError:
                return False
            return self.workers()  # the master listens before it has them
        wait_for(serves, 20, "nginx")

    def workers(self):
        """Their process ids."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as data:
            return [int(word) for word in data.read().split()]

    def signal(self, number):
        """To the master and its workers, in this order: it starts no new ones."""
        for one in [self.process.pid, *self.workers()]:
            os.kill(one, number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait(30)

    def stop(self):
        """As an operator does it."""
        subprocess.run([program(), "-p", self.folder, "-c", self.config, "-s", "stop"], check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process.wait(30)

    def end(self):
        if self.process.poll() is None:
            self.kill()
