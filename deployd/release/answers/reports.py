"""What visitors get, told and kept: after a deployment, before a switch that wants more than any answer, and after a
way back, of the version that goes on.

A hook that failed may have left a flag in a mount by which every page of the version before is 503 from now on: that
nobody is held any more says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.errors import DeployError
from deployd.release.answers.visit import visit_containers, visit_router
from deployd.release.answers.visit_words import Visit, sentence, usually, worse_than_usual
from deployd.release.ports import Host
from deployd.release.release import Environment, Release, live_release
from deployd.release.routes import route_set
from deployd.router.table import RouteSet


class AnswersWithError(DeployError):
    """A new version answers its visitors with an error, and the settings want it to do better (`answer: success`)."""

    code: ClassVar[str] = "answers-with-error"


async def refuse_errors(release: Release, host: Host, routes: RouteSet) -> None:
    """Where the settings say `answer: success`, let no version become live that answers with an error.

    Args:
        routes: Of the new version.

    Raises:
        AnswersWithError: It does.
    """
    if host.settings.answer_of(release.project, release.branch) != "success":
        return
    wrong = [visit for visit in await visit_containers(routes, host.settings.router) if not visit.is_well]
    if wrong:
        raise AnswersWithError(
            "; ".join(f"{visit.url} would answer {visit.answer}" for visit in wrong)
            + f", and `answer: success` is set for {release.branch}",
            evidence=wrong[0].lines, hint=usually(wrong[0]),
        )


async def tell_answers(release: Release, host: Host, tell: Tell) -> None:
    """Say which URLs of the version that has become live answer with an error, and write down what all do."""
    try:
        routes = await route_set(release, host)
    except DeployError as error:   # the version is live all the same
        tell.warn(f"what visitors get could not be seen: {error.what}")
        return
    visits = await visit_containers(routes, host.settings.router)
    for visit in visits:
        if not visit.is_well:
            tell.warn(sentence(visit), visit.lines)
    await host.facts.set_usual_answers(
        release.environment, {visit.url: visit.status for visit in visits},
    )


async def tell_way_back(environment: Environment, host: Host, tell: Tell, *, news_only: bool = False) -> None:
    """Ask the version that goes on as visitors do, and say what it answers; what is wrong stands on `/status`.

    Args:
        environment: Whose deployment was reverted, or is being so.
        news_only: Say nothing that is known already, nor while visitors are held or see the maintenance page.
    """
    if news_only and await host.router.is_closed(environment.key):
        return
    version = await host.facts.live(environment.environment)
    if version is None:
        return
    live = live_release(host.settings, environment.project, environment.environment, environment.branch, version)
    try:
        visits = await ask_live(live, host)
    except DeployError as error:
        tell.warn(f"what visitors get could not be seen: {error.what}")
        return
    usual = await host.facts.usual_answers(live.environment)
    wrong = worse_than_usual(visits, usual)
    news = await host.facts.set_wrong_answers(
        live.environment, {visit.url: visit.answer for visit in wrong},
    )
    if news or not news_only:
        _tell(visits, wrong, usual, tell)


async def ask_live(live: Release, host: Host) -> tuple[Visit, ...]:
    """What visitors of a live version get now.

    Raises:
        DeployError: Its routes cannot be found out.
    """
    return await visit_router(await route_set(live, host), host.settings.router)


def _tell(visits: Sequence[Visit], wrong: Sequence[Visit], usual: dict[str, int], tell: Tell) -> None:
    for visit in visits:
        if visit in wrong:
            before = f" (it answered {usual[visit.url]} when it became live)" if visit.url in usual else ""
            tell.warn(f"on the earlier version {sentence(visit)}{before}", visit.lines)
        else:
            as_before = "" if visit.is_well else ", as when it became live"
            tell.line(f"visitors: {visit.url} answers {visit.answer}{as_before}")
