"""How a bench is run from the shell."""

import sys
from collections.abc import Callable
from typing import Any, NoReturn

from cyclopts import App

from ballast.ending import end_in_order_when_told


def run_as_command(bench: Callable[..., Any]) -> NoReturn:
    """Ends the process with what `bench` returns; when it is told to, what the bench started is stopped."""
    end_in_order_when_told()
    sys.exit(App(default_command=bench)())
