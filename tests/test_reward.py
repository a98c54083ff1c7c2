from dataclasses import replace

import pytest
import torch
from tiny import DEMONSTRATIONS, RANKINGS, policy, same_weights, tokenizer

from minirlhf.config import RewardConfig
from minirlhf.errors import MinirlhfError
from minirlhf.models import ScalarModel
from minirlhf.reward import encode_rankings, score_texts, train_reward

CONFIG = RewardConfig(batch=8, learning_rate=3e-3, max_length=64)


def train(config, folder, rankings=RANKINGS, **options):
    model = ScalarModel.from_policy(policy(scale=1.0), tokenizer())
    options = {"demonstrations": DEMONSTRATIONS, "callback": ()} | options
    return train_reward(config, model, tokenizer(), rankings, folder=folder, **options)


def score(model, records):
    texts = [[record[column] for record in records] for column in ("prompt", "completion")]
    return score_texts(model, tokenizer(), *texts)


def test_it_learns_and_demonstrations_score_zero(tmp_path):
    result = train(replace(CONFIG, epochs=6), tmp_path, validation=RANKINGS[:6])
    assert result.metrics["validation/accuracy"] > 0.9
    assert float(score(result.model, DEMONSTRATIONS).mean()) == pytest.approx(0.0, abs=1e-5)
    assert result.metrics["bias"] == float(result.model.bias) != 0
    loaded = ScalarModel.load(tmp_path / "model")
    assert same_weights(loaded, result.model)
    assert torch.equal(score(loaded, DEMONSTRATIONS[:3]), score(result.model, DEMONSTRATIONS[:3]))
    again = train(replace(CONFIG, epochs=6), tmp_path, validation=RANKINGS[:6])
    assert same_weights(again.model, result.model) and again.metrics == result.metrics


def test_one_step_is_equation_1_by_hand(tmp_path):
    """Loss and gradient from separate forwards of every completion, unpadded, pair by pair."""
    few = RANKINGS[:6]
    result = train(replace(CONFIG, grad_clip=None), tmp_path, few)
    model = ScalarModel.from_policy(policy(scale=1.0), tokenizer())
    total = 0.0
    for item in encode_rankings(tokenizer(), few, 64):
        scores = []
        for completion in item.completions:
            ids = torch.tensor([item.prompt + completion])
            hidden = model.classifier.base_model(ids).last_hidden_state[0, -1]
            scores.append(model.head(hidden)[0])
        pairs = [(w, l) for w in range(4) for l in range(4) if item.ranks[w] < item.ranks[l]]
        assert len(pairs) == 5  # six pairs, one tie
        total += sum(torch.nn.functional.softplus(scores[l] - scores[w]) for w, l in pairs) / len(
            pairs
        )
    loss = total / len(few)
    assert result.metrics["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert result.metrics["pairs"] == 5 * len(few)
    loss.backward()
    norm = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm()
    assert result.metrics["gradient_norm"] == pytest.approx(float(norm), rel=1e-4)


def test_a_completion_goes_through_the_model_once(tmp_path, monkeypatch):
    """K completions in a prompt's row, not two for each of its C(K, 2) pairs."""
    seen, score_branches = [], ScalarModel.score_branches

    def counted(model, batch):
        seen.append((len(batch.tokens), len(batch.last)))
        return score_branches(model, batch)

    monkeypatch.setattr(ScalarModel, "score_branches", counted)
    train(CONFIG, tmp_path, RANKINGS[:8])
    rows, completions = (sum(counts) for counts in zip(*seen, strict=True))
    assert (rows, completions) == (8, 4 * 8)


def test_the_bias_is_set_anew(tmp_path):
    """A model that has one already, as a voted base does, ends with demonstrations at 0 too."""
    model = ScalarModel.from_policy(policy(scale=1.0), tokenizer())
    model.bias.fill_(3.0)
    options = {"demonstrations": DEMONSTRATIONS, "folder": tmp_path, "callback": ()}
    result = train_reward(CONFIG, model, tokenizer(), RANKINGS[:8], **options)
    assert float(score(result.model, DEMONSTRATIONS).mean()) == pytest.approx(0.0, abs=1e-5)
    assert result.model.bias != 3.0


def test_micro_batches_of_prompts_do_not_change_the_numbers(tmp_path):
    mixed = [*RANKINGS[:6], {**RANKINGS[6], "completions": ["a", "b"], "ranks": [2, 1]}]
    one, other = (
        train(replace(CONFIG, micro_batch=size), tmp_path / str(size), mixed) for size in (None, 2)
    )
    for name in ("loss", "accuracy", "pairs", "gradient_norm"):
        assert other.metrics[name] == pytest.approx(one.metrics[name], rel=1e-3)


def test_comparisons_are_rankings_of_two(tmp_path):
    comparisons = [
        {"prompt": r["prompt"], "chosen": r["completions"][0], "rejected": "zz"} for r in RANKINGS
    ]
    rankings = [
        {"prompt": r["prompt"], "completions": [r["completions"][0], "zz"], "ranks": [1, 2]}
        for r in RANKINGS
    ]
    one, other = (
        train(CONFIG, tmp_path / str(len(c)), c)
        for c in (comparisons, rankings[:-1] + rankings[-1:])
    )
    assert same_weights(one.model, other.model)


def test_scores_do_not_depend_on_the_batch():
    model = ScalarModel.from_policy(policy(), tokenizer())
    prompts, completions = ["a", "longer prompt", "b"] * 3, ["x", "y", "a long completion"] * 3
    one, other = (
        score_texts(model, tokenizer(), prompts, completions, micro_batch=b) for b in (1, 9)
    )
    assert torch.allclose(one, other, atol=1e-5) and one.dtype == torch.float32


def test_nothing_but_ties_is_refused(tmp_path):
    ties = [{**record, "ranks": [1, 1, 1, 1]} for record in RANKINGS]
    with pytest.raises(MinirlhfError, match="nothing but ties"):
        train(CONFIG, tmp_path, ties)
    mixed = [*RANKINGS, *ties[:2], {**RANKINGS[0], "completions": ["x" * 99] * 4}]
    with pytest.warns(UserWarning, match="of 28, 1 exceed .* and 2 hold nothing but ties"):
        train(CONFIG, tmp_path / "long", mixed)


def test_a_demonstration_that_is_too_long_is_left_out_before_anything_is_trained(tmp_path):
    long = [*DEMONSTRATIONS, {"prompt": "p", "completion": "x" * 500}]
    with pytest.warns(UserWarning, match="1 of 26 demonstrations exceed max_length"):
        train(CONFIG, tmp_path / "one", RANKINGS[:8], demonstrations=long)
    with pytest.raises(MinirlhfError, match="No demonstration fits"):
        train(CONFIG, tmp_path / "none", RANKINGS[:8], demonstrations=long[-1:])
    assert not (tmp_path / "none").exists()
