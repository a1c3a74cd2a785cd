"""Where SSH is listened for, with every default of asyncssh's that a server for strangers should not have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncssh

from deployd.ssh.algorithms import CIPHERS, KEY_EXCHANGES, MACS, SIGNATURES
from deployd.ssh.configuration import SshConfiguration

LOGIN_SECONDS = 20.0
KEEPALIVE_SECONDS, MOST_UNANSWERED = 30, 4
BACKLOG = 512
VERSION = "deployd"
"""All that strangers are told of what speaks here."""


class Listener:
    """One at a time; another address takes the place of the one before, and connections go on."""

    def __init__(self, factory: Callable[[], asyncssh.SSHServer]) -> None:
        self._factory = factory
        self._open: asyncssh.SSHAcceptor | None = None
        self._with: tuple[object, ...] = ()
        self.trouble = ""
        """Why nobody is listened for."""

    async def be(self, configuration: SshConfiguration) -> None:
        """Listen as these settings say, or no more. May be called again."""
        wanted = (configuration.host, configuration.port, configuration.host_key)
        if self._open is not None and self._with == wanted:
            return
        await self.close()
        if not configuration.port:
            return
        try:
            self._open = await listen(configuration, self._factory)
        except OSError as error:
            where = f"{configuration.host}:{configuration.port}"
            self.trouble = f"cannot listen for SSH on {where}: {error.strerror or error}"
        else:
            self._with, self.trouble = wanted, ""

    @property
    def is_open(self) -> bool:
        return self._open is not None

    async def close(self) -> None:
        """Listen no more; connections go on. May be called again."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(1):   # from Python 3.12 it waits for connections
                    await opened.wait_closed()


async def listen(configuration: SshConfiguration, factory: Callable[[], asyncssh.SSHServer]) -> asyncssh.SSHAcceptor:
    """
    Raises:
        OSError: The address cannot be had.
    """
    return await asyncssh.listen(
        configuration.host or None, configuration.port, backlog=BACKLOG, reuse_address=True, config=None,
        server_factory=factory, server_version=VERSION,
        server_host_keys=[asyncssh.import_private_key(configuration.host_key)],
        kex_algs=KEY_EXCHANGES, encryption_algs=CIPHERS, mac_algs=MACS, signature_algs=SIGNATURES,
        compression_algs=None,
        public_key_auth=True, password_auth=False, kbdint_auth=False, host_based_auth=False,
        gss_host=None, gss_kex=False, gss_auth=False, x509_trusted_certs=None,
        login_timeout=LOGIN_SECONDS, keepalive_interval=KEEPALIVE_SECONDS, keepalive_count_max=MOST_UNANSWERED,
        tcp_keepalive=True, rdns_lookup=False, agent_forwarding=False, x11_forwarding=False,
        allow_pty=True, line_editor=False, allow_scp=False, sftp_factory=None, encoding=None,
    )
