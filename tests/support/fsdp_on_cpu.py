"""Run a module under FSDP on CPUs with gloo: `python fsdp_on_cpu.py -m MODULE …`, as a script of `accelerate launch`.

FSDP itself runs on CPUs, but accelerate uses it only for kinds of processes with an accelerator. So the processes are declared
to be of that kind; everything else is accelerate's own code. Each process prints whether it read the weights, and its memory
then and at most.
"""

import atexit
import os
import resource
import runpy
import sys
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import DistributedType

initialise = PartialState.__init__


def declare_gpus(self: PartialState, *args: Any, **options: Any) -> None:
    initialise(self, *args, **options)
    if self._shared_state.get("distributed_type") == DistributedType.MULTI_CPU:
        self._shared_state["distributed_type"] = DistributedType.MULTI_GPU


def peak() -> str:
    """The largest resident set of this process so far."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"


def report_loading() -> None:
    """Print whether this process read the weights, and its memory."""
    from workflow_scripts.common import pretrained
    from workflow_scripts.training import recipe

    load, read, rank, was_read = recipe.load_model, pretrained.load_model, os.environ["RANK"], []

    def reading(*args: Any, **options: Any) -> Any:
        model = read(*args, **options)
        sum(float(weight.sum()) for weight in model.parameters())  # safetensors reads them when they are used
        was_read.append(model)
        return model

    def reported(*args: Any) -> Any:
        before = peak()
        model = load(*args)
        action = "read the weights" if was_read else "did not read the weights"
        was_read.clear()
        print(f"rank {rank}: {action}; peak {before} before, {peak()} after", file=sys.stderr)
        return model

    recipe.load_model, pretrained.load_model = reported, reading
    atexit.register(lambda: print(f"rank {rank}: peak {peak()} at the end", file=sys.stderr))


if __name__ == "__main__":
    PartialState.__init__ = declare_gpus  # type: ignore[method-assign]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    report_loading()
    _, _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
