"""Puts together what can be asked and done, for every face of the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from deployd.activity.lanes import Lanes
from deployd.activity.log import Logs
from deployd.certificates.manager import HostCertificate
from deployd.commands.activities import ActivityCommands
from deployd.commands.audit import AuditCommands
from deployd.commands.commands import Commands
from deployd.commands.environments import EnvironmentCommands
from deployd.commands.housekeeping import HousekeepingCommands
from deployd.commands.locks import LockCommands
from deployd.commands.passes import PassCommands
from deployd.commands.repeats import RepeatCommands
from deployd.commands.sessions import Sessions
from deployd.daemon.edges import Edges
from deployd.daemon.lasting import Lasting
from deployd.output.outputs import Outputs
from deployd.queries.access_logs import AccessLogQueries
from deployd.queries.activities import ActivityQueries, Waits
from deployd.queries.audit import AuditQueries
from deployd.queries.certificates import CertificateQueries
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.figures import FigureQueries, Figures
from deployd.queries.housekeeping import HousekeepingQueries
from deployd.queries.logs import LogQueries
from deployd.queries.mails import MailQueries
from deployd.queries.output import OutputQueries
from deployd.queries.plans import PlanQueries
from deployd.queries.projects import ProjectQueries
from deployd.queries.queries import Queries
from deployd.queries.runs import RunQueries
from deployd.queries.status import Health, StatusQueries
from deployd.queries.usage import UsageQueries
from deployd.release.ports import Host
from deployd.state.store import Store
from deployd.upkeep.access_tail import AT_ONCE
from deployd.upkeep.collect.collector import Collector
from deployd.upkeep.usage.keeper import Usage


@dataclass(frozen=True, kw_only=True)
class Watching:
    """What knows of what is live, while the daemon runs."""

    logs: Logs
    waits: Waits
    usage: Usage
    outputs: Outputs
    collector: Collector
    certificates: Callable[[], Sequence[HostCertificate]]
    health: Health
    measure: Callable[[], Awaitable[Figures]]


def queries_of(edges: Edges, host: Host, lasting: Lasting, watching: Watching) -> Queries:
    """What can be asked."""
    store, settings = edges.store, host.settings
    environments = EnvironmentQueries(store, settings, watching.usage.killed)
    activities = ActivityQueries(store, watching.logs, edges.clock, watching.waits)
    audit = AuditQueries(store)
    turns = asyncio.Semaphore(AT_ONCE)   # one for all: threads are for others too
    return Queries(
        projects=ProjectQueries(store, settings),
        environments=environments,
        activities=activities,
        runs=RunQueries(store, watching.logs, edges.clock),
        logs=LogQueries(watching.logs),
        audit=audit,
        status=StatusQueries(watching.health, activities, environments, settings, lasting.began, audit.head),
        figures=FigureQueries(watching.measure),
        certificates=CertificateQueries(watching.certificates),
        usage=UsageQueries(watching.usage, environments, edges.clock),
        access_logs=AccessLogQueries(host.places, environments, lasting.tails, turns),
        output=OutputQueries(watching.outputs, environments),
        mails=MailQueries(settings.state, environments, turns),
        housekeeping=HousekeepingQueries(watching.collector),
        plans=PlanQueries(store, host),
    )


def commands_of(
    store: Store, host: Host, lanes: Lanes, collector: Collector, queries: Queries, sessions: Sessions,
) -> Commands:
    """What can be done."""
    return Commands(
        environments=EnvironmentCommands(store, host, queries.environments, lanes.wake),
        sessions=sessions,
        audit=AuditCommands(store, host.clock),
        repeats=RepeatCommands(store, host.clock),
        locks=LockCommands(store, host.clock, queries.environments, lanes.wake),
        passes=PassCommands(host, queries.environments),
        activities=ActivityCommands(store, lanes),
        housekeeping=HousekeepingCommands(collector),
    )
