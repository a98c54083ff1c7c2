"""PPO-ptx from an empty file: what an answer is held to is the plain file itself."""

import copy
from types import SimpleNamespace

import pytest
import torch
from answers import RIGHT
from torch.nn.utils import parameters_to_vector

from minirlhf.config import PPOConfig
from minirlhf.grading import check, question, tiny_models
from minirlhf.grading.bank import ex07_rollout, ex07_steps
from minirlhf.plain import ppo as plain
from minirlhf.randomness import generator, stream

CONFIG = PPOConfig(
    episodes=4,
    rollout_batch=4,
    minibatch=2,
    beta=0.3,
    learning_rate=0.05,
    value_learning_rate=0.05,
    warmup=0,
    lam=0.8,
    ema=None,
    max_response=5,
    grad_clip=0.5,
    ptx_gamma=0.5,
    ptx_examples_per_episode=1.0,
)


@pytest.fixture(autouse=True)
def workspace(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIRLHF_WORK", str(tmp_path))


def weights(models):
    return [parameters_to_vector(model.parameters()).detach() for model in models]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("answer", [ex07_steps.iteration, *RIGHT["loop.iteration"]])
def test_one_iteration_is_that_of_the_plain_file(answer, seed):
    """From the same draws: uniforms, order of the prompts, minibatches, documents."""
    g = generator(seed, "world")
    models = tiny_models.models(g)
    prompts, texts = tiny_models.rows(g, 6), tiny_models.rows(g, 5, 3, 6)
    documents = [(text[:1], text[1:]) for text in texts]
    theirs = copy.deepcopy(models)
    next(plain.train(CONFIG, tiny_models.in_plain(theirs), prompts, documents))
    groups = [{"params": list(model.parameters())} for model in (models.policy, models.value)]
    drawn = stream(len(prompts), 0, 4, CONFIG.seed, "prompts")
    answer(
        models,
        torch.optim.Adam(groups, lr=0.05, betas=CONFIG.betas, eps=CONFIG.eps),
        [prompts[i] for i in drawn],
        torch.rand(4, 5, generator=generator(CONFIG.seed, "rollout", 0)),
        [
            (rows, [torch.cat(pair) for pair in pairs])
            for rows, pairs in plain.minibatches(CONFIG, documents, 0)
        ],
        SimpleNamespace(eos=0, beta=0.3, lam=0.8, clip=0.2, gamma=0.5, grad_clip=0.5),
    )
    for mine, other in zip(weights(models), weights(theirs), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_the_cases_hold_what_tells_mistakes_apart():
    """Responses that end and some that are cut, of different lengths."""
    ended = set()
    for n in range(ex07_rollout.ROLLOUT.cases):
        case = ex07_rollout._asked(generator(n, "loop.rollout"))
        ended |= {bool(y[-1] == 0) for y in ex07_rollout.rollout(*case.values())}
        case = ex07_rollout._replied(generator(n, "loop.rewards"))
        assert len({len(y) for y in case["responses"]}) > 1
    assert ended == {False, True}


def test_the_plain_file_is_closed_and_the_equations_are_open():
    """The loop may stand on equations whose own questions aren't answered yet."""

    def borrowed(*arguments):
        return ex07_steps.iteration(*arguments)

    assert check("loop.iteration", borrowed).mistake == "borrowed"
    for key in ("rollout", "rewards", "advantages", "losses", "iteration"):
        assert check(f"loop.{key}", RIGHT[f"loop.{key}"][0]).right

    def sampled(policy, prompts, uniforms, eos):
        models = tiny_models.in_plain(tiny_models.Models(policy, policy, policy, policy))
        return [plain.respond(models, x, u) for x, u in zip(prompts, uniforms, strict=True)]

    verdict = check("loop.rollout", sampled)
    assert verdict.mistake == "borrowed" and "plain.ppo.respond" in verdict.message


@pytest.mark.parametrize("key", ["loop.rewards", "loop.advantages"])
def test_what_belongs_to_the_moment_of_sampling_carries_no_gradient(key):
    def attached(*arguments):
        weight = next(arguments[0].parameters()).sum()
        return [result + 0 * weight for result in RIGHT[key][0](*arguments)]

    verdict = question(key).verdict(attached)
    assert (verdict.points, verdict.mistake) == (0, "attached")


def test_the_end_token_is_looked_for_in_the_response_alone():
    def ended(policy, prompts, uniforms, eos):
        rows = RIGHT["loop.rollout"][0](policy, prompts, uniforms, eos)
        return [y[:1] if eos in x else y for x, y in zip(prompts, rows, strict=True)]

    assert question("loop.rollout").verdict(ended).mistake == "ends-in-prompt"


def test_models_and_optimizer_are_fresh_for_every_call():
    q = question("loop.iteration")
    assert q.verdict(RIGHT["loop.iteration"][0]).right
    assert q.verdict(RIGHT["loop.iteration"][0]).right
    assert q.verdict(lambda *arguments: None).mistake == "untrained"


def test_what_is_returned_instead_is_told():
    verdict = question("loop.rollout").verdict(lambda *arguments: 3)
    assert (verdict.points, verdict.mistake) == (0, "returned") and "int" in verdict.message
