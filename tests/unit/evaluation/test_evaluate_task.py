"""Scoring a tiny model with lm-eval: the scores equal lm-eval's own, however the tasks are grouped."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.rows import read_json
from workflow_scripts.evaluation import evaluate_task, fetch_task, tasks
from workflow_scripts.training.template import set_template

SETTINGS = {
    "revisions": {}, "limit": None, "batch_size": 2, "dtype": "float32", "backend": "hf", "backend_args": {},
    "apply_chat_template": False, "fewshot_as_multiturn": False, "system_instruction": None, "gen_kwargs": {},
}  # fmt: skip
STONES = ["granite", "sandstone", "basalt", "marble", "slate"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, save_model):
    """A folder with a model of random weights, two tasks with their data, and a task without documents."""
    folder = tmp_path_factory.mktemp("evaluation")
    save_model(folder / "model")
    (folder / "tasks").mkdir()
    for number, name in enumerate(("stones", "sands", "nothing")):
        rows = [
            {"question": f"Which is case {number}, {stone}?", "choices": [stone, "a bird"], "answer": place % 2}
            for place, stone in enumerate(STONES)
        ]
        data = folder / "tasks" / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        task = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(data)}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": "{{question}}",
            "doc_to_choice": "{{choices}}",
            "doc_to_target": "answer",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            "metadata": {"version": 1.0},
        }
        text = yaml.safe_dump(task)
        if name == "nothing":
            (folder / "tasks" / "drop_all.py").write_text("def drop(rows):\n    return rows.select([])\n")
            text += "process_docs: !function drop_all.drop\n"
        (folder / "tasks" / f"{name}.yaml").write_text(text)
        if name != "nothing":
            fetch_task.main([
                "--task", name, "--include-path", str(folder / "tasks"), "--record", str(folder / "records" / f"{name}.json")
            ])  # fmt: skip
    return folder


def evaluate(place, out, names, model="model", adapter=None, shots=0, **settings):
    """Score these tasks in one job, as the rule does; returns the results by name."""
    results = [out / f"{name}.json" for name in names]
    evaluate_task.main([
        "--name", "base", "--model", str(place / model), "--threads", "1", "--finished", str(out / "finished"),
        *(["--adapter", str(place / adapter)] if adapter else []),
        "--entries", json.dumps({name: {"task": name, "shots": shots} for name in names}),
        "--records", *(str(place / "records" / f"{name}.json") for name in names),
        "--settings", json.dumps({**SETTINGS, "include_path": str(place / "tasks"), **settings}),
        "--results", *map(str, results), "--tables", *(str(path.with_suffix(".parquet")) for path in results),
    ])  # fmt: skip
    return {path.stem: read_json(path) for path in results}


@pytest.fixture(scope="module")
def together(place):
    """Both tasks scored with one load of the model."""
    return evaluate(place, place / "together", ["stones", "sands"])


def plain(place, model="model", name="stones", shots=0, **more):
    """The score of one task by lm-eval itself, called as by its command line."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    result = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(place / model), "dtype": "float32"},
        tasks=[name],
        num_fewshot=shots,
        batch_size=2,
        device="cpu",
        task_manager=TaskManager(include_path=str(place / "tasks"), include_defaults=False),
        **more,
    )
    samples = sorted(result["samples"][name], key=lambda sample: sample["doc_id"])
    return result["results"][name], [[response[0][0] for response in sample["resps"]] for sample in samples]


def loglikelihoods(folder):
    return pq.read_table(folder / "stones.parquet")["loglikelihoods"].to_pylist()


def test_scores_equal_those_of_lm_eval(place, together):
    results, found = plain(place)
    assert together["stones"]["results"]["stones"] == results
    assert loglikelihoods(place / "together") == found


def test_a_chat_template_is_applied_as_by_lm_eval_and_recorded(place, make_tokenizer):
    shutil.copytree(place / "model", place / "chatty")
    set_template(make_tokenizer()).save_pretrained(place / "chatty")
    scored = evaluate(place, place / "templated", ["stones"], model="chatty", apply_chat_template=True)["stones"]
    results, found = plain(place, "chatty", apply_chat_template=True)
    assert scored["results"]["stones"] == results and scored["capybara"]["chat_template"] is True
    assert loglikelihoods(place / "templated") == found != loglikelihoods(place / "together")
    (prompt, *_) = pq.read_table(place / "templated" / "stones.parquet")["prompt"].to_pylist()
    assert prompt == "<s>USER: Which is case 0, granite? ASSISTANT:"


def test_a_task_scores_the_same_alone_or_in_a_batch(place, together):
    alone = {name: evaluate(place, place / "alone" / name, [name])[name] for name in ("stones", "sands")}
    assert alone == together
    for name in alone:
        one, two = (pq.read_table(place / folder / f"{name}.parquet") for folder in (f"alone/{name}", "together"))
        assert one.equals(two) and one.num_rows == len(STONES)


def test_a_result_records_its_data_and_settings(together):
    about = together["stones"]["capybara"]
    assert about["tasks"]["stones"]["documents"] == {"test": 5}
    assert about["tasks"]["stones"]["revision"].startswith("sha256:")
    assert (about["backend"], about["device"], about["chat_template"]) == ("hf", "cpu", False)


def test_a_finished_task_is_kept_when_another_fails(place, monkeypatch):
    """The data of the second task changed after the download; once they are restored, only this task is scored."""
    record = place / "records" / "sands.json"
    kept = record.read_text()
    record.write_text(kept.replace('"sha256:', '"sha256:0'))
    with pytest.raises(
        UserError, match=r"task sands: its data differ from those fetched for this run.*1 finished task is kept"
    ):
        evaluate(place, place / "failing", ["stones", "sands"])
    record.write_text(kept)
    scored = []
    real = evaluate_task.evaluate
    monkeypatch.setattr(evaluate_task, "evaluate", lambda name, *more: scored.append(name) or real(name, *more))
    assert set(evaluate(place, place / "failing", ["stones", "sands"])) == {"stones", "sands"}
    assert scored == ["sands"]
    evaluate(place, place / "failing", ["stones", "sands"], batch_size=1)
    assert scored == ["sands", "stones", "sands"], "other settings give another result"


def test_a_task_whose_own_code_fails_does_not_stop_the_others(place):
    """A task's files may contain any code."""
    task = yaml.safe_load((place / "tasks" / "sands.yaml").read_text()) | {"task": "broken"}
    code = "def fail(doc):\n    if 'slate' in doc['question']:\n        raise KeyError('no such field')\n    return doc['question']\n"
    (place / "tasks" / "broken.py").write_text(code)
    del task["doc_to_text"]
    (place / "tasks" / "broken.yaml").write_text(yaml.safe_dump(task) + "doc_to_text: !function broken.fail\n")
    record = place / "records" / "broken.json"
    fetch_task.main(["--task", "broken", "--include-path", str(place / "tasks"), "--record", str(record)])
    out = place / "partly"
    with pytest.raises(UserError, match=r"task broken: KeyError: 'no such field' 2 finished tasks are kept"):
        evaluate(place, out, ["stones", "broken", "sands"])
    kept = [path.name.rpartition("-")[0] for path in (out / "finished").iterdir()]
    assert sorted(kept) == ["sands", "stones"]


def prompts(folder, name="stones"):
    """{question: prompt} of each document."""
    table = pq.read_table(folder / f"{name}.parquet")
    return {
        json.loads(doc)["question"]: text
        for doc, text in zip(table["document"].to_pylist(), table["prompt"].to_pylist(), strict=True)
    }


def test_shots_never_contain_the_scored_document(place):
    """The task has a single split; lm-eval alone shows the model the question with its answer."""
    _, found = plain(place, shots=3)
    result = evaluate(place, place / "shots", ["stones"], shots=3)["stones"]
    written = prompts(place / "shots")
    assert len(written) == len(STONES)
    for question, prompt in written.items():
        assert prompt.count(question) == 1 and prompt.endswith(question)
        assert prompt.count("Which is case") == 4
    assert result["capybara"]["replaced_shots"] == {
        "stones": 5 - sum(one == other for one, other in zip(found, loglikelihoods(place / "shots"), strict=True))
    }
    assert result["capybara"]["replaced_shots"]["stones"] > 0


def test_shots_of_another_split_are_those_of_lm_eval(place):
    task = yaml.safe_load((place / "tasks" / "stones.yaml").read_text())
    files = task["dataset_kwargs"]["data_files"] | {"train": str(place / "tasks" / "sands.jsonl")}
    task |= {"task": "split", "training_split": "train", "dataset_kwargs": {"data_files": files}}
    (place / "tasks" / "split.yaml").write_text(yaml.safe_dump(task))
    record = place / "records" / "split.json"
    fetch_task.main(["--task", "split", "--include-path", str(place / "tasks"), "--record", str(record)])
    result = evaluate(place, place / "other-split", ["split"], shots=3)["split"]
    assert result["capybara"]["replaced_shots"] == {}
    results, _ = plain(place, name="split", shots=3)
    assert result["results"]["split"] == results


@pytest.mark.parametrize("shots", [5, 500])
def test_more_shots_than_documents_are_an_error(place, shots):
    with pytest.raises(UserError, match=rf"task stones: {shots} shots, but only 4 documents other than the scored one"):
        evaluate(place, place / "many-shots", ["stones"], shots=shots)


def test_log_likelihoods_that_are_not_finite_are_an_error(place):
    import torch
    from transformers import AutoModelForCausalLM

    shutil.copytree(place / "model", place / "nan")
    model = AutoModelForCausalLM.from_pretrained(place / "model")
    torch.nn.init.constant_(model.get_output_embeddings().weight, float("nan"))
    model.save_pretrained(place / "nan")
    with pytest.raises(UserError, match="task stones: the log-likelihoods of 5 of 5 documents are not finite"):
        evaluate(place, place / "of-nan", ["stones"], model="nan")
    assert not (place / "of-nan" / "stones.json").exists()


def test_a_group_gives_its_tasks_and_its_own_score(place, together, monkeypatch):
    """Without lm-eval's own tasks, whose index takes 15 s."""
    group = {
        "group": "minerals",
        "task": ["stones", "sands"],
        "aggregate_metric_list": [{"metric": "acc", "aggregation": "mean", "weight_by_size": True}],
    }
    (place / "tasks" / "minerals.yaml").write_text(yaml.safe_dump(group))
    real = tasks.task_manager
    monkeypatch.setattr(tasks, "task_manager", lambda include: real(include, include_defaults=False))
    record = place / "records" / "minerals.json"
    fetch_task.main(["--task", "minerals", "--include-path", str(place / "tasks"), "--record", str(record)])
    results = evaluate(place, place / "group", ["minerals"])["minerals"]["results"]
    alone = {name: together[name]["results"][name]["acc,none"] for name in ("stones", "sands")}
    assert {name: results[name]["acc,none"] for name in alone} == alone
    assert results["minerals"]["acc,none"] == pytest.approx(sum(alone.values()) / 2)
    assert set(pq.read_table(place / "group" / "minerals.parquet")["task"].to_pylist()) == {"stones", "sands"}


def test_an_unmerged_adapter_scores_as_if_merged(place, together, make_tokenizer):
    """A LoRA of random weights: on the base model, and merged into it."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    shape = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(place / "model"), shape)
    model.save_pretrained(place / "adapter")
    model.merge_and_unload().save_pretrained(place / "merged")
    make_tokenizer().save_pretrained(place / "merged")
    unmerged = evaluate(place, place / "unmerged", ["stones"], adapter="adapter")["stones"]
    evaluate(place, place / "one", ["stones"], model="merged")
    found = {
        folder: np.concatenate(pq.read_table(place / folder / "stones.parquet")["loglikelihoods"].to_pylist())
        for folder in ("together", "unmerged", "one")
    }
    assert found["unmerged"] == pytest.approx(found["one"], abs=1e-4)
    assert abs(found["unmerged"] - found["together"]).max() > 0.01, "the adapter changes nothing"
    assert (unmerged["capybara"]["adapter"], together["stones"]["capybara"]["adapter"]) == ("unmerged", None)


def test_a_task_without_documents_is_an_error(place):
    with pytest.raises(UserError, match="task nothing: it has no documents to score"):
        fetch_task.main([
            "--task", "nothing", "--include-path", str(place / "tasks"), "--record", str(place / "nothing.json")
        ])  # fmt: skip


def test_a_missing_chat_template_is_an_error(place):
    with pytest.raises(UserError, match=r"model base: its tokenizer has no chat template"):
        evaluate(place, place / "untemplated", ["stones"], apply_chat_template=True)


def test_a_folder_without_a_model_is_an_error(place, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"no \*\.safetensors, so the model has no weights"):
        evaluate_task.models.check_folder(tmp_path, None)
    with pytest.raises(UserError, match=r"no config\.json, so there is no model to score"):
        evaluate_task.models.check_folder(tmp_path / "none", None)
    with pytest.raises(UserError, match=r"no adapter_config\.json, so there is no adapter"):
        evaluate_task.models.check_folder(place / "model", tmp_path)


def test_data_that_cannot_be_loaded_are_an_error(place, tmp_path):
    task = yaml.safe_load((place / "tasks" / "stones.yaml").read_text())
    task |= {"task": "gone", "dataset_kwargs": {"data_files": {"test": str(tmp_path / "gone.jsonl")}}}
    (tmp_path / "gone.yaml").write_text(yaml.safe_dump(task))
    with pytest.raises(UserError, match=r"task gone: its data cannot be loaded: .*gone\.jsonl"):
        fetch_task.main([
            "--task", "gone", "--include-path", str(tmp_path), "--record", str(tmp_path / "gone.json")
        ])  # fmt: skip
