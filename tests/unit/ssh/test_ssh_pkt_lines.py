"""git's packets during a push: whole ones go on, the last flush waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployd.ssh.pkt_lines import FLUSH, LONGEST_PACKET, Capabilities, Packets, texts


def packet(data: bytes) -> bytes:
    return f"{len(data) + 4:04x}".encode() + data


ADVERTISEMENT = packet(b"1" * 40 + b" refs/heads/main\0report-status side-band-64k\n") + FLUSH
KEEPALIVE = packet(b"\x01")
REPORT = packet(b"\x01000eunpack ok\n0000")
TEXT = packet(b"\x02activity 1: main\n")


@given(st.integers(1, 40))
def test_packets_go_on_whole_however_they_come_and_the_last_flush_does_not(size: int) -> None:
    said = ADVERTISEMENT + KEEPALIVE + REPORT + TEXT + FLUSH
    packets, out = Packets(), b""
    for at in range(0, len(said), size):
        out += packets.feed(said[at:at + size])
        assert not out or said.startswith(out)
    assert out == ADVERTISEMENT + KEEPALIVE + REPORT + TEXT
    assert packets.has_reported


def test_a_sign_of_life_is_no_report() -> None:
    packets = Packets()
    packets.feed(ADVERTISEMENT + KEEPALIVE + KEEPALIVE)
    assert not packets.has_reported


def test_what_are_no_packets_goes_on_as_it_is() -> None:
    assert Packets().feed(b"fatal: not a repository\n") == b"fatal: not a repository\n"


@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_what_the_client_can_is_read_from_its_first_packet(size: int) -> None:
    can = b" report-status-v2 side-band-64k push-options agent=git/2"
    command = b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/main\0" + can
    said = packet(command) + FLUSH + b"PACK" + bytes(100)
    capabilities = Capabilities()
    for at in range(0, len(said), size):
        capabilities.feed(said[at:at + size])
    assert capabilities.side_band


def test_what_is_shallow_stands_before_the_first_command() -> None:
    capabilities = Capabilities()
    for _ in range(1_000):
        capabilities.feed(packet(b"shallow " + b"1" * 40))
    assert not capabilities.side_band
    capabilities.feed(packet(b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/main\0 side-band-64k"))
    assert capabilities.side_band


def test_a_branch_that_is_called_like_a_capability_is_none() -> None:
    capabilities = Capabilities()
    capabilities.feed(packet(b"0" * 40 + b" " + b"1" * 40 + b" refs/heads/side-band-64k\0 report-status"))
    assert not capabilities.side_band
    nothing = Capabilities()
    nothing.feed(FLUSH)
    nothing.feed(packet(b"x\0 side-band-64k"))
    assert not nothing.side_band


def test_texts_become_packets_that_are_short_enough() -> None:
    assert texts([]) == b""
    assert texts(["one", "two\nthree"]) == packet(b"\x02one\ntwo\nthree\n")
    long = texts(["x" * 200_000])
    sizes, at = [], 0
    while at < len(long):
        sizes.append(int(long[at:at + 4], 16))
        at += sizes[-1]
    assert at == len(long)
    assert max(sizes) <= LONGEST_PACKET
