"""`ballast risk evaluate` as somebody starts it: what it says of rules is what the truth says of them."""

from pathlib import Path
from typing import Any

import pytest

from sim.strangers.stream import make_stream
from tests.e2e.rehearsing import rehearse

ORDERS, SEED = 800, 3


def write_rules(folder: Path, **rules: str) -> str:
    """A file of rules that hold: name -> condition."""
    file = folder / "risk.yaml"
    each = "".join(f"  - {{name: {name}, when: '{when}', action: hold}}\n" for name, when in rules.items())
    file.write_text(f"kind: risk\nrules:\n{each}options: []\n", encoding="utf-8")
    return str(file)


def evaluate(*words: str) -> tuple[dict[str, Any], str]:
    return rehearse("risk", "evaluate", "--orders", str(ORDERS), "--seed", str(SEED), *words, timeout=240)


def rule(figures: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(one) for one in figures["rules"] if one["name"] == name)


def test_figures_follow_from_the_truth(tmp_path: Path) -> None:
    """Rules of which anybody can count by hand what they must find, with nothing of Ballast in the count."""
    file = write_rules(
        tmp_path,
        everything="amount >= 0",
        nothing="amount < 0",
        dear="amount > 5000",
        named='contains(address, "代收点")',
        crowd="ip_orders_1h >= 5",
    )
    figures, said = evaluate("--rules", file)
    stream = make_stream(SEED, ORDERS)
    crooked = [one for one in stream if one["truth"]["kind"] != "honest"]
    share = len(crooked) / ORDERS
    assert figures["orders"] == ORDERS == sum(figures["kinds"].values())
    for name in ("intake", "before_shipping"):
        assert figures["stages"][name] == {
            "found": ORDERS, "right": len(crooked), "wrong": ORDERS - len(crooked), "of": len(crooked),
            "precision": pytest.approx(share), "recall": 1.0,
        }  # fmt: skip
    assert figures["overall"] == figures["stages"]["before_shipping"]
    assert figures["missed"] == {}
    assert rule(figures, "everything")["precision"] == pytest.approx(share)
    nothing = rule(figures, "nothing")
    assert (nothing["found"], nothing["precision"], nothing["recall"], nothing["pattern"]) == (0, None, None, "")
    dear = [one for one in stream if one["order"]["total"] > 500_000]
    assert rule(figures, "dear")["found"] == len(dear)
    assert rule(figures, "dear")["right"] == sum(one in crooked for one in dear)
    named = [one for one in stream if "代收点" in one["order"]["receiver"]["address"]]
    assert rule(figures, "named")["found"] == len(named)
    assert rule(figures, "crowd")["pattern"] == "bot"
    bots = [one for one in stream if one["truth"]["kind"] == "bot"]
    assert rule(figures, "crowd")["recall"] == pytest.approx(crowded(bots) / len(bots))
    assert "everything" in said and "bot" in said


def crowded(bots: list[dict[str, Any]]) -> int:
    """Bots whose address of the network brought five or more orders: all of a run are within one hour."""
    addresses = [one["order"]["origin"]["ip"] for one in bots]
    return sum(addresses.count(address) >= 5 for address in addresses)


def test_what_comes_in_later_is_known_before_shipping_and_not_before(tmp_path: Path) -> None:
    figures, _ = evaluate("--rules", write_rules(tmp_path, crowd="ip_orders_1h >= 5", back="phone_returns_30d >= 3"))
    early, late = figures["stages"]["intake"], figures["stages"]["before_shipping"]
    assert 0 < early["found"] < late["found"], "the first four of a run look like anybody's when they come in"
    assert rule(figures, "back")["pattern"] == "serial_return"
    assert rule(figures, "back")["right"] > 0, "what came back stands in the books"
    assert sum(figures["missed"].values()) == late["of"] - late["right"]
    assert sum(figures["wronged"].values()) == late["wrong"]


def test_the_default_rules() -> None:
    """Of few orders each that is judged wrongly weighs much: the figures that count are those of 5,000."""
    figures, _ = evaluate()
    assert figures["overall"]["recall"] > 0.85 and figures["overall"]["precision"] > 0.75
    meant = {"pickup-point-dear": "pickup", "one-ip-many-orders": "bot", "phone-returns": "serial_return"}
    assert {name: rule(figures, name)["pattern"] for name in meant} == meant
    assert all(count < figures["kinds"][kind] / 2 for kind, count in figures["missed"].items()), "no kind gets away"
