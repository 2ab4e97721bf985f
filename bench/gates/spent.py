"""How long a gate takes, measured where it stands."""

import time
from typing import Any

from tasks import gates


class Spent:
    """Seconds within one gate; it stands in the gate's place while it is open."""

    def __init__(self, gate: str) -> None:
        self.seconds = 0.0
        self._name, self._gate = gate, getattr(gates, gate)

    async def _timed(self, *words: Any, **named: Any) -> Any:
        began = time.perf_counter()
        found = await self._gate(*words, **named)
        self.seconds += time.perf_counter() - began
        return found

    def __enter__(self) -> "Spent":
        setattr(gates, self._name, self._timed)
        return self

    def __exit__(self, *_: object) -> None:
        setattr(gates, self._name, self._gate)
