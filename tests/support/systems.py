"""What systems have and lack, as marks for tests."""

import os
import sys

import pytest

#: Permissions do not stop the superuser.
ROOT = hasattr(os, "geteuid") and os.geteuid() == 0

#: Signals that end a process, pipes with names, limits of a process.
needs_posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals or files")
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells, in /proc")
not_for_root = pytest.mark.skipif(
    ROOT or os.name != "posix", reason="permissions do not stop the superuser, and Windows has ACLs"
)
