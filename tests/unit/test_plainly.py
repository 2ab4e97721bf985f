"""Tasks called as plain functions: for a replay, and nowhere else."""

from prefect import task

from tasks.plainly import is_plain, plainly, seen


@task
async def double(number: int) -> int:
    """Something to call."""
    return 2 * number


def test_a_task_is_a_task_by_default() -> None:
    assert not is_plain()
    assert seen(double) is double


async def test_inside_it_is_the_function_and_afterwards_a_task_again() -> None:
    with plainly():
        assert is_plain()
        assert seen(double) is double.fn
        assert await seen(double)(4) == 8
    assert seen(double) is double


def test_what_is_no_task_stays_what_it_is() -> None:
    async def work() -> None:
        return None

    with plainly():
        assert seen(work) is work
