"""GET over HTTP/2, ten on a connection."""

from __future__ import annotations

import re

from deployd.process import run
from tests.support.mixed.visit import Visit

STREAMS = 10
VERSION = re.compile(r'"version": "([0-9]+)"')


async def streams(visit: Visit) -> None:
    begun = visit.begin("streams")
    authority = f"{visit.host}:{visit.https_port}"
    urls = [f"https://{authority}/stream{number}" for number in range(STREAMS)]
    ran = await run(
        "curl", "-sk", "--http2", "--parallel", "--max-time", "90", "--resolve", f"{authority}:127.0.0.1",
        "-w", "\n%{http_version} %{http_code}\n", *urls, check=False, limit_seconds=120,
    )
    assert ran.status == 0, f"curl ended with {ran.status}"
    assert ran.text.count("2 200") == len(urls), ran.text
    versions = VERSION.findall(ran.text)
    assert len(versions) == len(urls), ran.text
    for version in versions:
        visit.end(begun, int(version))
