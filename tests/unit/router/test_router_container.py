"""What the router's container is, and where its files lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.engine.names import DIGEST, PART
from deployd.engine.specs import HostNetwork
from deployd.router.paths import RouterPlaces
from deployd.router_process.container import router_container
from deployd.router_process.files import RouterNotConfigured, write_router_files
from deployd.router_process.nginx_conf import RouterConfig

SOURCE = Path(__file__).parents[3] / "config" / "router"
RUN = Path("/run/deployd")
CONFIG = RouterConfig(http_port=8080)


def test_the_container_sees_its_own_folder_and_has_few_rights() -> None:
    found = router_container("deployd", "image", "id", RouterPlaces(RUN), Path("/certs"))
    assert [(bind.source, bind.read_only) for bind in found.binds] == [("/run/deployd/router", False), ("/certs", True)]
    assert found.network == HostNetwork()
    assert found.read_only_root
    assert set(found.capabilities) == {"CHOWN", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID"}
    assert found.restart == "unless-stopped"


def test_another_image_or_folder_is_another_router_and_another_seat_is_not() -> None:
    def digest(image_id: str, seat: str = "a", certificates: Path | None = None) -> str:
        found = router_container("deployd", "image", image_id, RouterPlaces(RUN, seat), certificates)
        assert found.labels[PART] == seat
        return found.labels[DIGEST]

    assert digest("one") == digest("one", "b")
    assert len({digest("one"), digest("two"), digest("one", certificates=Path("/certs"))}) == 3


def test_a_socket_path_that_the_kernel_would_not_take_is_told(tmp_path: Path) -> None:
    places = RouterPlaces(tmp_path / ("x" * 100))
    with pytest.raises(RouterNotConfigured, match="longer than 107 bytes"):
        write_router_files(SOURCE, places, CONFIG)


def test_only_root_may_reach_the_control_socket(tmp_path: Path) -> None:
    places = RouterPlaces(tmp_path)
    write_router_files(SOURCE, places, CONFIG)
    assert places.control.stat().st_mode & 0o777 == 0o700


def test_two_routers_have_nothing_of_their_own_in_common(tmp_path: Path) -> None:
    one, other = RouterPlaces(tmp_path), RouterPlaces(tmp_path).other
    assert other.other == one
    for name in ("own", "own_socket", "behind", "taken", "current"):
        assert getattr(one, name) != getattr(other, name)
    for name in ("socket", "earlier", "access_log", "certificates", "challenges"):
        assert getattr(one, name) == getattr(other, name)
