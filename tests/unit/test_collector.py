"""What a long-lived process tells the garbage collector."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from ballast.collector import spare_collector

class Knot:
    def __init__(self):
        self.self = self

alive = weakref.WeakSet()
spare_collector()
kept = gc.get_freeze_count()
most = 0
for number in range(300_000):
    alive.add(Knot())
    most = max(most, len(alive))
print(kept, most)
"""


def test_what_is_loaded_is_left_alone_and_garbage_is_still_found() -> None:
    """In a process of its own: this one's collector is nobody's to change."""
    said = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    kept, most = map(int, said.stdout.split())
    assert kept > 5_000
    assert 1_000 < most < 60_000
