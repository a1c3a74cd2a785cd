"""Outbound rules: on a label, in words, in the kernel's language."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from deployd.firewall.outbound import (
    CLOSED,
    Outbound,
    chain_lines,
    encode_outbound,
    never_open,
    outbound_words,
    parse_outbound,
)
from deployd.firewall.rules import FirewallRules, RouterPorts, render_rules
from deployd.project.model import FirewallRule
from deployd.public_addresses import parse_opening

MANY = Outbound((
    FirewallRule("tcp", ("192.0.2.0/24", "192.0.2.5/32", "2a00::/16"), (), (443, 80, 443)),
    FirewallRule("tcp", (), ("a.example", "b.example"), ()), FirewallRule("tcp", (), (), (993,)),
))
NAMES = {"a.example": (ip_address("203.0.113.7"), ip_address("203.0.113.6"), ip_address("2a00::7"))}


@pytest.mark.parametrize("outbound", [CLOSED, MANY])
def test_a_label_says_it_again(outbound: Outbound) -> None:
    assert parse_outbound(encode_outbound(outbound)) == outbound


@pytest.mark.parametrize("label", [
    "", "x", "{}", "[1]", "[[[],[]]]", '[[["nonsense"],[],[]]]', '[[[],[],["x"]]]', '[[["192.0.2.1; accept"],[],[]]]',
])
def test_a_label_that_cannot_be_read_is_closed(label: str) -> None:
    assert parse_outbound(label) == CLOSED


def test_rules_become_lines_that_the_kernel_takes() -> None:
    assert chain_lines(MANY, NAMES) == [
        "ip daddr { 192.0.2.0/24 } tcp dport { 80, 443 } accept",
        "ip6 daddr { 2a00::/16 } tcp dport { 80, 443 } accept",
        "ip daddr { 203.0.113.6/31 } meta l4proto tcp accept", "ip6 daddr { 2a00::7/128 } meta l4proto tcp accept",
        "tcp dport { 993 } accept", "jump refused",
    ]


def test_a_name_without_address_opens_nothing() -> None:
    assert chain_lines(Outbound((FirewallRule("tcp", (), ("a.example",), (443,)),)), {}) == ["jump refused"]


def test_words_say_what_is_open() -> None:
    assert outbound_words(CLOSED) == "nothing outside the environment"
    assert outbound_words(MANY) == (
        "192.0.2.0/24, 192.0.2.5, 2a00::/16 (ports 443, 80, 443); a.example, b.example; any public address (port 993);"
        " nothing else outside the environment"
    )


def test_private_networks_of_rules_are_named_unless_the_operator_opened_them() -> None:
    rules = Outbound((FirewallRule("tcp", ("10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "8.0.0.0/6", "169.254.169.254/32")),))
    assert never_open(rules, ()) == ("10.0.0.0/8", "fd00::/8", "169.254.169.254/32")
    assert never_open(rules, (parse_opening("10.0.0.5:443"),)) == ("fd00::/8", "169.254.169.254/32")


def test_containers_with_the_same_rules_share_a_chain_and_closed_ones_need_none() -> None:
    text = render_rules(FirewallRules(
        "t", ("dp*",), RouterPorts("0.0.0.0", (80,)), names=NAMES, without_ipv6=("dp1",),
        sources={"10.208.0.40": MANY, "10.208.0.41": MANY, "10.208.0.42": CLOSED, "10.208.0.43": CLOSED},
    ))
    assert text.count("chain out_") == 1
    assert f"ip saddr vmap {{ 10.208.0.40 : goto {MANY.chain}, 10.208.0.41 : goto {MANY.chain} }}" in text
    assert "ip saddr { 10.208.0.42, 10.208.0.43 } jump refused" in text
    assert 'iifname "dp1" meta nfproto ipv6 jump refused' in text


def test_what_is_private_is_closed_before_any_rule_is_asked() -> None:
    text = render_rules(FirewallRules("t", ("dp*",), RouterPorts("0.0.0.0", (80,)), sources={"10.208.0.40": MANY}))
    [*_, elsewhere] = text.partition("chain elsewhere {")[2].partition("}")[0].split("jump closed")
    assert elsewhere.split() == ["jump", "outside", "jump", "by_rules"]


def test_each_name_has_its_share_of_the_addresses_and_the_newest_stay() -> None:
    names = tuple(f"n{number}.example" for number in range(200))
    rule = FirewallRule("tcp", (), names, (443,))
    newest_first = tuple(ip_address(f"203.{second}.0.{2 * first}") for second in (9, 1) for first in range(5))
    [line, _] = chain_lines(Outbound((rule,)), dict.fromkeys(names, newest_first))
    assert line.count("/32") == 5
    assert "203.9.0.8/32" in line
    assert "203.1." not in line


def test_everything_of_one_family_opens_nothing_of_the_other() -> None:
    def lines(*ips: str) -> list[str]:
        return chain_lines(Outbound((FirewallRule("tcp", ips, (), (443,)),)), {})

    assert lines("::/0") == ["meta nfproto ipv6 tcp dport { 443 } accept", "jump refused"]
    assert lines("0.0.0.0/0", "192.0.2.0/24") == ["meta nfproto ipv4 tcp dport { 443 } accept", "jump refused"]
