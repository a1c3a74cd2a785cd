"""The postman's office as the settings want it: who sends from which network, and who takes it further."""

from __future__ import annotations

from collections.abc import Iterable

from deployd.ids import EnvironmentId
from deployd.mail.office import Employment, Office
from deployd.mail.round import Address, Relay, Round
from deployd.mail.seen import FOLDER
from deployd.settings import MailRelay, Settings, parse_relay
from deployd.state import environments
from deployd.state.store import Store
from deployd.units import MEGABYTE


def mail_office(store: Store, settings: Settings, employment: Employment | None = None) -> Office:
    async def read() -> Round:
        return round_of(settings, await store.read(environments.subnets))

    return Office(settings.state / FOLDER, read, enabled=settings.mail.enabled, employment=employment)


def round_of(
    settings: Settings, subnets: Iterable[tuple[EnvironmentId, str, str]],
) -> Round:
    """
    Args:
        subnets: (environment, branch, subnet); those of projects that are not in the settings have no mail.
    """
    addresses = []
    for environment, branch, subnet in subnets:
        known = settings.projects.get(environment.project)
        if known is not None:
            shares = settings.shares_of(environment.project)
            addresses.append(Address(
                *environment, subnet, shares.mail_mb * MEGABYTE, shares.mails_per_minute,
                _relay(settings.relay_of(known, branch)),
            ))
    return Round(
        settings.smtp_port, settings.mail.message_mb * MEGABYTE, settings.mail.keep_days * 86_400,
        settings.min_free_disk_mb * MEGABYTE, tuple(addresses),
    )


def _relay(found: MailRelay | None) -> Relay | None:
    if found is None or found.relay is None:
        return None
    where = parse_relay(found.relay)
    return Relay(
        where.host, where.port, where.tls, where.user, found.password.get_secret_value() if found.password else "",
        found.sender or "",
    )
