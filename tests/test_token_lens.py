"""The token lens without a browser: what it says of a response is what the models and hands say."""

import functools
import io
import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from py_mini_racer import MiniRacer
from tiny import DEMONSTRATIONS, moved_models, tokenizer

from minirlhf.config import PPOConfig
from minirlhf.episodes import encode, roll_out
from minirlhf.errors import MinirlhfError
from minirlhf.randomness import generator
from minirlhf.training.compute import Compute
from minirlhf.widgets import TokenLens, Trace, trace
from minirlhf.widgets.live_widget import PAGE
from minirlhf.widgets.token_lens import EQUATIONS, STEPS
from minirlhf.widgets.words import signed

PROMPT = DEMONSTRATIONS[0]["prompt"]


@pytest.fixture(scope="module")
def models():
    return moved_models()


def stored(**fields) -> Trace:
    """Three tokens whose numbers can be followed by hand."""
    plain = {
        "prompt": "p\n", "tokens": ["Yes", ",\n", "no"], "logprobs": [-1.0, -2.0, -0.5],
        "reference": [-1.5, -1.0, -0.5], "values": [0.5, 1.0, -1.0], "score": 2.0, "beta": 0.1,
        "lam": 0.9, "clip": 0.2, "updated": [-0.7, -2.0, -1.0],
    }  # fmt: skip
    return Trace(**{**plain, **fields})


def by_hand(shown: Trace) -> tuple[np.ndarray, np.ndarray]:
    """Shaped rewards and advantages as loops over Python's floats."""
    steps = range(len(shown.tokens))
    rewards = [-shown.beta * (shown.logprobs[t] - shown.reference[t]) for t in steps]
    rewards[-1] += shown.score
    values, advantages, running = [*shown.values, 0.0], [0.0] * len(shown.tokens), 0.0
    for t in reversed(steps):
        running = rewards[t] + values[t + 1] - values[t] + shown.lam * running
        advantages[t] = running
    return np.array(rewards), np.array(advantages)


def test_it_follows_a_response(models):
    config = PPOConfig(beta=0.3, max_response=12, max_prompt=32)
    lens = TokenLens(models=models, prompt=PROMPT, config=config)
    rewards, advantages = by_hand(lens.trace)
    assert np.allclose(lens.quantity("reward"), rewards, atol=1e-5)
    assert np.allclose(lens.quantity("advantage"), advantages, atol=1e-5)
    assert np.abs(lens.quantity("log-ratio")).max() > 0.01
    for step, color in (("reward", "reward"), ("gae", "advantage"), ("loss", "advantage")):
        lens.step = step
        assert lens.color == color
    lens.token = 3
    assert lens.equation("gae")[1].endswith(f"= {signed(advantages[2], 3)}")
    lens.ratio = 1.4
    clipped = -min(1.4 * advantages[2], 1.2 * advantages[2])
    assert lens.equation("loss")[1].endswith(f"= {signed(clipped, 3)}")
    first = lens.trace
    lens.act_sample(lens.trace.prompt)
    assert lens.trace.tokens != first.tokens and lens.trace.prompt == first.prompt
    assert lens.shown["tokens"] == lens.trace.tokens and lens.busy == ""


@torch.no_grad()
def test_it_agrees_with_the_models(models):
    config = PPOConfig(max_response=10, max_prompt=32)
    shown = trace(models, PROMPT, config)
    prompts = encode(tokenizer(), [{"prompt": PROMPT}], 32)
    uniforms = torch.rand(1, 10, generator=generator(config.seed, "rollout", 0))
    episodes = roll_out(Compute(), models, prompts, uniforms)
    size = int(episodes.sequences.lengths[0])
    row = episodes.sequences.tokens[:, :size]
    answer = row[0, len(episodes.prompts[0].ids) :]
    assert len(shown.tokens) == len(answer)
    for model, logprobs in ((models.policy, shown.logprobs), (models.reference, shown.reference)):
        logits = model(row).logits[0].masked_fill(models.suppress, float("-inf"))
        plain = torch.log_softmax(logits, -1)[-len(answer) - 1 : -1]
        assert logprobs == pytest.approx(plain.gather(1, answer[:, None])[:, 0].tolist(), abs=1e-4)
    mask = torch.ones_like(row)
    stock = models.reward.classifier(input_ids=row, attention_mask=mask).logits
    assert shown.score == pytest.approx(float(stock), abs=1e-4)


def test_its_numbers_stand_in_the_equations():
    lens = TokenLens(stored())
    rewards, advantages = by_hand(lens.trace)
    lens.token = 2
    assert lens.equation("sampling") == [
        "log π = −2.000   (π = 13.5%)", "log π^SFT = −1.000", "log π − log π^SFT = −1.000",
    ]  # fmt: skip
    assert lens.equation("reward")[1] == "= −0.1 · (−1.000) = +0.100"
    delta = rewards[1] - 1.0 - 1.0
    assert lens.equation("gae")[0].endswith(f"= +0.100 + (−1.000) − (+1.000) = {signed(delta, 3)}")
    assert f"0.9 · ({signed(advantages[2], 3)})" in lens.equation("gae")[1]
    lens.token = 3
    assert lens.equation("reward") == [
        "R = −β (log π − log π^SFT) + r(x, y)", "= −0.1 · (0.000) + (+2.000) = +2.000",
    ]  # fmt: skip
    assert "+ (0.000) − (−1.000)" in lens.equation("gae")[0]  # after the last token V is 0
    assert set(EQUATIONS) == {*STEPS, "reward_last"}


def test_a_token_brings_its_own_ratio_and_nothing_leaves_its_range():
    lens = TokenLens(stored())
    assert lens.token == 2 and lens.ratio == 1.0  # it opens where the policy changed most
    lens.token = 1
    assert lens.ratio == pytest.approx(np.exp(0.3), abs=1e-4)
    lens.token = 99
    assert lens.token == 3 and lens.ratio == pytest.approx(np.exp(-0.5), abs=1e-4)
    lens.ratio = 9.0
    assert lens.ratio == 1.5
    lens.token = -4
    assert lens.token == 1


def test_the_copy_shows_all_four_steps_whichever_is_chosen():
    lens = TokenLens(stored())
    figure = lens.draw()
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert len(titles) == 5 and all(title.startswith(str(k)) for k, title in enumerate(titles) if k)
    beneath = [axes.get_xlabel() for axes in figure.axes[1:]]
    for step, words in zip(STEPS, beneath, strict=True):
        assert lens.equation(step)[-1].replace("^SFT", "(SFT)").replace("_next", "(next)") in words
    first = lens.picture
    assert first.startswith(b"\x89PNG")
    lens.token, lens.ratio = 2, 1.3
    assert lens.picture != first


def pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).astype(int)


def test_it_reads_stored_traces(models, tmp_path):
    shown = trace(models, PROMPT, PPOConfig(max_response=6, max_prompt=32))
    (tmp_path / "trace.json").write_text(json.dumps(shown.record()))
    read = Trace(**json.loads((tmp_path / "trace.json").read_text()))
    assert read == shown
    one, two = (pixels(TokenLens(kept).picture) for kept in (read, shown))
    assert one.shape == two.shape and np.abs(one - two).max() <= 4  # lines, equal to rounding
    assert not TokenLens(read).asks
    with pytest.raises(MinirlhfError, match="needs a Trace"):
        TokenLens()


def test_it_takes_any_prompt_it_can(models):
    lens = TokenLens(models=models, prompt=PROMPT, config=PPOConfig(max_response=8, max_prompt=64))
    lens._hear(None, {"do": "sample", "prompt": "größer 漢字 zxqv"}, None)
    assert lens.trace.prompt == "größer 漢字 zxqv\n" and lens.problem == ""
    for prompt, sentence in (("so long " * 40, "322 tokens"), (" ", "empty")):
        lens._hear(None, {"do": "sample", "prompt": prompt}, None)
        assert sentence in lens.problem and lens.busy == ""
        assert lens.trace.prompt == "größer 漢字 zxqv\n"


# ------------------------------------------------------------------------------- the page's numbers


@functools.cache
def engine() -> MiniRacer:
    """The page's code without a page: what draws is never called."""
    context = MiniRacer()
    files = ("elements.js", "common.js", "equations.js", "lens_panels.js")
    context.eval("\n".join((PAGE / name).read_text("utf-8") for name in files))
    return context


def page(call: str):
    return json.loads(engine().eval(f"JSON.stringify({call})"))


@given(st.lists(st.tuples(*[st.floats(-20, 20)] * 3), min_size=1, max_size=12), st.floats(-9, 9),
       st.floats(0, 2), st.floats(0, 1))  # fmt: skip
@settings(deadline=None)
def test_the_page_follows_a_trace_as_python_does(columns, score, beta, lam):
    logprobs, reference, values = (list(column) for column in zip(*columns, strict=True))
    shown = stored(
        tokens=["a"] * len(values), logprobs=logprobs, reference=reference, values=values,
        score=score, beta=beta, lam=lam, updated=[],
    )  # fmt: skip
    found = page(f"followed({json.dumps(TokenLens(shown).shown)})")
    near = functools.partial(pytest.approx, abs=2e-3, rel=1e-4)
    assert found["logRatio"] == near(shown.log_ratio.tolist())
    assert found["rewards"] == near(shown.rewards.tolist())
    assert found["advantages"] == near(shown.gae.advantages.tolist())
    assert found["returns"] == near(shown.gae.returns.tolist())


@given(st.floats(-1e4, 1e4), st.integers(1, 3))
@settings(deadline=None)
def test_page_and_copy_write_a_number_alike(number, digits):
    number = round(number, 6)
    written = {page(f"signed({number + nudge}, {digits})") for nudge in (-1e-7, 0, 1e-7)}
    assert signed(number, digits) in written  # a half may be rounded either way
