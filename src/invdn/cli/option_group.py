"""Options that belong together: added to a command as one, and taken from its choices as one."""

from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class OptionGroup:
    """A decorator made of click's decorators ``argument`` and ``option``.

    A command takes what the user chose as one mapping, ``**choices``, and every part of its work
    takes from the mapping the group that it understands. So a group gets a new option, or a
    command a new group, and the rest of the command stays as it is.

    Args:
        parameters: in the order in which the help lists them.

    Example:
        >>> import click
        >>> report_options = OptionGroup(click.option("--quiet", is_flag=True))
        >>> choices = {"quiet": True, "seed": 3}
        >>> report_options.take(choices), choices
        ({'quiet': True}, {'seed': 3})
    """

    def __init__(self, *parameters: Callable[[Any], Any]) -> None:
        self._parameters = parameters

        bare: Any = self(lambda: None)
        self.names = tuple(parameter.name for parameter in bare.__click_params__)

    def __call__(self, function: Function) -> Function:
        decorated: Any = function
        for parameter in reversed(self._parameters):
            decorated = parameter(decorated)
        result: Function = decorated
        return result

    def take(self, choices: dict[str, Any]) -> dict[str, Any]:
        """Remove this group's part from the choices of a command, and give it back."""
        return {name: choices.pop(name) for name in self.names}
