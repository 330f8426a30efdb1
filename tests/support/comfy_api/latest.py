"""Stand-ins of ``comfy_api.latest``: they keep what they are given."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any


class _Value:
    """A kind of value; ``Input`` and ``Output`` keep their names and options."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def Input(self, id: str, **options: Any) -> dict[str, Any]:  # noqa: A002, N802
        return {"id": id, "kind": self.kind, **options}

    def Output(self, **options: Any) -> dict[str, Any]:  # noqa: N802
        return {"kind": self.kind, **options}


class io:  # noqa: N801
    """The names that nodes use."""

    Image, Float, Boolean, String = map(_Value, ("IMAGE", "FLOAT", "BOOLEAN", "STRING"))

    @dataclass(kw_only=True)
    class Schema:
        node_id: str
        display_name: str
        category: str
        description: str
        inputs: list[dict[str, Any]] = field(default_factory=list)
        outputs: list[dict[str, Any]] = field(default_factory=list)

    class NodeOutput:
        def __init__(self, *values: Any) -> None:
            self.args = values

    class ComfyNode(ABC):
        @classmethod
        @abstractmethod
        def define_schema(cls) -> Any: ...

        @classmethod
        @abstractmethod
        def execute(cls, **inputs: Any) -> Any: ...


class ComfyExtension(ABC):
    """What ``comfy_entrypoint`` gives."""

    @abstractmethod
    async def get_node_list(self) -> list[type[io.ComfyNode]]: ...
