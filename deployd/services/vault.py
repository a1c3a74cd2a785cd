"""Vault as a key management service: its engine `transit` with one key for each name, and one token for each endpoint.

It begins sealed, and is opened by its own container: key and root token lie beside its data, for root alone. So a copy
of its volume opens as the volume itself does; who holds it holds the keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from shlex import quote

from deployd.environment.relationships import Connection, Credential
from deployd.project.model import Service, VaultConfiguration, VaultKey
from deployd.services.family import (
    RUN_AND_TMP,
    Copying,
    Execute,
    Parts,
    Secret,
    health,
)

PORT = 8200
DATA = "/vault/file"
OPENED_BY = f"{DATA}/deployd-opened-by"
ADDRESS = "VAULT_ADDR=http://127.0.0.1:8200"
CONFIGURATION = json.dumps({
    "storage": {"file": {"path": DATA}},
    "listener": [{"tcp": {"address": f"0.0.0.0:{PORT}", "tls_disable": True}}],
    "api_addr": f"http://127.0.0.1:{PORT}", "disable_mlock": True, "ui": False, "log_level": "warn",
    "default_lease_ttl": "87600h", "max_lease_ttl": "87600h",
})
KINDS = {"sign": "ecdsa-p256", "encrypt": "chacha20-poly1305"}
PREFIX = "endpoint-"
"""Of its policies."""
# `su-exec` is that of the official image. Root may not end what is another user's here, so all is done as that one.
START = f"""\
umask 077
[ "$(stat -c %U {DATA})" = vault ] || chown -R vault:vault {DATA}
if command -v su-exec > /dev/null; then exec su-exec vault sh -c "$1"; fi
exec setpriv --reuid=vault --regid=vault --clear-groups -- sh -c "$1\""""
# Sealed is 2, open is 0, anything else is that it does not answer yet.
OPEN = f"""\
printf %s '{CONFIGURATION}' > /tmp/vault.json
vault server -config=/tmp/vault.json & server=$!
trap 'kill -TERM "$server"' TERM INT
export HOME=/tmp {ADDRESS}
until vault status > /dev/null 2>&1; [ $? != 1 ]; do kill -0 "$server" || exit 1; sleep 0.2; done
if ! [ -s {OPENED_BY} ]; then
    vault operator init -key-shares=1 -key-threshold=1 > {OPENED_BY}.new && mv {OPENED_BY}.new {OPENED_BY} || exit 1
fi
sed -n 's/^Unseal Key 1: //p' {OPENED_BY} | tr -d '\\n' | vault write sys/unseal key=- > /dev/null || exit 1
wait "$server"; wait "$server"
"""
AS_ROOT = f"set -e; export {ADDRESS} VAULT_TOKEN; VAULT_TOKEN=$(sed -n 's/^Initial Root Token: //p' {OPENED_BY})"
CAPABILITIES = {
    "admin": {"transit/keys/{key}": "read", "transit/keys/{key}/*": "read create update delete"},
    "sign": {"transit/sign/{key}": "read update", "transit/sign/{key}/*": "read update"},
    "verify": {"transit/verify/{key}": "read update", "transit/verify/{key}/*": "read update"},
    "encrypt": {"transit/encrypt/{key}": "read update"},
    "decrypt": {"transit/decrypt/{key}": "read update"},
    "rewrap": {"transit/rewrap/{key}": "read update"},
}
"""As the hosted platforms' manual has them. A `create` beside `update` would let a token make keys."""


class Vault:
    """`vault-kms`"""

    connection = Connection("http", PORT, {"is_master": True})

    def parts(self, service: Service, *, memory_mb: int) -> Parts:
        return Parts(
            usual_seconds=4.0,
            port=PORT,
            health=health(f"{ADDRESS} vault status > /dev/null"),
            command=("sh", "-c", START, "sh", OPEN),
            environment={"GOMEMLIMIT": f"{memory_mb * 8 // 10}MiB"},
            volume_path=DATA,
            tmpfs=RUN_AND_TMP,
            crash_safe=True,     # each entry is a file that is written beside and renamed
        )

    def credentials(self, service: Service, secret: Secret) -> Mapping[str, Credential]:
        return {item.name: Credential("", secret(item.name), "/") for item in service.endpoints}

    async def provision(self, execute: Execute, service: Service, credentials: Mapping[str, Credential]) -> None:
        script = "\n".join([AS_ROOT, *_script(service.configured(VaultConfiguration).keys, credentials)])
        await execute(("sh", "-s"), script.encode())

    def copying(self, service: Service) -> Copying | None:
        return None   # its files are safe to copy


def _script(keys: Mapping[str, tuple[VaultKey, ...]], credentials: Mapping[str, Credential]) -> Iterator[str]:
    yield "vault secrets list | grep -q '^transit/' || vault secrets enable transit > /dev/null"
    for name, kind in {item.key: KINDS[item.type] for rows in keys.values() for item in rows}.items():
        path = quote(f"transit/keys/{name}")
        yield f"there=$(vault read -field=type {path} 2> /dev/null) || there="
        yield f'[ -n "$there" ] || vault write -f {path} type={kind} > /dev/null'
        said = f"the key {name} was made as $there, and cannot become {kind}"
        yield f'[ "${{there:-{kind}}}" = {kind} ] || {{ echo "{said}" >&2; exit 1; }}'
    for endpoint, rows in keys.items():
        yield f"vault policy write {quote(_policy_name(endpoint))} - > /dev/null <<'END'\n{policy(rows)}END"
        token, policies = credentials[endpoint].password or "", [_policy_name(endpoint)]
        made = json.dumps({"id": token, "policies": policies, "ttl": "87600h", "display_name": endpoint})
        asked = json.dumps({"token": token})
        # A token is in no argument: those can be seen.
        yield (f"printf %s {quote(asked)} | vault write auth/token/lookup - > /dev/null 2>&1 || "
               f"printf %s {quote(made)} | vault write auth/token/create-orphan - > /dev/null")
    # An endpoint that is gone keeps its token, which may do nothing any more.
    wanted = "|".join((*map(_policy_name, keys), "none"))
    yield (f"vault policy list | grep '^{PREFIX}' | while read -r policy; do case $policy in {wanted}) ;; "
           '*) vault policy delete "$policy" > /dev/null ;; esac; done')


def _policy_name(endpoint: str) -> str:
    """Vault writes it in lower case, whatever it is told."""
    return PREFIX + endpoint.lower()


def policy(rows: tuple[VaultKey, ...]) -> str:
    """What one endpoint may do, as Vault reads it."""
    paths: dict[str, set[str]] = {}
    for row in rows:
        for path, capabilities in CAPABILITIES[row.policy].items():
            paths.setdefault(path.format(key=row.key), set()).update(capabilities.split())
    return "".join(
        f"path {json.dumps(path)} {{ capabilities = {json.dumps(sorted(capabilities))} }}\n"
        for path, capabilities in paths.items()
    )
