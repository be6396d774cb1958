"""The global batch is what the config says, on any number of processes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.common.errors import UserError
from workflow_scripts.train_model import accumulation_steps, drop_unfinished


@given(st.integers(1, 64), st.integers(1, 16), st.integers(1, 64))
def test_the_global_batch_never_follows_the_number_of_processes(micro_batch, processes, steps):
    assert accumulation_steps(micro_batch * processes * steps, micro_batch, processes) == steps


@pytest.mark.parametrize(("batch", "micro", "processes"), [(4, 3, 1), (4, 2, 4), (2, 4, 1), (64, 2, 3)])
def test_a_batch_that_does_not_divide_is_refused(batch, micro, processes):
    with pytest.raises(UserError) as caught:
        accumulation_steps(batch, micro, processes)
    assert f"`training.global_batch` {batch}" in str(caught.value)
    assert f"`training.micro_batch` {micro} x {processes} processes" in str(caught.value)


def test_a_checkpoint_whose_writing_was_interrupted_is_dropped(tmp_path):
    for name, files in (("checkpoint-5", ["trainer_state.json"]), ("checkpoint-10", ["model.safetensors"])):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file).write_text("{}")
    drop_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-5"]
