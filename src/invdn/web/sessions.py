"""Who may come in: the token, pages that have shown it, and clients that guess."""

import hashlib
import hmac
import secrets
import time
from collections import OrderedDict

from .database import Database
from .errors import ProblemError
from .settings import Settings

SESSION_SECONDS = 30 * 86_400.0  # without use
_GUESSES = 20  # wrong tokens of one client in a minute
_GUESS_SECONDS = 60.0
_CLIENTS = 10_000


class Sessions:
    """Checks tokens and the cookies of pages that have shown one.

    The cookie holds a random secret, of which the table keeps the hash; the token itself never
    leaves the service.

    Args:
        table: where sessions are kept, for all servers of the state folder.
        settings: the token.
    """

    def __init__(self, table: Database, settings: Settings) -> None:
        self._table = table
        self._token = settings.token
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()

    @property
    def needed(self) -> bool:
        """Whether there is a token at all."""
        return self._token is not None

    def accepts(self, client: str, token: str, secret: str) -> bool:
        """Tell whether a request may come in.

        Args:
            client: who asks.
            token: of the Authorization header, or nothing.
            secret: of the cookie, or nothing.

        Raises:
            ProblemError: the client has tried too many wrong tokens.
        """
        if self._token is None:
            return True
        if token:
            return self.is_token(client, token)
        return bool(secret) and self._table.has_session(_hash(secret), SESSION_SECONDS)

    def is_token(self, client: str, given: str) -> bool:
        """Tell whether it is the service's token; how long this takes tells nothing.

        Raises:
            ProblemError: the client has tried too many wrong tokens.
        """
        now = time.monotonic()
        count, since = self._wrong.get(client, (0, now))
        if now - since > _GUESS_SECONDS:
            count, since = 0, now
        if count >= _GUESSES:
            raise ProblemError(
                "too-many-attempts",
                "too many wrong tokens came from this address; wait a minute",
                retry_after=_GUESS_SECONDS - (now - since),
            )
        if self._token and hmac.compare_digest(
            given.encode("utf-8", "replace"), self._token.encode()
        ):
            self._wrong.pop(client, None)
            return True
        self._wrong[client] = count + 1, since
        self._wrong.move_to_end(client)
        while len(self._wrong) > _CLIENTS:
            self._wrong.popitem(last=False)
        return False

    def open(self) -> str:
        """Return the secret of a new session."""
        secret = secrets.token_urlsafe(32)
        self._table.add_session(_hash(secret))
        return secret

    def close(self, secret: str) -> None:
        """End a session."""
        self._table.end_session(_hash(secret))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
