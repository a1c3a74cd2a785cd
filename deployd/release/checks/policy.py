"""What a release of one environment has to pass: what the operator says, then what the repository does. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.environment.naming import EnvironmentType
from deployd.project.model import Checks, OnBadRelease, SmokeTest
from deployd.settings import ProjectSettings, Settings

WATCH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Policy:
    smoke: tuple[SmokeTest, ...]
    watch_seconds: int
    on_bad_release: OnBadRelease
    is_watched: bool
    """Nobody asked for it: then nothing is."""

    @property
    def before_switch(self) -> tuple[SmokeTest, ...]:
        """Those that are asked while visitors see the version before."""
        return tuple(test for test in self.smoke if test.before_switch)


def policy_of(settings: Settings, project: ProjectSettings, branch: str, kind: EnvironmentType, said: Checks) -> Policy:
    """
    Args:
        said: By the repository. The operator's words go before it, key by key, and smoke tests of both count.
    """
    if said.types and kind not in said.types:
        said = Checks()
    levels = settings.checks_of(project, branch)
    tests = {test.name: test for test in said.smoke}
    for level in reversed(levels):
        for name, given in level.smoke.items():
            tests[name] = SmokeTest(name, **{key: getattr(given, key) for key in type(given).model_fields})
    seconds = next(filter(None, (*(level.watch_seconds for level in levels), said.watch_seconds)), None)
    wishes = (*(level.on_bad_release for level in levels), said.on_bad_release)
    wanted: OnBadRelease | None = next(filter(None, wishes), None)
    return Policy(
        tuple(tests.values()), seconds or WATCH_SECONDS, wanted or "report",
        is_watched=bool(tests or wanted or seconds),
    )
