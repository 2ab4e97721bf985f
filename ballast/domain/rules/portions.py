"""An amount over lines, to the cent: in proportion, the largest remainders rounded up, no line beyond its room."""

from collections.abc import Sequence


def portion(total: int, weights: Sequence[int], rooms: Sequence[int]) -> list[int]:
    """Parts of `total` in proportion to `weights`, each at most its room; minor units, nothing negative.

    What does not fit into a line goes to the others, again in proportion; the parts sum to `total`, or to all room
    there is. Where remainders are equal the earlier line gets the cent. A line without weight gets nothing.
    """
    if len(weights) == 1:
        return [min(total, rooms[0])]
    parts, left = [0] * len(weights), total
    open_lines = [line for line, weight in enumerate(weights) if weight > 0]
    while left and open_lines:
        whole = sum([weights[line] for line in open_lines])
        full = [line for line in open_lines if left * weights[line] > rooms[line] * whole]
        if not full:
            _spread(left, whole, weights, open_lines, parts)
            break
        for line in full:
            parts[line] = rooms[line]
            left -= rooms[line]
        open_lines = [line for line in open_lines if line not in full]
    return parts


def _spread(left: int, whole: int, weights: Sequence[int], open_lines: Sequence[int], parts: list[int]) -> None:
    """`left` over lines that have room for their exact share and so, rooms being whole cents, for it rounded up."""
    remainders = []
    cents = left
    for line in open_lines:
        exact = left * weights[line]
        parts[line] = share = exact // whole
        cents -= share
        remainders.append((share * whole - exact, line))  # the largest remainder first
    if cents:
        remainders.sort()
        for _, line in remainders[:cents]:
            parts[line] += 1
