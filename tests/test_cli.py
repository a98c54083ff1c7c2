"""The commands of ``minirlhf``: each does its work, and says how."""

import inspect
import io
import json
import os
import shlex
import signal
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import pytest
from tiny import DEMONSTRATIONS, same_weights, write_world
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

import minirlhf
from minirlhf import experiment, ppo, sft
from minirlhf.cli import __main__ as cli
from minirlhf.cli import chat, checks, doctor, evaluation, show_presets, stages, start_exercise
from minirlhf.cli.options import parse, preset
from minirlhf.data.records import write_jsonl
from minirlhf.errors import MinirlhfError
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.proof import ProofConfig
from minirlhf.presets import DIFFERENCES, PRESETS
from minirlhf.pretrained import load_policy
from minirlhf.tinytown import bases
from minirlhf.tinytown.town import Tinytown

PAGES = {
    "pretrain": stages.Pretrain,
    "sft": stages.SFT,
    "rm": stages.RM,
    "ppo": stages.PPO,
    "evaluate": evaluation.Evaluate,
    "chat": chat.Chat,
    "doctor": doctor.Doctor,
    "start": start_exercise.Start,
    "presets": show_presets.Presets,
    "bases": bases.Remake,
    "prove": ProofConfig,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Data files and two models, made once."""
    here = write_world(tmp_path_factory.mktemp("world"))
    pairs = [{"prompt": r["prompt"], "chosen": "a b", "rejected": "zz"} for r in DEMONSTRATIONS]
    write_jsonl(here / "pairs.jsonl", pairs)
    return here


@pytest.fixture
def run(monkeypatch, world, tmp_path, capsys):
    """Run a command line, in which ``@name`` stands for a file of the world; returns its stdout."""

    def call(line: str, code: int = 0) -> str:
        monkeypatch.chdir(tmp_path)
        arguments = [word.replace("@", f"{world}/") for word in shlex.split(line)]
        assert cli.main(arguments) == code
        return capsys.readouterr().out

    return call


# ------------------------------------------------------------------------------------- explanations


def test_help_names_every_command(run):
    page = run("--help")
    assert all(f"\n  {name} " in page for name in cli.COMMANDS)
    assert run("", code=2) == page
    assert run("--version").strip() == minirlhf.__version__


@pytest.mark.parametrize("name", PAGES)
def test_every_command_explains_itself(name, run):
    page = run(f"{name} --help")
    assert inspect.getdoc(PAGES[name]).splitlines()[0] in page
    assert "(required)" in page or name in ("doctor", "presets", "bases", "prove")


@pytest.mark.parametrize("name", PAGES)
def test_the_examples_in_the_help_are_valid(name):
    text = inspect.getdoc(PAGES[name]).replace("\\\n", " ")
    example = next(line for line in text.splitlines() if line.strip().startswith("minirlhf"))
    words = shlex.split(example.partition(">")[0])
    assert words[:2] == ["minirlhf", name]
    staged = {"pretrain": "pretrain", "sft": "sft", "rm": "reward", "ppo": "ppo"}
    defaults = {"settings": preset([], staged[name])} if name in staged else {}
    assert isinstance(parse(PAGES[name], name, words[2:], **defaults), PAGES[name])


def test_help_answers_at_once():
    """No command imports torch before it has read its arguments, but two that take hours."""
    soon = [name for name in PAGES if name not in ("bases", "prove")]
    code = (
        "import sys; from minirlhf.cli.__main__ import main;"
        f"[main([name, '--help']) for name in {soon!r}];"
        "sys.exit(bool({'torch', 'transformers', 'scipy', 'tqdm'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0


# ------------------------------------------------------------------------------------------ presets


def test_settings_come_from_the_preset():
    def settings(command, name, stage, line):
        words = shlex.split(line)
        return parse(command, name, words, settings=preset(words, stage)).settings

    line = "--model small --demonstrations d --folder f"
    assert settings(stages.SFT, "sft", "sft", line) == PRESETS["tinytown"].sft
    assert settings(stages.SFT, "sft", "sft", f"{line} --preset=paper") == PRESETS["paper"].sft
    paper = settings(stages.SFT, "sft", "sft", f"{line} --preset paper --epochs 3 --betas .8 .9")
    assert paper == replace(PRESETS["paper"].sft, epochs=3, betas=(0.8, 0.9))


def test_documents_choose_the_settings_that_use_them(monkeypatch, world, tmp_path):
    seen = []

    def record(config, *models, **options):
        seen.append(config)
        raise KeyboardInterrupt

    monkeypatch.setattr(sft, "train_sft", record)
    monkeypatch.setattr(ppo, "train_ppo", record)
    texts, here = ["--pretraining", f"{world}/texts.jsonl"], ["--folder", f"{tmp_path}/run"]
    model = ["--model", f"{world}/base"]
    one = [*model, "--demonstrations", f"{world}/demos.jsonl"]
    two = [*model, "--reward", f"{world}/rm", "--prompts", f"{world}/demos.jsonl"]
    for arguments in (["sft", *one], ["sft", *one, *texts], ["ppo", *two], ["ppo", *two, *texts]):
        assert cli.main([*arguments, *here]) == 130
    town = PRESETS["tinytown"]
    assert seen == [town.sft, town.initial, town.ppo, town.ppo_ptx]


def test_presets_shows_every_difference_with_its_reason(run):
    rows = list(show_presets.differences())
    assert {reason for *_, reason in rows} == {reason for *_, reason in DIFFERENCES}
    page = run("presets")
    assert all(len(line) <= 100 for line in page.splitlines())
    assert "9.65e-06" in page and "0.001" in page
    table = run("presets --markdown").splitlines()
    assert len(table) == len(rows) + 2 and len({line.count("|") for line in table}) == 1


# ------------------------------------------------------------------------------------------- stages


def test_the_three_steps_from_files(run, tmp_path, capsys):
    fit = "--batch 8 --max-length 64 --epochs 1"
    line = f"sft --model @base --demonstrations @demos.jsonl {fit}"
    said = run(f"{line} --folder sft --validation @demos.jsonl")
    assert said.startswith("policy in sft/model (loss ") and ", validation loss " in said
    again = run(f"{line} --folder sft --validation @demos.jsonl")
    assert again == said  # it had finished
    run(f"{line} --folder c3 --pretraining @texts.jsonl")
    line = f"rm --model sft --demonstrations @demos.jsonl {fit}"
    assert "accuracy" in run(f"{line} --folder rm --rankings @rankings.jsonl")
    run(f"{line} --folder pairs --rankings @pairs.jsonl --validation @rankings.jsonl")
    run(f"{line} --folder further --rankings @pairs.jsonl".replace("--model sft", "--model rm"))
    fit = "--episodes 16 --rollout-batch 8 --minibatch 8 --max-prompt 24 --max-response 8"
    start = f"ppo --model c3 --prompts @demos.jsonl {fit}"
    said = run(f"{start} --reward rm --folder ppo")
    assert "objective/score" in said and "objective/kl" in said
    run(f"{start} --reward pairs --reference sft --pretraining @texts.jsonl --folder ptx")
    for name in ("sft", "c3", "ppo", "ptx"):
        AutoModelForCausalLM.from_pretrained(tmp_path / name / "model")
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "rm" / "model")
    assert not same_weights(
        load_policy(tmp_path / "ppo/model"), load_policy(tmp_path / "ptx/model")
    )
    metrics = [json.loads(line) for line in Path("ptx/metrics.jsonl").read_text().splitlines()]
    assert "ptx/loss" in metrics[-1] and Path("ptx/samples.jsonl").exists()


def test_pretraining_from_text(run, tmp_path):
    line = "--documents @texts.jsonl --tokenizer @base --size small --context 64 --batch 2"
    assert "loss" in run(f"pretrain {line} --max-steps 3 --folder base --validation @texts.jsonl")
    assert load_policy(tmp_path / "base/model").config.hidden_size == bases.SIZES["small"].width


def test_long_lines_are_left_out_on_demand(run, tmp_path, capsys):
    long = {"prompt": "a" * 99, "completion": "b"}
    write_jsonl(tmp_path / "mine.jsonl", [*DEMONSTRATIONS, long])
    arguments = "--model @base --demonstrations mine.jsonl --folder run --epochs 1 --max-length 64"
    with pytest.MonkeyPatch.context() as patch:
        said = []
        patch.setattr(sys.stderr, "write", said.append)
        run(f"sft {arguments} --drop-long")
    assert "note: 1 of 26 demonstrations exceed max_length = 64 tokens" in "".join(said)


def test_bases_go_by_their_size(run, world, monkeypatch):
    monkeypatch.setattr(bases, "base_folder", lambda size: world / "base", raising=False)
    run("sft --model medium --demonstrations @demos.jsonl --folder run --epochs 1 --max-length 64")


# ----------------------------------------------------------------------------------- evaluate, chat


def test_evaluate_tinytowns_prompts(run, tmp_path):
    prompts = ["Write a poem about the mill.\n", "Write a letter to Jon.\n", "what\n"]
    write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": prompt} for prompt in prompts])
    page = run(
        "evaluate --models @base @base --prompts prompts.jsonl --reward @rm --max-response 8 "
        "--output new/evaluation.json --show 1"
    )
    assert page.startswith("── Write a poem") and "wins: labelers" in page
    result = json.loads((tmp_path / "new/evaluation.json").read_text())
    first, second = result["models"]
    assert "wins: judge" not in first
    for judge in ("judge", "labelers", "reward"):  # the same samples: nothing but ties
        assert second[f"wins: {judge}"]["mean"] == 0.5
    assert (second["passes"]["n"], second["score"]["n"]) == (2, 3)  # "what" is no request
    assert [sample["prompt"] for sample in result["samples"]] == prompts
    assert all(len(sample["responses"]) == 2 for sample in result["samples"])


def test_evaluate_prompts_of_ones_own(run, tmp_path):
    page = run("evaluate --models @base --prompts @demos.jsonl --count 5 --max-response 8 --show 0")
    header = page.splitlines()[0].split()
    assert header == ["model", "words"]
    assert len(json.loads((tmp_path / "evaluation.json").read_text())["samples"]) == 5


def test_chat_from_a_pipe(run, monkeypatch):
    def talk(*lines: str, options: str = "", code: int = 0) -> list[str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines)))
        return run(f"chat @base --max-response 12 {options}", code).split("\n")

    once, again = talk("say red", "/again")[:2], talk("say red", "/again")[:2]
    assert once == again and once[0] != once[1]
    set_to, *cold = talk("/temp 0", "say red", "/again", "/quit", "never asked")[:-1]
    assert set_to == "(temperature 0)" and cold[: len(cold) // 2] == cold[len(cold) // 2 :]
    scored = talk("/best 3", "", "say red", "/help", options="--reward @rm")
    assert scored[0] == "(best of 3)" and any(line.startswith("[score ") for line in scored)
    assert any("/temp T" in line for line in scored)
    talk("/best 3", code=2)


def test_lines_that_go_on(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("one \\\ntwo\n\nthree\\"))
    assert list(chat.read_lines(interactive=False)) == ["one \ntwo", "", "three"]


# ----------------------------------------------------------------------------------------- the rest


def test_run_hands_its_settings_to_the_main_job(run, monkeypatch):
    calls = []
    fake = ModuleType("minirlhf.experiment.main_job")
    fake.run = lambda world, config, callback: calls.append((type(world), config))
    monkeypatch.setitem(sys.modules, "minirlhf.experiment.main_job", fake)
    monkeypatch.setattr(experiment, "main_job", fake, raising=False)
    monkeypatch.setattr("minirlhf.report.summary.brief", lambda summary: "that is all")
    assert run("run --folder here --seed 3") == "that is all\n\nreport: here/report.html\n"
    assert calls == [(Tinytown, ExperimentConfig(folder=Path("here"), seed=3))]


def test_doctor(run, monkeypatch):
    found = lambda folder: [checks.Finding("disk", "ok", str(folder))]  # noqa: E731
    monkeypatch.setattr(doctor, "examine", found)
    assert run("doctor") == "✓ disk            runs\n\nNo problem found.\n"
    assert "elsewhere" in run("doctor --folder elsewhere")
    monkeypatch.setattr(
        doctor, "examine", lambda folder: [doctor.Finding("disk", "problem", "full")]
    )
    run("doctor", code=1)


def test_interruption(world, tmp_path, monkeypatch, capsys):
    def interrupted(*models, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(sft, "train_sft", interrupted)
    arguments = f"--model {world}/base --demonstrations {world}/demos.jsonl --folder {tmp_path}/run"
    assert cli.main(["sft", *arguments.split()]) == 130
    said = capsys.readouterr().err.strip()
    assert said == "interrupted: the same command goes on from the last checkpoint."


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_request_to_end_waits_for_the_sentence(monkeypatch, capsys):
    """A launcher whose other process died asks this one to end while it says why it does."""

    class Asked(MinirlhfError):
        def __str__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            return "another process has ended."

    def failing():
        raise Asked

    monkeypatch.setattr(show_presets, "differences", failing)
    asked = []
    before = signal.signal(signal.SIGTERM, lambda *_: asked.append("before"))
    try:
        assert cli.main(["presets"]) == 2
        assert not asked and capsys.readouterr().err == "error: another process has ended.\n"
        os.kill(os.getpid(), signal.SIGTERM)
        assert asked == ["before"]  # whose it was
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_bug_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(show_presets, "differences", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["presets"])


def test_missing_package(monkeypatch, capsys):
    def broken(*_):
        raise ModuleNotFoundError(name="scipy")

    monkeypatch.setattr(show_presets, "differences", broken)
    assert cli.main(["presets"]) == 2
    assert "scipy is not installed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("chat @base --best 0", "--best 0: it has to be a number, at least 1"),
        ("chat @base --temperature nan", "--temperature nan: it has to be a number"),
        ("chat @base --max-response 0", "--max-response 0"),
        ("evaluate --models @base --prompts @demos.jsonl --count -5", "--count -5"),
        ("evaluate --models @base --prompts @demos.jsonl --temperature -1", "--temperature -1"),
        ("evaluate --models @base --prompts @demos.jsonl --output .", "--output . is a folder"),
    ],
)
def test_numbers_and_places_out_of_range(line, said, world, capsys):
    assert cli.main([word.replace("@", f"{world}/") for word in shlex.split(line)]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["ppo", "--help"], ["ppo", "--bets", "3"]])
def test_a_terminal_that_knows_ascii_alone(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "minirlhf.cli", *arguments], capture_output=True, text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    if "--help" in arguments:
        assert done.returncode == 0 and "--beta" in done.stdout
    else:
        assert done.returncode == 2 and "----" not in done.stderr and "--bets" in done.stderr


def test_a_pipe_that_is_no_utf8(world):
    done = subprocess.run(
        [sys.executable, "-m", "minirlhf.cli", "chat", str(world / "base"), "--max-response", "4"],
        input=b"say \xff red\n", capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_model_of_ppo_may_lack_a_pad_token():
    assert "pad_token" in {field.name for field in fields(stages.PPO)}
