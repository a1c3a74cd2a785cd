"""The mail server as the settings want it: who sends from which network, and who takes it further."""

from __future__ import annotations

from collections.abc import Iterable

from deployd.ids import EnvironmentId
from deployd.mail.box_reader import FOLDER
from deployd.mail.configuration import MailConfiguration, MailEnvironment, Relay
from deployd.mail.supervisor import MailServerProcess, MailSupervisor
from deployd.settings import MailRelay, Settings, parse_relay
from deployd.state import environments
from deployd.state.store import Store
from deployd.units import MEGABYTE


def mail_supervisor(store: Store, settings: Settings, process: MailServerProcess | None = None) -> MailSupervisor:
    async def read() -> MailConfiguration:
        return configuration_of(settings, await store.read(environments.subnets))

    return MailSupervisor(settings.state / FOLDER, read, enabled=settings.mail.enabled, process=process)


def configuration_of(
    settings: Settings, subnets: Iterable[tuple[EnvironmentId, str, str]],
) -> MailConfiguration:
    """
    Args:
        subnets: (environment, branch, subnet); those of projects that are not in the settings have no mail.
    """
    found = []
    for environment, branch, subnet in subnets:
        known = settings.projects.get(environment.project)
        if known is not None:
            shares = settings.shares_of(environment.project)
            found.append(MailEnvironment(
                *environment, subnet, shares.mail_mb * MEGABYTE, shares.mails_per_minute,
                _relay(settings.relay_of(known, branch)),
            ))
    return MailConfiguration(
        settings.smtp_port, settings.mail.message_mb * MEGABYTE, settings.mail.keep_days * 86_400,
        settings.min_free_disk_mb * MEGABYTE, tuple(found),
    )


def _relay(mail: MailRelay | None) -> Relay | None:
    if mail is None or mail.relay is None:
        return None
    where = parse_relay(mail.relay)
    return Relay(
        where.host, where.port, where.tls, where.user, mail.password.get_secret_value() if mail.password else "",
        mail.sender or "",
    )
