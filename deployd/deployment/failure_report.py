"""What is told of visitors when a deployment fails: what they see now, and what the version that goes on answers."""

from __future__ import annotations

from deployd.activity.journal import UNDONE
from deployd.activity.kinds import Progress, Reports
from deployd.activity.log import Tell
from deployd.activity.machine import has_touched_live, past_the_way_back
from deployd.activity.runner import visitors_after
from deployd.release.answers.reports import tell_way_back
from deployd.release.ports import Host
from deployd.release.release import Environment
from deployd.state.rests import AWAKE


async def tell_visitors(progress: Progress, host: Host, tell: Tell) -> None:
    """What visitors see after a failure; who thawed has said it already, with how many had waited."""
    activity, journal = progress.activity, progress.journal
    if await host.facts.live(activity.environment) is None:
        tell.line("visitors: nothing is live here yet")
    elif (rest := await host.facts.rest(activity.environment)) != AWAKE:
        tell.line(f"visitors: the environment is {rest}, as before")
    elif (thaw := journal.last("freeze")) is None or thaw.event != UNDONE:
        tell.line(visitors_after(progress.table, journal))


async def ask_live(progress: Progress, host: Host, tell: Tell, *, news_only: bool = False) -> None:
    """After a way back, and where it is stuck: what visitors of the version that goes on get."""
    activity, journal = progress.activity, progress.journal
    if await host.facts.rest(activity.environment) != AWAKE:
        return   # who asks would wake it
    project = host.settings.projects.get(activity.project)
    if project is None or not has_touched_live(progress.table, journal) or past_the_way_back(progress.table, journal):
        return
    place = Environment(host.settings.instance, project, activity.environment, activity.branch)
    await tell_way_back(place, host, tell, news_only=news_only)


async def ask_live_for_news(progress: Progress, host: Host, tell: Tell) -> None:
    """The same, saying nothing that is known already."""
    await ask_live(progress, host, tell, news_only=True)


REPORTS = Reports(on_failure=tell_visitors, after_way_back=ask_live, while_stuck=ask_live_for_news)
