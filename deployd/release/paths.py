"""Where the files of environments and deployments lie below the state and run folders. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deployd.ids import ActivityId, EnvironmentName, ProjectId


@dataclass(frozen=True, slots=True)
class Places:
    state: Path
    run: Path

    def repository(self, project: ProjectId) -> Path:
        return self.state / "repos" / f"{project}.git"

    def cache(self, project: ProjectId) -> Path:
        """PLATFORM_CACHE_DIR: one folder for the project, all its branches share it."""
        return self.state / "caches" / project

    def work(self, activity: ActivityId) -> Path:
        """Workspaces and scripts of a build; gone when it is packed."""
        return self.state / "work" / str(activity)

    @property
    def going(self) -> Path:
        """What goes, until it is removed: nobody waits for that."""
        return self.state / "going"

    def workspace(self, activity: ActivityId, app: str) -> Path:
        return self.work(activity) / app / "app"

    def build_scripts(self, activity: ActivityId, app: str) -> Path:
        return self.work(activity) / app / "scripts"

    def environment(self, project: ProjectId, environment: EnvironmentName) -> Path:
        return self.state / "environments" / project / environment

    def data(self, project: ProjectId, environment: EnvironmentName) -> Path:
        """Data of all mounts: a folder for each instance (`shop`, `shop--mailer`), and `shared`.

        It outlives deployments, and the environment for a time of grace."""
        return self.environment(project, environment) / "volumes"

    def all_data(self) -> list[Path]:
        """The data folders that there are, of environments that are there and of deleted ones. Blocking."""
        return sorted((self.state / "environments").glob("*/*/volumes"))

    def instance(
        self, project: ProjectId, environment: EnvironmentName, activity: ActivityId, instance: str,
    ) -> Path:
        """Configuration and scripts of one instance of one version; goes with its containers."""
        return self.version(project, environment, activity) / instance

    def stages(self, project: ProjectId, environment: EnvironmentName, activity: ActivityId | str) -> Path:
        """Where the mounts of one version are mounted for Docker, a folder for each instance (`confined/stages.py`)."""
        return self.all_stages(project, environment) / str(activity)

    def all_stages(self, project: ProjectId, environment: EnvironmentName) -> Path:
        """Of all versions of an environment."""
        return self.stages_root / project / environment

    @property
    def stages_root(self) -> Path:
        return self.run / "stages"

    def version(self, project: ProjectId, environment: EnvironmentName, activity: ActivityId) -> Path:
        return self.environment(project, environment) / "versions" / str(activity)

    def snapshot(self, project: ProjectId, environment: EnvironmentName, activity: ActivityId) -> Path:
        """What the databases held before the deploy hook of a deployment; not of its version, which goes before it."""
        return self.environment(project, environment) / "snapshots" / str(activity)

    def access_log(self, project: ProjectId, environment: EnvironmentName) -> Path:
        """Requests of its visitors, a line of JSON each."""
        return self.environment(project, environment) / "access.log"

    def output(self, project: ProjectId, environment: EnvironmentName) -> Path:
        """What its containers that went had printed."""
        return self.all_output / project / environment

    @property
    def all_output(self) -> Path:
        return self.state / "output"

    def crons(self, project: ProjectId, environment: EnvironmentName) -> Path:
        """Runs of its crons, a file of JSON for each cron."""
        return self.environment(project, environment) / "crons"

    @property
    def slugs(self) -> Path:
        return self.state / "slugs"

    @property
    def mounts(self) -> Path:
        return self.run / "mounts"

    @property
    def logs(self) -> Path:
        return self.state / "logs"
