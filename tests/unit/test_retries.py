"""What is tried again and what is not: by kind of error, and by the words of git, Docker, apt and registries."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import deployd
from deployd.activity.incidents import as_transient, unwrap
from deployd.engine.docker.images import not_made
from deployd.engine.errors import ImageNotFetched
from deployd.errors import DeployError, Transient
from deployd.git.remote import is_worth_another_try

PAGE = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text()
BY_KIND = {
    "EngineUnreachable": 3.0, "RouterAbsent": 1.0, "RouterUnanswered": 1.0, "OutsideUnanswered": 2.0,
    "ImageNotFetched": 10.0, "ReadersAbsent": 5.0, "MountsUnreadable": 3.0,
}


def kinds(of: type[DeployError] = DeployError) -> Iterator[type[DeployError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_only_these_kinds_of_errors_are_tried_again() -> None:
    for module in pkgutil.walk_packages(deployd.__path__, "deployd."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    ours = [kind for kind in kinds() if kind.__module__.startswith("deployd.")]
    assert len(ours) > 50
    assert {kind.__name__: kind.again_in_seconds for kind in ours if kind.again_in_seconds is not None} == BY_KIND
    for kind in ours:
        if kind.__name__ in BY_KIND:
            row = re.search(rf"^\| `{kind.code}` \| (\d+) s \|", PAGE, re.MULTILINE)
            assert row is not None, kind.code
            assert float(row[1]) == kind.again_in_seconds


def test_of_several_errors_one_that_is_not_worth_another_try_counts() -> None:
    worth, not_worth = not_made("x", "i/o timeout"), DeployError("wrong")
    assert unwrap(ExceptionGroup("two", [worth, not_worth])) is not_worth
    assert unwrap(ExceptionGroup("two", [worth, Transient(DeployError("away"), 1)])) is worth
    assert as_transient(not_worth) is None
    assert as_transient(KeyError("a bug")) is None
    again = as_transient(worth)
    assert again is not None
    assert (again.error, again.again_in_seconds) == (worth, 10.0)


@pytest.mark.parametrize(("said", "worth"), [
    ("fatal: unable to access 'https://x/y.git/': Could not resolve host: x", True),
    ("fatal: unable to access 'https://x/y.git/': Failed to connect to x port 443: Connection refused", True),
    ("fatal: unable to access 'https://x/': Operation too slow. Less than 1 bytes/sec transferred", True),
    ("error: RPC failed; HTTP 502 curl 22 The requested URL returned error: 502", True),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 429", True),
    ("fatal: the remote end hung up unexpectedly", True),
    ("ssh: connect to host x port 22: Connection timed out", True),
    ("kex_exchange_identification: Connection closed by remote host", True),
    ("fatal: early EOF\nfatal: index-pack failed", True),
    ("", True),
    ("fatal: Authentication failed for 'https://x/y.git/'", False),
    ("fatal: could not read Username for 'https://x': terminal prompts disabled", False),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 403", False),
    ("fatal: unable to access 'https://x/': The requested URL returned error: 410", False),
    ("remote: Repository not found.\nfatal: repository 'https://x/y.git/' not found", False),
    ("fatal: '/nowhere' does not appear to be a git repository", False),
    ("git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", False),
    ("Host key verification failed.\nfatal: Could not read from remote repository.", False),
    ("fatal: unable to access 'https://x/': SSL certificate problem: self-signed certificate", False),
    ("fatal: remote error: upload-pack: not our ref 1111", False),
    ("git: 'remote-gopher' is not a git command. See 'git --help'.", False),
    ("fatal: write error: No space left on device", False),
])
def test_a_fetch_is_tried_again_when_the_network_or_the_remote_was_not_well(said: str, worth: bool) -> None:
    assert is_worth_another_try(said) is worth


@pytest.mark.parametrize(("said", "worth"), [
    ("Get https://registry/v2/: dial tcp: lookup registry: no such host", True),
    ("Get https://registry/v2/: dial tcp 10.0.0.1:443: connect: connection refused", True),
    ("Get https://registry/v2/: net/http: TLS handshake timeout", True),
    ("toomanyrequests: You have reached your pull rate limit", True),
    ("received unexpected HTTP status: 503 Service Unavailable", True),
    ("unexpected EOF", True),
    ("manifest for x:1 not found: manifest unknown", False),
    ("pull access denied for x, repository does not exist", False),
    ("unauthorized: authentication required", False),
    ("The command '/bin/sh -c apt-get install nothing' returned a non-zero code: 100", False),
    ("no space left on device", False),
])
def test_an_image_is_tried_again_when_the_network_was_not_well(said: str, worth: bool) -> None:
    assert isinstance(not_made("x:1", said), ImageNotFetched) is worth


def test_the_output_of_a_build_of_an_image_tells_too() -> None:
    last = ("Err:1 http://deb.debian.org/debian trixie InRelease", "  Temporary failure resolving 'deb.debian.org'")
    assert isinstance(not_made("x:1", "returned a non-zero code: 100", last), ImageNotFetched)
    assert isinstance(not_made("x:1", "", unreachable=True), ImageNotFetched)
    assert not isinstance(not_made("x:1", "returned a non-zero code: 1", ("E: Unable to locate package x",)),
                          ImageNotFetched)
