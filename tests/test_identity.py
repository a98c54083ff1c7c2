"""What a run is known by: edit anything that its numbers depend on, and its folder refuses."""

import functools
from dataclasses import replace

import pytest
import torch
from test_ppo import CONFIG as PPO
from test_ppo import train as train_ppo
from test_reward import CONFIG as REWARD
from test_reward import train as train_reward
from test_sft import PRETRAIN, SFT
from test_sft import train as train_sft
from tiny import DEMONSTRATIONS, DOCUMENTS, RANKINGS, policy, tokenizer

from minirlhf.data.fingerprints import of_model
from minirlhf.errors import MinirlhfError
from minirlhf.pretrain import train_base
from minirlhf.pretrained import load_policy, load_tokenizer, save_model
from minirlhf.training.run_folder import compared


def base(folder, validation):
    config = replace(PRETRAIN, max_steps=2)
    options = {"validation": validation, "folder": folder, "callback": ()}
    return train_base(config, policy(scale=1.0), tokenizer(), DOCUMENTS, **options)


@pytest.mark.parametrize(
    ("run", "held_out"),
    [
        (base, DOCUMENTS),
        (lambda to, held_out: train_sft(SFT, to, validation=held_out), DEMONSTRATIONS),
        (lambda to, held_out: train_reward(REWARD, to, validation=held_out), RANKINGS),
    ],
    ids=["pretrain", "sft", "reward"],
)
def test_a_run_with_other_validation_data_is_another_run(run, held_out, tmp_path):
    one = run(tmp_path, held_out[:5]).metrics
    assert run(tmp_path, list(held_out[:5])).metrics == one
    for other in (held_out[5:9], None):
        with pytest.raises(MinirlhfError, match=r"was made with validation = '5 .*another folder"):
            run(tmp_path, other)


# ------------------------------------------------------------------------------------------ scorers

CELL = """
WORDS = {words!r}
def helper(text):
    return sum(text.count(word) for word in WORDS)
def make(weight):
    def score(prompts, responses, bonus={bonus}):
        # {remark}
        return torch.tensor([weight * helper(text) + {constant} + bonus for text in responses])
    return score
score = make({weight})
class Judge:
    def __init__(self, weight): self.weight = weight
    def __call__(self, prompts, responses):
        return torch.tensor([self.weight * helper(text) for text in responses])
    def method(self, prompts, responses): return self(prompts, responses)
judge = Judge({weight})
method, part = judge.method, functools.partial(score, bonus={bonus})
wrapped = functools.lru_cache(score)
by_lambda = lambda prompts, responses: torch.tensor([{constant} + helper(r) for r in responses])
"""
GIVEN = {"words": ["a", "e"], "bonus": 0.0, "constant": 1.0, "weight": 2.0, "remark": "as it is"}
KINDS = ("score", "judge", "method", "part", "wrapped", "by_lambda")


def cell(kind, lines=0, **changed):
    """A scorer from a notebook's cell."""
    names = {"torch": torch, "functools": functools, "__name__": "__main__"}
    exec(compile("\n" * lines + CELL.format(**GIVEN | changed), "<a cell>", "exec"), names)
    return names[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_scorer_is_known_by_what_it_computes(kind):
    known = of_model(cell(kind))
    assert known == of_model(cell(kind)) == of_model(cell(kind, lines=9, remark="moved"))
    changes = {"words": ["a", "i"], "bonus": 1.0, "constant": 3.0, "weight": 7.0}
    if kind in ("judge", "method"):
        changes = {name: changes[name] for name in ("words", "weight")}
    if kind == "by_lambda":
        changes = {name: changes[name] for name in ("words", "constant")}
    for name, value in changes.items():
        assert of_model(cell(kind, **{name: value})) != known, name


def test_a_scorer_of_tensors_and_networks():
    def by(network, table):
        return lambda prompts, responses: network(table[: len(responses)])[:, 0]

    linear, table = torch.nn.Linear(2, 1), torch.zeros(9, 2)
    known = of_model(by(linear, table))
    assert of_model(by(linear, table.clone())) == known
    assert of_model(by(linear, table + 1)) != known
    with torch.no_grad():
        linear.weight += 1
    assert of_model(by(linear, table)) != known


def test_a_scorer_that_refers_to_itself_has_an_end():
    def count(text):
        return 1 + count(text[1:]) if text else 0

    assert of_model(count) == of_model(count)


def test_an_edited_cell_never_gets_the_old_result(tmp_path):
    config = replace(PPO, episodes=16)
    one = train_ppo(tmp_path, config, reward=cell("score")).metrics
    assert train_ppo(tmp_path, config, reward=cell("score")).metrics == one
    with pytest.raises(MinirlhfError, match=r"was made with reward = .*another folder"):
        train_ppo(tmp_path, config, reward=cell("score", constant=2.0))


# ---------------------------------------------------------------------------------- one way to ask


def test_a_comparison_neither_writes_nor_trains(tmp_path):
    train_sft(SFT, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    after = []
    with compared():
        train_sft(SFT, tmp_path)
        after.append("it never comes here")
    with compared(), pytest.raises(MinirlhfError, match="was made with demonstrations"):
        train_sft(SFT, tmp_path, DEMONSTRATIONS[:9])
    assert not after
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_rows_of_new_tokens_are_the_same_each_time(tmp_path):
    save_model(policy(), tokenizer(), tmp_path)
    grown = load_tokenizer(tmp_path, pad_token="<|new|>")
    torch.manual_seed(1)
    one = load_policy(tmp_path, grown)
    drawn = torch.rand(1)
    torch.manual_seed(2)
    two = load_policy(tmp_path, grown)
    rows = [model.get_input_embeddings().weight for model in (one, two)]
    assert len(rows[0]) == len(grown) == 260 and torch.equal(*rows) and rows[0][-1].std() > 0
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), drawn)  # and the caller's stream is left alone
