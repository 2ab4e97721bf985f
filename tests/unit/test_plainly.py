"""Tasks called as plain functions: for a replay, and nowhere else."""

from prefect import Task, task
from prefect.utilities.annotations import opaque

from tasks.plainly import is_plain, plainly, seen


@task
async def double(number: int) -> int:
    """Something to call."""
    return 2 * number


class Recorded(Task[[int], int]):
    """A task that notes what Prefect would be given, instead of running."""

    given: list[object]

    def __call__(self, *args: object, **_: object) -> int:  # type: ignore[override]
        self.given = list(args)
        return 0


def test_a_task_is_a_task_by_default_and_given_its_chunk_as_one_thing() -> None:
    assert not is_plain()
    recorded, chunk = Recorded(fn=double.fn), [1, 2, 3]
    seen(recorded)(chunk)  # type: ignore[arg-type]
    [whole] = recorded.given
    assert isinstance(whole, opaque)  # Prefect does not look into every order for futures
    assert whole.unwrap() is chunk


async def test_inside_it_is_the_function() -> None:
    with plainly():
        assert is_plain()
        assert seen(double) is double.fn
        assert await seen(double)(4) == 8
    assert seen(double) is not double.fn


def test_what_is_no_task_stays_what_it_is() -> None:
    async def work() -> None:
        return None

    with plainly():
        assert seen(work) is work
