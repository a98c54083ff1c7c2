"""Whatever is wrong with what a user hands in: one sentence that says what, where, what to do."""

import errno
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import DEMONSTRATIONS, policy, same_weights, tokenizer, write_world
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from minirlhf.cli.__main__ import main
from minirlhf.config import PPOConfig
from minirlhf.data.records import write_jsonl
from minirlhf.errors import MinirlhfError
from minirlhf.models import ScalarModel
from minirlhf.ppo import train_ppo
from minirlhf.pretrained import save_model

FAST = {
    "pretrain": "--size small --context 64 --batch 2 --max-steps 3 --warmup 1".split(),
    "sft": "--epochs 1 --batch 8 --max-length 64 --no-keep-epochs".split(),
    "rm": "--batch 8 --max-length 64".split(),
    "ppo": "--episodes 16 --rollout-batch 8 --minibatch 8 --max-prompt 24 --max-response 8".split(),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Good input of every kind, not to be changed."""
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def command(world, tmp_path):
    """The arguments of a stage that would succeed, with some of them replaced."""

    def build(stage: str, **replaced: object) -> list[str]:
        options = {
            "pretrain": {"documents": world / "texts.jsonl", "tokenizer": world / "base"},
            "sft": {"model": world / "base", "demonstrations": world / "demos.jsonl"},
            "rm": {
                "model": world / "base",
                "rankings": world / "rankings.jsonl",
                "demonstrations": world / "demos.jsonl",
            },
            "ppo": {
                "model": world / "base",
                "reward": world / "rm",
                "prompts": world / "demos.jsonl",
            },
            "evaluate": {
                "models": world / "base",
                "prompts": world / "demos.jsonl",
                "output": tmp_path / "run",
            },
        }[stage]
        if stage != "evaluate":
            options["folder"] = tmp_path / "run"
        given = options | {name.replace("_", "-"): value for name, value in replaced.items()}
        flags = [text for name, value in given.items() for text in (f"--{name}", str(value))]
        return [stage, *FAST.get(stage, []), *flags]

    return build


@pytest.fixture
def refused(tmp_path, capsys):
    """Run a command that has to be refused; its one sentence has to contain all of ``words``."""

    def check(arguments: list[str], *words: object, leaves: str | None = None) -> str:
        before = contents(tmp_path)
        code = main([str(argument) for argument in arguments])
        error = capsys.readouterr().err
        said = [line for line in error.splitlines() if line.startswith("error: ")]
        assert code == 2, error
        assert len(said) == 1 and "Traceback" not in error, error
        for word in words:
            assert str(word) in said[0], said[0]
        new = contents(tmp_path) - before
        assert not new or leaves, f"left behind: {new}"
        if new and leaves == "curves":
            assert any(path.name == "metrics.jsonl" and path.stat().st_size for path in new)
            assert not any(path.name in ("state.pt", "model") for path in new)
        assert not [path for path in new if path.suffix == ".tmp"]
        return said[0]

    return check


def contents(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


# --------------------------------------------------------------------------------------- data files

GOOD = json.dumps(DEMONSTRATIONS[0])
RANKING = {"prompt": "say red\n", "completions": ["red", "blue", "green"], "ranks": [1, 2, 3]}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"prompt": "a", "response": "b"}', ("line 2", "'completion' is missing", "response")),
        ('{"prompt": "a", "completion": 7}', ("line 2", "'completion' must be a string", "int")),
        ('{"prompt": "a", "completion": null}', ("line 2", "'completion'", "NoneType")),
        ('\n{"prompt": "a", "completion": "b"', ("line 3", "not JSON", "one object a line")),
        ('["a", "b"]', ("line 2", "expected a JSON object")),
        (b'{"prompt": "caf\xe9", "completion": "b"}', ("line 2", "not UTF-8", "save the file as")),
        ('{"prompt": "\\ud83d", "completion": "b"}', ("line 2", "half of a surrogate pair")),
        ("[" * 100_000, ("line 2", "nested too deeply", "one flat object a line")),
        (b"\x1f\x8b\x08\x00\xff\xfe", ("line 2", "not UTF-8")),
        (
            json.dumps({"prompt": "a" * 99, "completion": "b"}),
            ("line 2", "102 tokens, where 64", "raise --max-length", "--drop-long"),
        ),
    ],
    ids="column number null broken no-object encoding surrogate nested zipped over-long".split(),
)
def test_bad_line_of_demonstrations(text, words, command, refused, tmp_path):
    file = tmp_path / "mine.jsonl"
    line = text if isinstance(text, bytes) else text.encode()
    file.write_bytes(GOOD.encode() + b"\n" + line + b"\n")
    refused(command("sft", demonstrations=file), file, *words)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ranks": [1, 2, 4]}, ("[1, 2, 4] are no ranking", "ties share a rank")),
        ({"ranks": [0, 1, 2]}, ("[0, 1, 2] are no ranking", "count from 1")),
        ({"ranks": [1, 2]}, ("3 completions but 2 ranks",)),
        ({"ranks": [1, 2, "3"]}, ("'ranks' must be a list of integers", "a list of int and str")),
        ({"ranks": [1, 2, 2.5]}, ("'ranks' must be a list of integers", "float")),
        ({"completions": ["red"], "ranks": [1]}, ("at least 2 completions, found 1",)),
        ({"completions": ["red", 5, "blue"]}, ("'completions' must be a list of strings", "int")),
        ({"completions": "red"}, ("'completions' must be a list of strings", "str")),
        ({"completions": ["red" * 40, "a", "b"]}, ("line 2: 130 tokens, where 64", "--drop-long")),
    ],
    ids="gap zero short text fraction single number string over-long".split(),
)
def test_bad_line_of_rankings(change, words, command, refused, tmp_path):
    write_jsonl(tmp_path / "mine.jsonl", [RANKING, RANKING | change])
    refused(command("rm", rankings=tmp_path / "mine.jsonl"), "mine.jsonl, line 2", *words)


def test_comparison_without_its_loser(command, refused, tmp_path):
    pairs = [{"prompt": "a", "chosen": "b", "rejected": "c"}, {"prompt": "a", "chosen": "b"}]
    write_jsonl(tmp_path / "pairs.jsonl", pairs)
    refused(command("rm", rankings=tmp_path / "pairs.jsonl"), "line 2", "'rejected' is missing")


def test_rankings_that_are_all_ties(command, refused, tmp_path):
    write_jsonl(tmp_path / "ties.jsonl", [RANKING | {"ranks": [1, 1, 1]}])
    refused(command("rm", rankings=tmp_path / "ties.jsonl"), "nothing but ties")


def test_long_prompt(command, refused, tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "short"}\n\n' + f'{{"prompt": "{"long" * 20}"}}\n' * 3)
    said = refused(command("ppo", prompts=file), file, "81 tokens, where 24", "--max-prompt")
    assert "line 3" in said and "2 more lines" in said and "--drop-long" in said


def test_nothing_but_long_prompts(command, refused, tmp_path):
    write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": "long" * 20}])
    arguments = [*command("ppo", prompts=tmp_path / "prompts.jsonl"), "--drop-long"]
    refused(arguments, "No prompt", "max_prompt = 24")


def test_prompt_beyond_the_models_positions(command, refused, tmp_path):
    write_jsonl(tmp_path / "prompts.jsonl", [{"prompt": "fits"}, {"prompt": "long" * 40}])
    arguments = command("evaluate", prompts=tmp_path / "prompts.jsonl")
    refused(arguments, "prompts.jsonl, line 2", "161 tokens", "128 positions", "--max-response")


def test_files_that_are_none(command, refused, tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n")
    refused(command("sft", demonstrations=tmp_path / "empty.jsonl"), "empty.jsonl holds no records")
    refused(
        command("sft", demonstrations=tmp_path / "nowhere.jsonl"), "nowhere.jsonl doesn't exist"
    )
    refused(command("sft", demonstrations=tmp_path), tmp_path, "is a folder", "name the .jsonl")


# ------------------------------------------------------------------------------------------- models


@pytest.fixture
def copied(world, tmp_path):
    return Path(shutil.copytree(world / "base", tmp_path / "copy"))


def test_weights_cut_short(command, refused, copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    refused(command("sft", model=copied), copied, "damaged", "make it again")


def test_weights_that_are_noise(command, refused, copied):
    (copied / "model.safetensors").write_bytes(os.urandom(5000))
    refused(command("sft", model=copied), copied, "damaged", "make it again")


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_file_of_the_model_is_missing(missing, command, refused, copied):
    (copied / missing).unlink()
    refused(command("sft", model=copied), copied, "can't be loaded", "make it again")


def test_a_tensor_of_the_model_is_missing(command, refused, copied):
    weights = load_file(copied / "model.safetensors")
    weights.pop("gpt_neox.layers.1.mlp.dense_h_to_4h.weight")
    save_file(weights, copied / "model.safetensors", {"format": "pt"})
    refused(command("sft", model=copied), copied, "lacks", "layers.1.mlp")


@pytest.mark.parametrize("stage", ["sft", "rm", "ppo", "evaluate"])
def test_weights_that_are_nan(stage, command, refused, copied):
    weights = load_file(copied / "model.safetensors")
    weights["gpt_neox.final_layer_norm.weight"].fill_(float("nan"))
    save_file(weights, copied / "model.safetensors", {"format": "pt"})
    name = "models" if stage == "evaluate" else "model"
    refused(command(stage, **{name: copied}), copied, "NaN", "final_layer_norm", "make it again")


def test_tokenizer_without_pad(command, refused, copied):
    padless(copied).save_pretrained(copied)
    refused(command("sft", model=copied), copied, "no pad token", "--pad-token '<|pad|>'")


def test_tokenizer_whose_pad_is_eos(command, refused, copied):
    padless(copied, pad_token="<|endoftext|>").save_pretrained(copied)
    refused(command("sft", model=copied), copied, "is its EOS token", "--pad-token '<|pad|>'")


def padless(folder: Path, **tokens: str) -> PreTrainedTokenizerFast:
    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|endoftext|>", **tokens)


def test_no_such_model(command, refused, tmp_path):
    (tmp_path / "void").mkdir()
    refused(command("sft", model=tmp_path / "nowhere"), "nowhere", "no folder", "check the path")
    refused(command("sft", model=tmp_path / "void"), "void is empty")


def test_ppo_with_a_reference_of_another_vocabulary(command, refused, world, tmp_path):
    other = PreTrainedTokenizerFast.from_pretrained(world / "base")
    other.add_tokens(["<|more|>"])
    model = policy(scale=1.0)
    model.resize_token_embeddings(len(other), mean_resizing=False)
    save_model(model, other, tmp_path / "other")
    words = (tmp_path / "other", "vocabulary", "260", "259")
    refused(command("ppo", reference=tmp_path / "other"), *words)


@pytest.mark.parametrize("name", ["runs/my sft", "x" * 300, "a--b", "runs/.hidden "])
@pytest.mark.parametrize("option", ["model", "reward"])
def test_a_folder_that_is_not_there_and_no_name_of_the_hub(option, name, command, refused):
    refused(command("ppo", **{option: name}), name, "There is no folder", "check the path")


def test_hub_out_of_reach(command, refused, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://192.0.2.1")  # an address that never answers
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    arguments, start = command("sft", model="nobody/nothing"), time.monotonic()
    refused(arguments, "nobody/nothing", "neither a folder nor in the local cache", "fetch it")
    assert time.monotonic() - start < 2.0


def test_reward_model_with_another_vocabulary(command, refused, world, tmp_path):
    other = PreTrainedTokenizerFast.from_pretrained(world / "base")
    other.add_tokens(["<|more|>"])
    model = policy(scale=1.0)
    model.resize_token_embeddings(len(other), mean_resizing=False)
    ScalarModel.from_policy(model, other).save(tmp_path / "other", other)
    refused(
        command("ppo", reward=tmp_path / "other"), tmp_path / "other", "vocabulary", "260", "259"
    )


def test_policy_for_a_reward_model(command, refused, world):
    refused(command("ppo", reward=world / "base"), world / "base", "isn't a reward model")


def test_reward_model_for_a_policy(command, refused, world):
    refused(command("ppo", model=world / "rm"), world / "rm", "is a reward model", "a policy")


# ----------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("stage", "setting", "value"),
    [
        ("sft", "epochs", 0),
        ("sft", "batch", 0),
        ("sft", "learning_rate", -1.0),
        ("sft", "learning_rate", "nan"),
        ("sft", "pretrain_mix", 1.5),
        ("sft", "residual_dropout", 1.0),
        ("sft", "micro_batch", 0),
        ("sft", "log_every", 0),
        ("sft", "max_length", 0),
        ("rm", "epochs", -1),
        ("ppo", "episodes", 0),
        ("ppo", "minibatch", 0),
        ("ppo", "temperature", 0),
        ("ppo", "max_response", 0),
        ("ppo", "clip", -0.2),
    ],
)
def test_setting_out_of_range(stage, setting, value, command, refused):
    refused(command(stage, **{setting: value}), setting, value)


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--preset", "papers"], ("no preset 'papers'", "paper or tinytown")),
        (["--epochs", "many"], ("--epochs", "many", "minirlhf sft --help")),
        (["--epoch", "3"], ("--epoch", "minirlhf sft --help")),
        (["--pretrain-mix", "0.1"], ("--pretrain-mix needs documents", "--pretraining FILE")),
    ],
)
def test_arguments_that_do_not_fit(extra, words, command, refused):
    refused([*command("sft"), *extra], *words)


def test_ptx_without_documents(command, refused):
    refused([*command("ppo"), "--ptx-gamma", "1"], "--ptx-gamma", "--pretraining FILE")


def test_needed_arguments_are_missing(refused):
    refused(["sft"], "--model", "--demonstrations", "--folder", "minirlhf sft --help")


def test_unknown_command(refused):
    refused(["evalute"], "unknown command 'evalute'", "did you mean evaluate?")


def test_best_of_several_without_a_reward_model(refused, world):
    refused(["chat", world / "base", "--best", "4"], "--reward")


# -------------------------------------------------------------------------------------- run folders


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory):
    """A finished run of SFT."""
    folder = tmp_path_factory.mktemp("runs") / "sft"
    arguments = ["--model", world / "base", "--demonstrations", world / "demos.jsonl"]
    assert main(["sft", *FAST["sft"], *map(str, [*arguments, "--folder", folder])]) == 0
    return folder


def test_run_folder_of_another_stage(command, refused, finished):
    refused(command("rm", folder=finished), finished, "'sft'", "'reward'", "another folder")


def test_run_folder_with_other_settings(command, refused, finished):
    refused(command("sft", folder=finished, epochs=3), finished, "epochs = 1", "now it is 3")


def test_run_folder_with_other_data(command, refused, finished, tmp_path):
    write_jsonl(tmp_path / "other.jsonl", DEMONSTRATIONS[:9])
    arguments = command("sft", folder=finished, demonstrations=tmp_path / "other.jsonl")
    refused(arguments, finished, "demonstrations", "another folder")


@pytest.mark.parametrize("other", [policy("gpt2", scale=1.0), policy(seed=1, scale=1.0)])
def test_run_folder_with_another_model(other, command, refused, finished, tmp_path):
    save_model(other, tokenizer(), tmp_path / "other")
    words = (finished, "was made with policy =", "another folder")
    refused(command("sft", folder=finished, model=tmp_path / "other"), *words)


def test_run_folder_with_another_tokenizer(command, refused, finished, copied):
    text = (copied / "tokenizer.json").read_text()
    (copied / "tokenizer.json").write_text(text.replace("Ġ", "ġ"))
    words = (finished, "was made with tokenizer =", "another folder")
    refused(command("sft", folder=finished, model=copied), *words)


@pytest.fixture
def unfinished(world, tmp_path, capsys):
    """A run that stopped on the way."""
    folder = tmp_path / "unfinished"
    folder.mkdir()
    (folder / "control.json").write_text('{"stop": true}')
    arguments = ["--model", world / "base", "--demonstrations", world / "demos.jsonl"]
    assert main(["sft", *FAST["sft"], *map(str, [*arguments, "--folder", folder])]) == 2
    assert "was stopped at step 1" in capsys.readouterr().err
    (folder / "control.json").unlink()
    return folder


@pytest.mark.parametrize("share", [0.0, 0.001, 0.02, 0.5, 0.97, 0.9999])
def test_checkpoint_cut_short(share, command, refused, unfinished):
    state = unfinished / "checkpoint" / "state.pt"
    os.truncate(state, int(share * state.stat().st_size))
    refused(command("sft", folder=unfinished), state, "damaged", "start again")


@pytest.mark.parametrize("content", [{}, [1], {"step": 1}])
def test_checkpoint_of_something_else(content, command, refused, unfinished):
    torch.save(content, unfinished / "checkpoint" / "state.pt")
    refused(command("sft", folder=unfinished), "state.pt", "damaged", "start again")


def test_damaged_result(command, refused, unfinished):
    (unfinished / "done.json").write_text('{"loss": 1')
    refused(command("sft", folder=unfinished), "done.json", "damaged", "start again")


def test_damaged_config(command, refused, unfinished):
    (unfinished / "config.json").write_text("{")
    refused(command("sft", folder=unfinished), unfinished / "config.json", "damaged")


def test_unfinished_run_as_a_model(command, refused, unfinished):
    refused(command("sft", model=unfinished), unfinished, "isn't finished", "again")


# ----------------------------------------------------------------------------- numbers and machines


@pytest.mark.parametrize("stage", ["pretrain", "sft", "rm", "ppo"])
def test_divergence(stage, command, refused):
    arguments = command(
        stage, learning_rate=1e30, grad_clip="None", checkpoint_seconds=1e9, log_every=1
    )
    refused(arguments, "learning rate", leaves="curves")


@pytest.mark.parametrize("stage", ["pretrain", "sft", "rm", "ppo"])
def test_nothing_of_a_divergence_is_saved(stage, command, refused, tmp_path):
    """Checkpoints at every step, log lines at none: the last checkpoint is from before."""
    often = {"checkpoint_seconds": 0, "log_every": 1000}
    arguments = command(stage, learning_rate=1e30, grad_clip="None", **often)
    refused(arguments, "learning rate", leaves="a checkpoint")
    state = torch.load(tmp_path / "run" / "checkpoint" / "state.pt")
    assert state["step"] == 1
    for optimizer in state["tracked"].values():
        assert all(tensor.isfinite().all() for tensor in optimizer["model"].values())
    assert {path.name for path in (tmp_path / "run").iterdir()} <= {
        *("config.json", "metrics.jsonl", "samples.jsonl", "watched.jsonl"),
        *("tensorboard", "checkpoint", ".lock"),
    }


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_scorer_that_returns_nan(bad, tmp_path):
    model = policy(scale=1.0)
    value = ScalarModel.from_policy(model, tokenizer())
    config = PPOConfig(episodes=8, rollout_batch=8, minibatch=8, max_prompt=24, max_response=8)
    models = (model, policy(scale=1.0), lambda prompts, replies: torch.full((len(prompts),), bad))
    with pytest.raises(MinirlhfError, match="8 of 8 responses have a reward that is NaN"):
        train_ppo(
            config,
            *models,
            value,
            tokenizer(),
            DEMONSTRATIONS,
            folder=tmp_path / "run",
            callback=(),
        )
    assert not (tmp_path / "run").exists() and same_weights(model, policy(scale=1.0))


@pytest.mark.parametrize("where", ["checkpoint", "model"])
def test_full_disk(where, command, refused, monkeypatch):
    replace, mkdir = os.replace, Path.mkdir

    def full(path):
        if where in str(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(os, "replace", lambda one, two: [full(two), replace(one, two)][1])
    monkeypatch.setattr(Path, "mkdir", lambda path, *a, **k: [full(path), mkdir(path, *a, **k)][1])
    leaves = "a checkpoint" if where == "model" else "curves"
    refused(command("sft"), "no space is left", "free some", leaves=leaves)


@pytest.fixture
def disk(tmp_path):
    """Mounts a file system with the options given; only root can."""
    place = tmp_path / "disk"
    place.mkdir()

    def mount(options: str) -> Path:
        order = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        try:
            made = subprocess.run(order, capture_output=True).returncode == 0
        except OSError:
            made = False
        if not made:
            pytest.skip("no right to mount a small file system")
        return place

    yield mount
    if os.path.ismount(place):
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_disk_that_is_really_full(command, refused, disk):
    place = disk("size=300k")
    refused(command("sft", folder=place / "run"), "no space is left", leaves="curves")


def test_disk_that_fills_up_after_a_checkpoint(command, refused, disk, tmp_path, capsys):
    place = disk("size=420k")
    refused(command("sft", folder=place / "run"), "no space is left", leaves="a checkpoint")
    assert (place / "run" / "checkpoint" / "state.pt").exists()
    shutil.copytree(place / "run", tmp_path / "run")  # on a larger disk it goes on
    assert main(command("sft")) == 0


def test_disk_that_can_only_be_read(command, refused, disk):
    place = disk("ro")
    refused(command("sft", folder=place / "run"), "permission denied", "another place")


def test_limit_on_the_size_of_files(command, refused):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        refused(command("sft"), "larger than this machine allows", "ulimit -f", leaves="curves")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_folder_that_cannot_be_written(command, refused, tmp_path, monkeypatch):
    closed, mkdir = tmp_path / "closed", Path.mkdir
    closed.mkdir(0o500)
    if os.access(closed, os.W_OK):  # root may do anything

        def refuse(path, *rest, **options):
            if closed in path.parents:
                raise PermissionError(errno.EACCES, "Permission denied", str(path))
            mkdir(path, *rest, **options)

        monkeypatch.setattr(Path, "mkdir", refuse)
    arguments = command("sft", folder=closed / "run")
    refused(arguments, closed, "permission denied", "another place")


@pytest.mark.parametrize("code", [errno.ENAMETOOLONG, errno.ENOENT, errno.EIO, errno.ESTALE])
def test_whatever_the_system_refuses_is_a_sentence(code, command, refused, monkeypatch):
    def fails(*_, **__):
        raise OSError(code, os.strerror(code), "/far/away")

    monkeypatch.setattr("minirlhf.sft._train", fails)
    refused(command("sft"), "/far/away", os.strerror(code))


def test_a_folder_whose_name_is_too_long(command, refused, tmp_path):
    refused(command("sft", folder=tmp_path / ("x" * 300)), "file name too long", "shorter name")


def test_what_another_library_refuses_is_a_sentence_with_its_name(command, refused, monkeypatch):
    from packaging.version import Version

    monkeypatch.setattr("minirlhf.sft._train", lambda *_: Version("no version"))
    words = "packaging refuses this", "InvalidVersion", "no version", "MINIRLHF_TRACEBACK=1"
    refused(command("sft"), *words)
    monkeypatch.setenv("MINIRLHF_TRACEBACK", "1")
    with pytest.raises(ValueError, match="no version"):
        main(command("sft"))


def test_file_in_place_of_the_folder(command, refused, tmp_path):
    (tmp_path / "file").write_text("")
    refused(command("sft", folder=tmp_path / "file"), tmp_path / "file", "a file is in the way")
    refused(command("sft", folder=tmp_path / "file" / "run"), "a file is in the way")


# --------------------------------------------------------------------- the real thing, as a process


@pytest.mark.parametrize("what", ["data", "model"])
def test_as_a_process(what, command, world, tmp_path):
    (tmp_path / "mine.jsonl").write_text('{"prompt": "a"}\n')
    bad = {"demonstrations": tmp_path / "mine.jsonl"} if what == "data" else {"model": tmp_path}
    order = [sys.executable, "-m", "minirlhf.cli", *command("sft", **bad)]
    done = subprocess.run(order, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: {tmp_path}")
    assert not (tmp_path / "run").exists()
