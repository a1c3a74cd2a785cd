"""The application of the storm: it says which version of which environment answers, keeps orders, counts its hooks.

A hook writes the number of its activity before anything else. It reads it where the kernel shows which folder of the
host its script lies in, so that deployd need not tell it. The file `mood` says what goes wrong in a version.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mood = Literal["calm", "bad-build", "bad-deploy", "bad-post", "bad-release"]
WHICH = r"sed -n 's,.*/{folder}/\([0-9]*\)/app/scripts .*,\1,p' /proc/self/mountinfo | head -n 1"
APP = f"""\
name: app
type: python:3.13
{{relationships}}web:
  commands:
    start: python3 server.py
workers:
  mailer:
    commands:
      start: sleep 100000
mounts:
  data:
    source: local
    source_path: data
hooks:
  build: |
    echo "build $({WHICH.format(folder="work")})" >> "$PLATFORM_CACHE_DIR/ran"
    sleep 0.2
    test "$(cat mood)" != bad-build
  deploy: |
    echo "deploy $({WHICH.format(folder="versions")})" >> data/ran
    sleep 0.2
    test "$(cat mood)" != bad-deploy
  post_deploy: |
    echo "post $({WHICH.format(folder="versions")})" >> data/ran
    sleep 0.2
    test "$(cat mood)" != bad-post
"""
SERVER = '''\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

WHO = f"{Path('/app/text').read_text()} of {os.environ['PLATFORM_PROJECT']} {os.environ['PLATFORM_BRANCH']}".encode()


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(WHO)))
        self.end_headers()
        self.wfile.write(WHO)

    def do_POST(self):
        order = self.rfile.read(int(self.headers["Content-Length"]))
        with open("/app/data/orders", "ab") as orders:
            orders.write(order + b"\\n")
        self.do_GET()

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
'''
CHECKS = """\
checks:
  on_bad_release: revert
  smoke: {mood: {command: 'test "$(cat mood)" != bad-release'}}
"""
RELATIONSHIPS = 'relationships:\n  cache: "store:redis"\n'


@dataclass(frozen=True, slots=True)
class Place:
    """A branch of a project."""

    project: str
    branch: str
    may_go: bool = False
    """It is deleted now and then."""

    def page(self, text: str) -> str:
        """What a visitor reads."""
        return f"{text} of {self.project} {self.branch}"


def first_files(*, with_service: bool) -> dict[str, str]:
    """What stays the same from version to version."""
    app = APP.format(relationships=RELATIONSHIPS if with_service else "")
    services = services_file("M") if with_service else {}
    return {".platform.app.yaml": app, "server.py": SERVER, **services, **files_of("v0", "calm")}


def services_file(size: str) -> dict[str, str]:
    return {".platform/services.yaml": f"store:\n  type: redis:8.0\n  size: {size}\n"}


def files_of(text: str, mood: Mood) -> dict[str, str]:
    """What makes a version. A bad release says itself that it is to be taken back."""
    return {"text": text, "mood": mood} | ({".deployd.yaml": CHECKS} if mood == "bad-release" else {})
