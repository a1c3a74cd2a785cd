# ruff: noqa: E501   rows of tables are lines
"""A second opinion: the platforms' JSON schemas on thousands of documents, and a reason for every difference.

What the schema accepts we accept and what it refuses we refuse, but for `DIFFERENCES`. Values that are null are not among
the probes: null means "not given" everywhere (configuration format 2), which a JSON schema cannot say.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

import jsonschema
import pytest
import yaml

from deployd.project.reader import read_project
from tests.doubles.trees import DictTree
from tests.support.schema_probes import Probe, probes, schema

APP: dict[str, Any] = {"name": "app", "type": "php:8.4", "web": {"locations": {"/": {"root": "x"}}}}
BASES: dict[str, tuple[dict[str, Any], str]] = {
    "application": (APP, ""),
    "services": ({}, "cache"),
    "routes": ({"https://{default}/": {"type": "upstream", "upstream": "app:http"}}, "https://a.example/"),
}


@dataclass(frozen=True)
class Difference:
    documents: str
    path: str
    """Regular expression of the dotted path."""
    codes: str
    """Regular expression of our codes, joined with a space; "" where we accept what the schema refuses."""
    reason: str


ANYWHERE = "application|services"
DIFFERENCES = (
    Difference(ANYWHERE, r".*(disk|base_memory|memory_ratio|ports\.\[\])", "too-small", "limits are not in the schema (4.1, 4.5)"),
    Difference("routes", r".*default_ttl", "too-small", "a time is not negative"),
    Difference(ANYWHERE, r".*size", "not-allowed", "the schema takes any word, the platform eight sizes (4.4)"),
    Difference(ANYWHERE, r".*outbound(\.\[\](\.protocol)?)?", "empty-rule( not-allowed)?", "a rule allows something, by tcp (4.5)"),
    Difference(ANYWHERE, r".*outbound\.\[\]\.(ips|domains)", "empty-rule", "a list that names nothing opens nothing (4.5)"),
    Difference(ANYWHERE, r".*domains(\.\[\])?", "bad-name", "a name that can be looked up is more than a text (4.5)"),
    Difference(ANYWHERE, r".*ips(\.\[\])?", "not-an-address", "an address is more than a text (4.5)"),
    Difference("application", r"(.*\.)?relationships(\.x(\.(service|endpoint))?)?", "(endpoint-missing|no-such-service| |unknown-key)+",
               "where a relationship leads is checked across files (4.6); a mapping has `service` and `endpoint` only"),
    Difference("application", r"(.*\.)?mounts\.x\.service", "not-together", "`service` belongs to `source: service` (4.7)"),
    Difference("application", r"(.*\.)?timezone", "no-such-timezone", "names of the TZ database (4.5)"),
    Difference("application", r"additional_hosts(\.x)?", "not-an-address", "an address is more than a text (4.5)"),
    Difference("application", "name", "bad-name", "a name becomes part of host names (4.2)"),
    Difference("application", "type", "no-such-runtime", "runtimes and versions are not in the schema (4.3)"),
    Difference("application", "runtime", "unknown-key", "the schema takes anything; what is not documented would be ignored (4.15)"),
    Difference("application", r"dependencies(\.x)?", "not-allowed", "languages are a list (4.11)"),
    Difference("application", r"build\.flavor", "not-allowed", "flavors are a list (4.10)"),
    Difference("application", r"source\.root", "no-such-folder", "the folder must be in the commit (3)"),
    Difference("application", r"web\.locations", "slash-missing", "locations begin with a slash (4.8)"),
    Difference("application", r"web\.locations\./a\.(rules\.x\.)?passthru", "slash-missing", "a script is named from the root (4.8)"),
    Difference("application", r"web\.locations\./a\.rules\.x\.passthru", "", "the manual allows booleans in rules (schema/README 4)"),
    Difference("application", r"web\.locations\./a\.(rules\.x\.)?expires", "not-a-duration", "durations have a form (4.8)"),
    Difference("application", r"web\.locations\./a\.index\.\[\]", "bad-path", "the name of a file is not empty"),
    Difference("application", r"web\.locations\./a\.request_buffering\.max_request_size", "not-a-size", "sizes have a form (4.8)"),
    Difference("application", r"web\.locations\./a\.request_buffering\.max_request_size", "", "the schema's own default is an integer"),
    Difference("application", r"web\.commands", "", "PHP has a start command of its own (4.8)"),
    Difference("application", r"web\.upstream\.(socket_family|protocol)", "not-allowed", "two words each (4.8)"),
    Difference("application", r"web\.(document_root|passthru|index_files|whitelist|blacklist|expires).*", "not-together",
               "the old keys are invalid beside `locations` (4.8)"),
    Difference("application", r"crons\.x\.(spec|shutdown_timeout)", "(bad-schedule|missing-key| |too-small)+",
               "a cron needs a command, the schema would pass it without (13, row 81); a schedule has a form"),
    Difference("application", r"crons\.x\.commands", "", "real templates write a text, taken as `start` with a warning (13, row 82)"),
    Difference("services", r"cache\.type", "no-such-service-type", "types and versions are not in the schema (5.2)"),
    Difference("services", r"cache\.configuration", "unknown-key", "the schema takes anything; each type has its settings (5.4)"),
    Difference("services", r"cache\.relationships(\.x)?", "(endpoint-missing|no-such-service)", "they lead to `app:endpoint` (5.1)"),
    Difference("routes", r"https://a\.example/\.type", "not-allowed", "any word in the schema, three have a meaning (schema/README 6)"),
    Difference("routes", r"https://a\.example/(\.redirects\.paths\./a)?\.to", "bad-url", "a URL has a form (6.1)"),
    Difference("routes", r".*expires", "not-a-duration", "durations have a form (6.4)"),
    Difference("routes", r".*code", "not-allowed", "four codes (6.4)"),
    Difference("routes", r".*client_certificate_authorities(\.\[\])?", "not-a-certificate", "PEM texts (6.5)"),
    Difference("routes", r".*client_authentication", "not-allowed", "two words (6.5)"),
    Difference("routes", r"https://a\.example/\.(cache|ssi)", "", "`cache: false` and `ssi: true` stand in the manual (6.1)"),
    Difference("routes", r"https://a\.example/\.upstream", "endpoint-missing", "an upstream names an endpoint (13, row 120)"),
)


def codes_of(kind: str, document: dict[str, Any]) -> str:
    files = {".platform.app.yaml": yaml.safe_dump(document if kind == "application" else APP)}
    if kind != "application":
        files[f".platform/{kind}.yaml"] = yaml.safe_dump(document)
    result = read_project(DictTree(files, folders=["x"]))
    return " ".join(sorted({error.code for error in result.errors}))


@cache
def differing(kind: str) -> tuple[int, list[tuple[Probe, str]]]:
    """How many documents were tried, and those about which the schema and we do not agree."""
    base, first = BASES[kind]
    validator = jsonschema.Draft7Validator(schema(kind))
    found, number = [], 0
    for probe in probes(schema(kind), base, first):
        number += 1
        codes = codes_of(kind, probe.document)
        if validator.is_valid(probe.document) != (codes == ""):
            found.append((probe, codes))
    return number, found


def explaining(kind: str, probe: Probe, codes: str) -> Difference | None:
    path = ".".join(probe.path)
    return next((difference for difference in DIFFERENCES if re.fullmatch(difference.documents, kind)
                 and re.fullmatch(difference.path, path) and re.fullmatch(difference.codes, codes)), None)


@pytest.mark.parametrize("kind", list(BASES))
def test_every_difference_has_a_reason(kind: str) -> None:
    number, found = differing(kind)
    assert number > 300
    unexplained = [f"{probe}: {codes or 'we accept'}" for probe, codes in found if explaining(kind, probe, codes) is None]
    assert not unexplained, "\n".join(unexplained)


def test_every_reason_is_needed() -> None:
    used = Counter(explaining(kind, probe, codes) for kind in BASES for probe, codes in differing(kind)[1])
    assert not [difference for difference in DIFFERENCES if not used[difference]]
