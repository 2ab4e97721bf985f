"""How long after the signature goods may come back: the default, and what categories of articles have instead."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from ballast.domain.returns import SELLERS_FAULT, ReturnReason

ANY_REST = "*"
"""At the end of a listed SKU: whatever follows."""


@dataclass(frozen=True, slots=True)
class Categories:
    """The seller's own names for articles. `listed`: name -> SKUs, or their beginnings followed by `ANY_REST`."""

    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of(self, sku: str) -> frozenset[str]:
        """The categories of an article: none, one or several."""
        return frozenset(name for name, listed in self.listed.items() if any(_covers(one, sku) for one in listed))


def _covers(listed: str, sku: str) -> bool:
    return sku.startswith(listed.removesuffix(ANY_REST)) if listed.endswith(ANY_REST) else sku == listed


@dataclass(frozen=True, slots=True)
class Window:
    """`lasts`: from the signature; None: not even then. `sku` and `category` say which piece is to blame; empty: none
    is, it is the default."""

    lasts: timedelta | None
    sku: str = ""
    category: str = ""


@dataclass(frozen=True, slots=True)
class ReturnWindows:
    """What `rules/returns.yaml` says of windows. `of_category` nought: only by the seller's fault."""

    categories: Categories = Categories()
    of_category: Mapping[str, timedelta] = field(default_factory=dict)

    def narrowest(self, skus: Iterable[str], reason: ReturnReason, default: timedelta) -> Window:
        """The window of pieces that come back together: the shortest that one of them has."""
        return min((self._of(sku, reason, default) for sku in sorted(set(skus))), key=_length, default=Window(default))

    def open_for(self, skus: Iterable[str], default: timedelta) -> timedelta:
        """How long an order of these articles stays open: until nothing of it can come back any more.

        Never shorter than the default: a shorter window refuses returns, and ends no order earlier.
        """
        if not self.of_category:
            return default
        lengths = (self._of(sku, ReturnReason.QUALITY, default).lasts for sku in skus)
        return max([default, *filter(None, lengths)])

    def _of(self, sku: str, reason: ReturnReason, default: timedelta) -> Window:
        """One article's: the shortest of its categories', else the default."""
        named = sorted(self.categories.of(sku) & self.of_category.keys())
        found = [Window(self._lasts(name, reason, default), sku, name) for name in named]
        return min(found, key=_length, default=Window(default))

    def _lasts(self, category: str, reason: ReturnReason, default: timedelta) -> timedelta | None:
        said = self.of_category[category]
        return said or (default if reason in SELLERS_FAULT else None)


def _length(window: Window) -> timedelta:
    return timedelta(-1) if window.lasts is None else window.lasts
