#!/usr/bin/env bash
# On a machine with an accelerator, in the project's root: how fast it is, and what runs there. The most
# important first, ten minutes in all; each part has its own time limit, and the next one runs whatever
# became of it.
#
#   experiments/benchmark/device_check.sh              all of it
#   experiments/benchmark/device_check.sh kernel ...   these alone: versions, correct, or parts of
#                                                      `python -m experiments.benchmark.device_check`
#
# Under $OUT (a new folder if it is not set): log.txt, device.jsonl, to which a line is added as soon as a
# figure is there; what it holds already is not measured again. Exit status 1 if something failed. What
# the machine lacks is installed from .wheels/*.whl if that folder is there.
# DEVICE_CHECK_CPU=1: on a machine without an accelerator, at tiny sizes and with ten times as long, to
# see that every part runs.
set -u
export PYTHONUNBUFFERED=1 OUT=${OUT:-$(mktemp -d)} XLA_PYTHON_CLIENT_PREALLOCATE=false
CPU=${DEVICE_CHECK_CPU:-}
PYTHON=${PYTHON:-python3}
mkdir -p "$OUT"
failed=0
site=$(mktemp -d)
trap 'rm -rf "$site"' EXIT

run() { # seconds, name, command ...
  local limit=$1 name=$2 start=$SECONDS status output
  [ -z "$CPU" ] || limit=$((limit * 10))
  shift 2
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
    run 20 install "$PYTHON" -m pip install -q --no-deps --no-index --no-compile --upgrade \
      --target "$site" .wheels/*.whl
  fi
fi
export PYTHONPATH=$PWD:$site

versions() {
  run 20 versions "$PYTHON" -c "
import jax, flax, optax, orbax.checkpoint, numpy
print(*(m.__version__ for m in (jax, flax, optax, orbax.checkpoint, numpy)), jax.devices())"
}

measure() { # parts, joined by commas; all of them if it is empty
  run 460 measure "$PYTHON" -m experiments.benchmark.device_check ${CPU:+--tiny} \
    --seconds=$((CPU ? 4500 : 450)) --only="$1" --output="$OUT/device.jsonl"
}

correct() {
  run 90 correct "$PYTHON" -m pytest -q -m "" -p no:cacheprovider -k "not lowers" tests/test_on_accelerator.py
}

if [ $# = 0 ]; then
  versions
  measure ""
  correct
fi
parts=()
for name in "$@"; do
  case $name in
    versions | correct) "$name" ;;
    *) parts+=("$name") ;;
  esac
done
[ ${#parts[@]} = 0 ] || measure "$(IFS=,; echo "${parts[*]}")"

ls -la "$OUT"
exit "$failed"
