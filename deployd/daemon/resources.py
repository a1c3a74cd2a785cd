"""What is open while the daemon runs: the database, Docker, the router, the repositories."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import structlog

from deployd.activity.masking import Masker
from deployd.activity.secret_forms import is_maskable
from deployd.catalogue import Catalogue
from deployd.clock import Clock, SystemClock
from deployd.daemon.listeners import refuse_taken_port
from deployd.daemon.mail import mail_supervisor
from deployd.daemon.process_state import ProcessState
from deployd.daemon.secrets_key import open_sealer
from deployd.engine.docker.engine import Engine as Docker
from deployd.engine.engine import Engine
from deployd.environment.variables import doubtful_variables
from deployd.errors import DeployError
from deployd.firewall.kernel_table import KernelTable
from deployd.firewall.rules import table_name
from deployd.mail.supervisor import MailSupervisor
from deployd.operator_log import configure_log
from deployd.project.tree.limits import TreeLimits
from deployd.reading.reader_pool import ReaderPool, open_reader_pool
from deployd.release.code import ProjectCode
from deployd.release.images_missing import versions_there
from deployd.release.paths import Places
from deployd.release.services.secrets import ROOT, lay_out_secrets
from deployd.router.control import Router, open_router
from deployd.router.paths import RouterPlaces
from deployd.router_process.start import RouterStarted, start_router
from deployd.settings import Settings
from deployd.slugs.archive import SlugStore
from deployd.slugs.kept import KeptResults
from deployd.state.sealing import Sealer
from deployd.state.secrets import all_secrets, secrets_named
from deployd.state.store import Store, open_store
from deployd.state.variables import sensitive_values
from deployd.units import MEGABYTE
from deployd.upkeep.firewall import FirewallManager

log = structlog.get_logger()


class FolderUnusable(DeployError):
    """A folder of the daemon cannot be made, or nothing be written into it."""

    code: ClassVar[str] = "folder-unusable"


@dataclass(frozen=True)
class Resources:
    """Everything that is open while the daemon runs."""

    store: Store
    engine: Engine
    router: Router
    clock: Clock
    masker: Masker
    sealer: Sealer
    code: ProjectCode
    """One for intake and deployments: what the check of a push has read is not read again."""
    slugs: SlugStore
    kept: KeptResults
    router_started: RouterStarted
    firewall: FirewallManager
    mail: MailSupervisor


async def open_resources(
    stack: AsyncExitStack, settings: Settings, catalogue: Catalogue, process: ProcessState | None = None,
) -> Resources:
    """Open everything, and start the router when it does not run.

    Args:
        process: What is open already, from before a reload.

    Raises:
        DeployError: Something cannot be had; nothing that was started for it is left behind. The firewall
            stays: what runs from before is behind it.
    """
    for folder in (settings.state, settings.run):
        _ensure_folder(folder)
    store = await stack.enter_async_context(open_store(settings.state / "state.db"))
    if process is None or not process.listeners.listens_on(settings):
        refuse_taken_port(settings)   # before anything is started that a daemon that cannot serve would leave behind
    engine = await stack.enter_async_context(Docker(settings.docker_socket))
    table = KernelTable(table_name(settings.instance), settings.state / "firewall.nft")
    firewall = FirewallManager(engine, settings, table)
    await firewall.ensure()   # before a container is started
    router = await stack.enter_async_context(open_router(RouterPlaces(settings.run)))
    masker = Masker(settings.secrets())
    configure_log(masker.mask)
    _tell_doubtful_variables(settings)
    sealer = await _open_secrets(store, settings, masker)
    readers = await stack.enter_async_context(open_reader_pool(settings.run))
    started = await start_router(engine, router, settings, catalogue)
    slugs = SlugStore(settings.state / "slugs", min_free_bytes=settings.min_free_disk_mb * MEGABYTE)
    await slugs.sweep()   # what a crash left half packed
    kept = KeptResults(settings.state / "kept", min_free_bytes=2 * settings.min_free_disk_mb * MEGABYTE)
    await kept.sweep()
    return Resources(
        store=store, engine=engine, router=router, clock=SystemClock(), masker=masker, sealer=sealer,
        code=_project_code(settings, catalogue, readers), slugs=slugs, kept=kept, router_started=started,
        firewall=firewall,
        mail=mail_supervisor(store, settings, process.mail_server if process else None),
    )


async def _open_secrets(store: Store, settings: Settings, masker: Masker) -> Sealer:
    """Have the key to what is sealed; what it opens is masked, and root's passwords are laid out."""
    sealer = await open_sealer(store, settings)
    # A hook that outlived the last daemon may print one.
    masker.learn(await store.read(lambda db: [*all_secrets(db, sealer), *sensitive_values(db, sealer)]))
    await lay_out_secrets(settings.run, await store.read(lambda db: secrets_named(db, sealer, ROOT)))
    return sealer


def _project_code(settings: Settings, catalogue: Catalogue, readers: ReaderPool) -> ProjectCode:
    return ProjectCode(
        Places(settings.state, settings.run).repository, settings.state / "hooks", readers,
        TreeLimits(settings.limits.tree_files, settings.limits.tree_mb * MEGABYTE), settings.containers.may_reach,
        versions_there(catalogue),
    )


def _tell_doubtful_variables(settings: Settings) -> None:
    for project in settings.projects.values():
        for key, value in project.sensitive().items():
            if not is_maskable(value):
                log.warning("variable_cannot_be_masked", project=project.id, variable=key, why="it is too short")
        for what in doubtful_variables(project):
            log.warning("variable_in_doubt", project=project.id, what=what)


def _ensure_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise FolderUnusable(
            f"cannot make the folder {folder}: {error.strerror}",
            hint="choose another with `directory`, `state` or `run`, or remove what is in its way",
        ) from None
