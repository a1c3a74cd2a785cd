"""Vault: what its tokens may do, and what of its files is refused."""

import pytest

from deployd.project.model import VaultConfiguration, VaultKey
from deployd.project.reader import read_project
from deployd.services.families import family_of
from deployd.services.vault import policy
from tests.doubles.trees import DictTree

APP = "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n"
ENDPOINTS = """\
vault:
  type: vault-kms:1.6
  disk: 512
  configuration:
    endpoints:
"""


def read(endpoints: str) -> tuple[object, list[str]]:
    files = {".platform.app.yaml": APP, ".platform/services.yaml": ENDPOINTS + endpoints}
    result = read_project(DictTree(files))
    return result.config, [finding.what for finding in result.errors]


def test_a_policy_is_what_the_hosted_platforms_say():
    rows = (VaultKey("admin", "k", "sign"), VaultKey("sign", "k", "sign"))
    assert policy(rows).splitlines() == [
        'path "transit/keys/k" { capabilities = ["read"] }',
        'path "transit/keys/k/*" { capabilities = ["create", "delete", "read", "update"] }',
        'path "transit/sign/k" { capabilities = ["read", "update"] }',
        'path "transit/sign/k/*" { capabilities = ["read", "update"] }',
    ]


@pytest.mark.parametrize(("endpoints", "said"), [
    ("      a: [{policy: sign, key: k, type: sign}, {policy: admin, key: k, type: encrypt}]\n", "of two types"),
    ("      a: [{policy: encrypt, key: k, type: sign}]\n", "`encrypt` is no use for a key of type sign"),
    ("      a: [{policy: admin, key: 'k/*', type: sign}]\n", "`k/*` cannot be the name of a key"),
    ("      a: [{policy: verify, key: k, type: sign}]\n      A: [{policy: admin, key: k, type: sign}]\n",
     "`A` differs from `a` by its case alone"),
    ("      'a\" b': [{policy: admin, key: k, type: sign}]\n", "cannot be the name of an endpoint"),
])
def test_what_no_key_can_be_is_refused(endpoints, said):
    config, wrong = read(endpoints)
    assert config is None
    assert any(said in line for line in wrong), wrong


async def test_tokens_go_by_standard_input_and_those_of_endpoints_that_are_gone_may_do_nothing():
    config, wrong = read("      signer: [{policy: sign, key: k, type: sign}]\n")
    assert config is not None, wrong
    [it] = config.services
    assert it.configured(VaultConfiguration).keys == {"signer": (VaultKey("sign", "k", "sign"),)}
    said = []

    async def execute(argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        said.append((argv, (stdin or b"").decode()))
        return b""

    family = family_of(it)
    await family.provision(execute, it, family.credentials(it, lambda name: f"it's {name}"))
    [(argv, script)] = said
    assert "it's" not in repr(argv)
    assert "vault write -f transit/keys/k type=ecdsa-p256" in script
    assert 'case $policy in endpoint-signer|none)' in script
    assert """{"token": "it'"'"'s signer"}""" in script


async def test_the_policy_of_an_endpoint_in_upper_case_is_kept_under_the_name_that_vault_gives_it():
    config, wrong = read("      Signer: [{policy: sign, key: k, type: sign}]\n")
    assert config is not None, wrong
    [it] = config.services
    said = []

    async def execute(argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        said.append((stdin or b"").decode())
        return b""

    await family_of(it).provision(execute, it, family_of(it).credentials(it, str))
    assert "vault policy write endpoint-signer -" in said[0]
    assert "in endpoint-signer|none) ;;" in said[0]
