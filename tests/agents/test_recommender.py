"""The reader and the learners: guesses that become true, regret that tells them apart."""

from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.agents import run
from labkit.agents.recommender import GENRES, HOURS, Bandit, Optimist, Reader, mean_regret, new_job


@given(st.integers(0, 999), st.floats(0, 1))
def test_a_guess_is_the_share_of_likes(seed, explore):
    history = run(Reader(seed=seed), Bandit(explore, seed=seed), 60)
    shown, liked = history.last.shown[:-1], history.last.liked[:-1]  # the last one has not been heard of yet
    for choice, guess in history.steps[-1].thought.items():
        assert guess == pytest.approx(mean(like for one, like in zip(shown, liked, strict=True) if one == choice))


def test_trying_everything_finds_the_truth():
    guesses = run(Reader(), Bandit(explore=1), 3000).steps[-1].thought
    assert all(abs(guesses[genre] - chance) < 0.08 for genre, chance in GENRES.items())


def test_never_exploring_stays_with_the_first_that_was_liked():
    history = run(Reader(), Bandit(explore=0), 300)
    assert set(history.actions) == {next(iter(GENRES))}


def test_a_little_exploring_misses_least():
    def regret(explore):
        return mean_regret(lambda seed: Reader(seed=seed), lambda seed: Bandit(explore, seed=seed), 300, 100)[-1]

    assert regret(0.1) < regret(0.0)
    assert regret(0.1) < regret(1.0)


def test_the_optimist_needs_no_dice_and_gets_better_and_better():
    first, second = (run(Reader(seed=4), Optimist(seed=seed), 400) for seed in (0, 1))
    assert first.actions == second.actions
    assert first.actions[:5] == list(GENRES)
    early, late = first.actions[:100].count("history"), first.actions[-100:].count("history")
    assert late > early


def test_forgetting_helps_when_tastes_change_and_only_then():
    def regret(forget, later):
        return mean_regret(
            lambda seed: Reader(HOURS, seed=seed, later=later, changes_at=150),
            lambda seed: Bandit(0.1, forget, seed=seed),
            300,
            100,
        )[-1]

    assert regret(0.1, new_job()) < regret(None, new_job())


def test_regret_is_free_of_luck():
    history = run(Reader(), lambda percept: "poetry", 10)
    assert history.last.regret == pytest.approx(10 * (GENRES["history"] - GENRES["poetry"]))
    assert run(Reader(), lambda percept: "history", 10).last.regret == 0
