"""A public authority, asked by ACME (RFC 8555) with certbot's library, `acme`; hosts are proved over HTTP (HTTP-01).

The library blocks and knows one order at a time. Each of its questions runs in a thread and has a limit, and the
waiting between them is ours: so the daemon stops soon, whatever an authority does.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import requests
from acme import challenges, client, crypto_util, errors, messages
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC

from deployd import __version__
from deployd.certificates.authority import NotIssued
from deployd.certificates.certificate import Certificate, CertificateUnusable, new_key, parse_certificate
from deployd.certificates.renewal import why_not_public
from deployd.certificates.storage import write
from deployd.settings import AcmeSettings

T = TypeVar("T")

QUESTION_SECONDS = 10
PROOF_SECONDS, SIGNING_SECONDS = 60.0, 60.0
LOOK_SECONDS = 1.0


class AcmeAuthority:
    """An account at a directory of ACME."""

    kind = "acme"

    def __init__(self, settings: AcmeSettings, folder: Path, challenges: Path) -> None:
        """
        Args:
            folder: Where the account's key is kept.
            challenges: Where the router finds what the authority asks for.
        """
        self._settings = settings
        self._account = folder / f"account-{hashlib.sha256(settings.directory.encode()).hexdigest()[:12]}.json"
        self._challenges = challenges
        self._one_at_a_time = asyncio.Lock()
        self._client: client.ClientV2 | None = None

    def why_not(self, host: str) -> str:
        return why_not_public(host)

    async def issue(self, host: str) -> Certificate:
        """A new certificate with a new key.

        Raises:
            NotIssued: The authority's own words, or that it cannot be reached.
        """
        async with self._one_at_a_time:
            with _told(self._settings.directory):
                if self._client is None:
                    self._client = await asyncio.to_thread(self._log_in)
                return await self._order(self._client, host)

    async def _order(self, ask: client.ClientV2, host: str) -> Certificate:
        _, key = new_key()
        order = await asyncio.to_thread(ask.new_order, crypto_util.make_csr(key.encode(), [host]))
        files: list[Path] = []
        try:
            for authorization in order.authorizations:
                if authorization.body.status != messages.STATUS_VALID:   # one of before may still count
                    files.append(await asyncio.to_thread(self._answer, ask, authorization))
            await _until(PROOF_SECONDS, lambda: _proved(ask, order), "it did not look at the proof")
        finally:
            for file in files:
                file.unlink(missing_ok=True)
        order = await asyncio.to_thread(ask.begin_finalization, order)
        signed = await _until(SIGNING_SECONDS, lambda: _signed(ask, order), "it did not sign")
        return parse_certificate(signed, key, self._settings.directory)

    def _answer(self, ask: client.ClientV2, authorization: messages.AuthorizationResource) -> Path:
        """Lay out the proof and say that it is there."""
        for offered in authorization.body.challenges:
            if isinstance(offered.chall, challenges.HTTP01):
                response, proof = offered.response_and_validation(ask.net.key)
                file = self._challenges / str(offered.chall.encode("token"))
                write(file, proof, 0o644)
                ask.answer_challenge(offered, response)
                return file
        raise NotIssued("the authority does not offer to look over HTTP", where=self._settings.directory)

    def _log_in(self) -> client.ClientV2:
        """With the account of this directory; a new one at the first time."""
        known = self._read_account()
        key = JWK.from_json(known["key"]) if known else JWKEC(key=new_key()[0])
        verify = cast(bool, str(self._settings.trust)) if self._settings.trust else True   # `requests` takes a path too
        net = client.ClientNetwork(
            key, alg=ES256, verify_ssl=verify, user_agent=f"deployd/{__version__}", timeout=QUESTION_SECONDS,
        )
        ask = client.ClientV2(client.ClientV2.get_directory(self._settings.directory, net), net)
        if known:
            net.account = messages.RegistrationResource(uri=known["uri"], body=messages.Registration())
            return ask
        wanted = messages.NewRegistration.from_data(
            email=self._settings.email, terms_of_service_agreed=self._settings.agree_to_terms,
        )
        account = ask.new_account(wanted)
        self._account.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(self._account, json.dumps({"key": key.to_json(), "uri": account.uri}), 0o600)
        return ask

    def _read_account(self) -> dict[str, Any] | None:
        try:
            known = json.loads(self._account.read_text())
        except FileNotFoundError:
            return None
        return known if isinstance(known, dict) and {"key", "uri"} <= known.keys() else None


async def _until(limit_seconds: float, ask: Callable[[], T | None], late: str) -> T:
    """Ask in a thread, again and again, until there is an answer.

    Raises:
        NotIssued: There was none in time.
    """
    try:
        async with asyncio.timeout(limit_seconds):
            while True:
                found = await asyncio.to_thread(ask)
                if found is not None:
                    return found
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise NotIssued(f"{late} within {limit_seconds:.0f} s") from None


def _proved(ask: client.ClientV2, order: messages.OrderResource) -> bool | None:
    """
    Raises:
        NotIssued: The authority looked and did not see the proof, in its own words.
    """
    for authorization in order.authorizations:
        seen, _ = ask.poll(authorization)
        if seen.body.status == messages.STATUS_PENDING:
            return None
        if seen.body.status != messages.STATUS_VALID:
            failed = [offered.error for offered in seen.body.challenges if offered.error is not None]
            raise NotIssued(
                "; ".join(error.detail or str(error.typ) for error in failed) or f"the proof is {seen.body.status}",
                hint="the name must lead to this host, and port 80 must be open to everybody",
            )
    return True


def _signed(ask: client.ClientV2, order: messages.OrderResource) -> str | None:
    """The chain, when it is there. One look: the library sleeps a second before it."""
    try:
        deadline = datetime.now() + timedelta(seconds=0.5)   # noqa: DTZ005  the library's own clock is naive
        return str(ask.poll_finalization(order, deadline).fullchain_pem)
    except errors.TimeoutError:
        return None


@contextmanager
def _told(directory: str) -> Iterator[None]:
    """What goes wrong with an authority, as one kind of error."""
    try:
        yield
    except messages.Error as error:
        raise NotIssued(f"{error.detail or error.typ}", where=directory, evidence=_details(error)) from None
    except errors.Error as error:
        raise NotIssued(f"the authority answered what nobody understands: {error}", where=directory) from None
    except requests.RequestException as error:
        raise NotIssued(f"the authority cannot be reached: {type(error).__name__}", where=directory,
                        evidence=(str(error),), hint="see whether this host reaches it") from None
    except CertificateUnusable as error:
        raise NotIssued(f"the authority sent what is no certificate: {error.what}", where=directory) from None


def _details(error: messages.Error) -> tuple[str, ...]:
    return tuple(str(item.detail) for item in error.subproblems or ())
