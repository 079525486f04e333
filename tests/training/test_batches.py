"""Which samples a step takes, and how they are stacked."""

import pytest
import torch

from vlmkit.training.batches import Batch, Schedule, stack
from vlmkit.training.examples import IGNORED, Example
from vlmkit.training.schedule import CosineSchedule


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_share_the_same_consecutive_positions(ranks):
    schedules = [Schedule(23, 5, rank, ranks) for rank in range(ranks)]
    assert {schedule.steps for schedule in schedules} == {5}
    for step in range(5):
        taken = [position for schedule in schedules for position in schedule.positions(step)]
        assert sorted(taken) == list(range(step * 5, min(step * 5 + 5, 23)))
    assert schedules[0].position(5) == 23


def example(*labels):
    kept = torch.tensor(labels)
    return Example(torch.arange(1, len(labels) + 1), kept, ({"pixel_values": torch.ones(1, 3, 2, 2)},))


def test_targets_stand_before_their_tokens_and_padding_is_masked():
    inputs = stack([example(IGNORED, IGNORED, 3), example(IGNORED, 2)], pad=9)
    assert inputs.model["input_ids"].tolist() == [[1, 2, 3], [1, 2, 9]]
    assert inputs.model["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]
    assert inputs.targets.tolist() == [[IGNORED, 3, IGNORED], [2, IGNORED, IGNORED]]
    assert inputs.kept.tolist() == [0, 1]
    assert inputs.model["pixel_values"].shape == (2, 3, 2, 2)


def test_a_batch_counts_its_targets_and_puts_like_lengths_together():
    batch = Batch(3, 0, [example(IGNORED, 2, 3), example(1), example(IGNORED, 2)])
    assert (batch.targets, batch.tokens) == (3, 6)  # a first token has nothing before it
    assert [[len(one.ids) for one in part] for part in batch.parts(2)] == [[1, 2], [3]]


def test_a_batch_without_examples_still_takes_its_step():
    inputs = stack(Batch(4).parts(None)[0], pad=0)
    assert (inputs.targets == IGNORED).all()
    assert inputs.kept.tolist() == [0]


def test_the_rate_rises_to_its_highest_and_falls_to_nothing():
    rates = [CosineSchedule(1e-3, 100, 0.1)(step) for step in range(100)]
    assert max(rates) == rates[9] == rates[10] == 1e-3
    assert rates[0] == pytest.approx(1e-4)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 1e-6
