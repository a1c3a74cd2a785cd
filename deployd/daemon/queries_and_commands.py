"""What can be asked and done, put together for every face of the daemon."""

from __future__ import annotations

import asyncio
from functools import partial

from deployd.access.directory import Directory
from deployd.commands.activities import ActivityCommands
from deployd.commands.audit import AuditCommands
from deployd.commands.commands import Commands
from deployd.commands.crons import CronCommands
from deployd.commands.descriptions import DescriptionCommands
from deployd.commands.environments import EnvironmentCommands
from deployd.commands.housekeeping import HousekeepingCommands
from deployd.commands.locks import LockCommands
from deployd.commands.operations import OperationCommands
from deployd.commands.passes import PassCommands
from deployd.commands.people import PeopleCommands
from deployd.commands.repeats import RepeatCommands
from deployd.commands.rests import RestCommands
from deployd.commands.sessions import Sessions
from deployd.commands.source_operations import SourceOperationCommands
from deployd.commands.tickets import TicketCommands
from deployd.commands.variables import Sealed, VariableCommands
from deployd.daemon.composition import Daemon
from deployd.daemon.health import collected, degraded, footing, measured, meters
from deployd.queries.access_logs import AccessLogQueries
from deployd.queries.activities import ActivityQueries
from deployd.queries.audit import AuditQueries
from deployd.queries.certificates import CertificateQueries
from deployd.queries.comparisons import ComparisonQueries
from deployd.queries.crons import CronQueries
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.figures import FigureQueries
from deployd.queries.forecasts import ForecastQueries
from deployd.queries.host import HostQueries
from deployd.queries.housekeeping import HousekeepingQueries
from deployd.queries.logs import LogQueries
from deployd.queries.mails import MailQueries
from deployd.queries.operations import OperationQueries
from deployd.queries.output import OutputQueries
from deployd.queries.parts import PartQueries
from deployd.queries.people import PeopleQueries
from deployd.queries.plans import PlanQueries
from deployd.queries.projects import ProjectQueries
from deployd.queries.queries import Queries
from deployd.queries.runs import RunQueries
from deployd.queries.source_operations import SourceOperationQueries
from deployd.queries.ssh import SshQueries
from deployd.queries.status import Health, StatusQueries
from deployd.queries.stays import StayQueries
from deployd.queries.tickets import TicketQueries
from deployd.queries.traffic import TrafficQueries
from deployd.queries.usage import UsageQueries
from deployd.queries.variable_effects import VariableEffects
from deployd.queries.variables import VariableQueries
from deployd.queries.versions import VersionQueries
from deployd.settings import ProjectSettings
from deployd.slugs.compare import SlugComparison
from deployd.upkeep.access_tail import AT_ONCE


def queries_of(daemon: Daemon, directory: Directory) -> Queries:
    """What can be asked."""
    store, settings, clock = daemon.resources.store, daemon.settings, daemon.resources.clock
    observation, upkeep, process = daemon.observation, daemon.upkeep, daemon.process
    environments = EnvironmentQueries(store, settings, observation.usage.killed)
    versions = VersionQueries(store, settings, environments)
    activities = ActivityQueries(store, daemon.activities.logs, clock, daemon.activities.limits.waits.of)
    audit = AuditQueries(store)
    certificates = CertificateQueries(upkeep.certificates.known)
    status = StatusQueries(_health(daemon), activities, environments, settings, process.began, audit.head)
    turns = asyncio.Semaphore(AT_ONCE)   # one for all: threads are for others too
    return Queries(
        projects=ProjectQueries(store, settings),
        environments=environments,
        versions=versions,
        forecasts=ForecastQueries(store, daemon.host, environments, versions),
        parts=PartQueries(store, daemon.host, environments, daemon.resources.masker.mask),
        crons=CronQueries(store, daemon.host, environments, upkeep.crons),
        comparisons=_comparisons(daemon, environments),
        activities=activities,
        runs=RunQueries(store, daemon.activities.logs, clock),
        logs=LogQueries(daemon.activities.logs),
        audit=audit,
        status=status,
        host=HostQueries(meters(daemon), status, activities, certificates, settings),
        figures=FigureQueries(partial(measured, daemon)),
        certificates=certificates,
        usage=UsageQueries(observation.usage, environments, clock),
        traffic=TrafficQueries(store, environments, observation.histories, clock),
        access_logs=AccessLogQueries(daemon.host.places, environments, process.tails, turns),
        output=OutputQueries(observation.outputs, environments),
        mails=MailQueries(settings.state, environments, turns),
        housekeeping=HousekeepingQueries(upkeep.collector),
        plans=PlanQueries(store, daemon.host),
        tickets=TicketQueries(store, daemon.host, daemon.resources.code),
        people=PeopleQueries(directory, clock.now),
        ssh=SshQueries(settings, process.ssh.seen, process.ssh.troubles),
        stays=StayQueries(store),
        operations=OperationQueries(daemon.host, environments),
        source_operations=SourceOperationQueries(daemon.host, environments),
        variables=VariableQueries(
            store, daemon.host, environments, daemon.resources.sealer, daemon.resources.masker.mask,
        ),
    )


def commands_of(
    daemon: Daemon, queries: Queries, directory: Directory, sessions: Sessions, people: PeopleCommands,
) -> Commands:
    """What can be done."""
    store, host, requests = daemon.resources.store, daemon.host, daemon.activities.requests
    sealed = Sealed(daemon.resources.sealer, daemon.resources.masker)
    return Commands(
        environments=EnvironmentCommands(store, host, queries.environments, requests),
        rests=RestCommands(store, host, queries.environments, requests),
        descriptions=DescriptionCommands(store, daemon.settings, queries.environments),
        sessions=sessions,
        people=people,
        audit=AuditCommands(store, host.clock),
        repeats=RepeatCommands(store, host.clock),
        locks=LockCommands(store, host.clock, queries.environments, requests),
        crons=CronCommands(queries.environments, daemon.upkeep.crons),
        passes=PassCommands(host, queries.environments),
        activities=ActivityCommands(store, daemon.activities.lanes),
        housekeeping=HousekeepingCommands(daemon.upkeep.collector),
        tickets=TicketCommands(store, host, daemon.activities.lanes, requests, queries.tickets, directory),
        operations=OperationCommands(store, queries.environments, queries.operations, requests),
        source_operations=SourceOperationCommands(
            store, queries.environments, queries.source_operations, requests,
        ),
        variables=VariableCommands(
            store, host, queries.environments, requests, sealed, VariableEffects(store, host, sealed.sealer),
        ),
    )


def _health(daemon: Daemon) -> Health:
    return Health(
        partial(footing, daemon.resources), partial(degraded, daemon), partial(collected, daemon.upkeep.collector),
    )


def _comparisons(daemon: Daemon, environments: EnvironmentQueries) -> ComparisonQueries:
    resources, settings, facts = daemon.resources, daemon.settings, daemon.host.facts

    async def as_seen(project: ProjectSettings, branch: str) -> ProjectSettings:
        return await facts.with_variables(project, branch, await facts.variables_now(project, branch))

    return ComparisonQueries(
        resources.store, settings, environments, resources.code, SlugComparison(resources.slugs, settings.run),
        resources.masker.mask, as_seen,
    )
