"""What user names and command lines mean over SSH, and all that they do not."""

from __future__ import annotations

import pytest

from deployd.ssh.names import GitCommand, protocol_of, read_git, read_user
from deployd.ssh.ports import Refused, Target


@pytest.mark.parametrize(("name", "target"), [
    ("git", None),
    ("main.shop", Target("main", "shop")),
    ("feature-x.shop--queue", Target("feature-x", "shop", "queue")),
    ("main-bvxea6i.my-shop--app.worker_2", Target("main-bvxea6i", "my-shop", "app.worker_2")),
])
def test_a_user_name_is_git_or_an_environment(name: str, target: Target | None) -> None:
    assert read_user(name) == target


@pytest.mark.parametrize("name", [
    "", "root", "Git", "main", ".shop", "main.", "main.shop--", "-main.shop", "main.shop/..", "main.shop\n", "a" * 300,
    "main.shop--" + "q" * 65, "main shop", "maın.shop",
])
def test_what_a_user_name_does_not_mean_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="nobody is called"):
        read_user(name)


@pytest.mark.parametrize(("command", "meant"), [
    ("git-receive-pack '/shop.git'", GitCommand("git-receive-pack", "shop")),
    ("git-upload-pack 'shop.git'", GitCommand("git-upload-pack", "shop")),
    ("git-upload-pack '/git/shop.git/'", GitCommand("git-upload-pack", "shop")),
    ("git receive-pack shop", GitCommand("git-receive-pack", "shop")),
])
def test_git_names_a_service_and_a_repository(command: str, meant: GitCommand) -> None:
    assert read_git(command) == meant


@pytest.mark.parametrize("command", [
    "", "git", "git-upload-archive '/shop.git'", "git-receive-pack", "git-receive-pack '/a' '/b'", "git config -l",
    "git-receive-pack '/../../shop.git'", "git-receive-pack '/shop.git' --help", "git-receive-pack '--help'",
    "git-receive-pack '/a/b/c.git'", "git-receive-pack '/shop.git\n'", "git-receive-pack `id`", "bash -c id",
    "git-lfs-authenticate /shop.git nonsense", "git-receive-pack '/shop.git", "GIT-RECEIVE-PACK '/shop.git'",
])
def test_everything_else_is_refused(command: str) -> None:
    with pytest.raises(Refused):
        read_git(command)


def test_a_refusal_shows_nothing_that_moves_the_cursor() -> None:
    with pytest.raises(Refused) as refused:
        read_git("\x1b]0;evil\x07\x1b[2J" + "x" * 1_000)
    assert all(letter.isprintable() for line in refused.value.lines() for letter in line)
    assert len(refused.value.what) < 300


@pytest.mark.parametrize(("said", "meant"), [
    ("version=2", "version=2"), ("version=1:object-format", "version=1:object-format"), ("x" * 200, ""),
    ("version=2\nLD_PRELOAD=x", ""), ("$(id)", ""),
])
def test_of_the_protocols_version_only_what_git_would_say_is_passed_on(said: str, meant: str) -> None:
    assert protocol_of({"GIT_PROTOCOL": said, "LD_PRELOAD": "/evil.so"}) == meant
