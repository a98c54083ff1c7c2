"""Words become a command's settings as tyro would read them, and mistakes become sentences."""

import random
import shlex
import subprocess
import sys
from dataclasses import fields

import pytest
import tyro

from minirlhf.cli import chat, doctor, evaluation, other_words, show_presets, stages, start_exercise
from minirlhf.cli.command_line import options_of, read
from minirlhf.cli.options import parse
from minirlhf.errors import MinirlhfError
from minirlhf.experiment.experiment_config import ExperimentConfig
from minirlhf.experiment.proof import ProofConfig
from minirlhf.presets import PRESETS
from minirlhf.tinytown.bases import Remake

TOWN = PRESETS["tinytown"]
COMMANDS = {
    "run": (ExperimentConfig, {}, ""),
    "pretrain": (
        stages.Pretrain, {"settings": TOWN.pretrain}, "--folder a --documents d.jsonl"
    ),
    "sft": (stages.SFT, {"settings": TOWN.sft}, "--folder a --model m --demonstrations d"),
    "rm": (
        stages.RM, {"settings": TOWN.reward}, "--folder a --model m --rankings r --demonstrations d"
    ),
    "ppo": (stages.PPO, {"settings": TOWN.ppo}, "--folder a --model m --reward r --prompts p"),
    "evaluate": (evaluation.Evaluate, {}, "--models a b --prompts p"),
    "chat": (chat.Chat, {}, "small"),
    "doctor": (doctor.Doctor, {}, ""),
    "start": (start_exercise.Start, {}, "ex05"),
    "presets": (show_presets.Presets, {}, ""),
    "bases": (Remake, {}, ""),
    "prove": (ProofConfig, {}, ""),
}  # fmt: skip
"""Each command: its dataclass, the defaults that it is read with, and the least it needs."""


def by_tyro(name, words):
    command, defaults, _ = COMMANDS[name]
    if defaults:
        needed = {f.name: tyro.MISSING for f in fields(command) if f.name not in defaults}
        given = {f.name: f.default for f in fields(command) if f.default is not f.default_factory}
        defaults = {"default": command(**(needed | given | defaults))}
    return tyro.cli(command, args=words, **defaults)


def by_us(name, words):
    command, defaults, _ = COMMANDS[name]
    return read(command, words, **defaults)


def refusal(name, line):
    command, defaults, _ = COMMANDS[name]
    with pytest.raises(MinirlhfError) as error:
        parse(command, name, shlex.split(line), **defaults)
    said = str(error.value)
    assert said.endswith(f" (see minirlhf {name} --help)")
    return said.removesuffix(f" (see minirlhf {name} --help)")


# ----------------------------------------------------------------------------------- as tyro reads


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("sft", "--preset paper --columns prompt=question text=body --drop-long"),
        ("sft", "--epochs 2 --no-keep-epochs --residual-dropout 0.1 --pad-token=<|pad|>"),
        ("sft", "--learning-rate 1e-3 --micro_batch 4 --precision bf16 --grad-clip None"),
        ("sft", "--betas 0.9 0.95 --micro-batch None --columns --gradient-checkpointing"),
        ("rm", "--seed 3 --seed 4 --floor=.5"),
        ("ppo", "--beta 0.5 --ema 0.96 --missing-eos-penalty 0.5 --no-whiten-advantages"),
        ("pretrain", "--size small --preset=paper --max-steps 7"),
        ("run", "--folder here --k 4 6 --stages.ppo-ptx.beta 0.5 --stages.sft.no-keep-epochs"),
        ("run", "--stages.ppo.betas 0.1 0.2 --stages.reward.fsdp --ppo-prompts=100"),
        ("chat", "--temperature 0 --no-template --reward runs/rm --best 4"),
        ("evaluate", "--judge none --output a/b.json --count 3 --columns a=b --show 0"),
        ("doctor", "--folder /data/runs"),
        ("presets", "--markdown"),
        ("bases", "--size large --threads 2 --folder here --precision fp32"),
        ("prove", "--seeds 3 --run.k 4 6 --run.stages.sft.epochs 2 --folder=there"),
    ],
)
def test_the_same_words_mean_what_they_mean_to_tyro(name, line):
    words = shlex.split(f"{COMMANDS[name][2]} {line}")
    assert by_us(name, words) == by_tyro(name, words)


@pytest.mark.parametrize("name", COMMANDS)
def test_any_options_in_any_order_too(name):
    """Random values of every kind; what tyro refuses, we do."""
    rng = random.Random(name)
    command, defaults, least = COMMANDS[name]
    values = [
        "3",
        "-1",
        "0.5",
        "1e-3",
        "None",
        "bf16",
        "tinytown",
        "word",
        "a b",
        "1 2",
        ".1 .2",
        "",
    ]
    flags = [flag for flag, option in options_of(command, defaults) if not option.positional]
    for _ in range(12):
        words = shlex.split(least)
        for flag in rng.sample(flags, min(2, len(flags))):
            words += [f"--{flag}", *rng.choice(values).split()]
        try:
            theirs = by_tyro(name, words)
        except (SystemExit, MinirlhfError):
            theirs = None
        try:
            ours = by_us(name, words)
        except MinirlhfError:
            ours = None
        assert ours == theirs, words


def test_a_switch_also_takes_true_and_false():
    """As Hugging Face's do; tyro refuses it."""
    _, _, least = COMMANDS["sft"]
    words = shlex.split(least)
    assert by_us("sft", [*words, "--keep-epochs", "False"]).settings.keep_epochs is False
    assert by_us("sft", [*words, "--fsdp", "true"]).settings.fsdp is True


# --------------------------------------------------------------------------------------- sentences

WRONG = [
    ("ppo", "--foo 3", "--foo 3: there is no such option; --folder, --model, --reward and "
     "--prompts are missing"),
    ("ppo", "--kl-coef 0.05", "--kl-coef 0.05: here that is --beta 0.05; --folder"),
    ("ppo", "--gamma .9", "--gamma .9: nothing is discounted"),
    ("ppo", "actor.optim.lr=1e-6 critic.optim.lr=1e-5", "actor.optim.lr=1e-6: here that is "
     "--learning-rate 1e-6; critic.optim.lr=1e-5: here that is --value-learning-rate 1e-5"),
    ("ppo", "--epochs 3", "--epochs 3: --episodes is how many responses are sampled in all"),
    ("ppo", "--clip", "--clip: its value is missing"),
    ("ppo", "--bta 3", "--bta 3: did you mean --beta?"),
    ("sft", "--lr 1e-4 --output-dir x --dataset d --model-name-or-path m", "--lr 1e-4: here that "
     "is --learning-rate 1e-4; --output-dir x: here that is --folder x; --dataset d: here that is "
     "--demonstrations d; --model-name-or-path m: here that is --model m"),
    ("sft", "--bf16", "--bf16: here that is --precision bf16"),
    ("sft", "--epoch 3", "--epoch 3: did you mean --epochs?"),
    ("sft", "--epochs many", "--epochs many: it has to be a whole number"),
    ("sft", "--per_device_train_batch_size 8", "--micro-batch is how many rows a forward pass has"),
    ("rm", "--dataset d", "--dataset d: here that is --rankings d"),
    ("rm", "--betas 0.9", "--betas 0.9: it takes 2 values"),
    ("rm", "--fsdp yes", "--fsdp yes: it is a switch"),
    ("rm", "--precision bf61", "--precision bf61: it has to be auto, fp32, bf16 or fp16; "
     "did you mean bf16?"),
    ("rm", "-beta 3 x", "-beta 3 x: did you mean --betas?"),
    ("pretrain", "--size huge", "--size huge: it has to be small, medium or large"),
    ("pretrain", "--max-len 3", "--max-len 3: here that is --context 3"),
    ("pretrain", "--learning-rate x", "--learning-rate x: it has to be a number"),
    ("run", "--lr 1", "--lr 1: here that is --stages.X.learning-rate 1, where X is pretrain, sft, "
     "initial, reward, ppo or ppo-ptx"),
    ("run", "--episodes 3", "did you mean --stages.ppo.episodes or --stages.ppo-ptx.episodes?"),
    ("run", "--dataset d", "--dataset d: the main job makes its own data"),
    ("run", "--max-new-tokens 9", "--max-new-tokens 9: here that is --max-response 9"),
    ("run", "here", "here: it belongs to no option"),
    ("evaluate", "--model a b", "--model a b: did you mean --models?; --prompts is missing"),
    ("evaluate", "--judge me", "--judge me: it has to be tinytown or none"),
    ("evaluate", "--limit 3", "--limit 3: here that is --count 3"),
    ("chat", "", "MODEL is missing"),
    ("chat", "small large", "large: it belongs to no option"),
    ("chat", "small --top-p .9", "--top-p .9: samples come from the whole distribution"),
    ("chat", "small --temperature hot", "--temperature hot: it has to be a number"),
    ("doctor", "runs", "runs: it belongs to no option"),
    ("doctor", "--fodler x", "--fodler x: did you mean --folder?"),
    ("doctor", "--folder=", "--folder: its value is missing"),
    ("start", "", "NAME is missing"),
    ("start", "ex05 ex06", "ex06: it belongs to no option"),
    ("start", "--exercise 5", "--exercise 5: there is no such option; NAME is missing"),
    ("presets", "paper", "paper: it belongs to no option"),
    ("presets", "--markdwn", "--markdwn: did you mean --markdown?"),
    ("presets", "--no-markdown=1", "--no-markdown=1: did you mean --markdown?"),
    ("bases", "--foo 3", "--foo 3: there is no such option"),
    ("bases", "--size 175B", "--size 175B: it has to be small, medium, large or all"),
    ("bases", "--output-dir x", "--output-dir x: here that is --folder x"),
    ("prove", "runs/proof", "runs/proof: it belongs to no option"),
    ("prove", "--seed 3", "--seed 3: did you mean --seeds?"),
    ("prove", "--sed 3", "--sed 3: did you mean --seeds?"),
    ("prove", "--random-seed 3", "--random-seed 3: did you mean --run.seed?"),
    ("prove", "--seeds few", "--seeds few: it has to be a whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "line", "said"), WRONG)
def test_what_is_wrong_is_said(name, line, said):
    assert said in refusal(name, line)


def test_three_wrong_uses_of_every_command():
    assert all([name for name, *_ in WRONG].count(name) >= 3 for name in COMMANDS)


def test_no_word_of_the_table_is_empty_talk():
    """Every entry speaks of an option that there is, and is the answer to its words somewhere."""
    known = {
        name: [flag for flag, option in options_of(command, defaults) if not option.positional]
        for name, (command, defaults, _) in COMMANDS.items()
    }
    everything = {flag.rpartition(".")[2] for flags in known.values() for flag in flags}
    for entry in other_words.table()["word"]:
        ours = entry.get("ours", "").partition(" ")[0]
        assert not ours or ours in everything, ours
        assert entry.keys() <= {"ours", "theirs", "say"} and len({"ours", "say"} & entry.keys())
        for word in entry["theirs"]:
            assert word == word.lower().replace("_", "-")
            answers = [
                other_words.explain(f"--{word}", ["7"], flags)[0]
                for flags in known.values()
                if word not in flags
            ]
            wanted = entry.get("say") or f"here that is --{entry['ours']}"
            assert any(wanted in answer for answer in answers), word


def test_commands_by_other_names():
    from minirlhf.cli.__main__ import COMMANDS as THERE

    names = other_words.table()["commands"]
    assert names.keys() <= THERE.keys()
    others = [word for words in names.values() for word in words]
    assert len(others) == len(set(others)) and not set(others) & THERE.keys()


@pytest.mark.parametrize("line", ["ppo --lr 3 --foo", "chat", "presets paper", "ppo --help"])
def test_colab_which_lacks_tyro_is_told_the_same(line):
    lacks = "import sys; sys.modules.update({'tyro': None, 'tyro.conf': None})\n"
    code = "from minirlhf.cli.__main__ import main; import sys; sys.exit(main(sys.argv[1:]))"
    told = [
        subprocess.run(
            [sys.executable, "-c", first + code, *line.split()], capture_output=True, text=True
        )
        for first in ("", lacks)
    ]
    assert [done.returncode for done in told] == [0 if "--help" in line else 2] * 2
    if "--help" in line:
        assert all("--learning-rate" in done.stdout for done in told)
        assert "pip install tyro" in told[1].stdout
    else:
        assert told[0].stderr == told[1].stderr
