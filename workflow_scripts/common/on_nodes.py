"""Run `accelerate launch` as one task of a SLURM step: the tasks of all nodes find each other by SLURM's variables.

    srun --nodes=2 --ntasks=2 python -m workflow_scripts.common.on_nodes accelerate launch … -m MODULE …

Each node runs one task. The first task is on the node where the batch script runs, from which srun started all tasks.
"""

import os
import sys
from collections.abc import Mapping, Sequence

from workflow_scripts.common.cli import run
from workflow_scripts.common.errors import UserError

LAUNCH = ["accelerate", "launch"]
VARIABLES = ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LAUNCH_NODE_IPADDR", "SLURM_JOB_ID")
FIRST_PORT, PORTS = 20000, 10000  # by the id of the job, so that two jobs on one node use different ports


def rendezvous(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The command with the options of accelerate for this task. UserError outside of a SLURM step."""
    if missing := [name for name in VARIABLES if name not in environment]:
        raise UserError(
            f"training on several nodes needs a SLURM step, and {', '.join(missing)} is not set. Start with `--workflow-profile "
            "profiles/slurm`, or set `training.nodes: 1`."
        )
    if list(command[:2]) != LAUNCH:
        raise UserError(
            f"training on several nodes needs `accelerate launch`, not {' '.join(command[:2])}. Correct `training.launcher`."
        )
    tasks, rank, address, job = (environment[name] for name in VARIABLES)
    options = [
        "--num_machines", tasks, "--machine_rank", rank, "--main_process_ip", address,
        "--main_process_port", str(FIRST_PORT + int(job) % PORTS),
    ]  # fmt: skip
    return [*LAUNCH, *options, *command[2:]]


def main() -> None:
    """Replace this process with the command."""
    command = rendezvous(sys.argv[1:], os.environ)
    os.execvp(command[0], command)


if __name__ == "__main__":
    run(main)
