#!/usr/bin/env bash
# On a machine with an accelerator, in the project's root: what runs there, and how fast. Each part has
# its own time limit (400 s in all), and the next part runs whatever became of it.
#
#   experiments/benchmark/device_check.sh             all parts
#   experiments/benchmark/device_check.sh growth ...  these alone: versions, correct, growth, train
#
# Under $OUT (a new folder if it is not set): log.txt, growth.json, train.json. Exit status 1 if a part
# failed. What the machine lacks is installed from .wheels/*.whl if that folder is there.
# DEVICE_CHECK_CPU=1: on a machine without an accelerator, at tiny sizes and with five times as long,
# to see that every part runs.
set -u
export PYTHONUNBUFFERED=1 OUT=${OUT:-$(mktemp -d)} XLA_PYTHON_CLIENT_PREALLOCATE=false
CPU=${DEVICE_CHECK_CPU:-}
PYTHON=${PYTHON:-python3}
mkdir -p "$OUT"
wanted=" $* "
failed=0
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT

part() { # seconds, name, command ...
  local limit=$1 name=$2 start=$SECONDS status output
  [ -z "$CPU" ] || limit=$((limit * 5))
  shift 2
  if [ "$wanted" != "  " ] && [ "$name" != install ] && [ "${wanted#* "$name" }" = "$wanted" ]; then
    return
  fi
  echo "== $name (at most $limit s)" | tee -a "$OUT/log.txt"
  output=$(mktemp)
  timeout -k 5 "$limit" "$@" >"$output" 2>&1
  status=$?
  [ "$status" = 0 ] || failed=1
  cat "$output" >>"$OUT/log.txt"
  tail -n 25 "$output" | cut -c1-400
  rm -f "$output"
  echo "-- $name: status $status, $((SECONDS - start)) s" | tee -a "$OUT/log.txt"
}

if [ -z "$CPU" ]; then
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader | tee -a "$OUT/log.txt"
  if compgen -G '.wheels/*.whl' >/dev/null; then
    part 40 install "$PYTHON" -m pip install -q --no-deps --no-index --no-compile --upgrade \
      --target "$site" .wheels/*.whl
  fi
fi
export PYTHONPATH=$PWD:$site

part 30 versions "$PYTHON" -c "
import jax, flax, optax, orbax.checkpoint, numpy
print(*(m.__version__ for m in (jax, flax, optax, orbax.checkpoint, numpy)), jax.devices())"

part 120 correct "$PYTHON" -m pytest -q -m "" -p no:cacheprovider tests/test_on_accelerator.py

# Networks side by side: 1, 20, 100, 400 of the default shape, in turns within one run.
part 110 growth "$PYTHON" -c "
import json, os
from experiments.benchmark.growth import measure_growth
from experiments.benchmark.parts import device
from experiments.benchmark.rows import tables
from experiments.benchmark.work import QUICK, Size
small = bool(os.environ.get('DEVICE_CHECK_CPU'))
whole = Size(rounds=1, growth={'runs': (1, 20, 100, 400)})
rows = measure_growth(QUICK._replace(growth={'runs': (1, 2)}) if small else whole)
print(tables(rows))
json.dump(device() | {'rows': rows}, open(os.environ['OUT'] + '/growth.json', 'w'), indent=1)"

part 100 train "$PYTHON" -m experiments.benchmark --device --only=train --shapes=mid \
  ${CPU:+--quick} --rounds=1 --output="$OUT/train.json"

ls -la "$OUT"
exit "$failed"
