"""The application of the mixed visitors: it says its version, writes down every id that it was sent, and echoes lines.

It runs in a container with Python alone. The mount `var` is shared by all versions.
"""

import json
import os
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FILE_BYTES = 65536


def file_of(version: str) -> bytes:
    """The file of a version: no part of it is like the same part of another version's."""
    return f"{version:>7}\n".encode() * (FILE_BYTES // 8)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    version = ""

    def do_GET(self):
        if self.path == "/echo":
            return self.echo()
        if self.path == "/events":
            return self.events()
        if self.path == "/file":
            return self.file()
        if self.path == "/cached":
            return self.answer(json.dumps({"version": self.version}).encode(), Cache_Control="max-age=60")
        if self.path == "/ids":
            return self.answer(Path("/app/var/ids").read_bytes())
        return self.answer(json.dumps({"version": self.version, "path": self.path}).encode())

    do_HEAD = do_GET

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True   # nobody is there any more
            return
        if self.path.startswith("/slow"):
            time.sleep(0.05)
        name = self.headers["X-Id"]
        with open("/app/var/ids", "ab", buffering=0) as ids:
            ids.write(f"{name} {self.version} {len(body)}\n".encode())
        found = {"version": self.version, "path": self.path, "id": name, "size": len(body)}
        self.answer(json.dumps(found).encode())

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def file(self):
        body, tag = file_of(self.version), f'"{self.version}"'
        wanted = re.fullmatch("bytes=([0-9]+)-([0-9]+)", self.headers["Range"] or "")
        if not wanted or self.headers["If-Range"] not in (None, tag):
            self.answer(body, ETag=tag, Accept_Ranges="bytes")
            return
        first, last = int(wanted[1]), min(int(wanted[2]), len(body) - 1)
        self.answer(body[first:last + 1], 206, ETag=tag, Content_Range=f"bytes {first}-{last}/{len(body)}")

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        number = 0
        while True:
            number += 1
            event = json.dumps({"version": self.version, "number": number})
            self.wfile.write(f"data: {event}\n\n".encode())
            time.sleep(0.05)

    def echo(self):
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(f"{self.version}\n".encode())
        self.wfile.flush()
        while line := self.rfile.readline():
            self.wfile.write(line)
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    Page.version = Path("/app/text").read_text().strip()
    Server(("", int(os.environ["PORT"])), Page).serve_forever()
