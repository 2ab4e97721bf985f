"""Every word has its label in both languages; what a person must do is said in both."""

import re

import pytest

from ballast.domain.words import HOLD_LABELS, PAID_WAITING, STATE_LABELS, Event, HoldReason, Label, State, Step, System

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("state", State)
def test_every_state_has_its_names(state: State) -> None:
    _check(STATE_LABELS[state].en, STATE_LABELS[state].zh)


@pytest.mark.parametrize("reason", HoldReason)
def test_every_hold_says_what_it_is_and_what_to_do(reason: HoldReason) -> None:
    label = HOLD_LABELS[reason]
    _check(label.en, label.zh)
    _check(label.advice_en, label.advice_zh)


def _check(en: str, zh: str) -> None:
    assert en.strip()
    assert not CHINESE.search(en)
    assert CHINESE.search(zh)


def test_no_two_states_and_no_two_reasons_are_called_the_same() -> None:
    states: list[Label] = [*STATE_LABELS.values(), PAID_WAITING]
    for labels in (states, list(HOLD_LABELS.values())):
        assert len({label.en for label in labels}) == len({label.zh for label in labels}) == len(labels)


@pytest.mark.parametrize("words", [State, Event, HoldReason])
def test_words_are_stored_as_they_are_named(words: type[State | Event | HoldReason]) -> None:
    assert all(word.value == word.name for word in words)


@pytest.mark.parametrize("words", [Step, System])
def test_steps_and_systems_are_stored_small(words: type[Step | System]) -> None:
    assert all(word.value == word.name.lower() for word in words)
