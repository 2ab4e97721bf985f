"""What a call leaves behind for figures and traces: where and what, how it ended, and nothing that is secret."""

import pytest

from adapters.errors import OutcomeUnknown, Unavailable
from adapters.observing import template
from ballast.counters import COUNTED
from tests.adapters.test_http import BROKEN, BUSY, FINE, GONE, serve

REFUSED = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("url", "order_no", "path"),
    [
        ("https://h/k3cloud/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc", "",
         "/{}/Kingdee.BOS.WebApi.ServicesStub.DynamicFormService.Save.common.kdsvc"),
        ("https://h/v3/pay/transactions/out-trade-no/SO%2F1?mchid=19000", "SO/1",
         "/v3/pay/transactions/out-trade-no/{}"),
        ("https://h/v3/pay/transactions/out-trade-no/HAPPY", "HAPPY", "/v3/pay/transactions/out-trade-no/{}"),
        ("https://h/v3/refund/domestic/refunds/SO1-R1", "", "/v3/refund/domestic/refunds/{}"),
        ("https://u:pw@open.feishu.cn/open-apis/bot/v2/hook/5f2b7c1e-9d3a-4c55-8a77-0c6f1d9e2b34", "",
         "/open-apis/bot/v2/hook/{}"),
        ("https://h/hook/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij", "", "/hook/{}"),
        ("https://h/%E5%BC%A0%E4%B8%89/a%0ab", "", "/{}/{}"),
        ("https://h", "", ""),
        ("https://h/", "", "/"),
    ],
)  # fmt: skip
def test_of_a_path_only_the_words_of_the_interface_stay(url: str, order_no: str, path: str) -> None:
    assert template(url, order_no) == path


def count(outcome: str, method: str = "ask") -> tuple[float, float]:
    """Calls, and how many were timed."""
    labels = {"system": "wechat", "method": method, "outcome": outcome}
    values = [COUNTED.get_sample_value(f"ballast_adapter_call{name}", labels) for name in ("s_total", "_seconds_count")]
    return values[0] or 0.0, values[1] or 0.0


@pytest.mark.parametrize(
    ("answers", "write", "outcome"),
    [
        ((FINE,), False, "answered"),
        ((BUSY, FINE), True, "answered"),
        ((REFUSED,), False, "refused"),
        ((BUSY, BUSY, BUSY), True, "unavailable"),
        ((BROKEN,), True, "unknown"),
        ((GONE, GONE, GONE), False, "unavailable"),
    ],
)
async def test_a_call_counts_once_however_often_it_was_repeated(
    answers: tuple[bytes, ...], write: bool, outcome: str
) -> None:
    before = count(outcome)
    async with serve(*answers) as (server, http):
        send = http.write if write else http.read
        try:
            await send("GET", server.url, operation="ask")
        except (OutcomeUnknown, Unavailable):
            assert outcome in ("unknown", "unavailable")
        assert server.answers == []
    calls, timed = count(outcome)
    assert (calls - before[0], timed - before[1]) == (1, 1)


async def test_a_call_without_a_word_is_counted_under_its_path() -> None:
    before = count("answered", "GET /refunds/{}")
    async with serve(FINE) as (server, http):
        await http.read("GET", f"{server.url}refunds/SO1-R1?sign=abc")
    assert count("answered", "GET /refunds/{}")[0] - before[0] == 1


async def test_what_is_broken_inside_is_counted_too() -> None:
    before = count("failed")
    async with serve(FINE) as (server, http):
        with pytest.raises(TypeError):
            await http.read("GET", server.url, operation="ask", no_such_parameter=1)
    assert count("failed")[0] - before[0] == 1
