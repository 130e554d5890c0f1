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
