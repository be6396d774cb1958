"""Run a module under FSDP on CPUs with gloo: `python fsdp_on_cpu.py -m MODULE …`, as a script of `accelerate launch`.

FSDP itself runs on CPUs, but accelerate uses it only for kinds of processes with an accelerator. So the processes are declared
to be of that kind; everything else is accelerate's own code.
"""

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


if __name__ == "__main__":
    PartialState.__init__ = declare_gpus  # type: ignore[method-assign]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    _, _, module, *arguments = sys.argv
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
