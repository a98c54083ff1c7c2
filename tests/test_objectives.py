import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from minirlhf import objectives

torch.manual_seed(0)
MASK = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]).bool()


def rand(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


# -------------------------------------------------------------------------------- masked statistics


def test_padding_enters_nothing_even_as_nan():
    x = rand(3, 4)
    dirty = x.masked_fill(~MASK, float("nan"))
    assert objectives.masked_mean(dirty, MASK) == pytest.approx(float(x[MASK].mean()), abs=1e-6)
    assert objectives.masked_var(dirty, MASK) == pytest.approx(
        float(x[MASK].var(unbiased=False)), abs=1e-6
    )
    assert torch.isfinite(objectives.whiten(dirty, MASK)).all()
    for loss in (
        objectives.sft_loss(dirty, MASK),
        objectives.policy_loss(dirty, x, x, MASK),
        objectives.policy_loss(x, dirty, dirty, MASK),
        objectives.value_loss(dirty, dirty, dirty, MASK),
        objectives.clip_fraction(dirty, x, MASK),
        objectives.approx_kl(dirty, x, MASK),
        objectives.explained_variance(dirty, dirty, MASK),
        objectives.rlhf_objective(rand(3), dirty, x, MASK, 0.1),
        objectives.shaped_rewards(rand(3), dirty, dirty, MASK, 0.1),
        *objectives.gae(dirty, dirty, MASK),
    ):
        assert torch.isfinite(loss).all()


def test_whitening():
    white = objectives.whiten(rand(3, 4) * 5 + 3, MASK)
    assert float(white[MASK].mean()) == pytest.approx(0, abs=1e-6)
    assert float(white[MASK].var(unbiased=False)) == pytest.approx(1, abs=1e-5)
    assert (white[~MASK] == 0).all()
    x = rand(3, 4) + 3
    kept = objectives.whiten(x, MASK, shift_mean=False)
    assert (objectives.whiten(torch.full((3, 4), 2.0), MASK) == 0).all()  # no variance to divide by
    assert float(kept[MASK].mean()) == pytest.approx(float(x[MASK].mean()), abs=1e-5)


@pytest.mark.parametrize(
    "loss", ["sft", "policy", "value", "ptx", "clip_fraction", "approx_kl", "ranking"]
)
def test_pieces_of_a_batch_add_up(loss):
    old, advantages, x = rand(3, 4) + 0.1, rand(3, 4) * 2, rand(3, 4).requires_grad_()
    ranks = torch.tensor([[1, 2, 3, 3], [1, 2, 2, 0], [2, 1, 1, 1]])

    def compute(rows, count):
        if loss == "sft":
            return objectives.sft_loss(x[rows], MASK[rows], count)
        if loss == "ptx":
            return objectives.ptx_loss(x[rows], MASK[rows], count)
        if loss == "policy":
            return objectives.policy_loss(
                x[rows], old[rows], advantages[rows], MASK[rows], 0.2, count
            )
        if loss == "value":
            return objectives.value_loss(
                x[rows], old[rows], advantages[rows], MASK[rows], 0.2, count
            )
        if loss == "clip_fraction":
            return (
                objectives.clip_fraction(x[rows], 2 * old[rows], MASK[rows], 0.2, count)
                + 0 * x.sum()
            )
        if loss == "approx_kl":
            return objectives.approx_kl(x[rows], 2 * old[rows], MASK[rows], count)
        return objectives.ranking_loss(x[rows], ranks[rows], ranks[rows] > 0, count).loss

    whole = compute(slice(None), None)
    count = 3 if loss == "ranking" else int(MASK.sum())
    pieces = sum(compute(slice(row, row + 1), count) for row in range(3))
    assert torch.allclose(whole, pieces)
    assert torch.allclose(*(torch.autograd.grad(part, x)[0] for part in (whole, pieces)), atol=1e-7)


def test_everything_stays_on_the_device_it_came_from():
    x, mask, scores = (tensor.to("meta") for tensor in (rand(3, 4), MASK, rand(3)))
    ids = mask.long()
    results = (
        objectives.whiten(x, mask),
        objectives.token_logprobs(x[..., None].expand(3, 4, 7), ids),
        *objectives.ranking_loss(x, ids, mask),
        objectives.best_of_n(x),
        objectives.last_token(mask),
        objectives.shaped_rewards(scores, x, x, mask, 0.1),
        *objectives.gae(x, x, mask),
        objectives.policy_loss(x, x, x, mask),
        objectives.value_loss(x, x, x, mask),
        objectives.explained_variance(x, x, mask),
        objectives.rlhf_objective(scores, x, x, mask, 0.1),
    )
    assert {result.device.type for result in results} == {"meta"}


# ----------------------------------------------------------------------------------- language model


def test_token_logprobs():
    logits, tokens = rand(2, 3, 7), torch.tensor([[0, 6, 2], [1, 1, 5]])
    expected = torch.log_softmax(logits, -1).gather(-1, tokens[..., None])[..., 0]
    assert torch.allclose(objectives.token_logprobs(logits, tokens), expected)
    assert objectives.token_logprobs(logits.bfloat16(), tokens).dtype == torch.float32


def test_sft_loss_is_the_mean_over_tokens_not_over_rows():
    logprobs = torch.tensor([[-1.0, -1.0, -1.0, -9.0], [-3.0, -9.0, -9.0, -9.0]])
    assert float(objectives.sft_loss(logprobs, MASK[:2])) == pytest.approx((3 + 3) / 4)


# --------------------------------------------------------------------------------------- Equation 1


def eq1_by_hand(scores, ranks):
    """Loops, straight from the paper."""
    losses, pairs, correct = [], 0, 0
    for prompt_scores, prompt_ranks in zip(scores, ranks, strict=True):
        terms = []
        for w, better in enumerate(prompt_ranks):
            for l, worse in enumerate(prompt_ranks):
                if better < worse:
                    difference = prompt_scores[w] - prompt_scores[l]
                    terms.append(math.log1p(math.exp(-difference)))
                    correct += difference > 0
        pairs += len(terms)
        if terms:
            losses.append(sum(terms) / len(terms))
    return sum(losses) / len(losses) if losses else 0.0, pairs, correct


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.lists(st.tuples(st.floats(-3, 3, width=32), st.integers(1, 4)), min_size=1, max_size=5),
        min_size=1,
        max_size=4,
    )
)
def test_ranking_loss_is_equation_1(prompts):
    width = max(map(len, prompts))
    valid = torch.tensor([[k < len(p) for k in range(width)] for p in prompts])
    scores = torch.full(valid.shape, 1e4)  # padding must not matter
    ranks = torch.zeros(valid.shape, dtype=torch.long)
    scores[valid] = torch.tensor([s for p in prompts for s, _ in p])
    ranks[valid] = torch.tensor([r for p in prompts for _, r in p])
    loss, pairs, correct = objectives.ranking_loss(scores, ranks, valid)
    expected = eq1_by_hand(
        [[s for s, _ in p] for p in prompts], [[r for _, r in p] for p in prompts]
    )
    assert (float(loss), int(pairs), int(correct)) == (
        pytest.approx(expected[0], abs=1e-5),
        *expected[1:],
    )


def test_ranking_loss_averages_within_a_prompt_first():
    scores, ranks = (
        torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 9.0]]),
        torch.tensor([[1, 2, 3], [1, 2, 0]]),
    )
    loss = objectives.ranking_loss(scores, ranks, ranks > 0).loss
    softplus = math.log1p(math.exp(-3))
    assert float(loss) == pytest.approx(
        ((2 * softplus + math.log(2)) / 3 + math.log(2)) / 2, abs=1e-6
    )


def test_all_ties_give_no_loss_and_no_gradient():
    scores = torch.zeros(1, 4, requires_grad=True)
    result = objectives.ranking_loss(scores, torch.ones(1, 4), torch.ones(1, 4).bool())
    result.loss.backward()
    assert result.loss == 0 and result.pairs == 0 and (scores.grad == 0).all()


def test_k_choose_2_pairs():
    ranks = torch.arange(1, 10)[None]
    assert int(objectives.ranking_loss(torch.zeros(1, 9), ranks, ranks > 0).pairs) == math.comb(
        9, 2
    )


def test_reward_bias_centres_and_best_of_n_takes_the_first_best():
    scores = torch.tensor([1.0, 2.0, 6.0])
    assert float((scores + objectives.reward_bias(scores)).mean()) == pytest.approx(0)
    assert objectives.best_of_n(torch.tensor([[0.0, 2.0, 2.0], [5.0, 1.0, 2.0]])).tolist() == [1, 0]
    assert objectives.best_of_n(torch.tensor([[1.0, 2.0, 3.0], [7.0, 9.0, 8.0]])).tolist() == [2, 1]


# --------------------------------------------------------------------------------- KL, rewards, GAE


def test_kl_estimators_on_an_enumerable_policy():
    log_p, log_q = torch.log_softmax(rand(9), 0), torch.log_softmax(rand(9) * 0.5 + 1, 0)
    kl = float((log_p.exp() * (log_p - log_q)).sum())
    assert kl > 0

    def expected(estimator):
        return float((log_p.exp() * estimator(log_p, log_q)).sum())

    assert expected(objectives.kl_k1) == pytest.approx(kl, abs=1e-6)
    assert expected(objectives.kl_k3) == pytest.approx(kl, abs=1e-6)
    assert expected(objectives.kl_k2) == pytest.approx(
        float((log_p.exp() * (log_p - log_q) ** 2).sum() / 2), abs=1e-6
    )
    assert (objectives.kl_k3(log_p, log_q) >= 0).all() and (
        objectives.kl_k2(log_p, log_q) >= 0
    ).all()


def test_shaped_rewards():
    logprobs, reference, scores = rand(3, 4), rand(4, 3).T - 1, torch.tensor([1.0, 2.0, 3.0])
    reference = reference * torch.tensor([1.0, 2.0, 0.5, 3.0])
    rewards = objectives.shaped_rewards(scores, logprobs, reference, MASK, beta=0.5)
    penalty = -0.5 * (logprobs - reference)
    assert torch.allclose(rewards[0], torch.tensor([*penalty[0, :2], penalty[0, 2] + 1.0, 0.0]))
    assert torch.allclose(rewards[1], torch.tensor([penalty[1, 0] + 2.0, 0.0, 0.0, 0.0]))
    assert float(rewards[2, 3]) == pytest.approx(float(penalty[2, 3]) + 3.0)
    total = objectives.rlhf_objective(scores, logprobs, reference, MASK, 0.5)
    assert float(rewards.sum(-1).mean()) == pytest.approx(float(total), abs=1e-6)  # Eq. 2, γ = 0
    assert objectives.last_token(MASK).tolist() == [2, 0, 3]


def gae_by_definition(rewards, values, mask, discount, lam):
    advantages = torch.zeros_like(rewards)
    for b in range(len(rewards)):
        n = int(mask[b].sum())
        following = [*values[b, 1:n].tolist(), 0.0]
        deltas = [rewards[b, t] + discount * following[t] - values[b, t] for t in range(n)]
        for t in range(n):
            advantages[b, t] = sum((discount * lam) ** (k - t) * deltas[k] for k in range(t, n))
    return advantages


@pytest.mark.parametrize(("discount", "lam"), [(1.0, 0.95), (1.0, 1.0), (0.9, 0.0), (0.7, 0.5)])
def test_gae_is_its_definition(discount, lam):
    rewards, values = rand(3, 4), rand(3, 4) * 2
    result = objectives.gae(rewards, values, MASK, discount, lam)
    expected = gae_by_definition(rewards, values, MASK, discount, lam)
    assert torch.allclose(result.advantages, expected, atol=1e-6)
    assert torch.allclose(result.returns[MASK], (expected + values)[MASK], atol=1e-6)
    assert (result.advantages[~MASK] == 0).all() and (result.returns[~MASK] == 0).all()


def test_gae_of_one_token_and_by_default():
    one = objectives.gae(rand(3, 4)[:, :1], rand(3, 4)[:, 1:2], MASK[:, :1])
    assert torch.allclose(one.advantages, rand(3, 4)[:, :1] - rand(3, 4)[:, 1:2])
    rewards, values = rand(3, 4), rand(3, 4) * 2
    expected = gae_by_definition(rewards, values, MASK, 1.0, 0.95)  # C.4; Stiennon et al. 2020
    assert torch.allclose(objectives.gae(rewards, values, MASK).advantages, expected, atol=1e-6)


def test_gae_with_lambda_1_returns_the_reward_to_go():
    rewards = rand(3, 4)
    returns = objectives.gae(rewards, rand(3, 4), MASK, lam=1.0).returns
    assert float(returns[0, 0]) == pytest.approx(float(rewards[0, :3].sum()), abs=1e-6)


# ---------------------------------------------------------------------------------------------- PPO


@pytest.mark.parametrize(
    ("ratio", "advantage", "loss", "moves"),
    [
        (1.0, 2.0, -2.0, True),
        (1.5, 2.0, -2.4, False),  # gained enough: clipped
        (0.5, 2.0, -1.0, True),
        (1.5, -2.0, 3.0, True),  # got worse: never clipped
        (0.5, -2.0, 1.6, False),
    ],
)
def test_clipped_surrogate(ratio, advantage, loss, moves):
    new = torch.tensor([[math.log(ratio)]], requires_grad=True)
    one = torch.ones(1, 1).bool()
    result = objectives.policy_loss(
        new, torch.zeros(1, 1), torch.tensor([[advantage]]), one, clip=0.2
    )
    result.backward()
    new.requires_grad_(False)
    assert float(result.detach()) == pytest.approx(loss, abs=1e-6)
    assert (float(new.grad) != 0) == moves
    assert float(objectives.clip_fraction(new, torch.zeros(1, 1), one)) == (abs(ratio - 1) > 0.2)
    assert float(objectives.clip_fraction(new - 3, torch.full((1, 1), -3.0), one)) == (
        abs(ratio - 1) > 0.2
    )
    assert float(objectives.clip_fraction(new, new, one, clip=0.0)) == 0  # on the edge is inside
    by_default = objectives.policy_loss(new, torch.zeros(1, 1), torch.tensor([[advantage]]), one)
    assert by_default == result  # C.4: .2


def test_policy_gradient_at_ratio_1_is_the_policy_gradient():
    logprobs, advantages = rand(3, 4).requires_grad_(), rand(3, 4)
    objectives.policy_loss(logprobs, logprobs.detach(), advantages, MASK).backward()
    assert torch.allclose(
        logprobs.grad, torch.where(MASK, -advantages, 0.0) / MASK.sum(), atol=1e-7
    )


def test_clipped_value_loss_takes_the_larger():
    one = torch.ones(1, 1).bool()

    def loss(value, old, target, clip=0.2):
        tensors = (torch.tensor([[x]]) for x in (value, old, target))
        return float(objectives.value_loss(*tensors, one, clip))

    assert loss(1.0, 0.0, 2.0) == pytest.approx(0.5 * 1.8**2)  # moved too far towards the target
    assert loss(3.0, 0.0, 2.0) == pytest.approx(0.5 * 1.8**2)
    assert loss(0.1, 0.0, 2.0) == pytest.approx(0.5 * 1.9**2)
    assert loss(-1.0, 0.0, -2.0) == pytest.approx(0.5 * 1.8**2)
    assert loss(-0.1, 0.0, 2.0) == pytest.approx(0.5 * 2.1**2)
    assert loss(1.0, 0.0, 2.0, clip=None) == pytest.approx(0.5)
    default = objectives.value_loss(*(torch.tensor([[x]]) for x in (1.0, 0.0, 2.0)), one)
    assert float(default) == pytest.approx(0.5 * 1.8**2)  # lm-human-preferences: .2


def test_explained_variance():
    returns = rand(3, 4)
    assert float(objectives.explained_variance(returns, returns, MASK)) == pytest.approx(1.0)
    assert float(objectives.explained_variance(torch.ones(3, 4), returns, MASK)) == pytest.approx(
        0.0, abs=1e-6
    )


def test_eq2_on_an_enumerable_policy():
    """The exact expectation of Eq. 2 = its value computed from tokens, ptx term included."""
    log_p, log_ref = torch.log_softmax(rand(4), 0), torch.log_softmax(rand(4) + rand(4), 0)
    reward, beta, gamma = rand(4) * 3, 0.3, 0.7
    data = torch.tensor([0.1, 0.2, 0.3, 0.4])
    exact = float(
        (log_p.exp() * (reward - beta * (log_p - log_ref))).sum() + gamma * (data * log_p).sum()
    )
    every = torch.ones(4, 1).bool()
    per_token = [
        float(log_p[i].exp())
        * float(
            objectives.rlhf_objective(
                reward[i : i + 1], log_p[i].view(1, 1), log_ref[i].view(1, 1), every[:1], beta
            )
        )
        for i in range(4)
    ]
    ptx = -float(
        sum(data[i] * objectives.ptx_loss(log_p[i].view(1, 1), every[:1]) for i in range(4))
    )
    assert sum(per_token) + gamma * ptx == pytest.approx(exact, abs=1e-6)
    tokens = reward, log_p[:, None], log_ref[:, None], every, beta
    plain = objectives.rlhf_objective(*tokens)
    assert plain == objectives.rlhf_objective(
        *tokens, gamma=gamma
    )  # no pretraining, or no γ: no ptx
    assert plain == objectives.rlhf_objective(*tokens, pretraining_logprob=ptx)
    whole = objectives.rlhf_objective(
        reward, log_p[:, None], log_ref[:, None], every, beta, gamma, ptx
    )
    assert float(whole) == pytest.approx(
        float((reward - beta * (log_p - log_ref)).mean()) + gamma * ptx
    )
