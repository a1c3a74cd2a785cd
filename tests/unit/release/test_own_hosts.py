"""Which address an environment's own hosts have in its containers, and whom these trust."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.environment.domains import Domains
from deployd.environment.routes import resolve_routes
from deployd.project.model import RouteTemplate
from deployd.release.applications.own_hosts import own_hosts
from deployd.release.trust import ensure_trust, local_authority
from deployd.settings import Settings

ROUTES = resolve_routes([
    RouteTemplate("https://{default}/", "upstream", upstream="app", endpoint="http"),
    RouteTemplate("https://*.{default}/", "upstream", upstream="app", endpoint="http"),
    RouteTemplate("https://www.{default}/", "redirect", to="https://{default}/"),
], Domains("main-shop.localhost", ("shop.test",))).routes


@pytest.mark.parametrize(("router", "gateway", "address"), [
    ("0.0.0.0", "10.208.0.1", "10.208.0.1"), ("192.0.2.7", "10.208.0.1", "192.0.2.7"),
    ("127.0.0.1", "10.208.0.1", None), ("::", "10.208.0.1", None), ("[::]", "10.208.0.1", None),
    ("shop.example.com", "10.208.0.1", None), ("0.0.0.0", "", None),
])
def test_own_hosts_lead_to_the_router_where_containers_reach_it(router: str, gateway: str, address: str | None) -> None:
    found = own_hosts(ROUTES, router, gateway)
    assert found == ({"shop.test": address, "www.shop.test": address} if address else {})


async def test_containers_trust_who_signs_for_their_hosts(tmp_path: Path) -> None:
    def settings(**tls: object) -> Settings:
        return Settings.model_validate({"directory": str(tmp_path), "tls": tls})

    authority = local_authority(tmp_path / "state") / "authority.pem"
    assert await ensure_trust(settings()) is None, "it is not made yet"
    authority.parent.mkdir(parents=True)
    authority.write_text("the authority\n")
    company = tmp_path / "company.pem"
    company.write_text("the company\n")
    acme = {"agree_to_terms": True}
    for tls, more in (
        ({}, ""), ({"certificates": "local"}, ""), ({"certificates": "acme", "acme": acme}, ""),
        ({"certificates": "acme", "acme": {**acme, "trust": str(company)}}, "\nthe company\n"),
    ):
        store = await ensure_trust(settings(**tls))   # type: ignore[arg-type]
        assert store is not None
        assert store.read_text().endswith(f"the authority\n{more}")


async def test_without_tls_containers_trust_whom_their_images_trust(tmp_path: Path) -> None:
    authority = local_authority(tmp_path / "state") / "authority.pem"
    authority.parent.mkdir(parents=True)
    authority.write_text("the authority\n")
    without = Settings.model_validate({"directory": str(tmp_path), "router": {"https_port": None}})
    assert await ensure_trust(without) is None
