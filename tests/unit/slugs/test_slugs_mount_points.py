"""Mount points in a built tree, the kernel's list of mounts."""

import io
from pathlib import Path

import pytest

from deployd.confined.mountinfo import parse_mountinfo
from deployd.slugs.errors import MountPointBlocked
from deployd.slugs.mount_points import covered_mounts, make_mount_points


def test_missing_folders_are_made_and_others_left_alone(tmp_path):
    (tmp_path / "pub/media").mkdir(parents=True)
    (tmp_path / "pub/media/a.png").write_text("")
    make_mount_points(tmp_path, ("pub/media", "pub/static", "/var/cache/"))
    assert (tmp_path / "pub/media/a.png").exists()
    assert (tmp_path / "pub/static").is_dir()
    assert (tmp_path / "var/cache").is_dir()


def test_a_link_on_the_way_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/var").symlink_to(outside)
    with pytest.raises(MountPointBlocked, match="var is a symbolic link"):
        make_mount_points(tmp_path / "tree", ("var/cache",))
    assert not list(outside.iterdir())


def test_a_link_or_file_at_the_place_itself_gives_way_without_being_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/media").symlink_to(outside)
    (tmp_path / "tree/log").write_text("")
    make_mount_points(tmp_path / "tree", ("media", "media/x", "log"))
    assert (tmp_path / "tree/media/x").is_dir()
    assert not (tmp_path / "tree/media").is_symlink()
    assert (tmp_path / "tree/log").is_dir()
    assert not list(outside.iterdir())


@pytest.mark.parametrize("mount", ["", "/", "../x", "a/../../x", "."])
def test_a_mount_outside_of_the_tree_is_refused(tmp_path, mount):
    with pytest.raises(MountPointBlocked):
        make_mount_points(tmp_path, (mount,))


def test_mounts_that_hide_something_are_named_once(tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("/etc")
    assert covered_mounts(tmp_path, ("full", "empty", "file", "link", "link/apt", "none/at/all", "full")) == (
        "full", "file", "link",
    )


def test_the_kernels_list_of_mounts_is_read_with_its_escapes():
    text = (
        b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        b"99 22 7:0 / /srv/my\\040slugs/a ro,nosuid,nodev - squashfs /dev/loop0 ro,errors=continue\n"
    )
    root, slug = parse_mountinfo(io.BytesIO(text))
    assert root.path == Path("/")
    assert (slug.path, slug.kind, slug.source) == (Path("/srv/my slugs/a"), "squashfs", "/dev/loop0")


@pytest.mark.parametrize("name", [
    b"\xff\xfe", b"a\x0bb", b"a\x0cb", b"a\rb", b"a\x1cb\x1db\x1eb", "a\x85b\u2028c\u2029d".encode(),
    b"\\134777", b"//deleted",
])
def test_what_a_tenant_calls_a_folder_that_is_mounted_hides_no_mount(name):
    text = (
        b"98 22 8:1 /srv/" + name + b" /run/stages/0 rw,nosuid,nodev - ext4 /dev/vda rw\n"
        b"99 22 7:0 / /srv/slugs/a ro,nosuid,nodev - squashfs /dev/loop0 ro\n"
    )
    assert [item.path for item in parse_mountinfo(io.BytesIO(text))] == [Path("/run/stages/0"), Path("/srv/slugs/a")]
