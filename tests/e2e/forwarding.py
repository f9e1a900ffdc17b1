"""A daemon with a forward proxy that tells, hides or logs as a test wants, and requests of it."""
from case import fetch, free_port

# Loopback origins on any port, which nobody is allowed by default.
ACL = "acl { allow tests to loopback private public port 1-65535; }"


def proxy(t, settings="", sites=None, **words):
    """Its port is .proxy; .write(settings) changes its settings, .larder.command("reload") tells it so."""
    port = free_port()
    larder = t.larder(start=False, sites=sites, **words)
    larder.proxy = port

    def write(settings, extra="", **changes):
        larder.write_config(extra=f"""listen 127.0.0.1:{port} {{ forward office; }}
forward office {{ {ACL} {settings} }}
{extra}""", **changes)
    larder.write = write
    write(settings)
    return larder.start()


def ask(larder, origin, path, method="GET", source="127.0.0.3", **words):
    """One request of the proxy, for this origin."""
    host = f"127.0.0.1:{origin.port}"
    return fetch(larder.proxy, f"http://{host}{path}", method, host=host, source=source, **words)
