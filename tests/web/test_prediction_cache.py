"""Room for the predictions of earlier jobs: bounded, and made by forgetting the longest unused."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from invdn.inference import DenoiseOptions
from invdn.web.database import Database
from invdn.web.jobs import Job, StoredPhoto
from invdn.web.photo_shelf import _STRAY_SECONDS, PhotoShelf
from invdn.web.prediction_cache import PredictionCache
from invdn.web.quota import Leases, Quota
from invdn.web.state import StateFolder, new_identifier
from invdn.web.tasks import Denoised, Inspection

_PIXELS = 1000
_SIZE = 16 * _PIXELS  # bytes that a prediction needs
_LIMIT = 400_000  # of the storage; a quarter of it may be predictions: six of them, not seven


class Shop:
    """The parts that a service puts together, and jobs in them."""

    def __init__(self, state: StateFolder) -> None:
        self.now = 0.0
        self.state = state
        self.table = Database(state, lambda: self.now)
        self.quota = Quota(_LIMIT, dict)
        self.leases = Leases()
        self.cache = PredictionCache(state, self.table, self.quota, self.leases)
        inspection = Inspection("png", _PIXELS, 1, "uint8")
        folder = state.photo_folder("photo")
        self.photo = StoredPhoto("photo", "a", folder, "a.png", "a.png", 1, inspection, 0.0)
        self.table.add_photo(self.photo)

    def job(
        self,
        *,
        once: bool = False,
        predicted: int = 0,
        strength: float = 1.0,
        draft: bool = False,
    ) -> Job:
        """A job that runs; one that is done where bytes of a prediction are given."""
        self.now += 1
        identifier = new_identifier()
        options = DenoiseOptions(strength=strength)
        self.table.add_job(
            identifier, self.photo, options, "a", once=once, most=100, retry_after=1.0, draft=draft
        )
        job = self.table.claim(draft=draft)
        assert job is not None and job.id == identifier
        if not predicted:
            return job
        job.attempt_folder.mkdir(parents=True)
        job.prediction.write_bytes(bytes(8))
        outcome = Denoised(1, 1 + predicted, 0.1, predicted, None, None, None, ())
        assert self.table.end(job, "done", outcome)
        return self.table.job(identifier)


@pytest.fixture
def shop() -> Iterator[Shop]:
    with StateFolder(None) as state:
        made = Shop(state)
        yield made
        made.table.close()


def test_the_longest_unused_make_way(shop: Shop) -> None:
    """Twice the need is asked for, so two of six go; one that is in use does not."""
    old = [shop.job(predicted=_SIZE) for _ in range(6)]
    with shop.leases.hold(old[0].id):
        assert shop.cache.room(shop.job()) == 2 * _SIZE
    assert [job.prediction.exists() for job in old] == [True, False, False, True, True, True]
    assert [job.id for job in shop.table.kept_predictions()] == [
        job.id for job in (old[0], *old[3:])
    ]


def test_nothing_makes_way_while_there_is_room(shop: Shop) -> None:
    old = [shop.job(predicted=_SIZE) for _ in range(4)]
    assert shop.cache.room(shop.job()) == 2 * _SIZE
    assert all(job.prediction.exists() for job in old)


@pytest.mark.parametrize(
    ("used", "free", "expected"),
    [
        (0, 10**9, 2 * _SIZE),
        (_LIMIT - 50_000, 10**9, 25_000),  # half of what the storage has left
        (_LIMIT - 31_000, 10**9, 0),  # which is too little
        (0, 50_000, 25_000),  # half of what the disk has left
        (0, 32_000, _SIZE),
        (0, 31_999, 0),
    ],
)
def test_half_of_what_is_left_stays_free(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, used: int, free: int, expected: int
) -> None:
    monkeypatch.setattr(shop.state, "free_bytes", lambda: free)
    shop.quota._kept = lambda: {"b": used}
    assert shop.cache.room(shop.job()) == expected


@pytest.mark.parametrize(
    "make",
    [lambda shop: shop.job(once=True), lambda shop: shop.job(strength=0.0)],
    ids=["nobody asks again", "no network runs"],
)
def test_where_none_is_needed_none_is_made(shop: Shop, make: Callable[[Shop], Job]) -> None:
    assert shop.cache.room(make(shop)) == 0


def test_one_larger_than_a_quarter_of_the_storage_is_not_kept(shop: Shop) -> None:
    shop.quota.limit = 4 * _SIZE
    assert shop.cache.room(shop.job()) == _SIZE
    shop.quota.limit -= 4
    assert shop.cache.room(shop.job()) == 0


def test_another_look_finds_what_was_predicted(shop: Shop) -> None:
    job = shop.job(strength=0.5)
    assert shop.cache.earlier(job) is None
    before = shop.job(predicted=_SIZE)
    found = shop.cache.earlier(job)
    assert found is not None and found.id == before.id, "the network was asked the same"
    before.prediction.unlink()
    assert shop.cache.earlier(job) is None


@pytest.mark.parametrize("draft", [False, True])
def test_drafts_are_predictions_of_another_model(shop: Shop, *, draft: bool) -> None:
    shop.job(predicted=_SIZE, draft=not draft)
    job = shop.job(strength=0.5, draft=draft)
    assert shop.cache.earlier(job) is None
    before = shop.job(predicted=_SIZE, draft=draft)
    found = shop.cache.earlier(job)
    assert found is not None and found.id == before.id


def test_old_folders_without_an_entry_are_removed(shop: Shop) -> None:
    shelf = PhotoShelf(shop.state, shop.table, shop.quota, shop.leases, lambda: shop.now)
    old, young = (shop.state.photo_folder(name) for name in ("old", "young"))
    for folder in (old, young, shop.photo.folder):
        folder.mkdir(parents=True, exist_ok=True)
    ago = time.time() - _STRAY_SECONDS - 5
    for folder in (old, shop.photo.folder):
        os.utime(folder, (ago, ago))
    shelf.remove_strays()
    assert not old.exists()
    assert young.exists(), "its entry may come"
    assert shop.photo.folder.exists()
