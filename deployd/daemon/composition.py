"""Composition: every long-lived object of the daemon, made and wired. Nothing is started here, nor waited for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from deployd.activity.holding import Limits
from deployd.activity.lanes import Lanes
from deployd.activity.log import Logs
from deployd.activity.memory import Memory, host_memory
from deployd.activity.net import Nets
from deployd.activity.slots import Slots
from deployd.catalogue import Catalogue
from deployd.certificates.manager import CertificateManager
from deployd.daemon.certificates import certificate_manager
from deployd.daemon.process_state import ProcessState
from deployd.daemon.resources import Resources
from deployd.deployment.carry import Carrier
from deployd.deployment.share import refuse_beyond_share
from deployd.engine.crowd import Crowd
from deployd.engine.docker.groups import Groups
from deployd.engine.docker.images import Images
from deployd.http.failed_sign_ins import FailedSignIns
from deployd.intake.commit_checker import CommitChecker
from deployd.intake.ports import Intake
from deployd.intake.queue import StateQueue
from deployd.intake.terminal_logs import TerminalLogs
from deployd.output.outputs import Outputs
from deployd.release.paths import Places
from deployd.release.ports import Host
from deployd.release.store import StateFacts
from deployd.router.paths import RouterPlaces
from deployd.router_process.start import start_router
from deployd.router_process.upgrade import reopen_access_log
from deployd.settings import Settings
from deployd.slugs.storage import Slugs
from deployd.units import MEGABYTE
from deployd.upkeep.access_logs import AccessLogs
from deployd.upkeep.answers import Answers
from deployd.upkeep.collect.collector import Collector
from deployd.upkeep.crons import Crons
from deployd.upkeep.lost_pushes import LostPushes
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.traffic import Traffic
from deployd.upkeep.usage.disk_kinds import DiskKinds
from deployd.upkeep.usage.disks import Disks
from deployd.upkeep.usage.free_space import FreeSpace
from deployd.upkeep.usage.keeper import Usage
from deployd.upkeep.watch import Watch


@dataclass(frozen=True)
class Activities:
    """How activities come to be, and what carries them out."""

    logs: Logs
    limits: Limits
    lanes: Lanes
    intake: Intake


@dataclass(frozen=True)
class Observation:
    """What is seen of containers and of visitors, for people and monitors."""

    crowd: Crowd
    disks: Disks
    usage: Usage
    outputs: Outputs
    traffic: Traffic
    failed_sign_ins: FailedSignIns


@dataclass(frozen=True)
class Upkeep:
    """What looks after everything between deployments."""

    certificates: CertificateManager
    reconciler: Reconciler
    watch: Watch
    collector: Collector
    lost_pushes: LostPushes
    answers: Answers
    crons: Crons
    access_logs: AccessLogs
    free_space: FreeSpace
    disk_kinds: DiskKinds


@dataclass(frozen=True)
class Daemon:
    """All that works together; `http.py` is where it is spoken to, `run.py` starts and stops it."""

    resources: Resources
    host: Host
    process: ProcessState
    nets: Nets
    activities: Activities
    observation: Observation
    upkeep: Upkeep

    @property
    def settings(self) -> Settings:
        return self.host.settings


def compose(resources: Resources, settings: Settings, catalogue: Catalogue, process: ProcessState) -> Daemon:
    """The daemon over what is open."""
    host, nets = host_of(resources, settings, catalogue), Nets()
    activities = _activities(resources, host, process.logs(host.places.logs), nets)
    observation = _observation(resources, host, nets)
    upkeep = _upkeep(resources, host, nets, activities.lanes, observation)
    return Daemon(resources, host, process, nets, activities, observation, upkeep)


def host_of(resources: Resources, settings: Settings, catalogue: Catalogue) -> Host:
    """What deployments reach, over what is open."""
    places = Places(settings.state, settings.run)
    return Host(
        settings=settings, catalogue=catalogue, clock=resources.clock, places=places, code=resources.code,
        engine=resources.engine, images=Images(resources.engine.docker, catalogue),
        slugs=Slugs(resources.slugs, places.mounts), router=resources.router,
        facts=StateFacts(
            resources.store, resources.engine, settings, resources.clock, resources.masker, resources.sealer,
            resources.mail.wake,
        ),
    )


def _activities(resources: Resources, host: Host, logs: Logs, nets: Nets) -> Activities:
    store, clock, settings = resources.store, resources.clock, host.settings
    memory = host_memory(settings.limits.memory_mb)
    limits = _limits(settings, memory, nets)
    carrier = Carrier(store, host, logs, limits, clock, memory.total_mb, nets.of("way back"))
    lanes = Lanes(store, carrier, clock, carrier.may_be_overtaken, net=nets.of("lanes"))
    intake = Intake(
        settings.projects, settings.tokens, resources.code, CommitChecker(resources.code, host),
        StateQueue(store, clock, lanes.wake, settings), TerminalLogs(logs, store),
    )
    return Activities(logs, limits, lanes, intake)


def _limits(settings: Settings, memory: Memory, nets: Nets) -> Limits:
    return Limits(
        Slots(
            settings.limits.builds, memory, what="builds", net=nets.of("slots"),
            share_of=lambda project: settings.shares_of(project).builds or 1,
        ),
        Slots(
            settings.limits.deploys, memory, what="deployments", net=nets.of("slots"), of_production=1,
            share_of=lambda project: settings.shares_of(project).deploys or 1,
        ),
    )


def _observation(resources: Resources, host: Host, nets: Nets) -> Observation:
    engine, clock, settings = resources.engine, resources.clock, host.settings
    crowd = Crowd(engine, settings.instance)
    disks = Disks(engine, host.places, settings.instance, nets.of("disks"))
    usage = Usage(
        engine, crowd, disks, clock, settings.run / "memory-kills.json", groups=Groups(), net=nets.of("usage"),
    )
    outputs = Outputs(engine, crowd, host.places.output, host.places.crons, resources.masker.clean_all, clock)
    return Observation(crowd, disks, usage, outputs, Traffic(), FailedSignIns())


def _upkeep(resources: Resources, host: Host, nets: Nets, lanes: Lanes, observation: Observation) -> Upkeep:
    store, clock, settings, wake = resources.store, resources.clock, host.settings, lanes.wake
    reconciler = Reconciler(store, host, clock, net=nets.of("putting back"))
    collector = Collector(store, host, clock, wake, resources.code.pack, net=nets.of("housekeeping"))
    return Upkeep(
        certificates=certificate_manager(resources, settings, nets.of("certificates")),
        reconciler=reconciler,
        watch=Watch(
            store, host, reconciler, resources.router, clock,
            partial(start_router, resources.engine, resources.router, settings, host.catalogue),
            net=nets.of("watch"), hear=(observation.crowd.hear, observation.usage.hear),
        ),
        collector=collector,
        lost_pushes=LostPushes(
            store, settings.projects, resources.code, settings.state / "remotes", clock, wake,
            net=nets.of("lost pushes"), refuse=partial(refuse_beyond_share, settings),
        ),
        answers=Answers(store, host, clock, net=nets.of("answers")),
        crons=Crons(store, host, resources.router, resources.masker, net=nets.of("crons")),
        access_logs=_access_logs(resources, host, observation.traffic, nets),
        free_space=FreeSpace(settings.state, clock, nets.of("disks")),
        disk_kinds=DiskKinds(resources.engine, host.places, collector, observation.disks, clock, nets.of("disks")),
    )


def _access_logs(resources: Resources, host: Host, traffic: Traffic, nets: Nets) -> AccessLogs:
    settings = host.settings
    return AccessLogs(
        RouterPlaces(settings.run).access_log, host.places, traffic,
        partial(reopen_access_log, resources.engine, settings.instance),
        most_bytes=settings.router.access_log_mb * MEGABYTE, net=nets.of("access logs"),
    )
