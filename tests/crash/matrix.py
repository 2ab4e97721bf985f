"""Which kinds there are and where each can die: read off the code, so that what is added to it is killed, too."""

from typing import Final

from ballast.domain.words import Step
from ballast.points import Point
from deployments.serve import ANSWERS
from flows.send_outbox import SENDERS

STEP_EFFECTS: Final = ("erp.reserve", "wms.create")
"""Their results are stored with the moves of their step."""

CALL_OFF_EFFECTS: Final = ("wms.cancel", "erp.cancel")

MERGING_EFFECTS: Final = ("erp.void",)
"""See `test_merging`: no other story merges."""

SENT: Final = tuple(kind for kind in SENDERS if kind not in MERGING_EFFECTS)

DUTIES: Final = tuple(sorted(ANSWERS.keys() - set(Step) - {"outbox"}))
"""The outbox dies by the kinds of its messages."""

KINDS: Final = (*(str(step) for step in Step), *STEP_EFFECTS, *CALL_OFF_EFFECTS, *SENT, *DUTIES)

BOOKS: Final = (Point.BEFORE, Point.STORED, Point.MOVED)
"""What touches nothing but our books."""

POINTS: Final = {
    **dict.fromkeys(KINDS, tuple(Point)),
    **dict.fromkeys((Step.LOCK_STOCK, Step.SIGN_OFF, Step.CALL_OFF, "inbox", "orders", "sla"), BOOKS),
    **dict.fromkeys(
        (Step.CONFIRM_PAYMENT, Step.SHIP_OUT, Step.TRACK_TRANSIT, "refunds", "returns"),  # they ask
        (Point.BEFORE, Point.CALLED, Point.STORED, Point.MOVED),
    ),
    **dict.fromkeys(STEP_EFFECTS, (Point.BEFORE, Point.WRITTEN, Point.CALLED)),
}
"""What is new has all of them until somebody says less."""

CASES: Final = [f"{kind}/{point}" for kind, points in POINTS.items() for point in points]

BY_HAND: Final[dict[str, dict[str, tuple[Point, ...]]]] = {
    "cancel-orders": {
        "cancel": BOOKS,
        "wms.cancel": tuple(Point),
        "erp.cancel": tuple(Point),
        "call_off": (Point.STORED, Point.MOVED),
    },
    "hold-orders": {"hold": BOOKS},
    "edit-orders": {"edit": BOOKS},  # merging: see `test_merging`
    "answer-returns": {"answer": BOOKS},
    "rerun-orders": {
        "rerun": BOOKS,
        "erp.reserve": (Point.BEFORE, Point.WRITTEN, Point.CALLED),
        "lock_stock": (Point.STORED, Point.MOVED),
    },
    "reconcile": {"reconcile": (Point.BEFORE, Point.CALLED, Point.STORED, Point.MOVED)},
    "sync-inventory": {
        "figures": (Point.CALLED, Point.STORED, Point.MOVED),
        "restock": (Point.STORED, Point.MOVED),
    },
}
"""What no listener answers: flow -> where its process can die."""

CASES_BY_HAND: Final = [
    (flow, f"{kind}/{point}") for flow, kinds in BY_HAND.items() for kind, points in kinds.items() for point in points
]

CHANGE_NO_ORDER: Final = frozenset(
    {
        "answer-alerts",
        "check-stock",
        "close-day",
        "close-runs",
        "draw-charts",
        "list-refunds",
        "prune-books",  # killed in tests/db/test_prune.py
        "publish-status-map",
        "report",
        "report-channels",
        "score-customers",
        "sum-up",
    }
)
"""The rest: they look, and what they mend they find again."""

SAMPLE_BY_HAND: Final = frozenset({"wms.cancel/called"})

SAMPLE: Final = frozenset(
    {
        "erp.reserve/called",
        "wms.create/written",
        "shop.shipped/stored",
        "payment.refund/called",
        "wms.return/called",
        "returns/called",
        "returns/stored",
    }
)
"""What every change has to pass."""
