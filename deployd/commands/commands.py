"""All that can be done, by noun; put together in `daemon/`."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.commands.activities import ActivityCommands
from deployd.commands.audit import AuditCommands
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
from deployd.commands.variables import VariableCommands


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    environments: EnvironmentCommands
    rests: RestCommands
    descriptions: DescriptionCommands
    sessions: Sessions
    people: PeopleCommands
    audit: AuditCommands
    repeats: RepeatCommands
    locks: LockCommands
    crons: CronCommands
    passes: PassCommands
    activities: ActivityCommands
    housekeeping: HousekeepingCommands
    tickets: TicketCommands
    variables: VariableCommands
    operations: OperationCommands
    source_operations: SourceOperationCommands
