#!/usr/bin/env bash
# Sets up an environment and runs everything CI runs: lint, format, types, tests. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
source recipes/environment.sh all,dev

ruff check .
ruff format --check .
mypy
export HF_HUB_OFFLINE=1 NO_ALBUMENTATIONS_UPDATE=1
pytest -n 2 --dist worksteal "$@"
