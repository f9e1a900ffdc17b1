"""Debian's Chromium behind a proxy, told what to do by its DevTools protocol; a name and a password for the proxy are given
when the browser asks for them, as a person would."""
import json
import os
import shutil
import subprocess
import time

import websocket
from case import Skip, die_with_parent, wait_for
from client import PATIENCE, Client

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-dev-shm-usage",
         "--ignore-certificate-errors", "--remote-debugging-port=0", "--proxy-bypass-list=<-loopback>"]


class Browser:
    """login: (name, password) for the proxy; None: the browser's question is cancelled."""

    def __init__(self, t, proxy_port, login=None):
        program = shutil.which("chromium") or shutil.which("google-chrome")
        if program is None:
            raise Skip("chromium is not installed")
        self.login, self.asked, self.number, self.events = login, [], 0, []
        self.folder = os.path.join(t.folder, "browser")
        os.makedirs(self.folder)
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(
            [program, *FLAGS, f"--proxy-server=http://127.0.0.1:{proxy_port}", f"--user-data-dir={self.folder}/profile",
             "about:blank"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=die_with_parent)
        t.undo.append(self.stop)
        path = os.path.join(self.folder, "profile", "DevToolsActivePort")
        lines = wait_for(lambda: os.path.exists(path) and open(path, encoding="ascii").read().split()[1:] and
                         open(path, encoding="ascii").read().split(), 40, "the browser's start")
        self.client = Client(int(lines[0]), timeout=60)
        response, self.peer = websocket.connect(self.client, lines[1], host=f"127.0.0.1:{lines[0]}")
        assert response.status == 101, response.raw_head
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.command("Page.enable")
        self.command("Network.enable")
        self.command("Network.setCacheDisabled", cacheDisabled=True)
        self.command("Fetch.enable", handleAuthRequests=True)

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.log.close()

    def send(self, method, **words):
        self.number += 1
        message = {"id": self.number, "method": method, "params": words}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        self.peer.send(json.dumps(message).encode())
        return self.number

    def turn(self):
        """One message of the browser; its questions are answered here."""
        message = json.loads(self.peer.receive()[1])
        words = message.get("params", {})
        if message.get("method") == "Fetch.requestPaused":
            self.send("Fetch.continueRequest", requestId=words["requestId"])
        elif message.get("method") == "Fetch.authRequired":
            challenge = words["authChallenge"]
            self.asked.append((challenge["source"], challenge["scheme"], challenge["realm"]))
            answer = {"response": "CancelAuth"}
            if self.login and len(self.asked) < 4:
                answer = {"response": "ProvideCredentials", "username": self.login[0], "password": self.login[1]}
            self.send("Fetch.continueWithAuth", requestId=words["requestId"], authChallengeResponse=answer)
        else:
            self.events.append(message)
        return message

    def command(self, method, **words):
        number = self.send(method, **words)
        while True:
            message = self.turn()
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]

    def visit(self, url, limit_s=40):
        """The status of the page and what stands on it; status None: the browser's own error page."""
        self.events = []
        error = self.command("Page.navigate", url=url).get("errorText")
        until = time.monotonic() + limit_s * PATIENCE
        while not any(e.get("method") == "Page.loadEventFired" for e in self.events):
            assert time.monotonic() < until, self.events[-5:]
            self.turn()
        found = [e["params"]["response"] for e in self.events if e.get("method") == "Network.responseReceived" and
                 e["params"]["type"] == "Document"]
        text = self.command("Runtime.evaluate", expression="document.documentElement.innerText")["result"]["value"]
        return (found[-1]["status"] if found and not error else None), text
