"""All that can be asked, by noun; put together in `daemon/`."""

from __future__ import annotations

from dataclasses import dataclass

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
from deployd.queries.runs import RunQueries
from deployd.queries.source_operations import SourceOperationQueries
from deployd.queries.ssh import SshQueries
from deployd.queries.status import StatusQueries
from deployd.queries.stays import StayQueries
from deployd.queries.tickets import TicketQueries
from deployd.queries.traffic import TrafficQueries
from deployd.queries.usage import UsageQueries
from deployd.queries.variables import VariableQueries
from deployd.queries.versions import VersionQueries


@dataclass(frozen=True, slots=True, kw_only=True)
class Queries:
    projects: ProjectQueries
    environments: EnvironmentQueries
    versions: VersionQueries
    forecasts: ForecastQueries
    parts: PartQueries
    crons: CronQueries
    comparisons: ComparisonQueries
    activities: ActivityQueries
    runs: RunQueries
    logs: LogQueries
    audit: AuditQueries
    status: StatusQueries
    host: HostQueries
    figures: FigureQueries
    certificates: CertificateQueries
    usage: UsageQueries
    traffic: TrafficQueries
    access_logs: AccessLogQueries
    output: OutputQueries
    mails: MailQueries
    housekeeping: HousekeepingQueries
    plans: PlanQueries
    tickets: TicketQueries
    people: PeopleQueries
    ssh: SshQueries
    stays: StayQueries
    variables: VariableQueries
    operations: OperationQueries
    source_operations: SourceOperationQueries
