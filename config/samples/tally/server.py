"""Counts visits in Redis, and shows what the worker has written beside it."""

import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def ask(*command: str) -> str:
    """What Redis says; each relationship is in variables of its own: CACHE_HOST, CACHE_PORT …"""
    address = os.environ["CACHE_HOST"], int(os.environ["CACHE_PORT"])
    with socket.create_connection(address, timeout=5) as redis, redis.makefile("rwb") as stream:
        stream.write(" ".join(command).encode() + b"\r\n")
        stream.flush()
        return stream.readline().decode().strip()


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        written = Path("shared/written.txt")
        body = "\n".join([
            f"visits {ask('INCR', 'visits').lstrip(':')}",
            f"the worker {written.read_text() if written.exists() else 'has written nothing yet'}",
            Path("built.txt").read_text(),
        ]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
