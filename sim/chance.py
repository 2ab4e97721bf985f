"""Chance that repeats: everything random here is a function of the seed and a name, never of arrival time."""

import hashlib
import random
import struct


def seeded(name: str) -> random.Random:
    return random.Random(name)  # noqa: S311 - a repeatable world is the point; nothing secret is drawn from it


def roll(*name: str | int) -> tuple[float, ...]:
    """Six numbers in [0, 1) fixed by the name: ten times cheaper than seeding a generator."""
    digest = hashlib.blake2b("/".join(map(str, name)).encode(), digest_size=48).digest()
    return tuple(part / 2**64 for part in struct.unpack(">6Q", digest))


def digits(count: int, *name: str | int) -> str:
    """A number of `count` decimal digits fixed by the name (waybills, transaction ids)."""
    digest = hashlib.blake2b("/".join(map(str, name)).encode(), digest_size=24).digest()
    return str(int.from_bytes(digest, "big") % 10**count).zfill(count)


def between(low: float, high: float, part: float) -> float:
    return low + (high - low) * part
