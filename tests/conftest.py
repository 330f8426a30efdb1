"""What the tests share: real data, where it is."""

from pathlib import Path

import pytest
from hypothesis import settings

# Properties are tested without a clock: the machine may be busy.
settings.register_profile("invdn", deadline=None)
settings.load_profile("invdn")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photographs and pairs beside the checkout; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real photographs in {SHARED_DATA}")
    return SHARED_DATA
