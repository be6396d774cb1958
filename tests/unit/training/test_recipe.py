"""The global batch size does not depend on the number of processes; missing packages are reported."""

import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tiny_training import SETTINGS
from workflow_scripts.common.errors import UserError
from workflow_scripts.training.recipe import accumulation_steps, check_installed


@given(st.integers(1, 64), st.integers(1, 16), st.integers(1, 64))
def test_the_global_batch_size_does_not_depend_on_the_number_of_processes(micro_batch_size, processes, steps):
    assert accumulation_steps(micro_batch_size * processes * steps, micro_batch_size, processes) == steps


@pytest.mark.parametrize(("batch", "micro", "processes"), [(4, 3, 1), (4, 2, 4), (2, 4, 1), (64, 2, 3)])
def test_a_batch_size_that_is_not_divisible_is_an_error(batch, micro, processes):
    with pytest.raises(UserError) as caught:
        accumulation_steps(batch, micro, processes)
    assert f"`training.global_batch_size` {batch}" in str(caught.value)
    assert f"`training.micro_batch_size` {micro} x {processes} processes" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "package"),
    [
        ({"method": "qlora"}, "bitsandbytes"),
        ({"attention": "flash_attention_2"}, "flash_attn"),
        ({"liger": True}, "liger_kernel"),
    ],
)
def test_a_missing_package_is_reported(change, package):
    check_installed(SETTINGS)
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed")
    with pytest.raises(UserError, match=f"needs the package {package}, which is not installed"):
        check_installed({**SETTINGS, **change})
