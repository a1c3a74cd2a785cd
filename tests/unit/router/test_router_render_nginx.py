"""nginx.conf from settings."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from deployd.router.control import LONGEST_FREEZE_SECONDS
from deployd.router.paths import RouterPlaces
from deployd.router_process.nginx_conf import RouterConfig, render_nginx

TEMPLATE = (Path(__file__).parents[3] / "config" / "router" / "nginx.conf.j2").read_text()
PLACES = RouterPlaces(Path("/r"))
CERTIFICATE, KEY = PurePosixPath("/k/default.pem"), PurePosixPath("/k/default.key")


def rendered(config: RouterConfig) -> str:
    return render_nginx(TEMPLATE, config, PLACES, PurePosixPath("/c"))


def test_without_tls_there_is_one_server_and_https_routes_are_answered_over_http() -> None:
    text = rendered(RouterConfig(http_port=8080, https_port=8443))
    assert "listen 0.0.0.0:8080 default_server" in text
    assert "8443" not in text
    assert "settings.https_port = false" in text
    assert "listen unix:/r/router/control/a.sock;" in text


def test_with_a_certificate_there_is_a_server_with_tls() -> None:
    text = rendered(RouterConfig(
        address="::", https_port=443, certificate=CERTIFICATE, certificate_key=KEY,
    ))
    assert "listen [::]:443 ssl default_server" in text
    assert "ssl_certificate /k/default.pem;" in text
    assert "settings.https_port = 443" in text
    assert 'handle("https")' in text


def test_no_held_client_is_given_up_because_some_questions_of_the_kernel_are_lost() -> None:
    text = rendered(RouterConfig(https_port=443, certificate=CERTIFICATE, certificate_key=KEY))
    asked = re.findall(r"so_keepalive=(\d+)s:(\d+)s:(\d+);", text)
    assert len(asked) == 2, "over http and https"
    for idle, between, times in asked:
        assert int(idle) + int(between) * int(times) > 2 * LONGEST_FREEZE_SECONDS


def test_a_held_client_of_http_3_may_be_silent_for_as_long_as_a_freeze_lasts() -> None:
    for freeze_seconds, quiet_seconds in ((1, 75), (60, 75), (300, 315)):
        text = rendered(RouterConfig(
            https_port=443, certificate=CERTIFICATE, certificate_key=KEY, http3=True, freeze_seconds=freeze_seconds,
        ))
        assert f"keepalive_timeout {quiet_seconds}s;   # QUIC" in text


def test_the_host_header_has_a_port_only_when_it_is_an_unusual_one() -> None:
    usual = rendered(RouterConfig())
    assert "proxy_set_header Host $host;" in usual
    unusual = rendered(RouterConfig(http_port=8080))
    assert "proxy_set_header Host $host:$server_port;" in unusual


def test_workers_are_one_for_each_core_unless_they_are_counted() -> None:
    assert "worker_processes auto;" in rendered(RouterConfig())
    assert "worker_processes 3;" in rendered(RouterConfig(workers=3))


def test_limits_of_clients_stand_in_it_only_when_they_are_asked_for() -> None:
    assert "limit_req" not in rendered(RouterConfig())
    assert "client_connections" not in rendered(RouterConfig())
    text = rendered(RouterConfig(
        client_requests_per_second=5, client_burst=7, client_exempt=("192.0.2.0/24",),
    ))
    assert "rate=5r/s" in text
    assert "burst=7 nodelay" in text
    assert "192.0.2.0/24 1;" in text
    assert "client_connections" not in text
    assert "limit_conn client_connections 3;" in rendered(
        RouterConfig(client_connections=3))


def test_http_3_needs_a_certificate_and_a_log_is_written_unless_it_is_switched_off() -> None:
    assert "quic" not in rendered(RouterConfig(https_port=443, http3=True))
    text = rendered(RouterConfig(
        https_port=443, certificate=CERTIFICATE, certificate_key=KEY, http3=True,
    ))
    assert "listen 0.0.0.0:443 quic reuseport;" in text
    assert "access_log /r/router/logs/access.log environment" in text
    silent = rendered(RouterConfig(access_log=False))
    assert "/r/logs" not in silent
    assert "settings.access_log = false" in silent


def test_a_router_that_was_taken_over_from_has_no_port() -> None:
    text = rendered(RouterConfig(
        http_port=8080, https_port=443, certificate=CERTIFICATE, certificate_key=KEY, visitors=False,
    ))
    assert ":8080" not in text
    assert ":443" not in text
    assert "listen unix:/r/router/control/a.sock;" in text
