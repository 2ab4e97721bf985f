"""How a bench is run from the shell."""

import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from cyclopts import App


def run_as_command(bench: Callable[..., Any]) -> NoReturn:
    """Ends the process with what `bench` returns. SIGTERM ends it in order: whatever was started is stopped."""

    def terminated(_signal: int, _frame: object) -> NoReturn:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, terminated)
    sys.exit(App(default_command=bench)())
