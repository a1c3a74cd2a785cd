"""The application of the mixed visitors: it says its version, writes down every id that it was sent, and echoes lines.

It runs in a container with Python alone. The mount `var` is shared by all versions.
"""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = Path("/app/text").read_text().strip()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path == "/echo":
            return self.echo()
        if self.path == "/ids":
            return self.answer(Path("/app/var/ids").read_bytes())
        return self.answer(json.dumps({"version": VERSION, "path": self.path}).encode())

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith("/slow"):
            time.sleep(0.05)
        with open("/app/var/ids", "ab", buffering=0) as ids:
            ids.write(f"{self.headers['X-Id']} {VERSION} {len(body)}\n".encode())
        self.answer(json.dumps({"version": VERSION, "id": self.headers["X-Id"], "size": len(body)}).encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def echo(self):
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(f"{VERSION}\n".encode())
        self.wfile.flush()
        while line := self.rfile.readline():
            self.wfile.write(line)
            self.wfile.flush()
        self.close_connection = True

    def log_message(self, *_):
        pass


Server(("", int(os.environ["PORT"])), Page).serve_forever()
