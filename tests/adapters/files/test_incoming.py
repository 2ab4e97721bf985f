"""What is expected: read from either language, whole or not at all, told to shops by its day."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.files.errors import FileError
from adapters.files.incoming import read_incoming
from ballast.db.incoming import list_incoming, put_incoming, read_coming
from ballast.domain.promising import Incoming
from ballast.wiring import House
from tests.times import NOON

ENGLISH = "sku,warehouse,quantity,expected_at,reference\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "asn.csv"
    file.write_text(text, encoding="utf-8")
    return file


def expected(pieces: int, *, days: int = 1, reference: str = "ASN-1") -> Incoming:
    return Incoming(
        sku="SKU-1", warehouse="CK001", quantity=pieces, expected_at=NOON + timedelta(days=days), reference=reference
    )


@pytest.mark.parametrize("head", [ENGLISH, "商品,仓库,数量,预计到货,单号\n"])
def test_a_list_in_either_language_is_read(tmp_path: Path, head: str) -> None:
    [one] = read_incoming(write(tmp_path, head + "SKU-1,CK001,40,2026-01-09,ASN-1\n"))
    assert one == Incoming(
        sku="SKU-1", warehouse="CK001", quantity=40, expected_at=datetime(2026, 1, 8, 16, tzinfo=UTC), reference="ASN-1"
    )


def test_every_wrong_row_is_named_and_nothing_is_taken(tmp_path: Path) -> None:
    rows = "SKU-1,CK001,many,2026-01-09,ASN-1\nSKU-1,CK001,4,2026-01-09,ASN-1\n,CK001,4,soon,ASN-1\n"
    with pytest.raises(FileError, match=r"(?s)row 2: quantity.*row 4: sku"):
        read_incoming(write(tmp_path, ENGLISH + rows))
    with pytest.raises(FileError, match="'reference'"):
        read_incoming(write(tmp_path, "sku,warehouse,quantity,expected_at\n"))


async def test_a_later_list_takes_the_place_of_the_earlier_one(a_house: House) -> None:
    async with a_house.transaction() as tx:
        assert await put_incoming(tx, [expected(5), expected(7, days=-1, reference="OLD")], by="li", now=NOON) == 2
        assert await put_incoming(tx, [expected(5)], by="li", now=NOON) == 0, "nothing new"
        assert await put_incoming(tx, [expected(9, days=2)], by="li", now=NOON) == 1
        [one] = await read_coming(tx, ["SKU-1"], now=NOON)
        assert (one.quantity, one.day) == (9, (NOON + timedelta(days=2)).date()), "what is overdue is no promise"
        await put_incoming(tx, [expected(0)], by="li", now=NOON)
        assert [row.reference for row in await list_incoming(tx)] == ["OLD"]
