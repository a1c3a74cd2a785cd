"""What is live must run: at the start of the daemon, slugs, containers and routes of every live version are put back.

After a reboot of the host Docker has nothing running of ours, and nothing is mounted. The order is: slugs, services,
applications, routes. Whatever is there already is left as it is.
"""

from __future__ import annotations

import structlog

from deployd.activity.journal import Journal, read_result, write_result
from deployd.clock import Clock
from deployd.deployment.host import Host
from deployd.deployment.route import route_set
from deployd.deployment.version import Version
from deployd.deployment.view import Deployment, Fetched, Planned
from deployd.engine.names import ACTIVITY, ENVIRONMENT, INSTANCE, PROJECT, ROLE
from deployd.errors import DeployError
from deployd.ids import EnvironmentName, ProjectId
from deployd.plan import Plan
from deployd.state import environments
from deployd.state.activities import Activity, Trigger
from deployd.state.entries import Entry
from deployd.state.store import Store

log = structlog.get_logger()

ORDER = {"service": 0, "app": 1, "web": 2, "worker": 3}


class Reconciler:
    """Puts back what is live."""

    def __init__(self, store: Store, host: Host, clock: Clock) -> None:
        self._store = store
        self._host = host
        self._clock = clock

    async def put_back(self) -> int:
        """Start what does not run and tell the router everything. Returns how many environments are live.

        An environment that cannot be put back is logged and left; the others must not suffer from it.
        """
        count = 0
        for project, name, text in await self._store.read(environments.live_versions):
            try:
                await self._put_back(project, name, read_result(text, Version))
                count += 1
            except DeployError as error:
                log.error("environment_not_put_back", project=project, environment=name, what=error.what)
        return count

    async def _put_back(self, project: ProjectId, name: EnvironmentName, version: Version) -> None:
        settings = self._host.settings.projects.get(project)
        environment = await self._store.read(lambda db: environments.find(db, project, name))
        if settings is None or environment is None:
            return
        for app in version.apps:
            await self._host.slugs.ensure_mounted(app.slug)
        labels = {INSTANCE: self._host.settings.instance, PROJECT: project, ENVIRONMENT: name}
        found = await self._host.engine.containers(labels)
        for container in sorted(found, key=lambda item: ORDER.get(item.labels[ROLE], 9)):
            mine = container.labels.get(ACTIVITY) in (None, str(version.activity))
            if mine and not container.running and container.labels[ROLE] in ORDER:
                await self._host.engine.start(container.name)
                log.info("container_started", container=container.name)
        deployment = self._deployment(project, name, environment.branch, version)
        await self._host.router.put(await route_set(deployment, self._host))

    def _deployment(
        self, project: ProjectId, name: EnvironmentName, branch: str, version: Version,
    ) -> Deployment:
        """The deployment that made the version, as far as its routes need it."""
        now = self._clock.now()
        planned = Planned(version, None, Plan((), ()), version.routes)
        journal = Journal((
            Entry("fetch", "done", now, write_result(Fetched(version.commit))),
            Entry("read_and_plan", "done", now, write_result(planned)),
        ))
        activity = Activity(version.activity, project, name, branch, "push", 1, version.commit,
                            Trigger("deployd", "daemon"), "success", "", now)
        return Deployment(activity, self._host.settings.projects[project], self._host.settings.instance, journal)
