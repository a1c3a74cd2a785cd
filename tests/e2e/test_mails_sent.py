"""What real programs in containers send: production's mails reach the operator's relay, those of a preview its box."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass, field

import aiodocker
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from deployd.engine.names import INSTANCE, PROJECT
from deployd.process import run
from deployd.settings import parse_relay
from scripts.local_daemon import LocalDaemon
from tests.support.developer import Developer, MakeDeveloper

LIMIT_SECONDS = 60.0
FILES = {
    ".platform.app.yaml": """\
name: app
type: php:8.4
hooks:
  build: "! echo in a build | sendmail -f shop@shop.test -i ada@example.com"
  deploy: python3 send.py && printf 'EHLO me\\r\\nQUIT\\r\\n' | sendmail -bs | grep -q ^221
web: {locations: {/: {root: web, passthru: /index.php}}}
""",
    "web/index.php": """<?php
if ($_SERVER['REQUEST_URI'] != '/mail') exit('here');   // deployd asks for the first page
echo mail('Ada <ada@example.com>', '=?utf-8?q?Gr=C3=BC=C3=9Fe?=', "one\\n.\\nthree", ['From' => 'shop@shop.test',
          'Bcc' => 'bob@example.com'], '-fbounce@shop.test') ? 'sent' : 'failed';
""",
    "send.py": """
import os, smtplib
with smtplib.SMTP(os.environ["PLATFORM_SMTP_HOST"], 25, timeout=30) as server:
    server.sendmail("hook@shop.test", ["ada@example.com"], "Subject: from the hook\\n\\nHello\\n")
""",
}
ATTEMPT = """
import socket, sys
for host in sys.argv[1].split():
    for port in (25, 8425):
        try:
            with socket.create_connection((host, port), 5) as found:
                found.settimeout(5)
                print(host, port, found.recv(3).decode() or "closed")
        except OSError as error:
            print(host, port, type(error).__name__)
"""


@dataclass
class Relay:
    taken: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return "250 OK"


async def test_production_writes_to_people_and_a_preview_into_its_box(developer: MakeDeveloper) -> None:
    me = await developer("mails", files=FILES)
    relay = Relay()
    port = parse_relay(me.daemon.projects["mails"]["mail"]["relay"]).port
    controller = Controller(relay, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        for branch in ("main", "preview"):
            pushed = await me.push(branch)
            assert pushed.deployed, "\n".join(pushed.lines)
            assert await me.page(branch, "/mail") == (200, "sent")
        async with asyncio.timeout(LIMIT_SECONDS):
            while len(relay.taken) < 2:
                await asyncio.sleep(0.05)
    finally:
        controller.stop()
    by_hook, by_php = sorted(relay.taken, key=lambda envelope: len(envelope.rcpt_tos))
    assert (by_hook.mail_from, by_hook.rcpt_tos) == ("hook@shop.test", ["ada@example.com"])
    assert (by_php.mail_from, by_php.rcpt_tos) == ("bounce@shop.test", ["ada@example.com", "bob@example.com"])
    content = bytes(by_php.content or b"")
    assert content.endswith(b"\r\n\r\none\r\n.\r\nthree\r\n")
    assert b"bob@example.com" not in content
    assert await _box(me, "main") == []
    assert await _box(me, "preview") == [("Grüße", "kept"), ("from the hook", "kept")]
    shown = await _cli(me, "mail", "mails", "preview", "2")
    assert "Subject: Grüße" in shown
    assert "one\n.\nthree" in shown
    assert len(relay.taken) == 2
    await _reaches_its_own_gateway_only(me.daemon)


async def _reaches_its_own_gateway_only(daemon: LocalDaemon) -> None:
    """As any program in the network of the preview, by both ports."""
    gateways, pid = {}, 0
    async with aiodocker.Docker() as docker:
        labels = [f"{INSTANCE}={daemon.instance}", f"{PROJECT}=mails", "deployd.role=web"]
        for found in await docker.containers.list(filters={"label": labels}):
            seen = await found.show()
            [(name, network)] = seen["NetworkSettings"]["Networks"].items()
            gateways["preview" if "preview" in name else "main"] = network["Gateway"]
            pid = seen["State"]["Pid"] if "preview" in name else pid
    told = (await run(
        "nsenter", "--target", str(pid), "--net", "python3", "-c", ATTEMPT, " ".join(gateways.values()),
    )).text.splitlines()
    refused = "ConnectionRefusedError"
    assert sorted(told) == sorted([
        f"{gateways['preview']} 25 220", f"{gateways['preview']} 8425 220",
        f"{gateways['main']} 25 {refused}", f"{gateways['main']} 8425 {refused}",
    ])


async def _box(me: Developer, branch: str) -> list[tuple[str, str]]:
    async with me.daemon.session() as session, session.get(
        f"/api/v1/projects/mails/environments/{branch}/mail",
    ) as answer:
        return [(item["subject"], item["state"]) for item in (await answer.json())["items"]]


async def _cli(me: Developer, *argv: str) -> str:
    socket = me.daemon.directory / "var" / "run" / "api.sock"
    return (await run(sys.executable, "-m", "deployd", *argv, "--socket", str(socket))).text
