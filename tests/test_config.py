import dataclasses

import pytest

from minirlhf.paper import NUMBERS
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
        ("sft", "epochs", "sft.epochs"),
        ("sft", "residual_dropout", "sft.residual_dropout"),
        ("initial", "epochs", "init.epochs"),
        ("initial", "pretrain_mix", "init.pretrain_mix"),
        ("reward", "batch", "rm.batch_prompts"),
        ("ppo", "beta", "ppo.beta"),
        ("ppo", "rollout_batch", "ppo.batch"),
        ("ppo", "ema", "ppo.ema"),
        ("ppo", "warmup", "ppo.warmup"),
        ("ppo", "inner_epochs", "ppo.inner_epochs"),
        ("ppo", "temperature", "ppo.temperature"),
        ("ppo", "clip", "ppo.clip"),
        ("ppo", "lam", "stiennon.lambda"),
        ("ppo_ptx", "ptx_gamma", "ptx.gamma"),
        ("ppo_ptx", "ptx_examples_per_episode", "ptx.ratio"),
    ],
)
def test_the_papers_preset_is_the_paper(stage, field, number):
    assert getattr(getattr(PRESETS["paper"], stage), field) == NUMBERS[number].value


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
