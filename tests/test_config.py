import dataclasses

import pytest

from minirlhf.presets import DIFFERENCES, PRESETS, Preset

STAGES = [field.name for field in dataclasses.fields(Preset)]


def differing(stage):
    paper, town = (getattr(PRESETS[name], stage) for name in ("paper", "tinytown"))
    fields = [field.name for field in dataclasses.fields(paper)]
    return {name for name in fields if getattr(paper, name) != getattr(town, name)}


def explains(difference, stage, field):
    stages = {"*", stage, "ppo" if stage == "ppo_ptx" else stage}
    return difference.field == field and difference.stage in stages


def test_every_difference_between_the_presets_has_a_reason():
    for stage in STAGES:
        for field in differing(stage):
            assert any(explains(row, stage, field) for row in DIFFERENCES), (stage, field)


def test_no_reason_is_given_for_what_is_the_same():
    for row in DIFFERENCES:
        used = [explains(row, stage, field) for stage in STAGES for field in differing(stage)]
        assert any(used), row
        assert row.reason.endswith(".")


@pytest.mark.parametrize(
    ("stage", "field", "number"),
    [
        ("sft", "epochs", 16),
        ("sft", "batch", 32),
        ("sft", "learning_rate", 9.65e-6),
        ("sft", "residual_dropout", 0.2),
        ("sft", "floor", 0.1),
        ("initial", "epochs", 2),
        ("initial", "pretrain_mix", 0.1),
        ("initial", "learning_rate", 5e-6),
        ("reward", "epochs", 1),
        ("reward", "batch", 64),
        ("reward", "learning_rate", 9e-6),
        ("ppo", "episodes", 256_000),
        ("ppo", "beta", 0.02),
        ("ppo", "rollout_batch", 512),
        ("ppo", "minibatch", 64),
        ("ppo", "ema", 0.992),
        ("ppo", "warmup", 10),
        ("ppo", "inner_epochs", 1),
        ("ppo", "temperature", 1.0),
        ("ppo", "clip", 0.2),
        ("ppo", "value_learning_rate", 9e-6),
        ("ppo", "lam", 0.95),
        ("ppo", "betas", (0.9, 0.95)),
        ("ppo_ptx", "ptx_gamma", 27.8),
        ("ppo_ptx", "ptx_examples_per_episode", 8),
    ],
)
def test_the_papers_preset_is_the_paper(stage, field, number):
    """Appendix C, typed off the paper; λ is Stiennon et al.'s."""
    assert getattr(getattr(PRESETS["paper"], stage), field) == number


def test_every_field_has_a_line_of_help():
    """Read as a command line reads it: the string below the field."""
    import ast
    import inspect

    from minirlhf import config

    for node in ast.parse(inspect.getsource(config)).body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
            for field, below in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and field.target.id != "log_every":
                    assert isinstance(below, ast.Expr), (node.name, field.target.id)
