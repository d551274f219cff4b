"""`python -m case2code_cluster.network PORT… -- COMMAND…`: a command in a network of its own, with a few ways out.

It sees a loopback interface and nothing else. What it sends to one of the ports there comes out at the same port of
this machine's loopback, through this process; so it needs no bridge and no address. Takes root. Ends as the command
does.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
from typing import Final

_CLONE_NEWNET: Final = 0x40000000
_PR_SET_PDEATHSIG: Final = 1
_SIOCSIFFLAGS: Final = 0x8914
_UP: Final = 0x1
_CHUNK: Final = 65_536


def main() -> int:
    separator = sys.argv.index("--")
    ports, command = [int(port) for port in sys.argv[1:separator]], sys.argv[separator + 1 :]
    mine, its = socket.socketpair()
    child = os.fork()
    if child == 0:
        _enter()
        # A socket stays in the network that it was made in, whoever accepts from it.
        listeners = [socket.create_server(("127.0.0.1", port)) for port in ports]
        socket.send_fds(its, [b"."], [one.fileno() for one in listeners])
        os.execvp(command[0], command)  # noqa: S606 - it is what the caller asked for
    _, found, _, _ = socket.recv_fds(mine, 1, len(ports))
    listeners = [socket.socket(fileno=descriptor) for descriptor in found]
    return asyncio.run(_forward(dict(zip(ports, listeners, strict=True)), child))


def _enter() -> None:
    """Leave for a new network, switch its loopback on, and die with the process that keeps the ways out."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if libc.unshare(_CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", _UP))


async def _forward(listeners: dict[int, socket.socket], child: int) -> int:
    """Serve until the child ends; returns its exit status."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, os.kill, child, number)
    servers = [
        await asyncio.start_server(lambda reader, writer, port=port: _connect(port, reader, writer), sock=listener)
        for port, listener in listeners.items()
    ]
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    for server in servers:
        server.close()
    return os.waitstatus_to_exitcode(status)


async def _connect(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:  # that server is down: so is the way to it
        writer.close()
        return
    await asyncio.gather(_pass(reader, there_writer), _pass(there_reader, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One direction; the end of what is read is the end of what is written."""
    with contextlib.suppress(OSError):
        while content := await reader.read(_CHUNK):
            writer.write(content)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


if __name__ == "__main__":
    sys.exit(main())
