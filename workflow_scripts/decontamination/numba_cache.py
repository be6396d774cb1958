"""The decorator of all numba kernels.

Kernels are compiled on first use (about 20 s for all) and cached next to their file. numba compiles a function again when
the file of that function changes, but not when a function or constant of another file changes. So a kernel module uses no
function and no constant of another kernel module; `test_kernels.py` checks it.
"""

from collections.abc import Callable
from typing import Any

import numba

Function = Callable[..., Any]


def compiled(**options: Any) -> Callable[[Function], Function]:
    """numba's `njit` with its cache, or without it if no cache folder is writable."""

    def decorate(function: Function) -> Function:
        try:
            return numba.njit(cache=True, **options)(function)
        except RuntimeError:
            return numba.njit(**options)(function)

    return decorate
