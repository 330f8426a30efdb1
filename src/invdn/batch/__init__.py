"""Many photographs: which ones, under which names, by several workers, in several runs."""

from .attempt import Existing, Outcome, Status, Work
from .naming import NameTemplate
from .plan import Job, Plan, plan
from .runner import run_batch
from .stop import StopEvent

__all__ = [
    "Existing",
    "Job",
    "NameTemplate",
    "Outcome",
    "Plan",
    "Status",
    "StopEvent",
    "Work",
    "plan",
    "run_batch",
]
