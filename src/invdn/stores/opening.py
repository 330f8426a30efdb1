"""The store of a URL."""

import time

from .folders import FolderStore
from .locations import FILE, folder_of, url_of
from .store import Store, Wait

#: A store that does not serve is tried again for so many seconds.
PATIENCE = 180.0


def open_store(url: str, *, patience: float = PATIENCE, wait: Wait | None = None) -> Store:
    """Open the store of a URL, or of a folder's path; nothing is asked of it yet.

    Credentials come from where the tools of the store look for them: environment, files, the role
    of the machine.

    Args:
        url: ``s3://bucket/folder``, ``gs://``, ``az://``, ``https://`` (to read), ``file://`` or
            a path.
        patience: seconds for which a request is tried again while the store is busy.
        wait: waits between two tries, and ends the trying where it returns True.

    Raises:
        InputError: there is no such kind of store.
        MissingDependencyError: ``obstore`` is not installed.

    Example:
        >>> import tempfile
        >>> store = open_store(tempfile.mkdtemp())
        >>> entry = store.create("rome/a.txt", b"AVE")
        >>> [entry.key for entry in store.entries()], store.fetch("rome/a.txt")[0]
        (['rome/a.txt'], b'AVE')
    """
    url = url_of(url)
    if url.partition("://")[0] == FILE:
        return FolderStore(folder_of(url))
    from .objects import ObjectStore  # late: the light install has it not

    return ObjectStore(url, patience=patience, wait=wait or _sleep)


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
