"""The server: a socket, uvicorn behind it, and an end that does not lose work."""

import asyncio
import socket
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import InputError
from ..inference import Engine
from .api import create_app
from .service import Service
from .settings import Settings

_MOST_CONNECTIONS = 1024


def serve(
    open_engine: Callable[[], Engine],
    model: str,
    settings: Settings,
    announce: Callable[[str], None],
) -> None:
    """Run the page and the service until a signal ends them.

    The first SIGTERM or Ctrl-C finishes what is running, for ``settings.grace`` seconds at most;
    the second ends at once.

    Args:
        open_engine: makes the engine; called in the worker's process, so it must be picklable.
        model: the model's name, for people.
        settings: where to listen and what to allow.
        announce: called with the address when the service is ready.

    Raises:
        InvDNError: the engine cannot be opened, or the address cannot be listened on.
    """
    asyncio.run(_serve(open_engine, model, settings, announce))


async def _serve(
    open_engine: Callable[[], Engine],
    model: str,
    settings: Settings,
    announce: Callable[[str], None],
) -> None:
    listener = _listen(settings)
    host, port = listener.getsockname()[:2]
    address = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    async with Service(open_engine, model, settings) as service:
        config = uvicorn.Config(
            create_app(service),
            http=_protocol(settings.header_seconds),
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="critical",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
        )
        await _Server(config, service, settings.idle_seconds, lambda: announce(address)).serve(
            sockets=[listener]
        )


def _listen(settings: Settings) -> socket.socket:
    """A socket on the address, not yet listening."""
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
        listener.listen(128)
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
        """A signal came: the first asks for a good end, the second for an immediate one."""
        if self._asked_to_end:
            self.should_exit = self.force_exit = True
        self._asked_to_end = True

    async def on_tick(self, counter: int) -> bool:
        """Whether to end now; called ten times a second."""
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


def _protocol(header_seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's HTTP, with a deadline for the head of a request and a limit of connections."""

    class TimedProtocol(H11Protocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > _MOST_CONNECTIONS:
                transport.abort()
            else:
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
            elif self._deadline is None:
                self._deadline = self.loop.call_later(header_seconds, self.transport.abort)

        def _forget(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    return TimedProtocol
