"""Tasks of a SLURM step become one `accelerate launch`."""

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.on_nodes import rendezvous

STEP = {"SLURM_NTASKS": "2", "SLURM_PROCID": "1", "SLURM_LAUNCH_NODE_IPADDR": "10.0.0.7", "SLURM_JOB_ID": "12345"}
COMMAND = ["accelerate", "launch", "--num_processes", "16", "-m", "train"]


def test_a_task_names_its_rank_and_the_first_node():
    assert rendezvous(COMMAND, STEP) == [
        "accelerate", "launch", "--num_machines", "2", "--machine_rank", "1", "--main_process_ip", "10.0.0.7",
        "--main_process_port", "22345", "--num_processes", "16", "-m", "train",
    ]  # fmt: skip


def test_outside_of_slurm_and_with_another_launcher_it_is_an_error():
    with pytest.raises(UserError, match="needs a SLURM step, and SLURM_PROCID is not set"):
        rendezvous(COMMAND, {name: value for name, value in STEP.items() if name != "SLURM_PROCID"})
    with pytest.raises(UserError, match=r"needs `accelerate launch`, not python train\.py"):
        rendezvous(["python", "train.py"], STEP)
