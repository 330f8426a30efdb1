"""What the network predicted for earlier jobs, so that another strength needs no second run."""

from .database import Database
from .jobs import Job
from .predictions import prediction_bytes
from .quota import Leases, Quota
from .state import StateFolder


class PredictionCache:
    """Files of predictions, beside the results of their jobs.

    All of them take a quarter of the storage at most; the longest unused make way.

    Args:
        state: where they lie.
        table: where they are listed.
        quota: counts their bytes.
        leases: who is in use.
    """

    def __init__(self, state: StateFolder, table: Database, quota: Quota, leases: Leases) -> None:
        self._state = state
        self._table = table
        self._quota = quota
        self._leases = leases

    def earlier(self, job: Job) -> Job | None:
        """Return one that has asked the network the same about the same photograph."""
        for other in self._table.jobs_of(job.photo.id):
            same = other.options.without_blending() == job.options.without_blending()
            kept = other.predicted_bytes and other.prediction.exists()
            alike = other.id != job.id and other.draft == job.draft
            if alike and same and kept:
                return other
        return None

    def room(self, job: Job) -> int:
        """Return the bytes that the prediction of a job may take, or 0: none is made."""
        pixels = job.photo.inspection.width * job.photo.inspection.height
        size = prediction_bytes(pixels, job.options)
        most = self._quota.limit // 4
        if job.once or not 0 < size <= most:
            return 0
        room = min(2 * size, most)
        kept = self._table.kept_predictions()
        taken = sum(other.predicted_bytes for other in kept)
        for other in kept:
            if taken + room > most and other.id not in self._leases:
                taken -= other.predicted_bytes
                self._table.forget_prediction(other)
                other.prediction.unlink(missing_ok=True)
                self._quota.refresh()
        free = self._state.free_bytes()
        room = min(room, most - taken, (self._quota.limit - self._quota.used) // 2, free // 2)
        return room if size <= room else 0
