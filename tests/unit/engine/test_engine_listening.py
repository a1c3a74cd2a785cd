"""What the kernel's tables say of a container's sockets."""

from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

from deployd.engine.docker.listening import (
    connections_to,
    tcp_connections,
    tcp_listeners,
    unix_connections,
    unix_listeners,
)


def test_connections_to_the_application_are_counted_and_no_others() -> None:
    head = "  sl  local_address rem_address   st tx_queue rx_queue\n"
    rows = (
        "   0: 0100007F:22B8 00000000:0000 0A 0:0\n"    # who listens
        "   1: 0100007F:D431 0100007F:22B8 01 0:0\n"    # who asked
        "   2: 0100007F:22B8 0100007F:D431 01 0:0\n"    # who was asked: the same connection
        "   3: 0100007F:D432 0100007F:22B8 06 0:0\n"    # over
        "   4: 050011AC:D433 090011AC:22B8 01 0:0\n"    # another host
    )
    assert tcp_connections(head + rows, 8888) == 1
    assert tcp_connections(head + rows, 8889) == 0


def test_connections_to_a_unix_socket_are_counted_from_their_beginning_to_their_end(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        assert unix_connections(Path("/proc/net/unix").read_text(), path) == 0
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(path)
            answering, _ = listening.accept()
            with answering:
                assert connections_to(os.getpid(), 1, path) == 1
        assert connections_to(threading.get_native_id(), 1, path) == 0
    assert connections_to(2**22 + 1, 1, path) == 0, "there is no such process"


def test_ten_thousands_that_listen_in_one_place_take_no_longer_than_in_many() -> None:
    count = 20_000
    tcp = "head\n" + "".join(
        f"   0: 00000000:1F90 00000000:0000 0A 0:0 0:0 0 1000 0 {1_000_000 + number}\n" for number in range(count)
    )
    unix = "head\n" + "".join(f"0: 2 0 00010000 0001 01 {1_000_000 + number} /run/app\n" for number in range(count))
    began = time.process_time()
    assert len(tcp_listeners(tcp)[8080]) == len(unix_listeners(unix)["/run/app"]) == count
    assert time.process_time() - began < 1
