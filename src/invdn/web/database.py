"""The table of photographs and jobs: SQLite in WAL mode, for all servers of a state folder."""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from itertools import zip_longest

from ..errors import InputError, InvDNError
from ..options import DenoiseOptions
from .errors import ProblemError
from .jobs import AS_IT_WAS, FINAL, Job, Output, State, StoredPhoto
from .state import DATABASE, StateFolder
from .tasks import Denoised, Inspection

_VERSION = 2
_APPLICATION = 0x496E7644  # "InvD"
_WAIT_SECONDS = 10.0  # for another server's change, which takes milliseconds
#: A client may hold so many times what is still free: one alone has three quarters of all, and
#: however many come, each finds room (Choudhury and Hahne, Dynamic queue length thresholds, 1998).
_SHARE = 3
MOST_ATTEMPTS = 2
_NEW_SECONDS = 10.0  # between a photograph and its job lie milliseconds
_KEY_SECONDS = 86_400.0  # that an Idempotency-Key is remembered

_SCHEMA = """
CREATE TABLE photos (
  id TEXT PRIMARY KEY, client TEXT NOT NULL, file TEXT NOT NULL, name TEXT NOT NULL,
  size INTEGER NOT NULL, inspection TEXT NOT NULL, created REAL NOT NULL, touched REAL NOT NULL,
  owned INTEGER NOT NULL, removed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE jobs (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, client TEXT NOT NULL,
  photo TEXT NOT NULL REFERENCES photos (id), options TEXT NOT NULL, output TEXT NOT NULL,
  draft INTEGER NOT NULL,
  once INTEGER NOT NULL, origin TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'queued',
  owner TEXT NOT NULL DEFAULT '', attempts INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL DEFAULT 0,
  size INTEGER NOT NULL DEFAULT 0, outcome TEXT, problem TEXT,
  created REAL NOT NULL, started REAL, ends REAL, finished REAL, touched REAL NOT NULL,
  version INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX jobs_by_photo ON jobs (photo);
CREATE TABLE turns (client TEXT PRIMARY KEY, turn INTEGER NOT NULL, at REAL NOT NULL) STRICT;
CREATE TABLE keys (
  client TEXT NOT NULL, key TEXT NOT NULL, request TEXT NOT NULL, made TEXT NOT NULL,
  created REAL NOT NULL, PRIMARY KEY (client, key)
) STRICT;
CREATE TABLE sessions (secret TEXT PRIMARY KEY, touched REAL NOT NULL) STRICT;
"""
_JOB = """SELECT jobs.*, photos.client AS photo_client, photos.file, photos.name,
  photos.size AS photo_size, photos.inspection, photos.touched AS photo_touched, photos.owned,
  photos.removed FROM jobs JOIN photos ON photos.id = jobs.photo"""
# Whose turn it is: what a dead worker left first, then the client that had its turn longest ago.
_IN_TURN = """ LEFT JOIN turns ON turns.client = jobs.client WHERE state = 'queued'
  ORDER BY attempts > 0 DESC, coalesce(turns.turn, 0), number"""


class Database:
    """Photographs and jobs, each change at once for all servers.

    Args:
        state: the folder that it lies in.
        clock: the time in seconds.

    Raises:
        InputError: the file is not such a table, or a newer version's.
    """

    def __init__(self, state: StateFolder, clock: Callable[[], float]) -> None:
        self._state = state
        self._clock = clock
        path = state.root / DATABASE
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # and so are the files beside it
        self._connection = sqlite3.connect(
            path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            with self.transaction():
                self._prepare(str(path))
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise InputError(f"{str(path)!r} is damaged ({error}); give another --state") from error

    def _prepare(self, path: str) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        (application,) = self._connection.execute("PRAGMA application_id").fetchone()
        if version == 0 and not self._connection.execute("SELECT * FROM sqlite_schema").fetchone():
            for statement in _SCHEMA.split(";\n"):
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        elif (version, application) == (1, _APPLICATION):
            self._connection.execute("ALTER TABLE jobs ADD COLUMN ends REAL")
            self._connection.execute(f"PRAGMA user_version = {_VERSION}")
        elif (version, application) != (_VERSION, _APPLICATION):
            raise InputError(
                f"{path!r} was written by another version of invdn; give another --state"
            )

    def close(self) -> None:
        """Close the file; what was changed is in it."""
        self._connection.close()

    @contextmanager
    def transaction(self, *, lasting: bool = True) -> Iterator[sqlite3.Connection]:
        """Change several things as one, while no other server changes anything.

        Args:
            lasting: the change outlives a power cut, too, where the folder does.
        """
        level = "FULL" if lasting and self._state.durable else "OFF"
        self._connection.execute(f"PRAGMA synchronous = {level}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @property
    def version(self) -> int:
        """A number that differs whenever another server has changed something."""
        number: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return number

    # --- photographs ---------------------------------------------------------------------------

    def add_photo(self, photo: StoredPhoto) -> None:
        """Keep a photograph."""
        with self.transaction() as table:
            table.execute(
                "INSERT INTO photos (id, client, file, name, size, inspection, created, touched,"
                " owned) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    photo.id,
                    photo.client,
                    photo.file,
                    photo.name,
                    photo.size,
                    json.dumps(asdict(photo.inspection)),
                    self._clock(),
                    photo.touched,
                    photo.owned,
                ),
            )

    def photo(self, identifier: str) -> StoredPhoto | None:
        """Return a photograph that its owner has not removed."""
        row = self._connection.execute(
            "SELECT * FROM photos WHERE id = ? AND NOT removed", (identifier,)
        ).fetchone()
        return self._photo(row) if row else None

    def photos(self, before: str | None, limit: int) -> list[StoredPhoto]:
        """Return the newest photographs.

        Args:
            before: only those that are older than this one.
            limit: how many.
        """
        rows = self._connection.execute(
            "SELECT * FROM photos WHERE NOT removed AND (?1 IS NULL OR rowid <"
            " (SELECT rowid FROM photos WHERE id = ?1)) ORDER BY rowid DESC LIMIT ?2",
            (before, limit),
        )
        return [self._photo(row) for row in rows]

    def remove_photo(self, identifier: str) -> None:
        """Take a photograph out of its owner's sight; its file goes when no job waits for it."""
        with self.transaction() as table:
            table.execute(
                "UPDATE photos SET removed = 1, touched = ? WHERE id = ?",
                (self._clock(), identifier),
            )

    def touch(self, kind: str, identifiers: list[str]) -> None:
        """Note that somebody still wants some photographs or jobs."""
        with self.transaction(lasting=False) as table:
            table.executemany(
                f"UPDATE {kind} SET touched = ? WHERE id = ?",  # noqa: S608
                [(self._clock(), identifier) for identifier in identifiers],
            )

    def superfluous_photos(self, expired: float) -> list[StoredPhoto]:
        """Return photographs that nobody wants, and no job that is still to be done."""
        rows = self._connection.execute(
            "SELECT * FROM photos WHERE size >= 0 AND (removed OR touched < ? OR (owned AND"
            " created < ? AND id NOT IN (SELECT photo FROM jobs))) AND id NOT IN"
            " (SELECT photo FROM jobs WHERE state IN ('queued', 'running'))",
            (expired, self._clock() - _NEW_SECONDS),
        )
        return [self._photo(row) for row in rows]

    def forget_photo(self, identifier: str) -> None:
        """Note that a photograph's file is gone; the row goes with its last job."""
        with self.transaction() as table:
            table.execute("UPDATE photos SET removed = 1, size = -1 WHERE id = ?", (identifier,))
            table.execute(
                "DELETE FROM photos WHERE size < 0 AND id NOT IN (SELECT photo FROM jobs)"
            )

    def known(self, kind: str) -> set[str]:
        """Return the identifiers of all photographs or jobs."""
        return {row[0] for row in self._connection.execute(f"SELECT id FROM {kind}")}  # noqa: S608

    # --- jobs ----------------------------------------------------------------------------------

    def add_job(
        self,
        identifier: str,
        photo: StoredPhoto,
        options: DenoiseOptions,
        client: str,
        *,
        output: Output = AS_IT_WAS,
        draft: bool = False,
        once: bool,
        most: int,
        retry_after: float,
        key: tuple[str, str] | None = None,
    ) -> str:
        """Queue the work on a photograph.

        Args:
            identifier: of the new job.
            photo: which.
            options: how.
            client: who asks.
            output: how the result is written.
            draft: by the fast model.
            once: nobody will ask for the result after the answer.
            most: jobs that may wait.
            retry_after: seconds after which a place is probably free.
            key: Idempotency-Key and what was asked with it.

        Returns:
            The job's identifier: that of an earlier one, where the key was used before.

        Raises:
            ProblemError: the queue is full, or the key was used for something else.
        """
        now = self._clock()
        with self.transaction() as table:
            if key and (made := self.made_before(client, *key)):
                return made
            self.check_places(client, most, retry_after)
            if not table.execute("SELECT 1 FROM photos WHERE id = ?", (photo.id,)).fetchone():
                raise ProblemError("not-found", "there is no such photograph; send it again")
            table.execute(
                "INSERT INTO jobs (id, client, photo, options, output, draft, once,"
                " origin, created, touched) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    identifier,
                    client,
                    photo.id,
                    json.dumps(vars(options)),
                    json.dumps(vars(output)),
                    draft,
                    once,
                    self._state.server,
                    now,
                    now,
                ),
            )
            if key:
                table.execute(
                    "INSERT INTO keys VALUES (?, ?, ?, ?, ?)", (client, *key, identifier, now)
                )
        return identifier

    def made_before(self, client: str, key: str, request: str) -> str | None:
        """Return the job that a client has made with an Idempotency-Key.

        Raises:
            ProblemError: the key was used for something else.
        """
        row = self._connection.execute(
            "SELECT request, made FROM keys JOIN jobs ON jobs.id = keys.made"
            " WHERE keys.client = ? AND key = ?",
            (client, key),
        ).fetchone()
        if row is None:
            return None
        if row["request"] != request:
            raise ProblemError(
                "invalid", "this Idempotency-Key was used for another request; take a new one"
            )
        return str(row["made"])

    def check_places(self, client: str, most: int, retry_after: float) -> None:
        """Raise if a client may not queue one more job.

        Raises:
            ProblemError: the queue is full, or the client's share of it.
        """
        rows = self._connection.execute(
            "SELECT client, count(*) FROM jobs WHERE state = 'queued' GROUP BY client"
        )
        waiting = {row[0]: row[1] for row in rows}
        check_share(
            waiting.get(client, 0),
            sum(waiting.values()),
            most,
            f"{sum(waiting.values())} photographs are waiting already; try again later",
            f"{waiting.get(client, 0)} photographs of yours are waiting already, and the other "
            "places are for others; try again later",
            "queue-full",
            retry_after,
        )

    def job(self, identifier: str) -> Job | None:
        """Return a job."""
        row = self._connection.execute(f"{_JOB} WHERE jobs.id = ?", (identifier,)).fetchone()
        return self._job(row) if row else None

    def jobs(self, before: str | None, limit: int, states: tuple[State, ...] = ()) -> list[Job]:
        """Return the newest jobs; those of ``/denoise`` are not among them.

        Args:
            before: only those that are older than this one.
            limit: how many.
            states: only those in one of these.
        """
        wanted = f"AND state IN ({', '.join('?' * len(states))})" if states else ""
        rows = self._connection.execute(
            f"{_JOB} WHERE NOT once {wanted} AND (? IS NULL OR number <"  # noqa: S608
            " (SELECT number FROM jobs WHERE id = ?)) ORDER BY number DESC LIMIT ?",
            (*states, before, before, limit),
        )
        return [self._job(row) for row in rows]

    def jobs_of(self, photo: str) -> list[Job]:
        """Return all jobs of a photograph."""
        rows = self._connection.execute(f"{_JOB} WHERE photo = ?", (photo,))
        return [self._job(row) for row in rows]

    def queued_jobs(self) -> list[Job]:
        """Return the jobs that wait, those of ``/denoise`` too."""
        rows = self._connection.execute(f"{_JOB} WHERE state = 'queued'")
        return [self._job(row) for row in rows]

    def kept_predictions(self) -> list[Job]:
        """Return the jobs whose predictions are kept, the longest unused first."""
        rows = self._connection.execute(
            f"{_JOB} WHERE state = 'done' AND json_extract(outcome, '$.predicted') > 0"
            " ORDER BY jobs.touched"
        )
        return [self._job(row) for row in rows]

    def claim(self, *, draft: bool = False) -> Job | None:
        """Take the job whose turn it is, for this server.

        Args:
            draft: one for the fast model, not for the other one.
        """
        waiting = "SELECT 1 FROM jobs WHERE state = 'queued' AND draft = ?"
        if not self._connection.execute(waiting, (draft,)).fetchone():
            return None
        now = self._clock()
        turn = _IN_TURN.replace("ORDER", "AND draft = ? ORDER")
        with self.transaction(lasting=False) as table:
            row = table.execute(f"{_JOB}{turn} LIMIT 1", (draft,)).fetchone()
            if row is None:
                return None
            table.execute(
                "UPDATE jobs SET state = 'running', owner = ?, attempts = attempts + 1,"
                " started = ?, ends = NULL, done = 0, total = 0, version = version + 1"
                " WHERE number = ?",
                (self._state.server, now, row["number"]),
            )
            table.execute(
                "INSERT OR REPLACE INTO turns SELECT ?, coalesce(max(turn), 0) + 1, ? FROM turns",
                (row["client"], now),
            )
        return self.job(row["id"])

    def progressed(self, job: Job) -> None:
        """Note how far a job is, and when it probably ends."""
        with self.transaction(lasting=False) as table:
            table.execute(
                "UPDATE jobs SET done = ?, total = ?, ends = ?, version = version + 1"
                " WHERE number = ? AND state = 'running' AND owner = ? AND attempts = ?",
                (job.done, job.total, job.ends, job.number, job.owner, job.attempts),
            )

    def end(
        self,
        job: Job,
        state: State,
        outcome: Denoised | None = None,
        problem: ProblemError | None = None,
    ) -> bool:
        """End the attempt at a job; nothing happens where it is not the latest any more.

        Returns:
            Whether it was the latest.
        """
        with self.transaction() as table:
            done = table.execute(
                "UPDATE jobs SET state = ?, outcome = ?, problem = ?, size = ?, finished = ?,"
                " touched = ?, version = version + 1"
                " WHERE number = ? AND state = 'running' AND owner = ? AND attempts = ?",
                (
                    state,
                    json.dumps(asdict(outcome)) if outcome else None,
                    json.dumps(problem.args) if problem else None,
                    outcome.size if outcome else 0,
                    self._clock(),
                    self._clock(),
                    job.number,
                    job.owner,
                    job.attempts,
                ),
            )
            return done.rowcount > 0

    def cancel(self, identifier: str, problem: ProblemError | None = None) -> bool:
        """Cancel a job that has not ended; who works on it notices.

        Returns:
            Whether it had not.
        """
        now = self._clock()
        with self.transaction() as table:
            done = table.execute(
                "UPDATE jobs SET state = 'cancelled', problem = ?, finished = ?, touched = ?,"
                " version = version + 1 WHERE id = ? AND state IN ('queued', 'running')",
                (json.dumps(problem.args) if problem else None, now, now, identifier),
            )
            return done.rowcount > 0

    def requeue(self, job: Job, *, counts: bool) -> None:
        """Have a job done again, before others.

        Args:
            job: its attempt was broken off.
            counts: by the job's own doing, maybe; not by a stop of the server.
        """
        with self.transaction() as table:
            table.execute(
                "UPDATE jobs SET state = 'queued', owner = '', attempts = attempts - ?, done = 0,"
                " total = 0, started = NULL, ends = NULL, version = version + 1"
                " WHERE number = ? AND state = 'running' AND owner = ? AND attempts = ?",
                (0 if counts else 1, job.number, job.owner, job.attempts),
            )

    def forget(self, identifier: str) -> None:
        """Remove a job."""
        with self.transaction() as table:
            table.execute("DELETE FROM jobs WHERE id = ?", (identifier,))
            table.execute(
                "DELETE FROM photos WHERE size < 0 AND id NOT IN (SELECT photo FROM jobs)"
            )

    def forget_prediction(self, job: Job) -> None:
        """Note that what the network predicted is kept no more."""
        with self.transaction(lasting=False) as table:
            table.execute(
                "UPDATE jobs SET size = size - ?, outcome ="
                " json_set(outcome, '$.predicted', 0) WHERE number = ?",
                (job.predicted_bytes, job.number),
            )

    def expired_jobs(self, expired: float) -> list[Job]:
        """Return jobs that ended, and that nobody has asked for since."""
        rows = self._connection.execute(
            f"{_JOB} WHERE state IN ({', '.join('?' * len(FINAL))}) AND jobs.touched < ?",
            (*FINAL, expired),
        )
        return [self._job(row) for row in rows]

    def abandoned(self, alive: Callable[[str], bool]) -> tuple[list[Job], list[str]]:
        """Return the jobs whose server is gone, and those whose client is gone with one.

        Args:
            alive: tells whether a server runs.
        """
        rows = self._connection.execute(f"{_JOB} WHERE state IN ('queued', 'running')").fetchall()
        names = {row["owner"] for row in rows} | {row["origin"] for row in rows}
        gone = {name for name in names if name and not alive(name)}
        nobody = [row["id"] for row in rows if row["once"] and row["origin"] in gone]
        running = [row for row in rows if row["state"] == "running" and row["owner"] in gone]
        return [self._job(row) for row in running if row["id"] not in nobody], nobody

    def positions(self) -> Mapping[str, int]:
        """Return how many jobs come before each one that waits: clients take turns."""
        rows = self._connection.execute(
            f"SELECT jobs.id, jobs.client, attempts > 0 AS again FROM jobs {_IN_TURN}"  # noqa: S608
        ).fetchall()
        order = [row["id"] for row in rows if row["again"]]
        lines: dict[str, list[str]] = {}
        for row in rows:
            if not row["again"]:
                lines.setdefault(row["client"], []).append(row["id"])
        for rank in zip_longest(*lines.values()):
            order.extend(identifier for identifier in rank if identifier)
        return {identifier: place for place, identifier in enumerate(order)}

    def count(self, *states: State) -> int:
        """Return how many jobs are in one of these states; in any, if none is given."""
        wanted = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        query = f"SELECT count(*) FROM jobs {wanted}"  # noqa: S608
        number: int = self._connection.execute(query, states).fetchone()[0]
        return number

    def count_photos(self) -> int:
        """Return how many photographs are kept."""
        number: int = self._connection.execute(
            "SELECT count(*) FROM photos WHERE size >= 0"
        ).fetchone()[0]
        return number

    def bytes_by_client(self) -> dict[str, int]:
        """Return the bytes that each client has on the disk."""
        rows = self._connection.execute(
            "SELECT client, sum(size) FROM (SELECT client, max(size, 0) AS size FROM photos"
            " UNION ALL SELECT client, size FROM jobs) GROUP BY client"
        )
        return {row[0]: row[1] for row in rows}

    def prune(self, expired: float) -> None:
        """Remove turns, keys and sessions that are of no use any more."""
        now = self._clock()
        with self.transaction(lasting=False) as table:
            table.execute(
                "DELETE FROM turns WHERE at < ? AND client NOT IN (SELECT client FROM jobs)",
                (expired,),
            )
            table.execute("DELETE FROM keys WHERE created < ?", (now - _KEY_SECONDS,))
            table.execute("DELETE FROM keys WHERE made NOT IN (SELECT id FROM jobs)")

    # --- sessions of the page ------------------------------------------------------------------

    def add_session(self, secret: str) -> None:
        """Remember a page that has shown the token."""
        with self.transaction() as table:
            table.execute("INSERT INTO sessions VALUES (?, ?)", (secret, self._clock()))

    def has_session(self, secret: str, lifetime: float) -> bool:
        """Tell whether a page has shown the token; sessions that nobody uses end."""
        now = self._clock()
        row = self._connection.execute(
            "SELECT touched FROM sessions WHERE secret = ? AND touched > ?",
            (secret, now - lifetime),
        ).fetchone()
        if row and row["touched"] < now - lifetime / 20:
            with self.transaction(lasting=False) as table:
                table.execute("UPDATE sessions SET touched = ? WHERE secret = ?", (now, secret))
        return row is not None

    def end_session(self, secret: str) -> None:
        """Forget a page."""
        with self.transaction() as table:
            table.execute("DELETE FROM sessions WHERE secret = ?", (secret,))

    # --- rows ----------------------------------------------------------------------------------

    def _photo(self, row: sqlite3.Row) -> StoredPhoto:
        return self._photo_of(row, row["id"], row["client"], row["size"], row["touched"])

    def _photo_of(
        self, row: sqlite3.Row, identifier: str, client: str, size: int, touched: float
    ) -> StoredPhoto:
        return StoredPhoto(
            identifier,
            client,
            self._state.photo_folder(identifier),
            row["file"],
            row["name"],
            size,
            Inspection(**json.loads(row["inspection"])),
            touched,
            bool(row["owned"]),
            bool(row["removed"]),
        )

    def _job(self, row: sqlite3.Row) -> Job:
        photo = self._photo_of(
            row, row["photo"], row["photo_client"], row["photo_size"], row["photo_touched"]
        )
        return Job(
            number=row["number"],
            id=row["id"],
            client=row["client"],
            photo=photo,
            options=_options(row["options"]),
            output=Output(**json.loads(row["output"])),
            draft=bool(row["draft"]),
            folder=self._state.job_folder(row["id"]),
            once=bool(row["once"]),
            state=row["state"],
            owner=row["owner"],
            attempts=row["attempts"],
            done=row["done"],
            total=row["total"],
            outcome=Denoised(**json.loads(row["outcome"])) if row["outcome"] else None,
            problem=_problem(row["problem"]),
            created=row["created"],
            started=row["started"],
            ends=row["ends"],
            finished=row["finished"],
            touched=row["touched"],
            version=row["version"],
        )


def check_share(
    own: int,
    taken: int,
    most: int,
    full: str,
    share: str,
    kind: str,
    retry_after: float,
    size: int = 1,
) -> None:
    """Raise if one more does not fit, or is more than the client's share of what is free.

    Raises:
        ProblemError: of this kind, with the words for either case.

    Example:
        >>> check_share(47, 47, 64, "full", "your share", "queue-full", 1)
        >>> check_share(48, 48, 64, "full", "your share", "queue-full", 1)
        Traceback (most recent call last):
            ...
        invdn.web.errors.ProblemError: your share
    """
    if taken + size > most:
        raise ProblemError(kind, full, retry_after=retry_after)
    if own + size > _SHARE * (most - taken - size) + _SHARE:
        raise ProblemError(kind, share, retry_after=retry_after)


def _options(text: str) -> DenoiseOptions:
    try:
        return DenoiseOptions(**json.loads(text))
    except InvDNError:  # of a version with other bounds
        return DenoiseOptions()


def _problem(text: str | None) -> ProblemError | None:
    if not text:
        return None
    kind, detail, errors, retry_after = json.loads(text)
    return ProblemError(kind, detail, tuple((name, words) for name, words in errors), retry_after)
