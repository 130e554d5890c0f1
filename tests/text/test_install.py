"""How to install an extra."""

import pytest

from lrtui.text.install import install


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("", "pip install 'lrtui[report]'"),
        ("uv-receipt.toml", "uv tool install 'lrtui[report]'"),
        ("pipx_metadata.json", "pipx install --force 'lrtui[report]'"),
    ],
)
def test_the_command_is_that_of_the_tool_that_made_the_environment(
    file, said, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    (tmp_path / (file or "pyvenv.cfg")).touch()
    assert install("report") == said


def test_the_pip_of_an_environment_that_is_not_active_has_its_path(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.prefix", str(tmp_path / ".venv"))
    pip = tmp_path / ".venv/bin/pip"
    pip.parent.mkdir(parents=True)
    pip.touch(mode=0o755)
    assert install("report") == f"{pip} install 'lrtui[report]'"
    monkeypatch.chdir(tmp_path)
    assert install("report") == ".venv/bin/pip install 'lrtui[report]'"
    monkeypatch.setenv("PATH", str(pip.parent))
    assert install("report") == "pip install 'lrtui[report]'"
