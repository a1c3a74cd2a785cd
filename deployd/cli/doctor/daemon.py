"""The daemon, when one runs."""

from __future__ import annotations

from deployd.cli.client import DaemonUnreachable, open_client
from deployd.cli.doctor.finding import WRONG, Finding, doubt, well
from deployd.settings import Settings


async def look_at_daemon(settings: Settings) -> Finding:
    try:
        async with open_client(settings.api_socket) as client:
            status = await client.get("/status", environments=0)
    except DaemonUnreachable:
        return doubt("daemon", f"none answers at {settings.api_socket}",
                     "start it: systemctl start deployd, or deployd serve")
    says = f"deployd {status['version']}, up {status['uptime_seconds']} s: {status['state']}"
    if status["state"] != "ok":
        return Finding("daemon", WRONG, says, "see what is wrong above and below", tuple(status["reasons"]))
    return well("daemon", says)
