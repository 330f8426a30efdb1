"""Where the service listens and what it allows, read once at the start."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import InputError

_MEBIBYTE = 1 << 20
_WEEK = 7 * 86_400.0


@dataclass(frozen=True)
class Settings:
    """Address and limits of the service.

    Attributes:
        host: address to listen on.
        port: TCP port; 0 takes a free one.
        token: what every request must present; needed where others can reach the address.
        allowed_hosts: further names by which the service may be called; IP addresses and
            ``localhost`` always may, and with a token every name.
        state: folder for photographs, jobs and results, which outlives the service; None takes a
            temporary one.
        root_path: path below which a proxy offers the service, such as ``/invdn``.
        trusted_proxies: addresses whose ``X-Forwarded-For``, ``-Proto`` and ``-Prefix`` are
            believed; ``*`` for all.
        log_format: of the log on standard error.
        access_log: log every request.
        max_bytes: largest body of a request.
        max_pixels: largest photograph, refused before it is decoded.
        max_preview_pixels: largest region of a preview.
        max_work: passes of the network times pixels, for one photograph.
        max_queue: photographs that wait for the engine at the same time; one client may have
            three quarters of the places.
        max_seconds: time that the engine may take for one photograph.
        max_memory: bytes that one photograph may take beside the loaded model.
        max_storage: bytes of photographs and results on the disk.
        lifetime: seconds until an unused photograph or a finished result is removed; 0 is a
            quarter of an hour, and a week where the state folder is lasting.
        grace: seconds that running work has to finish when the service is stopped.
        header_seconds: time that a client has to send the head of a request.
        idle_seconds: longest silence of a client that is sending or receiving.
        slowest: bytes per second that a client must send on average.
        browser: folder of the page that needs no server, as ``tools/build_browser.py`` makes it.

    Raises:
        InputError: a limit is not positive, or others could reach the address without a token.

    Example:
        >>> Settings().is_local, Settings().lifetime, Settings(state=Path("state")).lifetime
        (True, 900.0, 604800.0)
        >>> Settings(host="0.0.0.0")
        Traceback (most recent call last):
            ...
        invdn.errors.InputError: others can reach 0.0.0.0: give a token (--token, or INVDN_TOKEN), \
or listen on 127.0.0.1
    """

    host: str = "127.0.0.1"
    port: int = 8642
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    state: Path | None = None
    root_path: str = ""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    log_format: Literal["text", "json"] = "text"
    access_log: bool = False
    max_bytes: int = 256 * _MEBIBYTE
    max_pixels: int = 100_000_000
    max_preview_pixels: int = 2_000_000
    max_work: int = 2_000_000_000
    max_queue: int = 64
    max_seconds: float = 1800
    max_memory: int = 4096 * _MEBIBYTE
    max_storage: int = 8192 * _MEBIBYTE
    lifetime: float = 0
    grace: float = 5
    header_seconds: float = 10
    idle_seconds: float = 20
    slowest: int = 16_384
    browser: Path | None = None

    def __post_init__(self) -> None:
        limits = [name for name in vars(self) if name.startswith("max_")]
        for name in (*limits, "header_seconds", "idle_seconds", "slowest"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be more than 0, not {getattr(self, name)}")
        if not (self.lifetime >= 0 and self.grace >= 0):
            raise InputError("lifetime and grace must be 0 seconds or more")
        if not self.lifetime:
            object.__setattr__(self, "lifetime", _WEEK if self.state else 900.0)
        if self.browser is not None and not (self.browser / "index.html").is_file():
            raise InputError(f"{self.browser} holds no page: build it with tools/build_browser.py")
        if not 0 <= self.port < 65536:
            raise InputError(f"port must be from 0 to 65535, not {self.port}")
        if not re.fullmatch(r"(/[\w.~-]+)*/?", self.root_path):
            raise InputError(f"root_path must be a path such as /invdn, not {self.root_path!r}")
        object.__setattr__(self, "root_path", self.root_path.rstrip("/"))
        self._check_token()

    def _check_token(self) -> None:
        if self.token is not None and not (self.token.isascii() and self.token.isprintable()):
            raise InputError("the token must be printable ASCII")
        if self.token is not None and (len(self.token) < 8 or " " in self.token):
            raise InputError("the token must have 8 characters or more and no space")
        if not self.is_local and self.token is None:
            raise InputError(
                f"others can reach {self.host}: give a token (--token, or INVDN_TOKEN), "
                "or listen on 127.0.0.1"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the service."""
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
