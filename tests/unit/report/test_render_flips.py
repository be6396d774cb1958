"""The page of flips."""

from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.report.items import PROMPT_CHARS
from workflow_scripts.report.render_flips import MAX_ITEMS, displayed_item, main


def flip(gained=True, **more):
    return {
        "model": "capybara", "asked": "stones.0shot", "task": "stones", "filter": "none", "doc_hash": "h0", "copy": 0, "metric": "acc",
        "gained": gained, "prompt": "Question: Which is a stone?\nAnswer:", "options": [" a bird", " granite"], "target": "1",
        "base": {"loglikelihoods": [-1.0, -2.0], "outputs": []}, "tuned": {"loglikelihoods": [-3.0, -0.5], "outputs": []}, **more,
    }  # fmt: skip


def page(tmp_path, flips):
    write_jsonl(tmp_path / "flips.jsonl", flips)
    main(["--run", "mine", "--flips", str(tmp_path / "flips.jsonl"), "--page", str(tmp_path / "flips.html")])
    return (tmp_path / "flips.html").read_text()


def test_picked_and_correct_options():
    wrong, right = displayed_item(flip())["options"]
    assert (wrong["base_picks"], wrong["tuned_picks"], wrong["target"]) == (True, False, False)
    assert (right["base_picks"], right["tuned_picks"], right["target"]) == (False, True, True)


def test_a_target_can_be_the_text_of_an_option():
    assert [option["target"] for option in displayed_item(flip(target='"granite"'))["options"]] == [False, True]


def test_the_question_of_a_long_prompt_is_kept():
    found = displayed_item(flip(prompt="example\n\n" * PROMPT_CHARS + "Question: Which?\nAnswer:"))
    assert found["prompt"].endswith("Which?\nAnswer:") and len(found["prompt"]) <= PROMPT_CHARS + 2
    assert found["question"] == "Question: Which? Answer:"


def test_text_of_a_data_set_is_escaped(tmp_path):
    canary = "</pre><script>alert(1)</script>"
    written = {"loglikelihoods": [], "outputs": [canary]}
    html = page(tmp_path, [flip(prompt=canary), flip(options=[], target=f'"{canary}"', base=written, tuned=written)])
    assert "<script" not in html and "&lt;script&gt;" in html


def test_counts_are_complete_and_the_list_is_truncated(tmp_path):
    flips = [flip(doc_hash=f"h{number:03}") for number in range(MAX_ITEMS + 3)] + [flip(gained=False)]
    html = page(tmp_path, flips)
    assert html.count("<details>") == MAX_ITEMS + 1 and "3 more in" in html
    assert "Became right: 28" in html and "Became wrong: 1" in html


def test_a_run_without_flips(tmp_path):
    assert "No item became right or wrong." in page(tmp_path, [])
