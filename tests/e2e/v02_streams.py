"""Server-sent events and long polls: every event at once, nobody waits for another's stream, time limits by rule."""
import threading

from case import Closed, head, reply, same, settle, slow, wait_for

EVENTS = ("Content-Type", "text/event-stream")


class Stream:
    """An origin's endless stream: says what `say` is given, one event after the other, to whoever listens."""

    def __init__(self, fields=(), chunked=True, hold_head=None):
        self.fields, self.chunked, self.hold_head = list(fields), chunked, hold_head
        self.conns, self.dropped = [], 0
        self.lock = threading.Lock()

    def frame(self, data):
        return b"%x\r\n%s\r\n" % (len(data), data) if self.chunked else data

    def __call__(self, conn, _request):
        with self.lock:
            self.conns.append(conn)
            number = len(self.conns)
        if self.hold_head is not None:
            self.hold_head.wait(60)
        framing = [("Transfer-Encoding", "chunked")] if self.chunked else [("Connection", "close")]
        conn.send(head(200, [EVENTS, *self.fields, *framing]) + self.frame(b"data: hello %d\n\n" % number))
        conn.keep = False
        if conn.is_dropped(60):
            with self.lock:
                self.dropped += 1

    def say(self, text, number=1):
        self.conns[number - 1].send(self.frame(b"data: %s\n\n" % text))


def listen(client, target="/events", headers=()):
    client.request(target, headers=[("Accept-Encoding", "gzip, br"), *headers])
    response = client.read_head()
    same((response.status, response.get("Content-Type"), response.get("Content-Encoding")), (200, EVENTS[1], None))
    return response


def hears(client, text):
    """The client gets this event, which is not to wait for anything else."""
    while text not in client.buffer:
        assert client.fill(), f"the stream ended before {text!r}: {client.buffer!r}"
    client.buffer = client.buffer[client.buffer.index(text) + len(text):]


def check_each_event_at_once(t, cache, chunked):
    stream = Stream([("Cache-Control", cache)] if cache else [], chunked)
    larder = t.larder(t.origin({"/events": stream}), timeouts="connect=2s first_byte=5s idle=30s", site="compress gzip brotli; compress_min 1;")
    with larder.client() as client:
        response = listen(client)
        same(response.get("Transfer-Encoding"), "chunked")
        hears(client, b"data: hello 1\n\n")
        for number in range(5):
            stream.say(b"event %d" % number)  # only once the one before has been heard
            hears(client, b"data: event %d\n\n" % number)
    wait_for(lambda: stream.dropped == 1, 8, "the end of the origin's side")


def test_at_once_chunked(t):
    check_each_event_at_once(t, None, True)


def test_at_once_chunked_no_cache(t):
    check_each_event_at_once(t, "no-cache", True)


def test_at_once_chunked_cacheable(t):
    check_each_event_at_once(t, "max-age=60", True)


def test_at_once_until_close(t):
    check_each_event_at_once(t, None, False)


def test_at_once_until_close_cacheable(t):
    check_each_event_at_once(t, "public, max-age=60", False)


def test_at_once_http10(t):
    stream = Stream()
    larder = t.larder(t.origin({"/events": stream}))
    with larder.client() as client:
        client.request("/events", version="HTTP/1.0")
        response = client.read_head()
        same(response.get("Transfer-Encoding"), None)
        hears(client, b"data: hello 1\n\n")
        stream.say(b"next")
        same(client.socket.recv(100), b"data: next\n\n")


def test_each_listener_has_a_stream_of_its_own(t):
    """Also where Cache-Control would allow one for all: who comes later starts now, not at the other's beginning."""
    stream = Stream([("Cache-Control", "max-age=60")])
    larder = t.larder(t.origin({"/events": stream}), timeouts="connect=2s first_byte=5s idle=30s")
    with larder.client() as first, larder.client() as second, larder.client() as third:
        listen(first)
        hears(first, b"data: hello 1\n\n")
        stream.say(b"long ago")
        hears(first, b"data: long ago\n\n")
        for number, client in ((2, second), (3, third)):
            response = listen(client)
            hears(client, b"data: hello %d\n\n" % number)
            assert "stored" not in response.cache_status, response.cache_status
            stream.say(b"for %d" % number, number)
            hears(client, b"data: for %d\n\n" % number)
        stream.say(b"still", 1)
        hears(first, b"data: still\n\n")
    wait_for(lambda: stream.dropped == 3, 8, "the ends of the origin's sides")
    assert larder.metrics()['larder_not_stored_total{reason="stream"}'] >= 1


def test_an_event_source_does_not_wait_for_anothers_head(t):
    """The origin is slow to begin; a client that asks for events is not lined up behind the first one."""
    gate = threading.Event()
    stream = Stream([("Cache-Control", "max-age=60")], hold_head=gate)
    origin = t.origin({"/events": stream})
    larder = t.larder(origin)
    with larder.client() as first, larder.client() as second:
        for number, client in enumerate((first, second)):
            client.request("/events", headers=[("Accept", "text/event-stream")])
            wait_for(lambda: origin.count("/events") == number + 1, 5, f"request {number + 1} at the origin")
        gate.set()
        for client in (first, second):
            same(client.read_head().status, 200)
            hears(client, b"data: hello ")


def test_one_client_leaving_does_not_touch_the_others(t):
    stream = Stream()
    larder = t.larder(t.origin({"/events": stream}), timeouts="connect=2s first_byte=5s idle=30s")
    with larder.client() as stays:
        listen(stays)
        with larder.client() as leaves:
            listen(leaves)
            hears(leaves, b"hello 2")
        wait_for(lambda: stream.dropped == 1, 8, "the end of the origin's side")
        stream.say(b"you", 1)
        hears(stays, b"hello 1")
        hears(stays, b"data: you\n\n")


def check_silence(t, site, lives):
    """Is a stream that says nothing for three seconds still there?"""
    stream = Stream()
    larder = t.larder(t.origin({"/events": stream}), site=site, timeouts="connect=5s first_byte=20s idle=1s")
    with larder.client() as client:
        listen(client)
        hears(client, b"hello 1")
        settle(3)
        if lives:
            stream.say(b"late")
            hears(client, b"data: late\n\n")
        else:
            client.buffer = b""
            while client.fill():
                pass
            assert b"0\r\n\r\n" not in client.buffer, "the cut stream looks whole"


def test_silence_is_cut(t):
    check_silence(t, "", False)


def test_silence_allowed_by_path(t):
    check_silence(t, "rule path /events { timeout idle=1m; }", True)


def test_silence_allowed_by_type(t):
    check_silence(t, "rule type text/event-stream { timeout idle=1m; }", True)


def test_silence_not_allowed_for_others(t):
    check_silence(t, "rule path /other { timeout idle=1m; } rule type text/html { timeout idle=1m; }", False)


def test_total_by_rule(t):
    """A bound for whole answers does not end a stream that a rule allows for."""
    for rule, lives in (("", False), ("rule path /events { timeout total=1h; }", True)):
        stream = Stream()
        larder = t.larder(t.origin({"/events": stream}), site=rule, timeouts="connect=5s first_byte=20s idle=20s total=4s")
        with larder.client() as client:
            listen(client)
            ended = False
            try:
                for number in range(20):
                    settle(0.25)
                    stream.say(b"tick %d" % number)
                    hears(client, b"tick %d" % number)
            except (AssertionError, Closed):
                ended = True
            same(ended, not lives, rule)


def test_long_poll(t):
    """An answer that comes late: where a rule is patient, and for each client by itself."""
    gate = threading.Event()

    def poll(conn, request):
        gate.wait(60)
        reply("news", cache="no-store")(conn, request)
    origin = t.origin({"/poll": poll, "/slow": poll})
    larder = t.larder(origin, site="rule path /poll { pass; timeout first_byte=1m; }",
                      timeouts="connect=5s first_byte=1s idle=20s")
    clients = [larder.client() for _ in range(3)]
    for client in clients:
        client.request("/poll")
    wait_for(lambda: origin.count("/poll") == 3, 5, "three polls at the origin")
    same(larder.fetch("/slow").status, 504)
    settle(0.5)
    gate.set()
    for client in clients:
        response = client.read_response()
        same((response.status, response.body), (200, b"news"))
        client.close()


def test_long_poll_that_is_given_up(t):
    """Who leaves before the answer frees the origin's side soon."""
    dropped = []

    def poll(conn, _request):
        dropped.append(conn.is_dropped(40))
        conn.keep = False
    origin = t.origin({"/poll": poll})
    larder = t.larder(origin, site="rule path /poll { pass; timeout first_byte=1m; }")
    with larder.client() as client:
        client.request("/poll")
        wait_for(lambda: origin.count("/poll") == 1, 5, "the poll at the origin")
    same(wait_for(lambda: dropped, 8, "the end of the origin's side"), [True])


@slow(120)
def test_ten_thousand_events(t):
    """In order, none lost, none twice, in bounded memory, to a client that is slow at times; then the origin ends."""
    count = 10000
    pad = b"x" * 2000

    def burst(conn, _request):
        conn.send(head(200, [EVENTS, ("Cache-Control", "max-age=60"), ("Transfer-Encoding", "chunked")]))
        for number in range(count):
            data = b"id: %d\ndata: %s\n\n" % (number, pad)
            conn.send(b"%x\r\n%s\r\n" % (len(data), data))
        conn.send(b"0\r\n\r\n")
    larder = t.larder(t.origin({"/events": burst}), memory="64M")
    larder.fetch("/absent")
    before = larder.rss_bytes()
    with larder.client(receive_buffer=65536, timeout=30) as client:
        response = listen(client)
        settle(1)
        grown = larder.rss_bytes() - before
        client.read_body(response)
        assert response.complete
        if not larder.is_sanitized():  # which keeps for a while what was given back
            grown = max(grown, larder.rss_bytes() - before)
    ids = [int(line[4:]) for line in response.body.split(b"\n") if line.startswith(b"id: ")]
    same(ids == list(range(count)), True, f"{len(ids)} events")
    assert grown < 16 << 20, f"memory grew by {grown >> 20} MB for a stream of {len(response.body) >> 20} MB"
