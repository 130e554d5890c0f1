"""The words after `lrtui`: misspelt, missing, or meaning something else."""

import os
import re

import pytest

from lrtui.cli.main import main
from lrtui.config import shipped


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_misspelt_verb_is_corrected(capsys):
    assert main(["stauts", "runs/a"]) == 2
    said = capsys.readouterr().err
    assert (
        said
        == "lrtui: stauts: there is no such verb or file\n  did you mean: lrtui status runs/a\n"
    )


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_get_one_sentence(platform, capsys, monkeypatch):
    monkeypatch.setattr("sys.platform", platform)
    assert main(["x.toml"]) == 5
    assert capsys.readouterr().err.startswith(f"lrtui: lrtui needs Linux, this is {platform}\n  on")


def test_help_takes_a_verb(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["help", "stop"])
    assert capsys.readouterr().out.startswith("usage: lrtui stop [-h] DIR")
    with pytest.raises(SystemExit, match="0"):
        main(["help"])
    assert re.search(r"^ +open +start, attach to", capsys.readouterr().out, re.MULTILINE)
    assert main(["help", "stauts"]) == 2
    said = capsys.readouterr().err
    assert said == "lrtui: stauts: there is no such verb\n  did you mean: lrtui help status\n"


def test_options_are_not_abbreviated(capsys):
    assert main(["check", "x.toml", "--epoch", "3"]) == 2
    said = capsys.readouterr().err
    assert said == "lrtui: --epoch: there is no such option\n  did you mean --epochs?\n"
    assert main(["x.toml", "--frobnicate=3"]) == 2
    assert "--frobnicate: there is no such option\n  lrtui help open" in capsys.readouterr().err


def test_words_that_mean_nothing_are_named(capsys):
    assert main(["quux", "x"]) == 2
    assert "quux: there is no such verb or file\n  lrtui help" in capsys.readouterr().err
    assert main(["ls", "runs", "x"]) == 2
    assert capsys.readouterr().err == "lrtui: x: is one word too many\n  lrtui help ls\n"
    assert main(["mnist"]) == 2
    assert "  write the one that comes with lrtui: lrtui example mnist\n" in capsys.readouterr().err


def test_a_misspelt_option_alone_is_named(capsys):
    assert main(["--versio"]) == 2
    assert capsys.readouterr().err.startswith("lrtui: --versio: there is no such option\n")


def test_a_missing_directory_is_no_missing_file(here, capsys):
    (here / "mnist.toml").write_text("")
    assert main(["experiments/hydra.toml"]) == 2
    assert "comes with lrtui: lrtui example recipes/hydra\n" in capsys.readouterr().err
    assert main(["runs/mnist"]) == 2
    assert "there is no such file or experiment\n  lrtui ls" in capsys.readouterr().err


def test_a_private_directory_of_another_user_says_whom_to_ask(here, capsys, monkeypatch):
    (here / "theirs").mkdir()
    file = here / "theirs" / "experiment.toml"

    def refuse(_options):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("lrtui.cli.status.run", refuse)
    assert main(["status", "theirs"]) == 5
    assert capsys.readouterr().err == f"lrtui: {file}: Permission denied\n"
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert main(["status", "theirs"]) == 6
    assert (
        f"another user (uid {owner}), who can let you view it: chmod -R a+rX {file.parent}"
        in capsys.readouterr().err
    )


def test_ls_names_what_it_cannot_read(here, capsys, monkeypatch):
    (here / "runs" / "theirs").mkdir(parents=True)
    (here / "runs" / "theirs" / "experiment.toml").touch()
    (here / "runs" / "notes").mkdir()

    def refuse(_directory):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lrtui.cli.inspect.sweep_of", refuse)
    assert main(["ls"]) == 0
    assert capsys.readouterr().out == "runs/theirs  cannot be read: permission denied\n"


def test_a_script_is_no_experiment_file(here, capsys):
    (here / "train.py").write_text("print(1)")
    assert main(["train.py"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lrtui: train.py: is a script, not an experiment file\n")
    assert "  lrtui init train.py proposes an experiment file" in said
    assert '    command = ["python", "train.py", "--lr={lr}"]\n' in said


def test_a_folder_says_what_is_in_it(here, capsys):
    (here / "mine").mkdir()
    (here / "mine/a.toml").write_text("")
    assert main(["mine"]) == 2
    assert "give one of the experiment files in it: mine/a.toml" in capsys.readouterr().err
    (here / "runs/a").mkdir(parents=True)
    (here / "runs/a/experiment.toml").write_text("")
    assert main(["runs"]) == 2
    assert "give one of the experiments in it: runs/a" in capsys.readouterr().err


def test_lrtui_alone_says_what_to_do_next(here, capsys):
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Next:\n\n  lrtui FILE.toml")
    (here / "runs/a").mkdir(parents=True)
    (here / "runs/a/experiment.toml").write_text("")
    assert main([]) == 0
    assert "  lrtui runs/a  open, no runs\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", shipped.names())
def test_each_example_can_be_written_and_checked(name, here, capsys):
    assert main(["example", name]) == 0
    assert main(["check", f"experiments/{name}.toml"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert main(["example", f"experiments/{name}.toml"]) == 0  # the same again is no fault
    assert f"experiments/{name}.toml is there already" in capsys.readouterr().out
    (here / f"experiments/{name}.toml").write_text("mine")
    assert main(["example", name]) == 2
    assert (here / f"experiments/{name}.toml").read_text() == "mine"


def test_examples_are_listed_and_a_misspelt_one_is_corrected(capsys):
    assert main(["example"]) == 0
    *lines, _, _ = capsys.readouterr().out.splitlines()
    at = next(line for line in lines if line.startswith("digits ")).index("four learning rates")
    assert {line[at - 2 : at] for line in lines} == {"  "}, "the descriptions are aligned"
    assert main(["example", "digit"]) == 2
    assert "did you mean digits?" in capsys.readouterr().err


def test_ctrl_c_before_the_log_begins_says_how_to_come_back(here, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("lrtui.cli.attach.prepare", interrupted)
    command = 'command = ["true", "{lr}"]\nsteps = 9\nmetric = "min loss"\nlr = [1e-3, 1e-2]\n'
    (here / "own.toml").write_text(command)
    assert main(["own.toml", "--headless"]) == 130
    assert "stop them all: lrtui stop runs/own" in capsys.readouterr().out
