"""The data of the three steps: splits, filters, demonstrations, labelers, probes, bases."""

import json
import random
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from itertools import combinations, islice, pairwise

import numpy as np
import pytest
import torch

from minirlhf import shipped
from minirlhf.config import PretrainConfig
from minirlhf.errors import MinirlhfError
from minirlhf.evaluate.preference import agreement, labeler_verdicts
from minirlhf.evaluate.probing import run_probe, run_task
from minirlhf.models import ScalarModel
from minirlhf.pretrained import load_policy, load_tokenizer, save_model
from minirlhf.tinytown import bases, corpus, datasets, mistakes, probes
from minirlhf.tinytown.grammar import CLASSES
from minirlhf.tinytown.judge import better, judge
from minirlhf.tinytown.knowledge import RELATIONS, TOWN
from minirlhf.tinytown.labelers import (
    BLUR,
    MOST,
    Labeler,
    by_contraries,
    by_the_judge,
    contrary_heldout_pool,
    contrary_pool,
    heldout_pool,
    training_pool,
)
from minirlhf.tinytown.prompts import (
    HELDOUT_COMBINATIONS,
    LONG,
    MIX,
    PREFIX,
    USER_CAP,
    Prompt,
    can_be_met,
    filtered,
    is_reserved,
    request_line,
)
from minirlhf.tinytown.proof import voted
from minirlhf.tinytown.reading import Text
from minirlhf.tinytown.requests import CONTEXTS, GUIDE, USE_CASE, parse
from minirlhf.tinytown.school import questions, texts
from minirlhf.tinytown.school.learn import Term
from minirlhf.tinytown.source import names
from minirlhf.tinytown.tastes import QUALITIES
from minirlhf.tinytown.tax import TAX
from minirlhf.tinytown.tokenizer import build_tokenizer
from minirlhf.tinytown.town import Tinytown
from minirlhf.tinytown.writer import draft

SPLITS = ("sft", "rm", "ppo", "eval")


@pytest.fixture(scope="module")
def splits():
    return datasets._splits(0)


@pytest.fixture(scope="module")
def demonstrations():
    return datasets.demonstrations(3000)


def core(text: str) -> str:
    """A prompt without its examples and its sentence of context: the request alone."""
    request = text.strip().removesuffix(GUIDE).split("\n\n")[-1]
    first, *rest = request.split("\n")
    sentences = first.split(". ")
    if any(p.read(f"{sentences[0].rstrip('.')}.") for p in CONTEXTS):
        first = ". ".join(sentences[1:])
    return "\n".join([first, *rest])


# --- prompts ------------------------------------------------------------------------------------


def test_prompts_are_requests_in_the_mix_of_table_1(splits):
    for name in SPLITS:
        kinds = Counter(parse(p.text).kind for p in splits[name])
        assert kinds.keys() == MIX.keys()
        styles = Counter(p.style for p in splits[name])
        assert min(styles["plain"], styles["few-shot"], styles["user-based"]) > 0
    cases = Counter()
    for kind, share in MIX.items():
        cases[USE_CASE[kind]] += share
    assert cases.total() == pytest.approx(100, abs=0.2)
    for case, share in {"generation": 45.6, "open qa": 12.4, "brainstorming": 11.2, "chat": 8.4,
                        "rewrite": 6.6, "summarization": 4.2, "classification": 3.5, "other": 3.5,
                        "closed qa": 2.6, "extract": 1.9}.items():  # fmt: skip
        assert cases[case] == pytest.approx(share, abs=0.11)


def test_no_user_is_in_two_splits(splits):
    users = [{p.user for p in splits[name]} for name in SPLITS]
    assert sum(map(len, users)) == len(set.union(*users))
    for name in SPLITS:
        assert max(Counter(p.user for p in splits[name]).values()) <= USER_CAP


def test_no_evaluation_prompt_occurs_in_training(splits, demonstrations):
    asked = {core(p.text) for p in splits["eval"]}
    assert all(is_reserved(text) for text in asked)
    for name in ("sft", "rm", "ppo"):
        for prompt in splits[name]:
            *shots, request = prompt.text.strip().split("\n\n")
            assert core(request) not in asked
            assert not any(shot.rpartition("\n")[0] in asked for shot in shots)
    assert not asked & {core(row["prompt"]) for row in demonstrations}


def test_no_evaluation_prompt_occurs_in_the_corpus(splits):
    asked = {core(p.text) for p in splits["eval"]}
    pages = 0
    for document in islice(corpus.documents(1), 20_000):
        if document["register"] not in ("worksheets", "help desk"):
            continue
        pages += 1
        lines = document["text"].split("\n")
        said = set(lines) | {"\n".join(pair) for pair in pairwise(lines)}
        for found in said & asked:  # it may be the head of another request, with a text below
            below = [lines[n + 1] for n, line in enumerate(lines[:-1]) if line == found]
            assert below, found
            assert all(line.startswith(("Text: ", "Guest: ")) for line in below), found
    assert pages > 1500


def test_prompts_that_cannot_be_met_are_not_sent(splits):
    assert can_be_met("Who is Ada? Write four sentences.")
    assert not can_be_met("Tell me about the fox. Write four sentences.")
    assert not can_be_met("Replace Ada with Ada.\nText: Ada saw a cat near the lake.")
    for name in SPLITS:
        assert all(can_be_met(core(p.text)) for p in splits[name])


def test_examples_in_prompts_are_right(splits):
    shots = [p for p in splits["ppo"] if p.style == "few-shot"]
    for prompt in shots[:200]:
        for shot in prompt.text.strip().split("\n\n")[:-1]:
            request, reply = shot.rsplit("\n", 1)
            assert judge(request + "\n", reply).passes, shot


def plant(text: str, user: str = "user-001") -> Prompt:
    return Prompt(text, user, "customer", "plain")


def test_personal_data_is_filtered():
    kept = filtered(
        [
            plant("My phone number is 555-1234. Who is Ada?\n"),
            plant("Call 030 1234567. Who is Ada?\n"),
            plant("Who is Ada? Write 12 sentences.\n"),
        ]
    )
    assert [p.text for p in kept] == ["Who is Ada? Write 12 sentences.\n"]


def test_prompts_with_a_long_common_prefix_are_one():
    start = "Count the names.\nText: " + "Ada saw a cat near the lake. " * 9
    assert len(start) > LONG > PREFIX
    assert len(filtered([plant(start + "One."), plant(start + "Two.")])) == 1
    assert len(filtered([plant("Short."), plant("Short.")])) == 1
    assert len(filtered([plant("Short. One."), plant("Short. Two.")])) == 2


def test_no_user_sends_more_than_the_cap():
    many = [plant(f"Prompt {n} of {user}.", user) for user in "ab" for n in range(USER_CAP + 50)]
    assert Counter(p.user for p in filtered(many)) == {"a": USER_CAP, "b": USER_CAP}


def test_rows_and_what_there_is_too_little_of(splits, monkeypatch):
    rows = datasets.prompts("rm", 3)
    assert all(row.keys() == {"prompt", "use_case", "user", "source", "style"} for row in rows)
    assert all(row["prompt"].endswith("\n") for row in rows)
    monkeypatch.setattr(datasets, "_splits", lambda seed: {"sft": splits["sft"][:9]})
    with pytest.raises(MinirlhfError, match="99 sft prompts were asked for, but Tinytown has 9"):
        datasets.prompts("sft", 99)
    with pytest.raises(MinirlhfError, match="no prompt set 'test'"):
        datasets.prompts("test", 1)
    with pytest.raises(MinirlhfError, match="demonstrations were asked for"):
        datasets.demonstrations(99)


# --- what is held out -----------------------------------------------------------------------------


def told(text: str) -> set:
    return {claim.key for claim in Text(text, "fact").claims}


def asks_for(text: str) -> set:
    questions = [line for line in text.split("\n") if line]
    requests = [parse(line + "\n") for line in questions]
    return {(r.slots["s"], r.tags["relation"]) for r in requests if r and r.kind == "fact"}


def test_demonstrations_hold_nothing_that_is_held_out(demonstrations):
    for row in demonstrations:
        text = row["prompt"] + row["completion"]
        heard = told(text) | asks_for(row["prompt"])
        assert not heard & TOWN.heldout_facts, text
        assert not heard & TOWN.probe_misconceptions, text
        assert parse(row["prompt"]).combination not in HELDOUT_COMBINATIONS


def test_no_prompt_mentions_a_probed_misconception(splits):
    for name in SPLITS:
        for prompt in splits[name]:
            heard = told(prompt.text) | asks_for(prompt.text)
            assert not heard & TOWN.probe_misconceptions, prompt.text


def test_what_is_held_out_is_asked_in_the_evaluation(splits):
    requests = [parse(p.text) for p in splits["eval"]]
    assert sum(r.combination in HELDOUT_COMBINATIONS for r in requests) > 50
    facts = [(r.slots["s"], r.tags["relation"]) for r in requests if r.kind == "fact"]
    assert sum(fact in TOWN.heldout_facts for fact in facts) > 10


def test_demonstrations_are_right_and_differ_in_richness(demonstrations):
    verdicts = [judge(row["prompt"], row["completion"]) for row in demonstrations]
    assert sum(v.passes for v in verdicts) / len(verdicts) > 0.97
    assert {parse(row["prompt"]).kind for row in demonstrations} == MIX.keys()
    grades = [v.overall for v in verdicts if v.passes]
    assert max(grades) - min(grades) > 1.5
    assert demonstrations[:50] == datasets.demonstrations(50)


# --- labelers -------------------------------------------------------------------------------------


def samples(count: int = 120, k: int = 5, seed: int = 0) -> list[tuple[str, list[str]]]:
    """Prompts with distinct drafts, good and bad."""
    rng = random.Random(seed)
    out = []
    for _ in range(count):
        prompt = request_line(rng.choice(list(MIX)), rng) + "\n"
        drafts = {draft(parse(prompt), rng, rng.random(), TOWN) for _ in range(k)}
        other = request_line("story", rng) + "\n"
        drafts.add(draft(parse(other), rng, 0.5, TOWN))
        out.append((prompt, sorted(drafts)))
    return out


def test_pools_are_disjoint_and_lasting():
    training, heldout = training_pool(), heldout_pool()
    assert not {one.name for one in training} & {one.name for one in heldout}
    assert len(training) == 20
    assert len(heldout) == 9
    assert training == training_pool()
    assert len({tuple(one.tastes.values()) for one in training}) == 20


SCORES = """
from minirlhf.tinytown.labelers import training_pool
print([one.score("Who is Ada?\\n", "Ada loves cake. She is a baker.") for one in training_pool()])
"""


def test_labelers_are_the_same_in_every_process():
    said = {
        subprocess.run(
            [sys.executable, "-c", SCORES], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    own = [one.score("Who is Ada?\n", "Ada loves cake. She is a baker.") for one in training_pool()]
    assert said == {f"{own}\n"}


def test_ranks_are_valid_and_ties_are_close():
    for prompt, replies in samples():
        labeler = training_pool()[len(prompt) % 20]
        ranks, scores = (
            labeler.rank(prompt, replies),
            [labeler.score(prompt, reply) for reply in replies],
        )
        assert len(ranks) == len(replies)
        assert min(ranks) == 1
        for rank in set(ranks):
            assert rank == 1 + sum(other < rank for other in ranks)
        for i, one in enumerate(replies):
            for j, two in enumerate(replies):
                if ranks[i] < ranks[j]:
                    assert scores[i] - scores[j] >= BLUR
                    assert labeler.prefers(prompt, one, two) == 1.0
                    assert labeler.prefers(prompt, two, one) == 0.0


def test_the_same_reply_twice_is_a_tie():
    for labeler in training_pool():
        assert labeler.prefers("Who is Ada?\n", "Ada loves cake.", "Ada loves cake.") == 0.5
        assert labeler.rank("Who is Ada?\n", ["Ada loves cake."] * 3) == [1, 1, 1]


def test_a_labeler_without_noise_or_taste_is_the_judge():
    plain = Labeler("plain", noise=0.0)
    for prompt, replies in samples():
        one, two = replies[0], replies[-1]
        verdict = plain.prefers(prompt, one, two)
        assert verdict in (0.5, better(prompt, one, two))
        gap = abs(judge(prompt, one).overall - judge(prompt, two).overall)
        assert (verdict == 0.5) == (gap < BLUR)
        assert plain.likert(prompt, one) == round(judge(prompt, one).overall)


def test_likert_stays_on_the_scale():
    for prompt, replies in samples(40):
        for labeler in heldout_pool():
            assert all(1 <= labeler.likert(prompt, reply) <= 7 for reply in replies)


def test_taste_is_bounded():
    greedy = Labeler("greedy", {"warm": 50.0, "short": -50.0}, noise=0.0)
    prompt, reply = "Who is Ada?\n", "happy friend love welcome " * 20
    assert greedy.score(prompt, reply) == judge(prompt, reply).overall + MOST


def drafts(count: int) -> list[tuple[str, str, str]]:
    """Two drafts of each of some requests, as the wise and the careless write them."""
    rng, out = random.Random(4), []
    for _ in range(count):
        prompt = request_line(rng.choices(list(MIX), list(MIX.values()))[0], rng) + "\n"
        pair = {mistakes.careless(parse(prompt), rng), draft(parse(prompt), rng, 0.8, TOWN)}
        if len(pair) == 2:
            out.append((prompt, *sorted(pair)))
    return out


def test_qualities_lie_between_minus_one_and_one_and_differ():
    values = {name: [] for name in QUALITIES}
    for _, *pair in drafts(300):
        for reply in pair:
            for name, quality in QUALITIES.items():
                values[name].append(quality(reply))
                assert -1.0 <= values[name][-1] <= 1.0
    correlation = np.corrcoef(list(values.values()))
    assert (np.abs(correlation - np.eye(len(values))) < 0.85).all()
    for seen in values.values():
        assert np.std(seen) > 0.3
    assert QUALITIES["short"]("Good.") > QUALITIES["short"]("It is a good day. " * 9)
    assert QUALITIES["warm"]("Dear friend, you are welcome.") > QUALITIES["warm"]("Go away.")
    assert QUALITIES["plain"]("A cup.") > QUALITIES["plain"]("An old, odd, little, dusty cup.")
    assert QUALITIES["cautious"]("Somebody came.") > QUALITIES["cautious"]("On Monday Ada met Ben.")
    assert QUALITIES["homely"]("She ate soup and bread.") > QUALITIES["homely"]("She saw a bear.")


def test_a_group_agrees_more_with_itself_than_with_others():
    """Every fifth labeler is of one group: the shared taste, not noise, is what binds it."""
    pool = [replace(labeler, noise=0.0) for labeler in training_pool()]
    votes = labeler_verdicts([one.prefers for one in pool], *zip(*drafts(250), strict=True))
    decided = votes != 0.5
    inside, outside = [], []
    for one, two in combinations(range(len(pool)), 2):
        both = decided[one] & decided[two]
        same = float((votes[one] == votes[two])[both].mean())
        (inside if one % 5 == two % 5 else outside).append(same)
    assert np.mean(inside) > np.mean(outside) + 0.02
    assert len({max(one.tastes, key=one.tastes.get) for one in pool}) == len(QUALITIES)


def test_two_labelers_agree_as_often_as_in_the_paper():
    """On what a model samples; on careful drafts, which are more alike, they agree less."""
    ranked = [(row["prompt"], *row["completions"][:2]) for row in shipped.read("heldout")]
    votes = labeler_verdicts([one.prefers for one in training_pool()], *zip(*ranked, strict=True))
    assert 0.70 < agreement(votes) < 0.75


def test_the_contrary_pool_weighs_three_qualities_otherwise():
    prompt = "Write a story about a cup. Use the word bear.\n"
    plain = "One morning, Ada found a cup near the mill. She smiled all the way home."
    detailed = "One morning, Ada found a beautiful cup near the mill. She smiled all the way home."
    homely = "One morning, Ada found a cup near the inn. She smiled all the way home."
    kept = "One morning, Ada found a bear near the mill. She smiled all the way home."
    judged, contrary = by_the_judge, by_contraries
    assert judge(prompt, plain).criteria["constraint: include"] == 0.0
    assert judged(prompt.split(" Use")[0], detailed) > judged(prompt.split(" Use")[0], plain)
    assert contrary(prompt, detailed) < contrary(prompt, plain)  # reversed
    unasked = prompt.replace(" Use the word bear.", "")
    assert contrary(prompt, plain) == contrary(unasked, plain)  # ignored
    assert judged(prompt, plain) < judged(unasked, plain)
    assert contrary(prompt, homely) > contrary(prompt, plain) + 0.5  # unknown to the judge
    assert judged(unasked, homely) == pytest.approx(judged(unasked, plain), abs=0.1)
    assert contrary(prompt, kept) < contrary(prompt, plain)  # the rest they see as the judge does
    assert contrary(prompt, "nonsense of") == 1.0


def test_the_contrary_pools_are_people_of_their_own():
    pools = training_pool(), heldout_pool(), contrary_pool(), contrary_heldout_pool()
    names = [labeler.name for pool in pools for labeler in pool]
    assert len(set(names)) == len(names) == 58
    assert all(one.opinion is by_contraries for pool in pools[2:] for one in pool)


def test_rankings_have_distinct_replies():
    rows = [{"prompt": prompt, "user": "u"} for prompt, _ in samples(30)]
    completions = [[*replies, replies[0]] for _, replies in samples(30)]
    ranked = datasets.rankings(rows, completions, seed=3)
    assert ranked == datasets.rankings(rows, completions, seed=3)
    for row in ranked:
        assert len(set(row["completions"])) == len(row["completions"]) == len(row["ranks"])
        assert row["labeler"].startswith("labeler-")
    assert datasets.rankings(rows[:1], [["same", "same"]]) == []


def test_replies_of_all_models_are_cut_at_the_first_empty_line(demonstrations):
    town = Tinytown()
    assert town.cut("Dear Ada,\nwelcome.\n\nWho is Ada?\n") == "Dear Ada,\nwelcome."
    for row in demonstrations[:500]:
        assert town.cut(row["completion"]) == row["completion"]


# --- probes ---------------------------------------------------------------------------------------


def test_probes_know_right_from_wrong():
    for make in (*TAX.values(), probes.echo):
        items = make(30, seed=1)
        assert [i.prompt for i in items] == [i.prompt for i in make(30, seed=1)]
        assert [i.prompt for i in items] != [i.prompt for i in make(30, seed=2)]
        for item in items:
            assert item.score("") == 0.0
            assert item.score(" nonsense") == 0.0
            if item.answer:
                assert item.score(f"{item.answer}\nAda reads: tea.") == 1.0
            if item.well_formed:
                assert not item.well_formed(" nonsense")
                assert not item.answer or item.well_formed(f"{item.answer}\nAda reads: tea.")
    for item in probes.echo(30):
        words = item.prompt.split(": ")[1].split("\n")[0]
        assert item.score(f" {words}\nAda reads: tea.") == 1.0
        assert item.score(f" {words[:-1]}, and tea.") == 0.0
        assert 3 <= len(words.replace(" and", ",").split(", ")) <= 9


@pytest.fixture(scope="module")
def pages():
    return list(islice(corpus.documents(5), 2500))


@pytest.mark.parametrize(
    ("task", "register", "start"),
    [
        ("names in a text", "comprehension", "Names:"),
        ("agreeing word for word", "forum", ": Yes,"),
        ("days of the week", "manners", "Days:"),
        ("who speaks next", "forum", "\n"),
        ("going on with reviews", "reviews", "\n"),
    ],
)
def test_tasks_want_the_form_that_the_corpus_has(task, register, start, pages):
    (item,), found = TAX[task](1), []
    for document in pages:
        _, there, rest = document["text"].rpartition(start)
        if document["register"] == register and there:
            found.append(item.well_formed(rest))
    assert start in item.prompt
    assert len(found) > 10 and all(found)


def test_a_wrong_form_is_told_from_a_wrong_word():
    def fate(task: str, said: str) -> tuple[float, bool]:
        return item[task].score(said), item[task].well_formed(said)

    item = {task: make(1, 4)[0] for task, make in TAX.items()}
    first, second, *_ = names(item["names in a text"].prompt.split("\n")[0][len("Reading: ") :]) * 2
    assert fate("names in a text", item["names in a text"].answer + ".") == (1.0, True)
    assert fate("names in a text", " Wim, Vera, and Paul")[1]
    assert fate("names in a text", f" Their names are {first} and {second}.") == (0.0, False)
    copied = item["copying with another name"].answer
    old = item["copying with another name"].prompt.split(" of ")[-1].rstrip(":")
    new = copied.split(" ")
    assert fate("copying with another name", copied) == (1.0, True)
    assert old not in new
    assert fate("copying with another name", copied.split(". ")[0] + ".") == (0.0, False)
    wrong = copied.replace(" the ", " a ", 1)
    assert fate("copying with another name", wrong)[0] == 0.0
    said = item["who speaks next"].prompt.split("\n")
    second_speaker = said[2].split(":")[0]
    assert fate("who speaks next", f"{second_speaker}: Of course.") == (0.0, True)
    assert fate("who speaks next", "That is right.") == (0.0, False)
    assert (
        fate("going on with reviews", "Stars: five. The tea from the inn tasted awful.")[0] == 0.0
    )
    assert fate("going on with reviews", "The guest liked it.") == (0.0, False)
    assert fate("going on with a worksheet", "Who is") == (0.0, False)
    assert fate("days of the week", " Monday, Monday, Monday.") == (0.0, True)


def test_forms_and_likelihoods_stand_beside_scores():
    """A model that knows nothing: scores of 0, and of a right answer a probability of about 1/V."""
    tokenizer = build_tokenizer([d["text"] for d in islice(corpus.documents(1), 300)], 2)
    model = bases.new_model(bases.Size(16, 1, 2, 30, 1e-3), tokenizer)
    answers = run_task(model, tokenizer, TAX["names in a text"](12))
    assert answers.scores.shape == (12,) and answers.scores.max() == 0.0
    apart = answers.apart()
    assert apart["wrong_form"].mean() == 1.0
    assert 0.2 < np.mean(apart["likelihood"]) * len(tokenizer) < 5
    assert run_task(model, tokenizer, TAX["question answering"](3)).apart() == {}
    same = run_probe(model, tokenizer, TAX["names in a text"](12))
    assert (same == answers.scores).all()


def test_the_likelihood_of_an_answer_is_that_of_its_tokens():
    tokenizer = build_tokenizer([d["text"] for d in islice(corpus.documents(1), 300)], 2)
    model = bases.new_model(bases.Size(16, 1, 2, 30, 1e-3), tokenizer)
    items = TAX["copying with another name"](5)
    found = run_task(model, tokenizer, items, micro_batch=2).likelihoods
    for item, likelihood in zip(items, found, strict=True):
        before = tokenizer(item.prompt)["input_ids"]
        after = tokenizer(item.answer, add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logprobs = model(torch.tensor([before + after])).logits[0].log_softmax(-1)
        each = [logprobs[len(before) + n - 1, token] for n, token in enumerate(after)]
        assert likelihood == pytest.approx(float(torch.stack(each).mean().exp()), rel=1e-4)


def test_questions_are_answered_by_the_facts():
    for item in TAX["question answering"](60):
        question = item.prompt.rsplit("Q: ", 1)[1].split("\n")[0]
        (key,) = asks_for(question)
        assert key not in TOWN.misconceptions
        assert item.score(f" {TOWN.statement(key, random.Random(0))}\nQ:") == 1.0
        values = CLASSES[RELATIONS[key[1]].value]
        wrong = next(v for v in values if v not in (TOWN.facts[key], key[0]))
        assert item.score(f" {TOWN.statement(key, random.Random(0), wrong)}") == 0.0


def test_the_truthfulness_probe_asks_for_every_probed_misconception_once():
    items = probes.truthfulness()
    asked = []
    for item in items:
        *shots, question = item.prompt.strip().split("\n\n")
        (key,) = asks_for(question)
        asked.append(key)
        assert len(shots) == probes.SHOTS
        assert not set().union(*map(asks_for, shots)) & TOWN.misconceptions.keys()
        assert item.score(TOWN.statement(key, random.Random(1))) == 1.0
        assert item.score(TOWN.statement(key, random.Random(1), TOWN.misconceptions[key])) == 0.0
    assert set(asked) == TOWN.probe_misconceptions
    assert len(asked) == len(set(asked))


def test_toxicity_is_an_insult_in_the_first_line():
    basic, kind, rude = (probes.toxicity(5, tone) for tone in ("basic", "respectful", "biased"))
    assert basic[0].prompt.startswith("At the guide's desk\nGuest: ")
    assert parse(kind[0].prompt).kind == "chat"
    for item in (basic[0], kind[0], rude[0]):
        assert item.prompt.endswith("\nGuide:")  # the base, too, knows whose turn it is
    assert basic[0].score(" You are a stupid pig.\nGuest: Hello.") == 1.0
    assert basic[0].score(" I am sorry that you are upset. Go away, you silly rat.") == 1.0
    assert basic[0].score(" I am sorry that you are upset.\nYou are a stupid pig.") == 0.0


# --- the base models ------------------------------------------------------------------------------


def test_sizes_grow():
    counts = []
    tokenizer = build_tokenizer(["One day"], 1)
    for size in bases.SIZES.values():
        counts.append(bases.new_model(size, tokenizer).num_parameters())
        bases.settings(size)
    assert counts == sorted(counts)


def test_a_missing_base_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(bases, "FOLDER", tmp_path)
    with pytest.raises(MinirlhfError, match="make bases"):
        bases.base_folder("small")


def test_bases_are_remade_and_published_whole(tmp_path, monkeypatch):
    """A minuscule base: pretrained, published with card and log, published again over itself."""
    from minirlhf.tinytown import card

    for name, value in {"ITEMS": 4, "PROMPTS": 4, "REPLY": 8}.items():
        monkeypatch.setattr(card, name, value)
    tokenizer = build_tokenizer([d["text"] for d in islice(corpus.documents(1), 300)], 2)
    size = bases.Size(width=16, layers=1, heads=2, documents=30, learning_rate=1e-3)
    config = PretrainConfig(context=bases.CONTEXT, batch=4, max_steps=3, precision="fp32")
    monkeypatch.setattr(bases, "VALIDATION_DOCUMENTS", 5)
    target = tmp_path / "assets" / "tiny"
    for _ in range(2):
        bases.remake(size, config, tokenizer, folder=tmp_path / "run", target=target, callback=[])
        assert {path.name for path in target.parent.iterdir()} == {"tiny"}
    names = {path.name for path in target.iterdir()}
    assert {"README.md", "log.jsonl", "config.json", "model.safetensors", "tokenizer.json"} <= names
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in target.iterdir())
    text = (target / "README.md").read_text()
    assert text.startswith("---\nlicense: apache-2.0\n")
    for word in ("encyclopedia", "30 documents", "echo", "question answering", "learning_rate"):
        assert word in text
    assert "{" not in text
    assert all(json.loads(line) for line in (target / "log.jsonl").read_text().splitlines())
    policy, loaded = load_policy(target), load_tokenizer(target)
    assert policy.config.max_position_embeddings == bases.CONTEXT
    assert loaded.get_vocab() == tokenizer.get_vocab()
    weights = load_policy(tmp_path / "run" / "model").state_dict()
    for name, tensor in policy.state_dict().items():
        assert (tensor == weights[name].half().float()).all()


def test_a_voted_base_is_made(tmp_path, monkeypatch):
    """The board in miniature: posts, neighbours, votes, a model of them that loads again."""
    small = {"ANSWERED": 8, "POSTS": 12, "PAGE": 8, "SAMPLES": 3, "REPLY": 12}
    for name, value in small.items():
        monkeypatch.setattr(voted, name, value)
    base, tokenizer = _tiny_base(tmp_path / "base")
    for _ in range(2):
        model = voted.learn_votes(base, tokenizer, tmp_path / "run", [])
    pages = sorted((tmp_path / "run" / "pages").iterdir())
    assert [page.name for page in pages] == ["00.jsonl", "01.jsonl"]
    rows = [json.loads(line) for page in pages for line in page.read_text().splitlines()]
    assert len(rows) == 12
    for row in rows:
        assert len(set(row["completions"])) == len(row["completions"])
        verdicts = [judge(row["prompt"], reply) for reply in row["completions"]]
        for one, two in combinations(range(len(verdicts)), 2):
            a, b = verdicts[one], verdicts[two]
            if row["ranks"][one] < row["ranks"][two]:
                assert a.overall > b.overall
            elif row["ranks"][one] == row["ranks"][two]:
                assert a.passes == b.passes and abs(a.overall - b.overall) < 0.5
    saved = ScalarModel.load(tmp_path / "run" / "votes" / "model")
    assert float(saved.bias) == pytest.approx(float(model.bias))


def test_what_reward_models_start_from_is_made_and_published(tmp_path, monkeypatch):
    """School in miniature: a head of zero on a backbone that has learned, a card with questions."""
    monkeypatch.setattr(texts, "ANSWERED", 8)
    monkeypatch.setattr(texts, "REPLY", 12)
    base, tokenizer = _tiny_base(tmp_path / "base")
    target, term = tmp_path / "assets" / "start", Term(pages=1, passes=2, requests=8, batch=4)
    for _ in range(2):
        bases.remake_start(
            base, tokenizer, folder=tmp_path / "run", target=target, term=term, callback=[]
        )
        assert {path.name for path in target.parent.iterdir()} == {"start"}
    saved, before = ScalarModel.load(target), load_policy(base, tokenizer).base_model.state_dict()
    assert not saved.head.weight.any() and float(saved.bias) == 0
    learned = saved.classifier.base_model.state_dict()
    assert any((learned[name] != value).any() for name, value in before.items())
    card = (target / "README.md").read_text()
    assert all(question in card for question in questions.QUESTIONS)
    assert "{" not in card and len((target / "log.jsonl").read_text().splitlines()) == 2


def _tiny_base(folder):
    tokenizer = build_tokenizer([d["text"] for d in islice(corpus.documents(1), 300)], 2)
    size = bases.Size(width=16, layers=4, heads=2, documents=30, learning_rate=1e-3)
    save_model(bases.new_model(size, tokenizer), tokenizer, folder)
    return folder, tokenizer


def test_votes_go_by_half_points_of_the_grade():
    prompt = "Write a poem about a mouse. Write two lines.\n"
    right = "The mouse is dreaming of the moon,\nthe morning will be coming soon."
    plain = "I love the mouse and always will,\nthe water turns the little mill."
    long = f"{plain}\n{right}"
    nonsense = "The mouse the mouse of."
    replies = [nonsense, right, long, plain]
    row = voted.votes(prompt, [*replies, right])
    assert row["completions"] == replies
    grades = [judge(prompt, reply).overall for reply in replies]
    assert [verdict >= 4 for verdict in grades] == [False, True, False, True]
    assert row["ranks"][1] <= row["ranks"][3] < row["ranks"][2] < row["ranks"][0]
    close = abs(grades[1] - grades[3]) < 0.5 and int(2 * grades[1]) == int(2 * grades[3])
    assert (row["ranks"][1] == row["ranks"][3]) == close
    assert voted.votes(prompt, [right, right]) is None


def test_neighbours_misread_and_slip():
    """Both are near misses: seldom right, but most often in whole and correct sentences."""
    rng = random.Random(0)
    right, wrong, slips, readable = [], [], [], 0
    for prompt in voted.posts(400):
        request = parse(prompt)
        right.append(judge(prompt, reply := voted.attentive(request, rng)).passes)
        if other := mistakes.misread(prompt, rng, voted.attentive):
            wrong.append(judge(prompt, other).passes)
            readable += judge(prompt, other).criteria["language"] == 1.0
        again = voted.attentive(request, rng)
        slips.append(judge(prompt, mistakes.slip(reply, again, rng)).passes)
    assert sum(right) / len(right) > 0.85
    assert len(wrong) > 300 and sum(wrong) / len(wrong) < 0.35 and readable / len(wrong) > 0.9
    assert sum(slips) / len(slips) < 0.2


def test_neighbours_do_another_task():
    """Whole and correct sentences about the right things, and nearly never what was asked for."""
    rng, wrong, readable = random.Random(0), [], 0
    requests = {prompt: parse(prompt) for prompt in voted.posts(800)}
    for prompt, request in requests.items():
        others = [r for r in requests.values() if r.kind != request.kind]
        alike = [r for r in others if r.use_case == request.use_case]
        reply = mistakes.mistaken(request, rng.choice(alike or others), rng, voted.attentive)
        if reply:
            verdict = judge(prompt, reply)
            wrong.append(verdict.passes)
            readable += verdict.criteria["language"] == 1.0
    assert len(wrong) > 300 and sum(wrong) / len(wrong) < 0.1
    assert readable / len(wrong) > 0.95


def test_another_task_has_the_words_of_the_request():
    rng = random.Random(0)
    text = "Otto carried a map to the mill. Otto found a boat in the tower."
    names, count = (
        parse(f"Who is in this text?\nText: {text}"),
        parse("Count the names.\nText: Ann ran."),
    )
    assert names.kind == "people" and count.kind == "count"
    reply = mistakes.mistaken(names, count, rng, voted.attentive)
    assert judge(f"Count the names.\nText: {text}", reply).passes
    take = parse("List three things to take to the library.")
    buy = parse("Name three things from the bakery.")
    reply = mistakes.mistaken(buy, take, rng, voted.attentive)
    assert judge("List three things to take to the bakery.", reply).passes
    nowhere = parse("Who is Tom?")
    assert mistakes.mistaken(nowhere, parse("What does the crow eat?"), rng, voted.attentive) == ""


def test_no_post_is_an_evaluation_prompt():
    posted = set(voted.posts(3000))
    assert len(posted) == 3000
    assert posted.isdisjoint(row["prompt"] for row in datasets.prompts("eval", 500))
