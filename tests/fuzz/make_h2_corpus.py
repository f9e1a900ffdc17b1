#!/usr/bin/env python3
"""Writes the seeds of fuzz_h2 into corpus/h2: byte 0 what handlers do, byte 1 a seed, then steps."""
import os

PAUSES, CANCEL, BODIES, OTHERS, SHORT, REFUSALS, HEAD = (1 << n for n in range(7))
ACK = END = 1
END_HEADERS = 4
FILL, RAW, REPEAT, CLOSE, BREAK, TURN, START, STOP, RESUME, WAIT = (bytes([n]) for n in range(10, 20))


def frame(kind, flags, stream, payload=b""):
    return bytes([kind, flags, stream, len(payload)]) + payload


def block(*fields):
    return b"".join(b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields)


def head(stream, status, *fields, flags=END_HEADERS):
    return frame(1, flags, stream, block((b":status", status), *fields))


def data(stream, payload, flags=0):
    return frame(0, flags, stream, payload)


def settings(*pairs):
    return frame(4, 0, 0, b"".join(bytes([0, key]) + value.to_bytes(4, "big") for key, value in pairs))


def length(text):
    return b"content-length", text


HELLO = settings((3, 100)) + frame(4, ACK, 0)
FOUR = START * 4
seeds = {
    "length": (0, HELLO + head(1, b"200", length(b"5")) + data(1, b"hello", END)),
    "open_end": (PAUSES, HELLO + head(1, b"200", (b"etag", b"x")) + data(1, b"a" * 200) + RESUME + data(1, b"", END)),
    "bounds": (PAUSES, HELLO + head(1, b"200", length(b"6400")) + FILL + b"\x01\x64" + RESUME + data(1, b"", END)),
    "too_long": (0, HELLO + head(1, b"200", length(b"3")) + data(1, b"hello", END)),
    "interim": (CANCEL, HELLO + head(1, b"103", (b"link", b"</a>")) + head(1, b"204", flags=END_HEADERS | END)),
    "trailers": (0, HELLO + head(1, b"200") + data(1, b"body") + frame(1, END_HEADERS | END, 1, block((b"x-sum", b"1")))),
    "upper": (0, HELLO + head(1, b"200", (b"X-Upper", b"1"), flags=END_HEADERS | END)),
    "connection": (0, HELLO + head(1, b"200", (b"connection", b"close"), flags=END_HEADERS | END)),
    "indexed": (0, HELLO + frame(1, END_HEADERS | END, 1, b"\x88\x5c\x010\x40\x03x-a\x01b\xbe")),
    "continuation": (0, HELLO + frame(1, 0, 1, b"\x88") + frame(9, 0, 1, block((b"a", b"b"))) + frame(9, END_HEADERS, 1)
                     + data(1, b"x", END)),
    "padded": (0, HELLO + frame(1, 0x2c, 1, b"\x02\0\0\0\0\x10\x88\0\0") + frame(0, 9, 1, b"\x03abc\0\0\0")),
    "many": (PAUSES | OTHERS, FOUR + HELLO + b"".join(head(n, b"200") + data(n, b"x" * n) for n in (1, 3, 5, 7, 9)) + RESUME
             + b"".join(data(n, b"", END) for n in (9, 7, 5, 3, 1))),
    "refused": (OTHERS, FOUR + HELLO + WAIT + b"\x04" + frame(3, 0, 1, b"\0\0\0\x07") + frame(3, 0, 3, b"\0\0\0\x07")
                + WAIT + b"\x04" + head(5, b"200", flags=END_HEADERS | END)),
    "http11": (0, START + HELLO + frame(3, 0, 1, b"\0\0\0\x0d") + WAIT + b"\x04" + HELLO),
    "reset": (0, HELLO + head(1, b"200") + data(1, b"half") + frame(3, 0, 1, b"\0\0\0\x02")),
    "goaway": (OTHERS | PAUSES, FOUR + HELLO + WAIT + b"\x03" + frame(7, 0, 0, b"\0\0\0\x03\0\0\0\0") + head(1, b"200")
               + data(1, b"x", END) + WAIT + b"\x05" + HELLO + head(1, b"200", flags=END_HEADERS | END)),
    "few_streams": (0, FOUR + settings((3, 1)) + head(1, b"200", flags=END_HEADERS | END) + WAIT + b"\x08"
                    + settings((3, 0)) + head(3, b"200", flags=END_HEADERS | END)),
    "uploads": (BODIES | SHORT | PAUSES, FOUR + settings((4, 1000)) + WAIT + b"\x03" + frame(8, 0, 0, b"\0\x01\0\0")
                + frame(8, 0, 1, b"\0\x01\0\0") + RESUME + WAIT + b"\x08" + settings((4, 10)) + RESUME + settings((4, 100000))
                + RESUME + WAIT + b"\x08" + head(1, b"200", flags=END_HEADERS | END)),
    "early": (BODIES | SHORT, HELLO + head(1, b"413", flags=END_HEADERS | END) + frame(3, 0, 1, b"\0\0\0\0")),
    "pings": (0, HELLO + frame(6, 0, 0, b"12345678") + REPEAT + b"\xff"),
    "push": (0, HELLO + frame(5, END_HEADERS, 1, b"\0\0\0\x02\x82\x84\x87")),
    "window": (0, HELLO + frame(8, 0, 0, b"\x7f\xff\xff\xff") + frame(8, 0, 1, b"\0\0\0\0")),
    "big_window": (PAUSES, HELLO + head(1, b"200") + (FILL + b"\x01\xff") * 20 + RESUME + data(1, b"", END)),
    "cancels": (CANCEL | OTHERS, FOUR + HELLO + head(1, b"200") + data(1, b"x" * 50) + STOP + b"\x01" + head(3, b"200")
                + data(3, b"y", END) + STOP + b"\x03" + BREAK),
    "closes": (0, FOUR + CLOSE + WAIT + b"\x05" + HELLO + head(1, b"200") + CLOSE),
    "refusals": (REFUSALS | OTHERS, FOUR + HELLO + WAIT + b"\x03" + FOUR + RAW + b"\x05HTTP/"),
    "idle": (OTHERS, HELLO + head(1, b"200", flags=END_HEADERS | END) + WAIT + b"\x06" + START + WAIT + b"\x02"
             + head(3, b"200", flags=END_HEADERS | END) + WAIT + b"\x06" + CLOSE + START),
    "head": (HEAD, START * 3 + HELLO + b"".join(head(n, b"200", length(b"5"), flags=END_HEADERS | END) for n in (1, 3, 5))),
    "turns": (PAUSES, START + HELLO + frame(7, 0, 0, b"\0\0\0\x01\0\0\0\0") + START + WAIT + b"\x03" + HELLO + head(1, b"200")
              + TURN + b"\0" + head(1, b"200", flags=END_HEADERS | END) + TURN + b"\x01" + data(1, b"x", END)),
}

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus", "h2")
os.makedirs(folder, exist_ok=True)
for name, (how, steps) in seeds.items():
    with open(os.path.join(folder, name), "wb") as file:
        file.write(bytes([how, len(name)]) + steps)
