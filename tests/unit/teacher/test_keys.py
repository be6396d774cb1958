"""A key comes from an environment variable or from a private file; no message repeats what names it."""

import pytest

from workflow_scripts.teacher.keys import MissingKey, api_key

SECRET = "canary-8d21f0"


def test_a_key_from_the_environment(monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", SECRET)
    assert api_key({"api_key_env": "TEACHER_KEY", "api_key_file": None}) == SECRET
    assert api_key({"api_key_env": None}) == api_key({}) == ""
    monkeypatch.delenv("TEACHER_KEY")
    with pytest.raises(MissingKey, match=r"`api_key_env` of the teacher or judge: .* is not set\. Export it"):
        api_key({"api_key_env": "TEACHER_KEY"})


def test_a_key_from_a_file(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(f"{SECRET}\n")
    assert api_key({"api_key_file": "~/key"}) == api_key({"api_key_file": str(tmp_path / "key")}) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_a_file_that_others_may_use_is_refused(tmp_path, mode):
    (tmp_path / SECRET).write_text(SECRET)
    (tmp_path / SECRET).chmod(mode)
    with pytest.raises(
        MissingKey, match=r"`api_key_file` of the teacher or judge: other users .* `chmod 600`"
    ) as caught:
        api_key({"api_key_file": str(tmp_path / SECRET)})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), (b"", "is empty"), (b"\xff", "not UTF-8")])
def test_a_file_without_a_key_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / SECRET).touch(mode=0o600)
        (tmp_path / SECRET).write_bytes(content)
    with pytest.raises(MissingKey, match=message) as caught:
        api_key({"api_key_file": str(tmp_path / SECRET)})
    assert SECRET not in str(caught.value)
