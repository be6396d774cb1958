"""numba's cache of a kernel depends on the kernel's own file only, so no kernel module may use another one."""

import ast

import pytest

from workflow_scripts.common.package_files import PACKAGE

KERNEL_MODULES = sorted((PACKAGE / "decontamination").glob("*_kernels.py"))


@pytest.mark.parametrize("path", KERNEL_MODULES, ids=lambda path: path.stem)
def test_a_kernel_module_uses_no_other_module(path):
    tree = ast.parse(path.read_text())
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports == [
        "import numpy as np",
        "from workflow_scripts.decontamination.numba_cache import compiled",
    ]


def test_all_kernel_modules_are_checked():
    assert [path.stem for path in KERNEL_MODULES] == ["anchor_kernels", "search_kernels", "text_kernels"]
