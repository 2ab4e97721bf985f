"""Machines of one host do not get in each other's way."""

from pathlib import Path

import pytest

from deployments.processes import StartFailed, alone


def test_a_folder_belongs_to_one_machine_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path), pytest.raises(StartFailed, match="already"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass  # free again once the first has ended
