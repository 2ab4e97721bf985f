"""What became of each promotion, in words with figures: amounts in major units of two decimals, as for yuan."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ballast.domain.rules.promotion_choice import Choices
from ballast.domain.rules.promotion_order import Rule, named_in
from ballast.domain.rules.promotion_steps import Result, Step, Walk
from ballast.domain.rules.promotion_takes import Take
from ballast.domain.rules.promotions import Fate, Outcome, PromotionKind


def major(amount: int) -> str:
    """`-21.00` for -2,100 minor units."""
    if amount < 0:
        return f"-{major(-amount)}"
    return f"{amount // 100}.{amount % 100:02d}"


def share(pays: int) -> str:
    """`90%`, `88.5%`: of ten-thousandths."""
    whole, rest = divmod(pays, 100)
    return f"{whole}.{rest:02d}".rstrip("0") + "%" if rest else f"{whole}%"


class Telling:
    """Goes through the steps of one order, and knows at each who took something off the same lines before."""

    def __init__(self, rules: Sequence[Rule], choices: Choices, most: int | None) -> None:
        self.rules, self.choices, self.most = rules, choices, most
        self.lines = choices.taken.bill.lines
        self.took: list[tuple[str, int]] = []
        self.applied = 0

    def outcome(self, step: Step) -> Outcome:
        """Of the next step; in their order, each once."""
        return _TOLD[step.result](self, step)

    def after(self, step: Step) -> str:
        """` after A, B`: those that took something off the lines in scope, or off the freight that it is about."""
        touches = step.standing.touches
        names = ", ".join([name for name, took in self.took if took & touches])
        return f" after {names}" if names else ""

    def taken(self, step: Step) -> Outcome:
        made, rule, after = step.take, step.standing.rule, self.after(step)
        assert made is not None  # only a promotion that was tried can be taken
        per_line, took = dict[int, int](), 1 << len(self.lines) if made.freight else 0
        if made.goods:
            for line, part in zip(step.standing.scope, made.parts, strict=True):
                if part:
                    per_line[self.lines[line].line_no] = part
                    took |= 1 << line
        if took:
            self.took.append((rule.name, took))
        self.applied |= rule.bit
        why = _DOES[rule.kind](rule, step.base, made, after)
        if step.cut:
            why += _cut(rule, made)
        return Outcome(
            name=rule.name,
            fate=Fate.APPLIED,
            why=why,
            off=made.goods,
            per_line=per_line,
            freight_off=made.freight,
            cut=step.cut,
        )

    def short(self, step: Step) -> Outcome:
        rule = step.standing.rule
        why = f"needs {major(rule.threshold)}, lines in scope cost {major(step.base)}{self.after(step)}"
        return Outcome(name=rule.name, fate=Fate.SKIPPED, why=why)

    def nothing(self, step: Step) -> Outcome:
        made, rule, after = step.take, step.standing.rule, self.after(step)
        assert made is not None
        if rule.kind is PromotionKind.FREE_SHIPPING and not made.wanted:
            why = f"there is no freight to take off{after}"
        elif step.cut:
            why = f"nothing may be taken off {major(step.base)}{after}{_cut(rule, made)}"
        else:
            why = f"takes nothing off {major(step.base)}{after}"
        return Outcome(name=rule.name, fate=Fate.SKIPPED, why=why, cut=step.cut)

    def against(self, step: Step) -> Outcome:
        rule, before = step.standing.rule, named_in(step.against, self.rules)
        why = f"not together with {before} (applied before){_would(step)}{self._too_many()}"
        return Outcome(name=rule.name, fate=Fate.EXCLUDED, why=why)

    def over(self, step: Step) -> Outcome:
        before = named_in(self.applied, self.rules)
        count = "promotion" if self.most == 1 else "promotions"
        why = f"at most {self.most} {count} per order: {before or 'none'} applied before{_would(step)}"
        return Outcome(name=step.standing.rule.name, fate=Fate.EXCLUDED, why=why + self._too_many())

    def left(self, step: Step) -> Outcome:
        """Left out for the customer's good: what the order would cost with it says why."""
        rule, taken = step.standing.rule, self.choices.taken
        other = self.choices.best_with.get(rule.bit)
        if other is None:
            why = "would take nothing, whichever of the alternatives is chosen"
            return Outcome(name=rule.name, fate=Fate.SKIPPED, why=why)
        against = named_in(rule.conflicts & taken.applied, self.rules)
        if against:
            reason = f"not together with {against}"
        elif self.most is not None:
            reason = f"at most {self.most} per order, {named_in(taken.applied, self.rules)} cost the customer less"
        else:
            reason = "another choice costs the customer less"
        why = f"{reason}: {self._compared(rule, taken, other)}"
        return Outcome(name=rule.name, fate=Fate.EXCLUDED, why=why)

    def _compared(self, rule: Rule, taken: Walk, other: Walk) -> str:
        company = named_in(other.applied & ~rule.bit, self.rules)
        together = f"with it and {company}" if company else "with it"
        now, then = taken.bill.payable, other.bill.payable
        if now == then:
            return f"{together} the order would cost {major(then)} as well, and what is applied comes first"
        return f"{together} the order would cost {major(then)}, now it costs {major(now)}"

    def _too_many(self) -> str:
        return "; too many alternatives to compare: the first in order was taken" if self.choices.too_many else ""


def _would(step: Step) -> str:
    made = step.take
    if made is None or not made.taken:
        return ""
    return f"; would have taken {major(made.taken)}"


def _cut(rule: Rule, made: Take) -> str:
    capped, bottom = made.wanted - made.allowed, made.allowed - made.taken
    parts = []
    if capped:
        parts.append(f"{major(capped)} by its cap of {major(rule.promotion.cap or 0)}")
    if bottom:
        parts.append(f"{major(bottom)} because nothing goes below its floor price or zero")
    return f"; cut off: {', '.join(parts)}"


def _reached(rule: Rule, base: int, times: int) -> str:
    if not rule.threshold:
        return ""
    often = f" {times} times" if times > 1 else ""
    return f"{major(rule.threshold)} reached{often} (lines in scope cost {major(base)}): "


def _spend_off(rule: Rule, base: int, made: Take, after: str) -> str:
    if not rule.threshold:
        return f"{major(made.taken)} off {major(base)}{after}"
    often = f" {made.times} times" if made.times > 1 else ""
    return f"{major(rule.threshold)} reached{often}: {major(made.taken)} off {major(base)}{after}"


def _percent(rule: Rule, base: int, made: Take, after: str) -> str:
    return f"pays {share(rule.promotion.pays or 0)} of {major(base)}{after}: {major(made.taken)} off"


def _coupon(rule: Rule, base: int, made: Take, after: str) -> str:
    one = rule.promotion
    if one.off or one.pays is None:
        return f"code {one.code}: {major(made.taken)} off {major(base)}{after}"
    return f"code {one.code}: {_percent(rule, base, made, after)}"


def _fixed_price(rule: Rule, base: int, made: Take, after: str) -> str:
    price = major(rule.promotion.price or 0)
    return f"{price} per piece: {major(made.taken)} off {major(base)}{after}"


def _nth_item(rule: Rule, base: int, made: Take, after: str) -> str:
    one = rule.promotion
    pays = share(one.pays) if one.pays else "nothing"
    pieces = f"{made.pieces} of the pieces" if made.pieces > 1 else "1 piece"
    return f"piece {one.nth} of every {one.nth} pays {pays}: {major(made.taken)} off {pieces}{after}"


def _gift(rule: Rule, base: int, made: Take, after: str) -> str:
    return f"{_reached(rule, base, made.times)}{made.pieces} x {rule.promotion.gift_sku} for nothing{after}"


def _free_shipping(rule: Rule, base: int, made: Take, after: str) -> str:
    return f"{_reached(rule, base, 1)}{major(made.freight)} off the freight{after}"


_DOES: Final[Mapping[PromotionKind, Callable[[Rule, int, Take, str], str]]] = {
    PromotionKind.SPEND_OFF: _spend_off,
    PromotionKind.PERCENT: _percent,
    PromotionKind.COUPON: _coupon,
    PromotionKind.FIXED_PRICE: _fixed_price,
    PromotionKind.NTH_ITEM: _nth_item,
    PromotionKind.GIFT: _gift,
    PromotionKind.FREE_SHIPPING: _free_shipping,
}

_TOLD: Final[Mapping[Result, Callable[[Telling, Step], Outcome]]] = {
    Result.TAKEN: Telling.taken,
    Result.SHORT: Telling.short,
    Result.NOTHING: Telling.nothing,
    Result.AGAINST: Telling.against,
    Result.OVER: Telling.over,
    Result.LEFT: Telling.left,
}
