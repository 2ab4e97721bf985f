"""Money: what is read is what is written, and nothing that is not an amount is read at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballast.domain.money import MINOR_DIGITS, Money

moneys = st.builds(Money, st.integers(-(10**14) + 1, 10**14 - 1), st.sampled_from(sorted(MINOR_DIGITS)))
yuan = st.builds(Money, st.integers(-(10**12), 10**12))


@given(moneys)
def test_major_and_back(money: Money) -> None:
    if abs(money.amount) < 10**13:  # below the limit in every currency
        assert Money.from_major(money.major(), money.currency) == money


@given(yuan, yuan, yuan)
def test_sums_are_exact_in_any_order(a: Money, b: Money, c: Money) -> None:
    assert (a + b) + c == a + (c + b)
    assert (a + b) - b == a


@given(st.integers(0, 10**9), st.integers(1, 999))
def test_parts_of_a_cent_are_refused(whole: int, part: int) -> None:
    text = f"{whole}.{part:03}"
    if part % 10:
        with pytest.raises(ValueError, match="more than 2 decimals"):
            Money.from_major(text)
    else:
        assert Money.from_major(text).amount == whole * 100 + part // 10


@pytest.mark.parametrize("zeros", [1, 26, 27, 40, 500])
def test_a_part_of_a_cent_is_refused_however_small(zeros: int) -> None:
    """Decimal arithmetic rounds after 28 digits: what it rounds away was asked for all the same."""
    with pytest.raises(ValueError, match="more than 2 decimals"):
        Money.from_major(f"1.0{'0' * zeros}1")
    assert Money.from_major(f"1.0{'0' * zeros}") == Money(100)


@pytest.mark.parametrize(
    "text",
    ["", " ", "NaN", "-NaN", "sNaN", "Infinity", "-inf", "1,000.00", "1.2.3", "12元", "¥12", "0x10", "1e13", "九十"],
)
def test_what_is_not_an_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        Money.from_major(text)


@pytest.mark.parametrize("text", ["１１３．００", "１１３", "١١٣", "1_000"])
def test_digits_of_other_scripts_and_python_spellings_are_refused(text: str) -> None:
    """A keyboard left in full-width mode: a person should look at it, and 1_000 is nobody's amount."""
    with pytest.raises(ValueError, match="not an amount"):
        Money.from_major(text)


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("113.00", "CNY", 11300),
        (" 0.1 ", "CNY", 10),
        ("-0.01", "CNY", -1),
        ("113", "JPY", 113),
        ("113.0", "JPY", 113),
        ("+5.00", "CNY", 500),
    ],
)
def test_what_is_read(text: str, currency: str, amount: int) -> None:
    assert Money.from_major(text, currency) == Money(amount, currency)


@pytest.mark.parametrize(
    ("money", "text"),
    [(Money(5), "0.05"), (Money(-5), "-0.05"), (Money(-11300), "-113.00"), (Money(7, "JPY"), "7"), (Money(0), "0.00")],
)
def test_what_is_written(money: Money, text: str) -> None:
    assert money.major() == text
    assert str(money) == f"{text} {money.currency}"


def test_currencies_are_not_mixed_and_not_guessed() -> None:
    with pytest.raises(ValueError, match="cannot put CNY and USD together"):
        Money(1) + Money(1, "USD")
    with pytest.raises(ValueError, match="cannot put USD and CNY together"):
        Money(1, "USD") - Money(1)
    with pytest.raises(ValueError, match="unknown currency 'XAU'"):
        Money.from_major("1", "XAU")
