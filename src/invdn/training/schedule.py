"""The course of the learning rate, and the linear rule between it and the batch.

It is a pure function of the step, so resuming needs no state.
"""

from bisect import bisect_right

from ..errors import RecipeError
from .recipe import Phase, Recipe

_DECAY_FLOOR = 0.01  # the linear decay ends at this share of the rate, lest the last steps idle


def learning_rate(recipe: Recipe, step: float) -> float:
    """Return the learning rate of one step, counted from 0 over all phases; a budget has fractions.

    Example:
        >>> from invdn.training.recipe_files import load_recipe
        >>> official = load_recipe("official")
        >>> [learning_rate(official, step) for step in (0, 99_999, 100_000)]
        [0.0002, 0.0002, 0.0001]
    """
    phase, within = recipe.locate(step)
    return _in_phase(recipe.phases[phase], within)


def apply_linear_scaling(recipe: Recipe) -> Recipe:
    """Return the recipe after the linear rule for ``hardware.batch_scale``, which becomes 1.

    Batch and learning rate grow by the factor, steps shrink by it: batch / learning rate and
    batch * steps stay constant (Paddle reproduction: 14 : 2e-4 on one card, 56 : 8e-4 on four).

    Raises:
        RecipeError: a batch would not be a whole number.
    """
    factor = recipe.hardware.batch_scale
    phases = []
    for phase in recipe.phases:
        batch = phase.batch * factor
        if batch < 1 or batch != round(batch):
            raise RecipeError(f"hardware.batch_scale makes {batch} samples of a batch: not whole")
        scaled = {
            "steps": max(1, round(phase.steps / factor)),
            "batch": round(batch),
            "learning_rate": phase.learning_rate * factor,
            "warm_up": round(phase.warm_up / factor),
            "halve_at": tuple(round(step / factor) for step in phase.halve_at),
            "decay": round(phase.decay / factor),
        }
        phases.append(phase.model_copy(update=scaled))
    hardware = recipe.hardware.model_copy(update={"batch_scale": 1.0})
    return recipe.model_copy(update={"phases": tuple(phases), "hardware": hardware})


def _in_phase(phase: Phase, step: float) -> float:
    """Return linear warm-up, then constant with halvings, then linear decay over the last steps."""
    warm = min(1.0, (step + 1) / phase.warm_up) if phase.warm_up else 1.0
    halvings = bisect_right(phase.halve_at, step)
    left = phase.steps - step
    cold = max(left / phase.decay, _DECAY_FLOOR) if left < phase.decay else 1.0
    return phase.learning_rate * warm * cold * 0.5**halvings
