"""What can go wrong outside, named by what the caller should do. The docstring is the advice."""

from ballast.domain.words import System


class OutsideError(Exception):
    """Something outside did not do what we asked. `system` and `order_no` say where; the text never holds secrets."""

    def __init__(self, system: System, what: str, *, order_no: str = "", code: str = "") -> None:
        where = f"{system}{f' [{code}]' if code else ''}{f', order {order_no}' if order_no else ''}"
        super().__init__(f"{where}: {what}")
        self.system, self.what, self.order_no, self.code = system, what, order_no, code

    def about(self, order_no: str) -> "OutsideError":
        """The same error, told of one of the orders that shared the call."""
        return type(self)(self.system, self.what, order_no=order_no, code=self.code)


class Unavailable(OutsideError):
    """It did not take the call (refused connection, 429, 503, throttle code): nothing happened; try later."""


class NotYet(Unavailable):
    """It is well and does not know the thing (yet): try later, and count it as an attempt. It is not down."""


class Refused(OutsideError):
    """It understood and said no: repeating will not help; a person has to mend the cause."""


class OutOfStock(Refused):
    """The ERP cannot reserve the goods: restock, then rerun."""


class OutcomeUnknown(OutsideError):
    """It may or may not have done it (time-out, broken connection, 500, 502, 504): look first, never just repeat."""


class Throttled(Unavailable):
    """It is limiting us and says for how long it will not listen: wait `seconds`, merge what waits into one message."""

    def __init__(self, system: System, what: str, *, seconds: float, code: str = "") -> None:
        super().__init__(system, what, code=code)
        self.seconds = seconds

    def about(self, order_no: str) -> "Throttled":
        return self  # it says nothing of orders


class BadSignature(OutsideError):
    """A webhook that is not from whom it says, or too old: store nothing, answer in the vendor's words."""


class NotUnderstood(OutsideError):
    """Not the shape that the vendor's sheet describes: park it, tell the engineer, guess nothing."""


class UnknownCode(OutsideError):
    """A code that is in no map: park the message, one alert per code, replay after the map is extended."""

    def __init__(self, system: System, field: str, code: str, *, order_no: str = "") -> None:
        super().__init__(
            system,
            f"code {code!r} of field {field!r} is in no map; add it with "
            f"`ballast parked map {system} {field} {code} EVENT`",
            order_no=order_no,
            code=code,
        )
        self.field = field
