"""Whether a browser was led here by a page of another site, and what becomes of those who guess."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from deployd.access.errors import Forbidden
from deployd.http.errors import Misdirected
from deployd.http.origins import Ours

EVIL = "http://evil.example"
PLAIN = Ours(host="0.0.0.0")
PUBLIC = Ours("https://deploy.example.com/", "0.0.0.0")


def refused(ours: Ours, method: str, **headers: str) -> str:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        ours.refuse_others(method, sent)
    except (Forbidden, Misdirected) as error:
        return error.code
    return ""


@pytest.mark.parametrize("headers", [
    {"Host": "10.1.2.3:8480", "Origin": EVIL},
    {"Host": "10.1.2.3:8480", "Origin": EVIL, "Authorization": "Basic eDp5"},
    {"Host": "10.1.2.3:8480", "Origin": EVIL, "Authorization": "Bearer x"},
    {"Host": "10.1.2.3:8480", "Origin": "null"},
    {"Host": "10.1.2.3:8480", "Origin": ""},
    {"Host": "10.1.2.3:8480", "Origin": "http://10.1.2.3"},
    {"Host": "10.1.2.3:8480", "Origin": "http://10.1.2.3:8480@evil.example"},
    {"Host": "10.1.2.3:8480", "Origin": "http://evil.example@10.1.2.3:8480"},
    {"Host": "10.1.2.3:8480", "Origin": "http://10.1.2.3:8480.evil.example"},
    {"Host": "10.1.2.3:8480", "Origin": "http://[10.1.2.3:8480"},
    {"Host": "10.1.2.3:8480", "Origin": "file://10.1.2.3:8480"},
    {"Host": "10.1.2.3:8480", "Referer": f"{EVIL}/page"},
    {"Host": "10.1.2.3:8480", "Referer": f"{EVIL}/page", "Authorization": "Basic eDp5"},
    {"Host": "10.1.2.3:8480", "Referer": "about:blank"},
    {"Host": "10.1.2.3:8480", "Sec-Fetch-Site": "cross-site"},
    {"Host": "10.1.2.3:8480", "Sec-Fetch-Site": "same-site", "Origin": "http://10.1.2.3:8480"},
    {"Host": "localhost:8480", "Origin": "http://localhost:8481"},
])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post", "X"])
def test_a_page_of_another_site_changes_nothing(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(Forbidden):
        PLAIN.refuse_others(method, headers)


@pytest.mark.parametrize("host", ["evil.example:8480", "evil.example", "127.0.0.1.evil.example", "localhost.evil", ""])
def test_a_name_that_was_led_here_changes_nothing(host: str) -> None:
    """DNS rebinding: the page's own name is ours now, so its origin is right."""
    assert refused(PLAIN, "POST", Host=host, Origin=f"http://{host}") == "misdirected"
    assert refused(PUBLIC, "POST", Host=host, Origin=f"http://{host}") == "misdirected"
    assert refused(PUBLIC, "GET", Host=host, Referer=f"http://{host}/") == "misdirected"
    assert refused(PUBLIC, "GET", Host=host, Sec_Fetch_Site="same-origin") == "misdirected"


@pytest.mark.parametrize(("ours", "headers"), [
    (PLAIN, {"Host": "10.1.2.3:8480"}),
    (PLAIN, {"Host": "server:8480"}),
    (PLAIN, {"Host": "server:8480", "Authorization": "Bearer x"}),
    (PUBLIC, {"Host": "server:8480"}),
    (PLAIN, {}),
    (PLAIN, {"Host": "10.1.2.3:8480", "Origin": "http://10.1.2.3:8480"}),
    (PLAIN, {"Host": "[2001:db8::1]:8480", "Origin": "http://[2001:DB8::1]:8480"}),
    (PLAIN, {"Host": "localhost", "Origin": "http://localhost"}),
    (PLAIN, {"Host": "deploy.localhost:80", "Origin": "http://deploy.localhost"}),
    (PLAIN, {"Host": f"{socket.gethostname()}:8480", "Origin": f"http://{socket.gethostname()}:8480"}),
    (Ours(host="deploy.lan"), {"Host": "deploy.lan:1", "Origin": "http://deploy.lan:1"}),
    (PUBLIC, {"Host": "deploy.example.com", "Origin": "https://deploy.example.com", "Sec-Fetch-Site": "same-origin"}),
    (PUBLIC, {"Host": "127.0.0.1:8480", "Origin": "https://deploy.example.com"}),
    (PUBLIC, {"Host": "Deploy.Example.com.", "Origin": "https://DEPLOY.example.com:443"}),
    (PUBLIC, {"Host": "127.0.0.1:8480", "Referer": "https://deploy.example.com/projects/x"}),
    (PLAIN, {"Host": "10.1.2.3:8480", "Referer": f"{EVIL}/docs", "Authorization": "Bearer x"}),
])
def test_programs_and_our_own_pages_change_what_they_may(ours: Ours, headers: dict[str, str]) -> None:
    ours.refuse_others("POST", headers)


@pytest.mark.parametrize("headers", [
    {"Host": "deploy.lan", "Referer": f"{EVIL}/"}, {"Host": "10.1.2.3:8480", "Sec-Fetch-Site": "cross-site"},
    {"Host": "server:8480", "Sec-Fetch-Site": "none"},
])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_reading_goes_by_any_name_until_the_settings_say_one(method: str, headers: dict[str, Any]) -> None:
    PLAIN.refuse_others(method, headers)
