"""A customer's health in words: what a sales manager reads, in English or Chinese."""

from typing import Final

from ballast.domain.health import RULES, STEADY, Health, PartScore
from ballast.domain.money import MINOR_DIGITS, Money
from ballast.domain.words import Label

NO_DATA: Final = Label("no data", "无数据")
_TRENDS: Final = (Label("worse", "变差"), Label("steady", "持平"), Label("better", "变好"))


class HealthWords:
    """Says it in one language (`en`, `zh`)."""

    def __init__(self, language: str) -> None:
        self._zh = language == "zh"

    def of(self, label: Label) -> str:
        return label.zh if self._zh else label.en

    def score(self, score: int | None) -> str:
        """`42`, or that there is no data: never a nought that nobody earned."""
        return self.of(NO_DATA) if score is None else str(score)

    def trend(self, found: Health) -> str:
        """`worse: 37, before 89`."""
        if found.trend is None:
            return self.of(NO_DATA)
        word = self.of(_TRENDS[(found.trend >= STEADY) - (found.trend <= -STEADY) + 1])
        return f"{word}: {found.newer}, {'此前' if self._zh else 'before'} {found.older}"

    def part(self, one: PartScore, orders: int) -> str:
        """`3 of 20 orders, 24.30 % of their weight`; `-` when no order was hurt."""
        if not one.orders:
            return "-"
        share = f"{one.share // 100}.{one.share % 100:02d} %"
        if self._zh:
            return f"{orders} 单中 {one.orders} 单, 加权占比 {share}"
        return f"{one.orders} of {orders} orders, {share} of their weight"

    def lost(self, found: Health) -> str:
        """`damaged on the way -30, late deliveries -27`, the dearest first; what cost nothing is left out."""
        parts = sorted(found.parts.items(), key=lambda item: -item[1].lost)
        return ", ".join(f"{self.of(RULES[part].label)} -{one.lost}" for part, one in parts if one.lost) or (
            "无扣分" if self._zh else "nothing lost"
        )

    def value(self, value: Money | None) -> str:
        """`750.00 CNY`; of a currency whose minor unit nobody knows as it is stored."""
        if value is None:
            return "-"
        return str(value) if value.currency in MINOR_DIGITS else f"{value.amount} {value.currency} (minor units)"
