"""Places of many objects by URL: buckets (S3, Google, Azure), web servers, folders of a disk."""

from .locations import Location, join, url_of
from .mirror import FolderUpload, fetch_folder, local_copy, written_to
from .opening import open_store
from .store import Entry, Store, Wait

__all__ = [
    "Entry",
    "FolderUpload",
    "Location",
    "Store",
    "Wait",
    "fetch_folder",
    "join",
    "local_copy",
    "open_store",
    "url_of",
    "written_to",
]
