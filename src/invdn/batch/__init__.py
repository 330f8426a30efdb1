"""Many photographs: which ones, under which names, by several workers, in several runs."""

from .plan import Job, NameTemplate, Plan, plan
from .runner import Existing, Outcome, Status, StopEvent, Work, run_batch

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
