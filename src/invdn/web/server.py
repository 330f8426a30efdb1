"""The server: a socket, uvicorn behind it, and an end that does not lose work."""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import InputError
from ..inference import Engine
from .api import create_app
from .logs import set_up
from .service import Service
from .settings import Settings

_MOST_CONNECTIONS = 2048
_FILES_BESIDE = 256  # of the process, beside its connections
_CLOSING_SECONDS = 1


def serve(
    open_engines: Sequence[Callable[[], Engine]],
    model: str,
    settings: Settings,
    announce: Callable[[str], None],
    open_preview: Callable[[], Engine] | None = None,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run the page and the service until a signal ends them.

    The first SIGTERM or Ctrl-C gives what is running ``settings.grace`` seconds; what is not done
    then waits in the state folder for the next server, or is lost with a temporary one. The second
    ends at once.

    Args:
        open_engines: make the engines, one for each worker; called in the workers' processes, so
            they must be picklable.
        model: the model's name, for people.
        settings: where to listen and what to allow.
        announce: called with the address when the service is ready.
        open_preview: makes the engine of drafts, in a process of its own; None: the same.
        clock: the time in seconds.

    Raises:
        InvDNError: the engine cannot be opened, or the address cannot be listened on.
    """
    set_up(settings.log_format)
    asyncio.run(_serve(open_engines, model, settings, announce, open_preview, clock))


async def _serve(
    open_engines: Sequence[Callable[[], Engine]],
    model: str,
    settings: Settings,
    announce: Callable[[str], None],
    open_preview: Callable[[], Engine] | None,
    clock: Callable[[], float],
) -> None:
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    root = f"{settings.root_path}/"
    address = f"http://[{host}]:{port}{root}" if ":" in host else f"http://{host}:{port}{root}"
    async with Service(open_engines, model, settings, open_preview, clock) as service:
        config = uvicorn.Config(
            create_app(service),
            http=_protocol(settings.header_seconds, _most_connections()),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # the application does it, and the prefix
            timeout_keep_alive=5,
            timeout_graceful_shutdown=_CLOSING_SECONDS,
        )
        await _Server(config, service, settings.idle_seconds, lambda: announce(address)).serve(
            sockets=[listener]
        )


def _most_connections() -> int:
    """Raise the limit of open files as far as it goes; returns the connections that fit."""
    try:
        import resource  # late: not on Windows
    except ImportError:
        return _MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _FILES_BESIDE
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    if soft == resource.RLIM_INFINITY:
        return _MOST_CONNECTIONS
    return max(16, min(_MOST_CONNECTIONS, soft - _FILES_BESIDE))


def _listen(settings: Settings) -> socket.socket:
    """Return a socket on the address, not yet listening."""
    where = f"{settings.host} port {settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise InputError(f"cannot listen on {where}: {error.strerror or error}") from error
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: others could take the port over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # so that a second service learns of the first now, and not after loading a model
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise InputError(
            f"cannot listen on {where}: {error.strerror or error}; choose another --port, or 0 for "
            "any free one"
        ) from error
    return listener


class _Server(uvicorn.Server):
    """Ends in two steps: first the work, then the connections."""

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        idle_seconds: float,
        announce: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._idle_seconds = idle_seconds
        self._unsent: dict[Any, tuple[int, float]] = {}
        self._service = service
        self._announce = announce
        self._asked_to_end = False
        self._closing: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: the first asks for a good end, the second for an immediate one."""
        if self._asked_to_end:
            self.should_exit = self.force_exit = True
        self._asked_to_end = True

    async def on_tick(self, counter: int) -> bool:
        """Return whether to end now; called ten times a second."""
        if self._asked_to_end and self._closing is None:
            self._closing = asyncio.create_task(self._service.finish())
        if self._closing is not None and self._closing.done():
            self.should_exit = True
        self._drop_the_stuck()
        return await super().on_tick(counter)

    def _drop_the_stuck(self) -> None:
        """Hang up on clients that do not take what they asked for."""
        before, self._unsent = self._unsent, {}
        for connection in list(self.server_state.connections):
            size = connection.transport.get_write_buffer_size()
            if not size:
                continue
            since = time.monotonic()
            if connection in before and before[connection][0] == size:
                since = before[connection][1]
            self._unsent[connection] = size, since
            if time.monotonic() - since > self._idle_seconds:
                connection.transport.abort()


def _protocol(header_seconds: float, most: int) -> type[asyncio.Protocol]:
    """Return uvicorn's HTTP, with a deadline for the head of a request and a limit of connections.

    Where the limit is reached, the connection goes that has waited longest without a request: so
    connections that are opened and left half open never keep others out.
    """
    waiting: OrderedDict[Any, asyncio.TimerHandle] = OrderedDict()

    class TimedProtocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > most:
                if waiting:
                    waiting.popitem(last=False)[0].transport.abort()
                else:
                    transport.abort()
                    return
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._forget()

        def _watch(self) -> None:
            """Set the clock while the head of a request is awaited, once for each head."""
            if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
                self._forget()
            elif self not in waiting:
                waiting[self] = self.loop.call_later(header_seconds, self.transport.abort)

        def _forget(self) -> None:
            deadline = waiting.pop(self, None)
            if deadline:
                deadline.cancel()

    return TimedProtocol
