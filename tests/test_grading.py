"""The checker: every known mistake by its name, every right answer accepted, nothing else."""

import _thread
import contextlib
import math
import signal
import sys
import threading
import time
from functools import partial

import pytest
import torch
from answers import RIGHT
from wrong_answers import WRONG

from minirlhf import grading, objectives
from minirlhf.errors import MinirlhfError
from minirlhf.grading import (
    check,
    diagnosis,
    hint,
    progress,
    question,
    questions,
    shown_runs,
    time_limit,
)
from minirlhf.grading.choices import ChoiceQuestion, MeasuredQuestion
from minirlhf.grading.messages import say
from minirlhf.grading.question_kinds import FunctionQuestion
from minirlhf.lesson import languages
from minirlhf.randomness import generator as drawn_from

FUNCTIONS = [q for q in questions() if isinstance(q, FunctionQuestion)]
OTHERS = [q for q in questions() if not isinstance(q, FunctionQuestion)]


@pytest.fixture(autouse=True)
def workspace(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIRLHF_WORK", str(tmp_path / "work"))
    monkeypatch.setattr(languages, "_chosen", [])
    return tmp_path / "work"


@pytest.fixture
def unwatched(monkeypatch):
    """The bank's own wrong answers stand on the package, which a student's may not."""
    monkeypatch.setattr(diagnosis, "watched", lambda *_: contextlib.nullcontext([]))


def pairs():
    for q in FUNCTIONS:
        for number, (name, function) in enumerate(diagnosis.known_wrong(q)):
            yield pytest.param(q, name, function, id=f"{q.key}-{number}-{name}")


# --------------------------------------------------------------------------- the bank


@pytest.mark.parametrize(("q", "name", "function"), list(pairs()))
def test_a_known_mistake_is_refused_with_its_own_message(q, name, function, unwatched):
    verdict = q.verdict(function)
    assert (verdict.points, verdict.mistake) == (0, name)
    assert verdict.message == say(f"{q.key}.{name}")


@pytest.mark.parametrize("key", WRONG)
def test_what_students_get_wrong_is_refused_and_rightly_named(key):
    """Answers written without the bank; hardly any is left with nothing but "not yet"."""
    q, nameless = question(key), 0
    for name, function in WRONG[key]:
        verdict = q.verdict(function)
        nameless += verdict.mistake in ("value", "nan")
        assert verdict.points == 0
        assert verdict.mistake == name or (not name and verdict.table), (function, verdict)
    assert len(WRONG[key]) >= 12 and nameless <= 0.25 * len(WRONG[key])


def test_every_function_question_has_its_wrong_answers():
    assert set(WRONG) == {q.key for q in FUNCTIONS if not q.open}


@pytest.mark.parametrize("q", FUNCTIONS, ids=lambda q: q.key)
def test_differently_written_right_answers_are_accepted(q):
    assert len(RIGHT[q.key]) >= (1 if q.open else 2)
    for function in RIGHT[q.key]:
        verdict = q.verdict(function)
        assert verdict.right and verdict.points == q.points, verdict


@pytest.mark.parametrize("q", questions(), ids=lambda q: q.key)
def test_every_text_of_a_question_is_there_and_its_own(q):
    keys = [q.told_by(name) for name in q.mistakes]
    if isinstance(q, FunctionQuestion):
        assert len(keys) >= 5 and ("zero" in q.mistakes or q.outcome)
    for language in languages.LANGUAGES:
        texts = [say.entries[key][language] for key in keys]
        assert len(set(texts)) == len(texts)
    rungs = q.hint(), q.hint(2), q.why()
    assert len(set(rungs)) == 3 and f'hint("{q.key}", 2)' in rungs[0] and q.key not in q.facts()
    assert len(q.why()) <= 230  # two lines
    assert say.entries[f"{q.key}.objective"]["en"] in q.facts()


def test_no_message_is_left_over():
    mistakes = {q.told_by(name) for q in questions() for name in q.mistakes}
    shown = ("title", "ends", "iteration", "prompt", "reply", *shown_runs.PANELS)
    mistakes |= {f"runs.shown.{name}" for name in shown}
    told = ("objective", "hint", "recipe", "why")
    known = mistakes | {f"{q.key}.{name}" for q in questions() for name in told}
    shared = ("common", "board", "table")
    of_questions = {key for key in say.entries if key.split(".")[0] not in shared}
    assert of_questions <= known


def test_the_bank_holds_what_the_chapters_need():
    by_exercise = {name: grading.exercise(name) for name in ("ex04", "ex05", "ex06")}
    assert [len(found) for found in by_exercise.values()] == [4, 6, 10]
    assert sum(q.key.endswith(".bug") for q in questions()) == 3
    assert sum(isinstance(q, MeasuredQuestion) for q in questions()) == 3


@pytest.mark.parametrize("q", FUNCTIONS, ids=lambda q: q.key)
def test_the_reference_is_the_packages_own_function(q):
    """An answer that calls it is noticed, however it is wrapped; so is the bank's reference."""
    assert q.verdict(q.reference).mistake == "borrowed"
    assert q.verdict(lambda *arguments: q.reference(*arguments)).mistake == "borrowed"


@pytest.mark.parametrize(
    ("key", "borrowed"),
    [
        ("ppo.k1", objectives.kl_k1),
        ("ppo.k3", partial(objectives.kl_k3)),
        ("ppo.shaped_rewards", lambda *a: objectives.shaped_rewards(*a)),
        ("ppo.gae", lambda r, v, m, lam: tuple(objectives.gae(r, v, m, lam=lam))),
        ("ppo.policy_loss", objectives.policy_loss),
        ("rm.ranking_loss", lambda s, r, v: objectives.ranking_loss(s, r, v)[0]),
        ("rm.bias", objectives.reward_bias),
    ],
)
def test_the_packages_own_function_is_noticed(key, borrowed):
    verdict = check(key, borrowed)
    assert verdict.mistake == "borrowed" and question(key).symbol in verdict.message


def test_what_another_question_asks_for_is_closed_until_that_is_answered():
    def shaped_rewards(scores, p, q, mask, beta):
        rewards = torch.where(mask, -beta * objectives.kl_k1(p, q), 0.0)
        rewards[torch.arange(len(scores)), objectives.last_token(mask)] += scores
        return rewards

    verdict = check("ppo.shaped_rewards", shaped_rewards)
    assert (verdict.points, verdict.mistake) == (0, "closed")
    assert "objectives.kl_k1" in verdict.message and "ppo.k1" in verdict.message
    assert check("ppo.k1", lambda p, q: p - q).right
    assert check("ppo.shaped_rewards", shaped_rewards).right


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("rm.bug", lambda v, m: v[torch.arange(len(v)), objectives.last_token(m)]),
        (
            "ppo.whiten",
            lambda x, m: torch.where(
                m,
                (x - objectives.masked_mean(x, m)) / (objectives.masked_var(x, m) + 1e-8).sqrt(),
                0.0,
            ),
        ),
        ("rm.best_of_n", lambda s: objectives.best_of_n(s)),
    ],
)
def test_a_helper_that_is_the_answer_may_not_be_used(key, answer):
    assert check(key, answer).mistake == "borrowed"


def test_a_helper_of_the_package_may_be_used():
    def policy_loss(p, old, A, m, clip):
        ratio = (p - old).exp()
        worse = torch.maximum(-A * ratio, -A * ratio.clamp(1 - clip, 1 + clip))
        return objectives.masked_mean(worse, m)

    assert check("ppo.policy_loss", policy_loss).right


# --------------------------------------------------------------------------- mistakes of any kind


def right(scores):
    return -scores.mean()


@pytest.mark.parametrize(
    ("answer", "mistake", "said"),
    [
        (..., "unwritten", "Nothing here yet"),
        (None, "unwritten", "Nothing here yet"),
        (lambda s: None, "unwritten", "Nothing here yet"),
        (lambda s: ..., "unwritten", "Nothing here yet"),
        (torch.tensor(3.0), "not-a-function", "Tensor"),
        ("minus the mean", "not-a-function", "str"),
        (lambda s: 1 / 0, "exception", "ZeroDivisionError: division by zero, at: (lambda s: 1"),
        (lambda: 3, "exception", "TypeError"),
        (lambda s: undefined, "exception", "NameError"),  # noqa: F821
        (lambda s: float(right(s)), "number", "float"),
        (lambda s: (right(s), right(s)), "count", "2"),
        (lambda s: right(s)[None], "shape", "[1]"),
        (lambda s: right(s).double(), "dtype", "float64"),
        (lambda s: right(s) * torch.nan, "nan", "nan"),
        (lambda s: right(s) + 1, "value", "scores = ["),
        (lambda s: right(s.mul_(2)) / 2, "modified", "scores"),
        (lambda s: right(s.resize_(2)), "modified", "scores"),
    ],
)
def test_common_mistakes_are_named(answer, mistake, said):
    verdict = question("rm.bias").verdict(answer)
    assert (verdict.points, verdict.mistake) == (0, mistake), verdict
    assert said in f"{verdict.message}\n{verdict.table}"
    assert "✗" in repr(verdict) and "<div" in verdict._repr_html_()


def doubled(logprobs, reference):
    return 2 * (logprobs - reference)


def clipped_wider(p, old, A, mask, clip):
    return RIGHT["ppo.policy_loss"][0](p, old, A, mask, 2 * clip)


def one_bit_more(logits, tokens, mask):
    return RIGHT["sft.masked_loss"][0](logits, tokens, mask) / math.log(2)


@pytest.mark.parametrize("language", languages.LANGUAGES)
@pytest.mark.parametrize(
    ("key", "answer", "columns"),
    [
        ("ppo.k1", doubled, ["logprobs", "reference", "yours", "right"]),
        ("ppo.policy_loss", clipped_wider, ["old_logprobs", "mask", "adds", "slope: yours"]),
        ("sft.masked_loss", one_bit_more, ["tokens", "mask", "adds", "slope: yours"]),
        ("ppo.gae", lambda *a: tuple(1.01 * x for x in RIGHT["ppo.gae"][0](*a)), ["values"]),
        ("rm.best_of_n", lambda s: (s.argmax(1) + 1) % s.shape[1], ["scores"]),
    ],
)
def test_a_mistake_without_a_name_is_shown_token_by_token(key, answer, columns, language):
    languages.choose(language)
    verdict = question(key).verdict(answer)
    assert verdict.mistake == "value" and len(repr(verdict).splitlines()) <= 12
    lines = verdict.table.splitlines()
    assert max(map(len, lines)) <= 84 and "<pre" in verdict._repr_html_()
    if language == "en":
        (head,) = (line for line in lines if line.startswith("t "))
        assert all(column in head for column in columns)
    marked = [number for number, line in enumerate(lines) if line.endswith("◀")]
    assert len(marked) == ("best_of_n" not in key)
    for number in marked:  # nothing above it differs
        for line in lines[lines.index(next(x for x in lines if x.startswith("t "))) + 1 : number]:
            assert line.split()[-1] == line.split()[-2]


def test_a_graph_walked_back_twice_is_told_as_such():
    (answer,) = (f for name, f in WRONG["ppo.bug"] if name == "graph-twice")
    assert "detach" in question("ppo.bug").verdict(answer).message


def test_an_edit_in_place_reaches_neither_the_next_case_nor_the_reference():
    def spoils(x, mask):
        out = RIGHT["ppo.whiten"][0](x, mask)
        x.zero_(), mask.fill_(True)
        return out

    q = question("ppo.whiten")
    assert q.verdict(spoils).mistake == "modified"
    assert q.verdict(RIGHT["ppo.whiten"][0]).right
    for function in (lambda x, mask: RIGHT["ppo.whiten"][1](x.clone().mul_(1), mask.clone()),):
        assert q.verdict(function).right


def test_an_input_that_needs_a_gradient_may_be_edited_in_a_copy_without_a_crash():
    def edits(values, old, returns, mask, clip):
        values += 0.0  # the same values: nothing is changed
        return RIGHT["ppo.value_loss"][0](values, old, returns, mask, clip)

    assert question("ppo.value_loss").verdict(edits).right


@pytest.mark.parametrize("q", [q for q in FUNCTIONS if q.differentiable], ids=lambda q: q.key)
def test_a_lost_gradient_is_noticed(q):
    def lost(*arguments):
        with torch.no_grad():
            return RIGHT[q.key][0](*arguments)

    assert q.verdict(lost).mistake in ("detached", "no-gradient")


def test_a_wrong_gradient_is_noticed():
    def rounded(values, mask):
        score = RIGHT["rm.bug"][0](values, mask)
        return score.detach() + 2 * (score - score.detach())

    assert question("rm.bug").verdict(rounded).mistake == "gradient"


def test_zeros_earn_nothing_anywhere():
    for q in FUNCTIONS:
        other = lambda *a: torch.zeros(()), lambda *a: 0, lambda *a: 0 * a[0]
        for zeros in (*other, diagnosis.zero(q)):
            assert q.verdict(zeros).points == 0, q.key


def test_a_check_takes_milliseconds():
    torch.set_num_threads(1)
    for q in FUNCTIONS:
        took = []
        for _ in range(3):
            started = time.perf_counter()
            assert q.verdict(RIGHT[q.key][-1]).right
            took.append(time.perf_counter() - started)
        assert min(took) < (1.0 if q.open else 0.25), q.key


def test_checking_leaves_profilers_and_random_numbers_alone():
    def profile(*_):
        return None

    state = torch.random.get_rng_state()
    sys.setprofile(profile)
    try:
        check("ppo.gae", RIGHT["ppo.gae"][1])
        check("ppo.gae", lambda *a: 1 / 0)
        assert sys.getprofile() is profile
    finally:
        sys.setprofile(None)
    assert torch.equal(state, torch.random.get_rng_state())


# ------------------------------------------------------------------------ letters and measurements


def test_choices():
    q = question("rm.shift")
    assert isinstance(q, ChoiceQuestion)
    assert check("rm.shift", " c ").right
    for letter in q.mistakes:
        assert check("rm.shift", letter).message == say(f"rm.shift.{letter}")
    for answer in ("E", "", 3, "CC", "ABCD"):
        assert check("rm.shift", answer).mistake == "no-letter"
    assert check("rm.shift", "C").points == 2  # wrong letters after the right one cost nothing


def test_who_tries_every_letter_earns_nothing():
    points = [check("rm.shift", letter).points for letter in ("A", "no", "A", "B", "D", "C", "C")]
    assert points == [0] * 7 and progress().points == 0
    verdict = check("rm.shift", "C")
    assert (
        verdict.right
        and "at try 4" in verdict.message
        and question("rm.shift").why() in repr(verdict)
    )


def test_a_second_letter_earns_less(workspace):
    check("rm.shift", "B")
    assert check("rm.shift", "C").points == 1 == progress().points
    (workspace / "progress.json").unlink()
    assert check("rm.shift", "C").points == 2


MEASURED = [q for q in OTHERS if isinstance(q, MeasuredQuestion)]


@pytest.mark.parametrize("q", MEASURED, ids=lambda q: q.key)
def test_predict_and_measure(q):
    expected, wrong = q.expected(), next(x for x in q.letters if x != q.right)
    for measured in (expected, torch.tensor(expected), expected + 0.9 * q.tolerance):
        verdict = q.verdict(measured, expected + 0.9 * q.near, reason=q.right.lower())
        assert verdict.right and verdict.points == q.points and q.why() in verdict.message
        verdict = q.verdict(measured, 17, reason=q.right)
        assert verdict.right and verdict.points == q.points - 1 and "17" in verdict.message
        verdict = q.verdict(measured, expected, reason=wrong)
        assert (verdict.points, verdict.mistake) == (1, f"reason-{wrong}")
        assert q.verdict(measured, 17, reason=wrong).points == 0
    assert q.verdict(expected, reason=q.right).mistake == "no-guess"
    assert q.verdict(expected, ..., reason=q.right).mistake == "no-guess"
    for nothing in (None, ..., "", "Z", 1):
        assert q.verdict(expected, expected, reason=nothing).mistake == "no-reason"
    for nonsense in ("6.2", torch.zeros(2), math.nan, True):
        assert q.verdict(nonsense, 1.0, reason=q.right).mistake == "no-number"
    for name, value in {"zero": 0.0, **q.wrong}.items():
        assert abs(value - expected) > q.tolerance
        verdict = q.verdict(value, expected, reason=q.right)
        assert (verdict.points, verdict.mistake) == (0, name)
        assert verdict.message == say(f"{q.key}.{name}")
    assert q.verdict(-40.0, 1.0, reason=q.right).mistake == "off"


@pytest.mark.parametrize("q", MEASURED, ids=lambda q: q.key)
def test_the_first_guess_counts_and_later_reasons_count_less(q):
    expected, others = q.expected(), [x for x in q.letters if x != q.right]
    assert check(q.key, q.wrong and -40.0, expected, q.right).points == 0  # nothing measured yet
    assert check(q.key, expected, 17, others[0]).points == 0
    assert (
        check(q.key, expected, expected, q.right).points == q.points - 2
    )  # a guess after the fact
    assert check(q.key, expected, expected, others[1]).points == 0
    assert check(q.key, expected, expected, q.right).points == q.points - 2 == progress().points


def test_the_measured_values_are_those_of_theory():
    """Independently of the bank: sampled, not computed."""
    generator = torch.Generator().manual_seed(0)
    seen = torch.rand(2, 200_000, generator=generator) < 0.84
    agree = float((seen[0] == seen[1]).float().mean())
    assert agree == pytest.approx(question("rm.ceiling").expected(), abs=0.004)
    best = torch.rand(100_000, 8, generator=generator).amax(1)  # by quantile
    kl = float((math.log(8) + 7 * best.log()).mean())
    assert kl == pytest.approx(question("ppo.best_of_n_kl").expected(), abs=0.01)


# --------------------------------------------------------------------------- the desk


def test_hints_and_unknown_questions():
    assert repr(hint("rm.bias")).startswith(say("rm.bias.hint"))
    assert repr(hint("rm.bias", 2)) == say("rm.bias.recipe")
    with pytest.raises(MinirlhfError, match=r"did you mean 'rm\.ranking_loss'"):
        check("ranking_loss", right)
    with pytest.raises(MinirlhfError, match="no question"):
        hint("rm.rankng_loss")


def test_messages_come_in_the_language_that_is_chosen():
    english = question("rm.bias").verdict(...).message
    languages.choose("zh")
    chinese = question("rm.bias").verdict(...).message
    assert chinese != english and chinese == say.entries["common.unwritten"]["zh"]
    fails = question("rm.bias").verdict(lambda scores: 1 / 0).message
    assert "出错的一行" in fails and "at:" not in fails
    sparse = question("ppo.k1").verdict(lambda p, q: (p - q).to_sparse()).message
    assert "cpu 上的 float32 张量" in sparse
    assert question("rm.ranking_loss").facts().endswith("式 1")
    with pytest.raises(MinirlhfError):
        languages.choose("xx")


def test_progress_keeps_the_best_attempt_and_says_where(workspace):
    assert progress().points == 0
    check("rm.bias", lambda s: s.mean())
    assert progress().points == 0
    check("rm.bias", right)
    check("rm.bias", lambda s: s.mean())
    board = progress()
    assert board.points == 1 and board.out_of == sum(q.points for q in questions())
    text, page = repr(board), board._repr_html_()
    assert str(workspace / "progress.json") in text and str(workspace / "progress.json") in page
    assert "Colab" not in text
    (line,) = (line for line in text.splitlines() if "rm.bias" in line)
    assert line.split() == ["✓", "rm.bias", "1", "/", "1", "tries:", "3"]
    assert all(q.key in text and q.key in page for q in questions())


def test_progress_on_colab_says_that_it_is_lost_and_how_to_save_it(monkeypatch):
    monkeypatch.setattr("minirlhf.lesson.on_colab", lambda: True)
    assert "lost" in repr(progress()) and "Drive" in progress()._repr_html_()


@pytest.mark.parametrize("damage", ["", "[]", '{"rm.bias": 3}', '{"rm.bias": {"points": "x"}}'])
def test_a_damaged_board_is_put_aside(workspace, damage):
    check("rm.bias", right)
    (workspace / "progress.json").write_text(damage)
    check("rm.bias", right)
    assert progress().points == 1
    assert (workspace / "progress.damaged.json").read_text() == damage


def test_a_workspace_that_cannot_be_written_costs_no_points(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MINIRLHF_WORK", str(tmp_path / "file"))
    assert check("rm.bias", right).right


def test_progress_says_where_nothing_can_be_kept(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MINIRLHF_WORK", str(tmp_path / "file"))
    board = progress()
    assert board.points == 0 and "Nothing can be kept in" in repr(board)
    assert "MINIRLHF_WORK" in board._repr_html_()
    monkeypatch.setenv("MINIRLHF_WORK", str(tmp_path / "work"))
    (tmp_path / "work" / "progress.json").mkdir(parents=True)
    assert check("rm.bias", right).right and "Nothing can be kept" in repr(progress())


# ------------------------------------------------------------------------ whatever an answer does


def in_place(logprobs, old_logprobs, advantages, mask, clip):
    ratio = torch.exp(logprobs - old_logprobs)
    gain = ratio * advantages
    ratio.clamp_(1 - clip, 1 + clip)
    return -torch.where(mask, gain, 0.0).sum() / mask.sum()


def learns_by_itself(logprobs, old_logprobs, advantages, mask, clip):
    loss = -(torch.exp(logprobs - old_logprobs) * advantages)[mask].mean()
    loss.backward()
    return loss


@pytest.mark.parametrize(
    ("key", "answer", "mistake"),
    [
        ("ppo.policy_loss", in_place, "exception"),
        ("ppo.policy_loss", learns_by_itself, "exception"),
        ("ppo.k1", lambda p, q: exit(), "exception"),
        ("ppo.k1", lambda p, q: (p - q).to_sparse(), "type"),
        ("ppo.k1", lambda p, q: (p - q) + 0j, "type"),
        ("ppo.k1", lambda p, q: (p - q).to("meta"), "type"),
        ("ppo.k1", lambda p, q: iter([p, q]), "type"),
        ("ppo.k1", lambda p, q: 0.5, "number"),
        ("rm.ceiling", 10**400, "no-number"),
        ("rm.ceiling", math.inf, "no-number"),
        ("rm.best_of_n", lambda s: s.argmax(1).tolist(), "type"),
    ],
)
def test_a_check_never_raises(key, answer, mistake):
    assert check(key, answer, 1).mistake == mistake


def test_what_a_cell_has_set_in_torch_does_not_matter():
    dtype = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    try:
        assert check("ppo.k1", lambda p, q: p - q).right
        assert check("ppo.k1", lambda p, q: (p - q).detach()).mistake == "detached"

        def switches_off(p, q):
            torch.set_grad_enabled(False)
            return p - q

        assert not check("ppo.k1", switches_off).right
        assert torch.get_default_dtype() == torch.float64 and not torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(True)


def test_the_package_may_be_patched_with_an_answer(monkeypatch):
    """As one does to train with it; the references stay what they were."""

    def k1(logprobs, reference):
        return logprobs - reference

    monkeypatch.setattr(objectives, "kl_k1", k1)
    assert check("ppo.k1", k1).right and objectives.kl_k1 is k1
    monkeypatch.setattr(objectives, "kl_k1", lambda p, q: q - p)
    assert check("ppo.k1", lambda p, q: -(p - q)).mistake == "sign"


def test_batches_to_whiten_have_a_usual_variance_a_tiny_one_and_none():
    asked = question("ppo.whiten")
    drawn = [asked.inputs(drawn_from(n, asked.key)) for n in range(asked.cases)]
    spread = [float(case["x"][case["mask"]].std()) for case in drawn]
    assert min(spread) == 0 and max(spread) > 0.1 and any(0 < s < 1e-3 for s in spread)


def test_the_banks_own_helpers_are_no_answer():
    from minirlhf.grading.bank.ex05_ranking_loss import _of_all_pairs

    assert check("rm.ranking_loss", lambda s, r, v: _of_all_pairs(s, r, v)).mistake == "borrowed"


# ------------------------------------------------------------------------- answers that never end


def calls_itself(p, q):
    return calls_itself(p, q)


def two_call_one_another(p, q):
    return "log".startswith("l") and sorted([0], key=lambda _: two_call_one_another(p, q))


@pytest.mark.parametrize("answer", [calls_itself, two_call_one_another])
def test_an_endless_recursion_is_named(answer):
    verdict = check("ppo.k1", answer)
    assert verdict.mistake == "recursion"
    assert "calls itself without end (RecursionError" in verdict.message
    assert "SystemError" not in verdict.message


def test_a_deep_recursion_that_ends_is_right():
    deep = sys.getrecursionlimit() - 150

    def k1(p, q, depth=deep):
        return k1(p, q, depth - 1) if depth else p - q

    threads = []
    thread = threading.Thread(target=lambda: threads.append(check("ppo.k1", k1)))
    thread.start()
    thread.join()
    assert threads[0].right, threads[0]


def answers_still_running():
    time.sleep(0.1)
    return [thread for thread in threading.enumerate() if thread.name == "answer"]


def endless(p, q):
    while True:
        pass


def endless_in_torch(p, q):
    while True:
        p = p + q


def catches_exceptions(p, q):
    while True:
        with contextlib.suppress(Exception):
            endless(p, q)


def catches_some(p, q, caught=4):
    for _ in range(caught):
        with contextlib.suppress(BaseException):
            endless(p, q)
    return p - q + endless(p, q)


def catches_all(p, q, until=0.0):
    while time.monotonic() < until:
        try:
            while time.monotonic() < until:
                pass
        except BaseException:
            pass


def sleeps(p, q):
    time.sleep(4)


ENDLESS = [endless, endless_in_torch, catches_exceptions, catches_some]


@pytest.mark.parametrize("answer", ENDLESS)
@pytest.mark.parametrize("main_thread", [True, False])
def test_an_answer_that_never_ends_comes_back_in_time(answer, main_thread):
    verdicts, began = [], time.monotonic()

    def work():
        verdicts.append(check("ppo.k1", answer, seconds=0.2))

    if main_thread:
        work()
    else:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert time.monotonic() - began < 5.0
    (verdict,) = verdicts
    assert (verdict.points, verdict.mistake) == (0, "endless")
    assert "After 0.2 seconds" in verdict.message
    assert 'check("ppo.k1", …, seconds=300)' in verdict.message
    assert not answers_still_running()
    assert check("ppo.k1", lambda p, q: p - q).right


@pytest.mark.parametrize("answer", [sleeps, catches_all])
def test_an_answer_that_cannot_be_stopped_is_left_behind(answer, monkeypatch):
    monkeypatch.setattr(catches_all, "__defaults__", (time.monotonic() + 4,))
    began = time.monotonic()
    verdict = check("ppo.k1", answer, seconds=0.2)
    assert time.monotonic() - began < 3.5
    assert verdict.mistake == "endless-still" and "Restart the kernel" in verdict.message
    assert check("ppo.k1", lambda p, q: p - q).right
    for thread in answers_still_running():
        thread.join()


def test_a_slow_answer_that_is_right_is_right():
    def slow(p, q):
        time.sleep(0.05)
        return p - q

    assert time_limit.LIMIT >= 20  # a thousand times what an answer takes
    assert check("ppo.k1", slow).right
    assert check("ppo.k1", slow, seconds=0.06).mistake == "endless"
    assert check("ppo.k1", slow, seconds=60).right


def test_without_a_limit_an_answer_runs_where_the_caller_is():
    seen = []

    def looks(p, q):
        seen.append(threading.current_thread())
        return p - q

    assert check("ppo.k1", looks, seconds=None).right
    assert set(seen) == {threading.current_thread()}


def test_who_interrupts_a_check_stops_the_answer():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job ignores it
    threading.Timer(0.3, _thread.interrupt_main).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            check("ppo.k1", endless, seconds=60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not answers_still_running()


def test_a_notebooks_kernel_survives_an_endless_answer():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [
        "import os; before = os.getpid()\nfrom minirlhf.grading import check",
        "def answer(p, q):\n    print('begun')\n    while True: pass",
        "check('ppo.k1', answer, seconds=0.5)",
        "print(os.getpid() == before, check('ppo.k1', lambda p, q: p - q).right)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    said = {output.name: output.text for output in notebook.cells[2].outputs if "text" in output}
    assert said == {"stdout": "begun\n"}
    results = [
        output.data["text/plain"] for output in notebook.cells[2].outputs if "data" in output
    ]
    assert "After 0.5 seconds" in results[0]
    assert notebook.cells[3].outputs[0].text == "True True\n"
