"""A keystore of Java from certificates, and who sees it. That a JDK reads it is shown where one runs."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from deployd.engine.specs import Bind
from deployd.engine.trust import STORE
from deployd.project.model import Application, Commands, Instance, Web
from deployd.release.applications.sizes import size_of
from deployd.release.java_keystore import render_keystore
from deployd.release.trust import trust_binds
from deployd.runtimes.java import JAVA
from deployd.runtimes.python import PYTHON
from deployd.settings import Settings


def pem(der: bytes) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


ONE, OTHER = b"\x30one", b"\x30the other"


def test_a_keystore_has_every_certificate_once_and_nothing_else() -> None:
    found = render_keystore(f"# a comment\n{pem(ONE)}{pem(OTHER)}{pem(ONE)}{pem(b'no certificate')}"
                            "-----BEGIN CERTIFICATE-----\nMAx\n-----END CERTIFICATE-----\n")
    assert found.startswith(bytes.fromhex("feedfeed0000000200000002"))
    assert (found.count(ONE), found.count(OTHER), found.count(b"no certificate")) == (1, 1, 0)
    content, digest = found[:-20], found[-20:]
    assert digest == hashlib.sha1("changeit".encode("utf-16-be") + b"Mighty Aphrodite" + content).digest()
    assert found == render_keystore(pem(ONE) + pem(OTHER)), "the same certificates are the same bytes"


async def test_a_keystore_stands_beside_the_store_where_java_runs(tmp_path: Path) -> None:
    store = tmp_path / "ca-certificates.crt"
    store.write_text(pem(ONE))
    own = Bind(str(store), str(STORE), read_only=True)
    assert await trust_binds(tmp_path, None, JAVA) == ()
    assert await trust_binds(tmp_path, store, PYTHON) == (own,)
    first, keystore = await trust_binds(tmp_path, store, JAVA)
    assert (first, keystore.target, keystore.read_only) == (own, "/etc/ssl/certs/java/cacerts", True)
    assert Path(keystore.source).read_bytes() == render_keystore(pem(ONE))
    seen = Path(keystore.source).stat().st_ino
    store.write_text(pem(ONE) + pem(OTHER))
    await trust_binds(tmp_path, store, JAVA)
    assert OTHER in Path(keystore.source).read_bytes()
    assert Path(keystore.source).stat().st_ino == seen, "containers see it by its inode"


@pytest.mark.parametrize(("runtime", "size", "auto_mb", "memory_mb"), [
    ("java", "AUTO", 512, 1024), ("java", "AUTO", 4096, 4096), ("java", "S", 512, 256), ("php", "AUTO", 512, 512),
])
def test_who_names_no_size_gets_what_the_runtime_needs(runtime: str, size: str, auto_mb: int, memory_mb: int) -> None:
    app = Application("app", runtime, "21", "", Web(Instance(Commands(), size=size), "tcp", "http", ()))
    settings = Settings.model_validate({"sizes": {"AUTO": {"memory_mb": auto_mb, "cpus": 0.5}}})
    found = size_of(settings, app, app.web.instance)
    assert found.memory_mb == memory_mb
    assert size != "AUTO" or found.cpus == 0.5
