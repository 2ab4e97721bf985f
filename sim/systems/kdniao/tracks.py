"""How Kdniao writes a parcel's scans, and its carrier codes (other than the warehouse's)."""

from typing import Any

from sim.clock import local_text
from sim.records import Parcel, Scan

SHIPPERS = {
    "YTO": "YTO", "ZTO": "ZTO", "STO": "STO", "YUNDA": "YD", "SF": "SF", "EMS": "EMS",
    "HTKY": "HTKY", "JD": "JD", "DBKD": "DBL", "POSTB": "YZPY",
}  # fmt: skip
KNOWN_SHIPPERS = frozenset(SHIPPERS.values())
NEEDS_PHONE = frozenset({"SF"})


def main_state(state_ex: str) -> str:
    """`State` from `StateEx`: its first digit, but 10 (waiting for pick-up) is still 0."""
    return "0" if state_ex in {"0", "10"} else state_ex[:1]


def accept_time(parcel: Parcel, scan: Scan) -> str:
    """EMS writes the old way with slashes: both have been seen in the field."""
    text = local_text(scan.at)
    return text.replace("-", "/") if parcel.carrier == "EMS" else text


def write_traces(parcel: Parcel, *, paid: bool) -> list[dict[str, Any]]:
    return [write_trace(parcel, scan, paid=paid) for scan in parcel.scans]


def write_trace(parcel: Parcel, scan: Scan, *, paid: bool) -> dict[str, Any]:
    trace = {"AcceptTime": accept_time(parcel, scan), "AcceptStation": scan.station}
    if not paid:
        return {**trace, "Remark": None}
    return {**trace, "Location": scan.location, "Action": scan.state_ex, "Remark": ""}


def write_track(parcel: Parcel, user: str, order_code: str, *, paid: bool) -> dict[str, Any]:
    """One waybill as in a query's answer or a push; only the paid edition has StateEx and places."""
    track = {
        "EBusinessID": user,
        "OrderCode": order_code,
        "ShipperCode": SHIPPERS.get(parcel.carrier, parcel.carrier),
        "LogisticCode": parcel.waybill,
        "Success": True,
        "Reason": "" if parcel.scans else "暂无轨迹信息",
        "State": main_state(parcel.state_ex),
    }
    if paid:
        track |= {"StateEx": parcel.state_ex, "Location": parcel.scans[-1].location if parcel.scans else ""}
    return track | {"CallBack": parcel.callback, "Traces": write_traces(parcel, paid=paid)}
