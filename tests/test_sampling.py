from itertools import pairwise

import pytest
import torch
from tiny import ARCHITECTURES, BOS, EOS, PAD, SHARED, policy, tokenizer
from transformers import AutoModelForCausalLM, MistralConfig

from minirlhf.data.batching import collate
from minirlhf.models import never_sampled, process_logits, response_logprobs
from minirlhf.sampling import complete, draw, sample

PROMPTS = [[BOS, *range(40, 40 + n)] for n in (3, 9, 1, 6, 6, 2)]


def rollout(model, prompts=PROMPTS, steps=12, temperature=1.0, only=None, **options):
    """The responses to all prompts, or to ``only`` some rows of them with their own uniforms."""
    uniforms = torch.rand(len(prompts), steps, generator=torch.Generator().manual_seed(5))
    only = range(len(prompts)) if only is None else only
    return sample(
        model,
        [prompts[row] for row in only],
        uniforms[only],
        eos_token_id=EOS,
        pad_token_id=PAD,
        temperature=temperature,
        **options,
    )


def likes_to_stop(model, bonus=12.0):
    """Shift the output layer so that EOS comes up often."""
    head = model.get_output_embeddings()
    shift = torch.zeros(head.weight.shape[0])
    shift[EOS] = bonus
    head.bias = torch.nn.Parameter(shift)
    return model


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_equal_those_of_the_training_forward(architecture, temperature):
    model = likes_to_stop(policy(architecture), 5.0)
    suppress = never_sampled(tokenizer(), model)
    result = rollout(model, temperature=temperature, suppress=suppress)
    batch = collate(PROMPTS, result.ids(), PAD)
    with torch.no_grad():
        again = response_logprobs(model, batch, temperature=temperature, suppress=suppress)
    width = again.shape[1]
    assert torch.allclose(result.logprobs[:, :width], again, atol=1e-5)
    assert torch.equal(result.mask[:, :width], batch.response_mask)
    assert not (torch.isin(result.responses[result.mask], torch.tensor([PAD, BOS]))).any()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_company_does_not_change_a_row(architecture):
    model = policy(architecture)
    result = rollout(model)
    order = [4, 1, 0, 2, 3, 5]
    assert torch.equal(result.responses[order], rollout(model, only=order).responses)
    for row in range(len(PROMPTS)):  # the short ones have company that pads them
        alone = rollout(model, only=[row])
        assert torch.equal(alone.responses[0], result.responses[row])
        assert torch.allclose(alone.logprobs[0], result.logprobs[row], atol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_rows_leave_and_move_up_without_a_trace(architecture):
    model = likes_to_stop(policy(architecture, scale=6.0 if architecture == "neox" else 4.0), 3.0)
    prompts = [[BOS, *range(30 + i, 30 + i + i % 7)] for i in range(1, 40)]
    many = rollout(model, prompts, steps=24)
    lengths = many.mask.sum(-1)
    assert lengths.min() < 6 and lengths.max() > 8  # rows end all over the place
    few = rollout(model, prompts, steps=24, micro_batch=5)  # most of them have to wait
    assert torch.equal(few.responses, many.responses) and torch.equal(few.mask, many.mask)
    assert torch.allclose(few.logprobs, many.logprobs, atol=1e-5)
    for row in (0, int(lengths.argmax()), len(prompts) - 1):
        assert rollout(model, prompts, steps=24, only=[row]).ids()[0] == many.ids()[row]
    for ids, mask in zip(many.responses.tolist(), many.mask.tolist(), strict=True):
        n = sum(mask)
        assert mask == [True] * n + [False] * (len(mask) - n)
        assert EOS not in ids[: n - 1] and (ids[n - 1] == EOS or n == 24)
        assert all(token == PAD for token in ids[n:])


def test_sliding_windows_keep_their_own_cache():
    config = MistralConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, sliding_window=8, max_position_embeddings=128, **SHARED,
    )  # fmt: skip
    torch.manual_seed(0)
    model = likes_to_stop(AutoModelForCausalLM.from_config(config).eval(), 0.1)
    prompts = PROMPTS * 3
    many, few = (rollout(model, prompts, steps=16, micro_batch=n) for n in (64, 4))
    assert torch.equal(few.responses, many.responses)
    assert torch.allclose(few.logprobs, many.logprobs, atol=1e-5)


def test_draw_is_the_inverse_cdf():
    logits = torch.log(torch.tensor([[0.0, 0.25, 0.5, 0.0, 0.25]]))
    for u, expected in [(0.0, 1), (0.2, 1), (0.26, 2), (0.74, 2), (0.76, 4), (1 - 2**-24, 4)]:
        token, logprob = draw(logits, torch.tensor([u]))
        assert int(token) == expected
        assert float(logprob) == pytest.approx(float(logits[0, expected]), abs=1e-6)


def test_a_number_that_rounds_up_to_the_whole_draws_no_suppressed_id():
    """The last ids have probability 0, and u times the sum of the others is that sum in float32."""
    for seed in range(20):
        logits = torch.randn(1, 300, generator=torch.Generator().manual_seed(seed))
        suppress = torch.zeros(300, dtype=torch.bool)
        suppress[250:] = True
        logits = process_logits(logits, 1.0, suppress)
        for u in (1 - 2**-24, 1 - 2**-23, 1.0):
            token, logprob = draw(logits, torch.tensor([u]))
            assert int(token) < 250 and logprob.isfinite(), (seed, u)


def test_below_the_whole_every_number_draws_what_it_did():
    logits = torch.randn(1, 300, generator=torch.Generator().manual_seed(1)).expand(4000, -1)
    uniforms = torch.rand(4000, generator=torch.Generator().manual_seed(2))
    cdf = logits.softmax(-1).cumsum(-1)
    wanted = torch.searchsorted(cdf, uniforms[:, None] * cdf[:, -1:], right=True).squeeze(-1)
    assert torch.equal(draw(logits, uniforms)[0], wanted)


def test_draws_follow_the_distribution():
    """The whole of it: neither the 50 likeliest tokens alone nor those of .9 in all."""
    logits = torch.randn(1, 200, generator=torch.Generator().manual_seed(0))
    uniforms = (torch.arange(20000) + 0.5) / 20000
    tokens, _ = draw(logits.expand(20000, -1), uniforms)
    frequencies = torch.bincount(tokens, minlength=200) / 20000
    assert torch.allclose(frequencies, logits.softmax(-1)[0], atol=1e-4)


def test_greedy_is_transformers_greedy():
    model = policy()
    ids = torch.tensor([PROMPTS[1]])
    theirs = model.generate(
        ids, do_sample=False, max_new_tokens=10, eos_token_id=EOS, pad_token_id=PAD
    )[0, ids.shape[1] :]
    ours = rollout(model, [PROMPTS[1]], steps=10, temperature=0.0)
    assert ours.ids()[0] == theirs.tolist()


def test_complete_does_not_depend_on_batch_size():
    model, prompts = policy(), ["a", "a longer prompt", "b", "another"]
    options = {"max_new_tokens": 6, "n": 3, "seed": 7}
    seen = []
    small = complete(
        model, tokenizer(), prompts, micro_batch=2, progress=lambda *at: seen.append(at), **options
    )
    assert small == complete(model, tokenizer(), prompts, micro_batch=64, **options)
    assert small != complete(model, tokenizer(), prompts, **(options | {"seed": 8}))
    assert len(small) == 12 and len(set(small[:3])) == 3
    assert seen[-1] == (12, 12)


def test_complete_shows_the_answers_as_they_grow():
    model, seen = likes_to_stop(policy("gpt2"), 2.0), []
    options = {"n": 2, "max_new_tokens": 24, "micro_batch": 2}
    answers = complete(model, tokenizer(), ["one", "another"], watch=seen.append, **options)
    assert answers == complete(model, tokenizer(), ["one", "another"], **options)
    assert [answer.rstrip("\ufffd") for answer in answers] == seen[-1]
    assert len(seen) > 3 and seen[0] != answers
    for before, after in pairwise(seen):
        assert all(late.startswith(early) for early, late in zip(before, after, strict=True))


def test_complete_cuts_at_stop_and_takes_no_prompts():
    model = policy()
    text = complete(model, tokenizer(), ["a"], max_new_tokens=12, seed=1)[0]
    assert (
        complete(model, tokenizer(), ["a"], max_new_tokens=12, seed=1, stop=text[3])[0]
        == text.split(text[3])[0]
    )
    assert complete(model, tokenizer(), []) == []
