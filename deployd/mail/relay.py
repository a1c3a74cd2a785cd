"""Handing one mail to a relay, and what its answer means."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, replace

import aiosmtplib

from deployd.mail.configuration import Relay
from deployd.mail.mail import LONGEST_WHY, REFUSED, WAITS, Mail

LIMIT_SECONDS = 60.0
"""For each answer of the relay."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 60.0, 3600.0
GIVE_UP_SECONDS = 2 * 24 * 3600.0
"""After a mail came. Postfix takes five days; whoever waits for a mail of a shop does not."""
PERMANENT = 500
NOT_LET_IN = (421, 454, 530, 534, 535, 538)
"""RFC 4954 6, and 421, with which a server ends: answers that every other mail would get too."""
LOCAL_NAME = "deployd.localhost"
"""How we greet: the host's own name may take seconds to find out."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went."""

    left: tuple[str, ...] = ()
    """Recipients who have not got it."""
    why: str = ""
    for_ever: bool = False
    """It would be the same the next time."""
    is_relays: bool = False
    """It would be the same with every other mail: the relay cannot be reached, or does not let us in."""


async def deliver(relay: Relay, mail: Mail, message: bytes) -> Delivery:
    """Give a relay one mail."""
    client = aiosmtplib.SMTP(
        hostname=relay.host, port=relay.port, use_tls=relay.tls, timeout=LIMIT_SECONDS, local_hostname=LOCAL_NAME,
        start_tls=False if relay.tls else True if relay.password else None, tls_context=_tls(relay),
        username=relay.user or None, password=relay.password or None,
    )
    is_in = False
    try:
        async with client:
            is_in = True
            refused, _ = await client.sendmail(
                relay.sender or mail.sender, list(mail.recipients), message,
                mail_options=_options(client, mail, message),
            )
            return _of_recipients({address: (answer.code, answer.message) for address, answer in refused.items()})
    except aiosmtplib.SMTPRecipientsRefused as error:
        return _of_recipients({item.recipient: (item.code, item.message) for item in error.recipients})
    except aiosmtplib.SMTPResponseException as error:
        is_relays = not is_in or error.code in NOT_LET_IN
        return Delivery(
            mail.recipients, f"{error.code} {error.message}", error.code >= PERMANENT and not is_relays, is_relays,
        )
    except (aiosmtplib.SMTPException, OSError, ssl.SSLError, TimeoutError) as error:
        return Delivery(mail.recipients, str(error) or type(error).__name__, is_relays=True)
    except ValueError as error:   # an address that the library does not send
        return Delivery(mail.recipients, str(error), for_ever=True)


def after_delivery(mail: Mail, delivery: Delivery, now: float) -> Mail | None:
    """What becomes of a mail; None: everybody has got it. Pure."""
    if not delivery.left:
        return None
    why = " ".join(delivery.why.split())[:LONGEST_WHY]
    tries = mail.tries + 1
    if delivery.for_ever:
        return replace(mail, recipients=delivery.left, state=REFUSED, why=why, tries=tries, again_at=0.0)
    if now - mail.at > GIVE_UP_SECONDS:
        given_up = f"not delivered in {GIVE_UP_SECONDS / 3600:g} h, and given up; the last answer: {why}"
        return replace(mail, recipients=delivery.left, state=REFUSED, why=given_up[:LONGEST_WHY], tries=tries,
                       again_at=0.0)
    again_at = now + pause_seconds(tries)
    return replace(mail, recipients=delivery.left, state=WAITS, why=why, tries=tries, again_at=again_at)


def pause_seconds(tries: int) -> float:
    return min(FIRST_PAUSE_SECONDS * 2.0 ** min(tries - 1, 10), LONGEST_PAUSE_SECONDS)


def now() -> float:
    return time.time()


def _of_recipients(refused: dict[str, tuple[int, str]]) -> Delivery:
    """Those who may get it later go before those who never will: of these the last try tells."""
    later = {address: answer for address, answer in refused.items() if answer[0] < PERMANENT}
    left = later or refused
    why = "; ".join(f"{address}: {code} {text}" for address, (code, text) in refused.items())
    return Delivery(tuple(left), why, for_ever=not later)


def _options(client: aiosmtplib.SMTP, mail: Mail, message: bytes) -> list[str]:
    """What the relay has to know of a mail, where it understands it."""
    options = []
    if not message.isascii() and client.supports_extension("8bitmime"):
        options.append("BODY=8BITMIME")
    if not "".join((mail.sender, *mail.recipients)).isascii() and client.supports_extension("smtputf8"):
        options.append("SMTPUTF8")
    return options


def _tls(relay: Relay) -> ssl.SSLContext:
    """Without a password, and where the relay only offers TLS, whoever listens gets the mail with and without it."""
    context = ssl.create_default_context()
    if not relay.tls and not relay.password:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
