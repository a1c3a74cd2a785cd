"""How much may be open over SSH, and who has to go."""

from __future__ import annotations

from deployd.ssh.bounds import Bounds, Connections, counted_as


def opened(connections: Connections, name: str, address: str, evicted: list[str]) -> bool:
    return connections.opened(name, address, lambda: evicted.append(name))


def test_the_oldest_that_has_not_authenticated_makes_room() -> None:
    evicted: list[str] = []
    connections = Connections(Bounds(handshakes=3, handshakes_of_address=3))
    for number in range(5):
        assert opened(connections, f"c{number}", f"192.0.2.{number}", evicted)
    assert evicted == ["c0", "c1"]
    assert (connections.shaking, connections.evicted) == (3, 2)


def test_one_address_takes_no_place_from_another_one() -> None:
    evicted: list[str] = []
    connections = Connections(Bounds(handshakes=100, handshakes_of_address=2))
    assert opened(connections, "other", "192.0.2.9", evicted)
    for number in range(10):
        assert opened(connections, f"c{number}", "192.0.2.1", evicted)
    assert "other" not in evicted
    assert connections.shaking == 3


def test_who_has_authenticated_is_never_evicted() -> None:
    evicted: list[str] = []
    connections = Connections(Bounds(handshakes=1, connections_of_address=2))
    assert opened(connections, "ada", "192.0.2.1", evicted)
    assert connections.authenticated("ada", b"key") == ""
    assert opened(connections, "one", "192.0.2.2", evicted)
    assert opened(connections, "two", "192.0.2.3", evicted)
    assert evicted == ["one"]
    assert connections.known == 1


def test_an_address_whose_connections_are_all_known_is_refused_a_further_one() -> None:
    evicted: list[str] = []
    connections = Connections(Bounds(connections_of_address=2))
    for name in ("one", "two"):
        assert opened(connections, name, "192.0.2.1", evicted)
        connections.authenticated(name, b"key")
    assert not opened(connections, "three", "192.0.2.1", evicted)
    assert opened(connections, "elsewhere", "192.0.2.2", evicted)
    connections.closed("one")
    assert opened(connections, "three", "192.0.2.1", evicted)
    assert evicted == []


def test_a_key_has_so_many_connections_and_sessions() -> None:
    connections = Connections(Bounds(connections_of_key=2, sessions_of_key=3, sessions_of_connection=2))
    for name in ("one", "two", "three"):
        opened(connections, name, "192.0.2.1", [])
    assert [connections.authenticated(name, b"key") for name in ("one", "two")] == ["", ""]
    assert "this key has 2 connections" in connections.authenticated("three", b"key")
    assert [connections.take_session("one") for _ in range(2)] == ["", ""]
    assert "a connection has 2 sessions at most" in connections.take_session("one")
    assert connections.take_session("two") == ""
    assert "a key has 3 sessions at most" in connections.take_session("two")
    connections.closed("one")
    assert (connections.sessions, connections.known) == (1, 1)
    assert connections.take_session("two") == ""
    connections.leave_session("one")   # its task ends after the connection
    assert connections.sessions == 2


def test_addresses_of_one_customer_count_together() -> None:
    assert counted_as("2001:db8:1:2::1") == counted_as("2001:db8:1:2:ffff::9") != counted_as("2001:db8:1:3::1")
    assert counted_as("::ffff:192.0.2.1") == counted_as("192.0.2.1") == "192.0.2.1"
    assert counted_as("fe80::1%eth0") == "fe80::/64"
    assert counted_as("unknown") == "unknown"


def test_nothing_is_remembered_of_what_has_been_closed() -> None:
    connections = Connections(Bounds())
    for number in range(100):
        opened(connections, number, f"192.0.2.{number}", [])   # type: ignore[arg-type]
        connections.authenticated(number, bytes([number]))
        connections.take_session(number)
        connections.closed(number)
        connections.closed(number)
    left = [value for value in vars(connections).values() if hasattr(value, "__len__") and len(value)]
    assert left == []
