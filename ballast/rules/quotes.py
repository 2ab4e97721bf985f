"""A quote as JSON: what `POST /quote` and `ballast quote --json` answer. Amounts are minor units."""

from typing import Any

from ballast.domain.rules.prices import LinePrice
from ballast.domain.rules.promotions import Outcome
from ballast.rules.appraisal import Appraisal, Question
from ballast.rules.compiled import Compiled


def quote_of(rules: Compiled, asked: Question, found: Appraisal, *, explain: bool) -> dict[str, Any]:
    """Every line with its price and the row that gave it; with `explain` also why others did not.

    `price` is per piece before promotions, `amount` what the whole line costs after them. A line without any price has
    null for both and is in `unpriced`; the sums leave it out. `unknown_coupons`: codes of no promotion that is on.
    """
    calculation = found.calculation
    said: dict[str, Any] = {
        "versions": {str(kind): version for kind, version in rules.versions.items()},
        "at": asked.at.isoformat(),
        "currency": asked.currency,
        "customer": asked.customer,
        "tier": asked.tier,
        "first_order": asked.first_order,
        "lines": [_line(one, calculation.lines.get(one.line_no), explain=explain) for one in found.prices],
        "goods": calculation.goods,
        "freight": calculation.freight,
        "payable": calculation.payable,
        "gifts": [{"sku": g.sku, "quantity": g.quantity, "promotion": g.promotion} for g in calculation.gifts],
        "unpriced": list(found.unpriced),
        "unknown_coupons": [code for code in dict.fromkeys(asked.coupons) if code not in rules.codes],
        "cut": calculation.cut,
    }
    outcomes = [one for one in calculation.outcomes if explain or one.fate == "applied"]
    return said | {"promotions": [_outcome(one) for one in outcomes]}


def _line(one: LinePrice, amount: int | None, *, explain: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "line_no": one.line_no,
        "sku": one.sku,
        "quantity": one.quantity,
        "price": one.price,
        "row": one.row,
        "kind": one.kind,
        "tax_included": one.tax_included,
        "amount": amount,
    }
    if explain:
        said["passed_over"] = [{"row": other.row, "why": other.why} for other in one.passed_over]
    return said


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "name": one.name,
        "fate": one.fate,
        "why": one.why,
        "off": one.off,
        "freight_off": one.freight_off,
        "per_line": {str(number): off for number, off in one.per_line.items() if off},
        "cut": one.cut,
    }
