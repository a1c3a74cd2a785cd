"""Composition: every long-lived object of the daemon, made and wired. Nothing is started here, nor waited for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from deployd.activity.admission import BUILDS, DEPLOYMENTS
from deployd.activity.error_boundary import ErrorBoundaries
from deployd.activity.executor import Executor
from deployd.activity.lanes import Lanes
from deployd.activity.limits import Limits
from deployd.activity.log import Logs
from deployd.activity.memory import Memory, host_memory
from deployd.activity.slots import Slots
from deployd.catalogue import Catalogue
from deployd.certificates.interim import InterimCertificates
from deployd.certificates.manager import CertificateManager
from deployd.daemon.certificates import certificate_manager, interim_certificates
from deployd.daemon.process_state import ProcessState
from deployd.daemon.resources import Resources
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import Requests
from deployd.engine.container_cache import ContainerCache
from deployd.http.failed_sign_ins import FailedSignIns
from deployd.ids import EnvironmentId
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
from deployd.upkeep.branches import Branches
from deployd.upkeep.collect.collector import Collector
from deployd.upkeep.crons import Crons
from deployd.upkeep.idle import Idle
from deployd.upkeep.lock_ends import LockEnds
from deployd.upkeep.lost_pushes import LostPushes
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.reports.reports import Reporter
from deployd.upkeep.router_repair import RouterRepairer
from deployd.upkeep.tickets import Tickets
from deployd.upkeep.traffic import Traffic
from deployd.upkeep.traffic_history import Histories
from deployd.upkeep.usage.disk_kinds import DiskKinds
from deployd.upkeep.usage.disks import Disks
from deployd.upkeep.usage.free_space import FreeSpace
from deployd.upkeep.usage.usage import Usage
from deployd.upkeep.wakes import Wakes
from deployd.upkeep.watch import Watch


@dataclass(frozen=True)
class Activities:
    """How activities come to be, and what runs them."""

    logs: Logs
    limits: Limits
    lanes: Lanes
    requests: Requests
    intake: Intake


@dataclass(frozen=True)
class Observation:
    """What is seen of containers and of visitors, for people and monitors."""

    containers: ContainerCache
    disks: Disks
    usage: Usage
    outputs: Outputs
    traffic: Traffic
    histories: Histories
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
    tickets: Tickets
    lock_ends: LockEnds
    reporter: Reporter
    idle: Idle
    wakes: Wakes


@dataclass(frozen=True)
class Daemon:
    """All that works together; `http.py` is where it is spoken to, `run.py` starts and stops it."""

    resources: Resources
    host: Host
    process: ProcessState
    boundaries: ErrorBoundaries
    activities: Activities
    observation: Observation
    upkeep: Upkeep

    @property
    def settings(self) -> Settings:
        return self.host.settings


def compose(resources: Resources, settings: Settings, catalogue: Catalogue, process: ProcessState) -> Daemon:
    """The daemon over what is open."""
    interim = interim_certificates(resources, settings)
    host, boundaries = host_of(resources, settings, catalogue, interim), ErrorBoundaries()
    activities = _activities(resources, host, process, boundaries)
    observation = _observation(resources, host, boundaries)
    certificates = certificate_manager(resources, settings, boundaries.of("certificates"), interim)
    upkeep = _upkeep(resources, host, boundaries, activities, observation, certificates)
    return Daemon(resources, host, process, boundaries, activities, observation, upkeep)


def host_of(
    resources: Resources, settings: Settings, catalogue: Catalogue, interim: InterimCertificates | None = None,
) -> Host:
    """What deployments reach, over what is open."""
    places = Places(settings.state, settings.run)
    return Host(
        settings=settings, catalogue=catalogue, clock=resources.clock, places=places, code=resources.code,
        engine=resources.engine, images=resources.engine.catalogue_images(catalogue),
        slugs=Slugs(resources.slugs, places.mounts), kept=resources.kept, router=resources.router,
        facts=StateFacts(
            resources.store, resources.engine, settings, resources.clock, resources.masker, resources.sealer,
            resources.mail.wake,
        ),
        walls=resources.firewall, certificates=interim,
    )


def _activities(
    resources: Resources, host: Host, process: ProcessState, boundaries: ErrorBoundaries,
) -> Activities:
    store, clock, settings = resources.store, resources.clock, host.settings
    logs = process.logs(host.places.logs)
    memory = host_memory(settings.limits.memory_mb)
    limits = _limits(settings, memory, boundaries)
    executor = Executor(KINDS, store, host, logs, limits, boundaries.of("way back"))
    lanes = Lanes(store, executor, clock, executor.may_be_overtaken, boundary=boundaries.of("lanes"))
    requests = Requests(store, settings, clock, lanes.wake)
    intake = Intake(
        settings.projects, resources.code, CommitChecker(resources.code, host),
        StateQueue(store, clock, requests), TerminalLogs(logs, store), process.ssh.pushes,
    )
    return Activities(logs, limits, lanes, requests, intake)


def _limits(settings: Settings, memory: Memory, boundaries: ErrorBoundaries) -> Limits:
    return Limits({
        BUILDS: Slots(
            settings.limits.builds, memory, what=BUILDS.value, boundary=boundaries.of("slots"),
            share_of=lambda project: settings.shares_of(project).builds or 1,
        ),
        DEPLOYMENTS: Slots(
            settings.limits.deploys, memory, what=DEPLOYMENTS.value, boundary=boundaries.of("slots"), of_production=1,
            share_of=lambda project: settings.shares_of(project).deploys or 1,
        ),
    }, memory.total_mb)


def _observation(resources: Resources, host: Host, boundaries: ErrorBoundaries) -> Observation:
    engine, clock, settings = resources.engine, resources.clock, host.settings
    containers = ContainerCache(engine, settings.instance)
    disks = Disks(engine, host.places, settings.instance, boundaries.of("disks"))
    usage = Usage(
        engine, containers, disks, clock, settings.run / "memory-kills.json", boundaries.of("usage"),
    )
    outputs = Outputs(engine, containers, host.places.output, host.places.crons, resources.masker.clean_all, clock)
    histories = Histories(lambda key: host.places.environment(EnvironmentId.read(key)))
    return Observation(containers, disks, usage, outputs, Traffic(), histories, FailedSignIns())


def _upkeep(
    resources: Resources, host: Host, boundaries: ErrorBoundaries, activities: Activities, observation: Observation,
    certificates: CertificateManager,
) -> Upkeep:
    store, clock, settings = resources.store, resources.clock, host.settings
    reconciler = Reconciler(store, host, clock, boundary=boundaries.of("putting back"))
    collector = Collector(
        store, host, clock, activities.requests, resources.code.pack, boundary=boundaries.of("housekeeping"),
    )
    idle = Idle(store, host, clock, activities.requests, boundary=boundaries.of("idle"))
    return Upkeep(
        certificates=certificates,
        reconciler=reconciler,
        watch=Watch(
            store, host, reconciler, _router_repairer(resources, host, reconciler),
            boundary=boundaries.of("watch"), hear=(observation.containers.hear, observation.usage.hear),
        ),
        collector=collector,
        lost_pushes=LostPushes(
            store, activities.requests, Branches(settings.projects, resources.code, settings.state / "remotes"),
            boundary=boundaries.of("lost pushes"),
        ),
        answers=Answers(store, host, clock, boundary=boundaries.of("answers")),
        crons=Crons(store, host, resources.masker, boundary=boundaries.of("crons")),
        access_logs=_access_logs(resources, host, observation, boundaries, idle),
        free_space=FreeSpace(settings.state, clock, boundaries.of("disks")),
        disk_kinds=DiskKinds(
            resources.engine, host.places, collector, observation.disks, clock, boundaries.of("disks"),
            settings.instance,
        ),
        tickets=Tickets(
            store, host, clock, activities.lanes, activities.requests, boundary=boundaries.of("tickets"),
        ),
        reporter=Reporter(store, settings, clock, resources.masker.clean, boundary=boundaries.of("reports")),
        lock_ends=LockEnds(store, clock, activities.requests, boundary=boundaries.of("locks")),
        idle=idle,
        wakes=Wakes(resources.router, settings, activities.requests, boundary=boundaries.of("wakes")),
    )


def _router_repairer(resources: Resources, host: Host, reconciler: Reconciler) -> RouterRepairer:
    return RouterRepairer(
        host, resources.router, reconciler,
        partial(start_router, resources.engine, resources.router, host.settings, host.catalogue),
    )


def _access_logs(
    resources: Resources, host: Host, observation: Observation, boundaries: ErrorBoundaries, idle: Idle,
) -> AccessLogs:
    settings = host.settings
    return AccessLogs(
        RouterPlaces(settings.run).access_log, host.places, observation.traffic,
        partial(reopen_access_log, resources.engine, settings.instance),
        most_bytes=settings.router.access_log_mb * MEGABYTE, boundary=boundaries.of("access logs"),
        histories=observation.histories, visited=idle.visited,
    )
