"""Requests of every awkward shape, what the router does with each, and where the shape is from.

Sources: RFC 9110 and 9112 by section; `smuggler` (github.com/defparam/smuggler), `http-garden`
(github.com/narfindustries), PortSwigger's desync research, h2csmuggler (github.com/BishopFox): their shapes, our words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

HOST = b"Host: shop.test\r\n"
SECOND = b"GET /second HTTP/1.1\r\nHost: shop.test\r\n\r\n"
REFUSED, PASSED, NEITHER = "refused", "passed on", "either"
Verdict = Literal["refused", "passed on", "either"]


@dataclass(frozen=True, slots=True)
class Case:
    """One shape."""

    name: str
    request: bytes
    source: str
    verdict: Verdict
    """`refused`: 4xx or 5xx, and the application hears nothing of it. `passed on`: as one whole request, framed anew.
    `either`: both are allowed, and the application must hear as many requests as the client gets answers."""
    path: str = ""
    """That the application hears, when it is passed on and not `/`."""
    answered: int = 1
    """How many answers there are, when it is passed on."""


def _post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST / HTTP/1.1\r\n" + HOST + headers + b"\r\n" + body


def _get(headers: bytes = b"", target: bytes = b"/", version: bytes = b"HTTP/1.1", host: bytes = HOST) -> bytes:
    return b"GET " + target + b" " + version + b"\r\n" + host + headers + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"0\r\n\r\n"

FRAMING = (
    Case("length and chunked together", _post(b"Content-Length: 6\r\n" + CHUNKED, END + SECOND), "9112 6.1; CL.TE",
         REFUSED),
    Case("chunked and length together", _post(CHUNKED + b"Content-Length: 4\r\n", b"1\r\nZ\r\nQ"), "9112 6.1; TE.CL",
         REFUSED),
    Case("two lengths that differ", _post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello!"), "9112 6.3",
         REFUSED),
    Case("one length twice", _post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"), "9112 6.3", REFUSED),
    Case("a list of lengths", _post(b"Content-Length: 5, 5\r\n", b"hello"), "9112 6.3", REFUSED),
    Case("a length with a sign", _post(b"Content-Length: +5\r\n", b"hello"), "9110 8.6; http-garden", REFUSED),
    Case("a negative length", _post(b"Content-Length: -1\r\n", b"hello"), "9110 8.6", REFUSED),
    Case("a hexadecimal length", _post(b"Content-Length: 0x5\r\n", b"hello"), "9110 8.6; http-garden", REFUSED),
    Case("a length beyond 64 bits", _post(b"Content-Length: 99999999999999999999\r\n"), "9110 8.6", REFUSED),
    Case("an empty length", _post(b"Content-Length: \r\n", b""), "9110 8.6", REFUSED),
    Case("a coding that is not known", _post(b"Transfer-Encoding: xchunked\r\n", END), "9112 6.1; smuggler", REFUSED),
    Case("a space before the colon", _post(b"Transfer-Encoding : chunked\r\n", END), "9112 5.1; smuggler", REFUSED),
    Case("a vertical tab before chunked", _post(b"Transfer-Encoding: \x0bchunked\r\n", END), "smuggler", REFUSED),
    Case("chunked and then identity", _post(b"Transfer-Encoding: chunked, identity\r\n", END), "9112 6.1; smuggler",
         REFUSED),
    Case("identity and then chunked", _post(b"Transfer-Encoding: identity, chunked\r\n", END), "9112 6.1; smuggler",
         REFUSED),
    Case("chunked twice", _post(CHUNKED + CHUNKED, END), "9112 6.1; http-garden", REFUSED),
    Case("chunked and another coding, in two lines", _post(CHUNKED + b"Transfer-Encoding: x\r\n", END), "smuggler",
         REFUSED),
    Case("chunked in capitals", _post(b"Transfer-Encoding: CHUNKED\r\n", b"5\r\nhello\r\n" + END), "9112 7", PASSED),
    Case("chunked in HTTP/1.0", b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + END, "9112 6.1", REFUSED),
    Case("an underscore instead of the hyphen", _post(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", END),
         "smuggler", PASSED),
    Case("extensions of chunks", _post(CHUNKED, b"5;a=b\r\nhello\r\n" + END), "9112 7.1.1", PASSED),
    Case("a chunk size that is no number", _post(CHUNKED, b"5x\r\nhello\r\n" + END), "9112 7.1", REFUSED),
    Case("a chunk size with a sign", _post(CHUNKED, b"+5\r\nhello\r\n" + END), "9112 7.1; http-garden", REFUSED),
    Case("a chunk size with 0x", _post(CHUNKED, b"0x5\r\nhello\r\n" + END), "http-garden", REFUSED),
    Case("a chunk size beyond 64 bits", _post(CHUNKED, b"fffffffffffffffff\r\nhello\r\n" + END), "9112 7.1", REFUSED),
    Case("a chunk that is longer than it says", _post(CHUNKED, b"3\r\nhello\r\n" + END), "9112 7.1", REFUSED),
    Case("trailers", _post(CHUNKED, b"5\r\nhello\r\n0\r\nX-Client-IP: 1.2.3.4\r\n\r\n"), "9112 7.1.2", PASSED),
    Case("a chunk size with an underscore", _post(CHUNKED, b"0_5\r\nhello\r\n" + END), "http-garden", REFUSED),
    Case("an empty chunk size", _post(CHUNKED, b"\r\n\r\n"), "http-garden", REFUSED),
    Case("a length with an underscore", _post(b"Content-Length: 1_0\r\n", b"0123456789"), "http-garden", REFUSED),
    Case("a carriage return before an extension of a chunk", _post(CHUNKED, b"5\r\r;a\r\nhello\r\n" + END),
         "http-garden", NEITHER),
    Case("a tab before the first header", b"GET / HTTP/1.1\r\n\tContent-Length: 5\r\n" + HOST + b"\r\nhello",
         "http-garden", NEITHER),
    Case("chunks that end in a bare line feed", _post(CHUNKED, b"5\nhello\r\n" + END), "9112 2.2; http-garden",
         NEITHER),
    Case("a body without a length", _post(b"", SECOND), "9112 6.3", PASSED, answered=2),
    Case("a GET with a body", _get(b"Content-Length: 5\r\n") + b"hello", "9110 9.3.1", PASSED),
    Case("two requests at once", _get() + SECOND, "9112 9.3.2", PASSED, answered=2),
)

HEADS = (
    Case("no Host", _get(host=b""), "9112 3.2", REFUSED),
    Case("two Hosts", _get(b"Host: other.test\r\n"), "9112 3.2", REFUSED),
    Case("one Host twice", _get(HOST), "9112 3.2", REFUSED),
    Case("an empty Host", _get(host=b"Host: \r\n"), "9112 3.2", REFUSED),
    Case("a Host with a space", _get(host=b"Host: shop.test other.test\r\n"), "9112 3.2", REFUSED),
    Case("a Host with a path", _get(host=b"Host: shop.test/x\r\n"), "9112 3.2", REFUSED),
    Case("a Host with a NUL", _get(host=b"Host: shop\0.test\r\n"), "9110 5.5", REFUSED),
    Case("a Host with a user", _get(host=b"Host: shop.test@other.test\r\n"), "9110 4.2.4", REFUSED),
    Case("another host in the target", _get(target=b"http://other.test/"), "9112 3.2.2", REFUSED),
    Case("the same host in the target", _get(target=b"http://shop.test/x"), "9112 3.2.2", PASSED, path="/x"),
    Case("a NUL in a value", _get(b"X-A: a\0b\r\n"), "9110 5.5", REFUSED),
    Case("a bare carriage return in a value", _get(b"X-A: a\rX-Client-IP: 1.2.3.4\r\n"), "9112 2.2", NEITHER),
    Case("a bare line feed after a line", _get(b"X-A: a\nX-Client-IP: 1.2.3.4\r\n"), "9112 2.2", PASSED),
    Case("a folded line", _get(b"X-A: a\r\n b\r\n"), "9112 5.2", NEITHER),
    Case("a line without a colon", _get(b"X-A\r\n"), "9112 5", NEITHER),
    Case("a header without a name", _get(b": a\r\n"), "9112 5", NEITHER),
    Case("a header of 20 kB", _get(b"X-A: " + b"a" * 20_000 + b"\r\n"), "9110 5.4", REFUSED),
    Case("headers of 100 kB", _get(b"".join(b"X-%d: %s\r\n" % (i, b"a" * 990) for i in range(100))), "9110 5.4",
         REFUSED),
    Case("ten thousand headers", _get(b"".join(b"X-%d: a\r\n" % i for i in range(10_000))), "9110 5.4", REFUSED),
    Case("a method in small letters", _get().replace(b"GET", b"get", 1), "9110 9.1", REFUSED),
    Case("two spaces in the first line", _get(target=b" /"), "9112 3", NEITHER),
    Case("HTTP/1.2", _get(version=b"HTTP/1.2"), "9110 2.5", NEITHER),
    Case("HTTP/3.0 in HTTP/1.1's clothes", _get(version=b"HTTP/3.0"), "9110 2.5", REFUSED),
    Case("HTTP/0.9", b"GET /\r\n", "9112 B", NEITHER),
    Case("CONNECT", b"CONNECT shop.test:80 HTTP/1.1\r\n" + HOST + b"\r\n", "9110 9.3.6", REFUSED),
    Case("TRACE", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", "9110 9.3.8", REFUSED),
    Case("a target of 20 kB", _get(target=b"/" + b"a" * 20_000), "9110 4.1", REFUSED),
    Case("a target without a slash", _get(target=b"x"), "9112 3.2", REFUSED),
    Case("a NUL in the target", _get(target=b"/a\0b"), "9112 3.2", REFUSED),
    Case("an encoded NUL in the target", _get(target=b"/a%00b"), "3986 7.3", REFUSED),
    Case("half an escape in the target", _get(target=b"/a%2"), "9110 4.2", NEITHER),
    Case("a path that leaves the root", _get(target=b"/../../etc/passwd"), "3986 5.2.4", REFUSED),
    Case("headers of ours named as hop-by-hop", _get(b"Connection: close, X-Client-IP, X-Forwarded-For\r\n"),
         "9110 7.6.1; hop-by-hop abuse", PASSED),
    Case("an upgrade to HTTP/2 without TLS",
         _get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"),
         "h2csmuggler", PASSED),
)

CASES = FRAMING + HEADS


def spellings() -> list[bytes]:
    """Transfer-Encoding as `smuggler` spells it so that one side believes it and the other does not."""
    odd = [bytes([number]) for number in (*range(1, 0x20), *range(0x7F, 0x100))]
    return [
        *(b"Transfer-Encoding:" + one + b"chunked" for one in odd),
        *(b"Transfer-Encoding" + one + b": chunked" for one in odd),
        *(one + b"Transfer-Encoding: chunked" for one in odd),
        *(b"Transfer-Encoding: chunked" + one for one in odd),
        b" Transfer-Encoding: chunked", b"Transfer Encoding: chunked", b"Transfer_Encoding: chunked",
        b"Transfer-Encoding: chunked, cow", b"Transfer-Encoding: cow, chunked", b"Transfer-Encoding: cow chunked bar",
        b"Transfer-Encoding:\n chunked", b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: 'chunked'",
        b"Transfer-Encoding: chunk", b"TrAnSFer-EnCODinG: cHuNkeD", b"Transfer\r-Encoding: chunked",
        b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked", b"X: X\rTransfer-Encoding: chunked",
        b"X: X\nTransfer-Encoding: chunked",
    ]


def spelled(line: bytes) -> bytes:
    """A request with that line and a length beside it."""
    return _post(b"Connection: close\r\n" + line + b"\r\nContent-Length: 5\r\n", END)


@dataclass(frozen=True, slots=True)
class Stream:
    """A shape of HTTP/2: the headers of one stream, and its body."""

    name: str
    headers: tuple[tuple[bytes, bytes], ...]
    source: str
    verdict: Verdict
    body: bytes = b""


def _stream(*more: tuple[bytes, bytes], method: bytes = b"GET", path: bytes = b"/") -> tuple[tuple[bytes, bytes], ...]:
    return ((b":method", method), (b":scheme", b"https"), (b":authority", b"shop.test"), (b":path", path), *more)


STREAMS = (
    Stream("HTTP/2: a usual stream", _stream((b"x-a", b"b")), "9113 8.3", PASSED),
    Stream("HTTP/2: a chunked body", _stream((b"transfer-encoding", b"chunked"), method=b"POST"), "9113 8.2.2; H2.TE",
           NEITHER, END + SECOND),
    Stream("HTTP/2: a length that is too small", _stream((b"content-length", b"1"), method=b"POST"),
           "9113 8.1.1; H2.CL", REFUSED, b"x" + SECOND),
    Stream("HTTP/2: a length that is too large", _stream((b"content-length", b"100"), method=b"POST"), "9113 8.1.1",
           REFUSED, b"x"),
    Stream("HTTP/2: a line end in a value", _stream((b"x-a", b"b\r\nx-client-ip: 1.2.3.4")), "9113 8.2.1", REFUSED),
    Stream("HTTP/2: a line end in a name", _stream((b"x-a: b\r\nx-c", b"d")), "9113 8.2.1", REFUSED),
    Stream("HTTP/2: a line end in the path", _stream(path=b"/ HTTP/1.1\r\nHost: other.test\r\nX: "), "9113 8.2.1",
           REFUSED),
    Stream("HTTP/2: a space in the path", _stream(path=b"/ HTTP/1.1"), "9113 8.3.1", NEITHER),
    Stream("HTTP/2: a NUL in a value", _stream((b"x-a", b"b\0c")), "9113 8.2.1", REFUSED),
    Stream("HTTP/2: a name in capitals", _stream((b"X-A", b"b")), "9113 8.2", NEITHER),
    Stream("HTTP/2: no path", _stream()[:3], "9113 8.3.1", REFUSED),
    Stream("HTTP/2: two paths", _stream((b":path", b"/second")), "9113 8.3", REFUSED),
    Stream("HTTP/2: a pseudo-header that is not known", _stream((b":x", b"y")), "9113 8.3", REFUSED),
    Stream("HTTP/2: a pseudo-header of answers", _stream((b":status", b"200")), "9113 8.3; h2spec", REFUSED),
    Stream("HTTP/2: a pseudo-header after a header", (*_stream()[:3], (b"x-a", b"b"), (b":path", b"/")),
           "9113 8.3; h2spec", NEITHER),
    Stream("HTTP/2: no method", _stream()[1:], "9113 8.3.1; h2spec", REFUSED),
    Stream("HTTP/2: two methods", _stream((b":method", b"POST")), "9113 8.3.1; h2spec", REFUSED),
    Stream("HTTP/2: no scheme", (_stream()[0], *_stream()[2:]), "9113 8.3.1; h2spec", REFUSED),
    Stream("HTTP/2: an empty path", _stream(path=b""), "9113 8.3.1; h2spec", REFUSED),
    Stream("HTTP/2: a header of the connection", _stream((b"connection", b"keep-alive")), "9113 8.2.2; h2spec",
           NEITHER),
    Stream("HTTP/2: TE with more than trailers", _stream((b"te", b"trailers, deflate")), "9113 8.2.2; h2spec",
           NEITHER),
    Stream("HTTP/2: an authority and another host", _stream((b"host", b"other.test")), "9113 8.3.1", REFUSED),
    Stream("HTTP/2: an upgrade", _stream((b"upgrade", b"h2c"), (b"connection", b"upgrade")), "9113 8.2.2", NEITHER),
    Stream("HTTP/2: headers of 100 kB", _stream(*((b"x-%d" % i, b"a" * 990) for i in range(100))), "9113 10.5.1",
           REFUSED),
)


def table() -> list[str]:
    """The rows of docs/conformance.md."""
    return [f"| {case.name} | {case.source} | {case.verdict} |" for case in (*CASES, *STREAMS)]
