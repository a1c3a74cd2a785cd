"""The table of the API: this is the code, and the documentation and the OpenAPI document are made from it.

Each row stands in the file of its noun in `resources/`, beside its handler.
"""

from __future__ import annotations

from collections.abc import Mapping

from deployd.api.resources.access_logs import access_logs
from deployd.api.resources.activities import activities
from deployd.api.resources.audit import audit
from deployd.api.resources.certificates import certificates
from deployd.api.resources.changes import changes
from deployd.api.resources.comparisons import comparisons
from deployd.api.resources.crons import crons
from deployd.api.resources.daemon import daemon
from deployd.api.resources.environments import environments
from deployd.api.resources.host import host
from deployd.api.resources.housekeeping import housekeeping
from deployd.api.resources.locks import locks
from deployd.api.resources.mails import mails
from deployd.api.resources.operations import operations
from deployd.api.resources.output import output
from deployd.api.resources.parts import parts
from deployd.api.resources.passes import passes
from deployd.api.resources.people import people
from deployd.api.resources.plans import plans
from deployd.api.resources.projects import projects
from deployd.api.resources.rests import rests
from deployd.api.resources.sessions import sessions
from deployd.api.resources.source_operations import source_operations
from deployd.api.resources.ssh import ssh
from deployd.api.resources.stays import stays
from deployd.api.resources.tickets import tickets
from deployd.api.resources.traffic import traffic
from deployd.api.resources.usage import usage
from deployd.api.resources.variables import variables
from deployd.api.route import ApiRoute, Handler

RESOURCES = (
    daemon, projects, plans, environments, parts, variables, crons, operations, source_operations, locks, tickets,
    rests, passes, traffic, access_logs, output, mails, usage, certificates, activities, housekeeping, audit, sessions,
    changes, host, comparisons, people, ssh, stays,
)
HANDLERS: Mapping[ApiRoute, Handler] = {
    route: handler for resource in RESOURCES for route, handler in resource.handlers.items()
}
ROUTES = tuple(HANDLERS)
