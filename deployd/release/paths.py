"""Where the files of environments and deployments lie below the state and run folders. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from deployd.ids import ActivityId, EnvironmentId, ProjectId


@dataclass(frozen=True, slots=True)
class Places:
    state: Path
    run: Path

    def repository(self, project: ProjectId) -> Path:
        return self.state / "repos" / f"{project}.git"

    def cache(self, project: ProjectId, zone: str = "") -> Path:
        """PLATFORM_CACHE_DIR: one folder for the project, all its branches share it but protected ones.

        Args:
            zone: `protected`, whose name is no project's; else "" or `open`.
        """
        return self.state / "caches" / (project if zone in ("", "open") else f"{project}+{zone}")

    def work(self, activity: ActivityId) -> Path:
        """Workspaces and scripts of a build; gone when it is packed."""
        return self.state / "work" / str(activity)

    @property
    def going(self) -> Path:
        """What goes, until it is removed: nobody waits for that."""
        return self.state / "going"

    def workspace(self, activity: ActivityId, app: str) -> Path:
        return self.work(activity) / app / "app"

    def build_of(self, activity: ActivityId, app: str) -> Path:
        """All that the build of an application writes on the disk: its workspace, its layers, its scripts."""
        return self.work(activity) / app

    def build_scripts(self, activity: ActivityId, app: str, segment: int = 0) -> Path:
        """Of one container of a build."""
        return self.work(activity) / app / f"scripts-{segment}" if segment else self.work(activity) / app / "scripts"

    def trees(self, activity: ActivityId) -> Path:
        """Where the layers of a build are mounted, a folder for each application (`slugs/layers.py`)."""
        return self.run / "trees" / str(activity)

    def environment(self, environment: EnvironmentId) -> Path:
        return self.state / "environments" / environment.project / environment.name

    def data(self, environment: EnvironmentId) -> Path:
        """Data of all mounts: a folder for each instance (`shop`, `shop--mailer`), and `shared`.

        It outlives deployments, and the environment for a time of grace."""
        return self.environment(environment) / "volumes"

    def all_data(self) -> list[Path]:
        """The data folders that there are, of environments that are there and of deleted ones. Blocking."""
        return sorted((self.state / "environments").glob("*/*/volumes"))

    def instance(self, environment: EnvironmentId, activity: ActivityId, instance: str) -> Path:
        """Configuration and scripts of one instance of one version; goes with its containers."""
        return self.version(environment, activity) / instance

    def stages(self, environment: EnvironmentId, activity: ActivityId | str) -> Path:
        """Where the mounts of one version are mounted, a folder for each instance (`confined/stages.py`)."""
        return self.all_stages(environment) / str(activity)

    def all_stages(self, environment: EnvironmentId) -> Path:
        """Of all versions of an environment."""
        return self.stages_root / environment.project / environment.name

    @property
    def stages_root(self) -> Path:
        return self.run / "stages"

    def version(self, environment: EnvironmentId, activity: ActivityId) -> Path:
        return self.environment(environment) / "versions" / str(activity)

    def front(self, environment: EnvironmentId, service: str) -> Path:
        """What a service before the applications is to do; its container sees the folder."""
        return self.environment(environment) / "fronts" / service

    def snapshot(self, environment: EnvironmentId, activity: ActivityId) -> Path:
        """What the databases held before the deploy hook of a deployment; not of its version, which goes before it."""
        return self.environment(environment) / "snapshots" / str(activity)

    def access_log(self, environment: EnvironmentId) -> Path:
        """Requests of its visitors, a line of JSON each."""
        return self.environment(environment) / "access.log"

    def output(self, environment: EnvironmentId) -> Path:
        """What its containers that went had printed."""
        return self.all_output / environment.project / environment.name

    @property
    def all_output(self) -> Path:
        return self.state / "output"

    def crons(self, environment: EnvironmentId) -> Path:
        """Runs of its crons, a file of JSON for each cron."""
        return self.environment(environment) / "crons"

    @property
    def slugs(self) -> Path:
        return self.state / "slugs"

    @property
    def mounts(self) -> Path:
        return self.run / "mounts"

    @property
    def logs(self) -> Path:
        return self.state / "logs"
