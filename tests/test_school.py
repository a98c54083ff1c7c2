"""The school: answers that are right, read another way; no grade anywhere; a term that goes on."""

import random

import numpy as np
import pytest
import torch

from minirlhf.pretrained import load_policy, load_tokenizer
from minirlhf.tinytown import judge, labelers
from minirlhf.tinytown.bases import base_folder
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.prompts import is_reserved
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.school import by_word, exam, learn, lessons, questions, texts
from minirlhf.tinytown.school.breaks import where_it_breaks
from minirlhf.tinytown.school.pupil import SUBJECTS, Pupil, Stakes

STORY = "Write a story about a key. Use the words cat and bread. Do not use the word mill.\n"
TOLD = "One evening, Mara found a key near the mill. He gave bread to the cat."


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(base_folder("small"))


@pytest.fixture(scope="module")
def policy(tokenizer):
    return load_policy(base_folder("small"), tokenizer)


@pytest.fixture(scope="module")
def page(policy, tokenizer):
    return texts.page(policy, tokenizer, number=3, count=24)


@pytest.fixture(scope="module")
def rows(page, tokenizer):
    speller = lessons.Speller(tokenizer)
    return [lessons.row(speller, *request) for request in page]


def test_the_school_asks_no_judge_and_no_labeler(monkeypatch, policy, tokenizer, page, rows):
    """A slice of it is the same where every verdict, grade and labeler raises."""

    def refuse(*args, **more):
        raise AssertionError("somebody was asked for a grade")

    for name in ("judge", "judge_request", "better", "grade"):
        monkeypatch.setattr(judge, name, refuse)
    monkeypatch.setattr(judge.Verdict, "__init__", refuse)
    for name in ("score", "rank", "prefers", "likert"):
        monkeypatch.setattr(labelers.Labeler, name, refuse)
    assert texts.page(policy, tokenizer, number=3, count=24) == page
    again = lessons.row(lessons.Speller(tokenizer), *page[0])
    assert all(np.array_equal(a, b) for a, b in zip(again, rows[0], strict=True))


def test_requests_are_of_the_town_and_none_is_of_the_evaluation():
    prompts = texts.asked(300, seed=8)
    assert len(set(prompts)) == len(prompts) == 300
    assert all(parse(prompt) for prompt in prompts)
    lines = [prompt.split("\n\n")[-1].strip("\n") for prompt in prompts]
    bare = [line for line in lines if line.startswith(("Write", "Tell", "Give"))]
    assert len(bare) > 50 and not any(map(is_reserved, bare))
    asked = [len(parse(prompt).constraints) for prompt in prompts]
    assert max(asked) >= 4


def test_replies_go_wrong_in_many_ways():
    rng = random.Random(2)
    prompts = texts.asked(120, seed=9)
    requests = [parse(prompt) for prompt in prompts]
    missed = np.zeros(len(questions.QUESTIONS))
    count = 0
    for prompt, request in zip(prompts, requests, strict=True):
        for _ in range(6):
            if reply := texts.written(prompt, request, requests, rng).strip():
                missed += questions.answers(request, reply)
                count += 1
    share = dict(zip(questions.QUESTIONS, missed / count, strict=True))
    for name in (
        "misses: pronouns fit", "misses: things are introduced", "misses: no sentence comes twice",
        "misses: ends as a story", "topics missing: 1 or more", "misses the mood",
        "words to use that are missing: 1 or more", "sentences too few: 1 or more",
        "sentences that can't be understood: 1 or more",
    ):  # fmt: skip
        assert 0.004 < share[name] < 0.5, name


def test_answers_about_a_text_read_another_way(page):
    for prompt, replies in page:
        request = parse(prompt)
        asked = questions.asked(request)
        assert asked[f"asks for: {request.kind}"]
        for reply in replies:
            said = dict(zip(questions.QUESTIONS, questions.answers(request, reply), strict=True))
            lower = f" {reply.lower()} ".replace(",", " ").replace(".", " ").replace("!", " ")
            lower = lower.replace("\n", " ").replace("?", " ").replace(":", " ")
            wanted = [request.constraint("include")] if request.constraint("include") else []
            wanted += request.constraint("both") or ()
            absent = [word for word in wanted if f" {word.lower()} " not in lower]
            assert said["words to use that are missing: 1 or more"] == bool(absent)
            assert said["words to use that are missing: 2 or more"] == (len(absent) > 1)
            assert said["is finished"] == reply.rstrip().endswith((".", "!", "?"))
            assert said["misses: is a letter"] <= (request.kind == "letter")
            counts = [n for n in range(1, 7) if said[f"sentences: {n} or more"]]
            assert counts == list(range(1, len(counts) + 1))


def test_answers_about_words(tokenizer):
    speller = lessons.Speller(tokenizer)
    lesson = lessons.row(speller, STORY, [TOLD])
    said = [speller.words[token] for token in lesson.tokens]
    roles = {
        (said[place], by_word.ROLES[role]) for place, role in np.argwhere(lesson.in_request == 1)
    }
    assert roles == {
        ("key", "the topic"), ("key", "the object of the topic"), ("cat", "to be used"),
        ("bread", "to be used"), ("bread", "the second to be used"), ("mill", "to be avoided"),
    }  # fmt: skip
    names = by_word.ECHO + by_word.FAULTS
    found = {
        (said[place], names[column])
        for place, column in np.argwhere(lesson.in_reply[:, : len(names)] == 1)
    }
    assert found == {
        ("key", "is the topic"), ("key", "is the object of the topic"),
        ("mill", "is to be avoided"), ("bread", "is to be used"),
        ("bread", "is the second to be used"), ("cat", "is to be used"),
        ("gave", "breaks the sentence"),
    }  # fmt: skip
    so_far = lesson.in_reply[:, len(names) :]
    bread = len(said) - 1 - said[::-1].index("bread")
    assert so_far[bread, by_word.SO_FAR.index("a word to be used")] == 1
    assert so_far[bread, by_word.SO_FAR.index("both words to be used")] == 0
    assert so_far[-1, by_word.SO_FAR.index("both words to be used")] == 1
    assert so_far[-1, by_word.SO_FAR.index("2 sentences")] == 1


def test_so_far_never_goes_back(rows):
    start = len(by_word.ECHO) + len(by_word.FAULTS)
    for lesson in rows:
        for number in range(1, lesson.branch.max() + 1):
            told = lesson.in_reply[lesson.branch == number][:, start:].astype(int)
            so_far, still = np.split(np.diff(told, axis=0), [len(by_word.SO_FAR)], axis=1)
            assert (so_far >= 0).all() and (still <= 0).all()


@pytest.mark.parametrize(
    ("request_line", "reply", "before", "value"),
    [
        ("Where does Mara live?\n", "Mara lives on Oak Street.", " on", ("Mara", "street")),
        (
            "Tell me about the cat.\n",
            "The cat eats eggs. It sleeps at night.",
            " eats",
            ("cat", "eats"),
        ),
        (
            "Write a story about a key.\n",
            "Mara the teacher wanted a key more than anything.",
            " the",
            ("Mara", "job"),
        ),
    ],
)
def test_what_would_be_said_next_if_it_were_true(tokenizer, request_line, reply, before, value):
    lesson = lessons.row(lessons.Speller(tokenizer), request_line, [reply])
    told = {
        tokenizer.decode([lesson.tokens[place]]): by_word.VALUES[lesson.true_values[place]]
        for place in np.flatnonzero(lesson.true_values >= 0)
    }
    assert told[before] == TOWN.facts[value]


def test_between_sentences_a_text_is_what_there_is_so_far(page, rows, tokenizer):
    for (prompt, replies), lesson in zip(page[:8], rows, strict=False):
        request, end = parse(prompt), 0
        for number, reply in enumerate(replies[: lesson.branch.max()], 1):
            tokens = np.flatnonzero(lesson.branch == number)
            while lesson.sentence[end][0] != by_word.UNASKED:
                part = tokenizer.decode(lesson.tokens[tokens[0] : lesson.ends[end] + 1].tolist())
                assert reply.startswith(part)
                assert (lesson.answers[end] == questions.answers(request, part)).all()
                end += 1
            assert lesson.ends[end] == tokens[-1]
            assert lesson.tokens[tokens[-1]] == tokenizer.eos_token_id
            assert (lesson.answers[end] == questions.answers(request, reply)).all()
            end += 1
        assert end == len(lesson.ends)


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("She smiled all the way home.", None),
        ("She smiled all the", None),
        ("She smiled all the time.", "She smiled all the time"),
        ("She smiled.", "She smiled."),
        ("Lorem ipsum.", "Lorem"),
        ("One evening, Mara found an key near the mill.", "One evening, Mara found an key"),
        ("One evening, Mara found a cat in the mill.", "One evening, Mara found a cat"),
    ],
)
def test_where_a_sentence_breaks(sentence, said):
    assert where_it_breaks(sentence) == (None if said is None else len(said))


def test_a_page_comes_back_as_it_was(rows, tmp_path):
    path = tmp_path / "pages" / "000.npz"
    for make in (lambda: rows, lambda: pytest.fail("it was there")):
        for one, other in zip(rows, lessons.kept(path, make), strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_reply_is_read_as_if_it_were_alone(policy, tokenizer, page):
    """Neither the other replies of its row nor the rows beside it change what is answered."""
    torch.manual_seed(0)
    pupil, speller = Pupil(policy.base_model).eval(), lessons.Speller(tokenizer)
    together = [lessons.row(speller, prompt, replies) for prompt, replies in page[:3]]
    alone = lessons.row(speller, page[1][0], page[1][1][1:2])
    with torch.no_grad():
        both = pupil(lessons.batch(together, tokenizer.pad_token_id))
        one = pupil(lessons.batch([alone], tokenizer.pad_token_id))
    name = f"texts {pupil.layers}"
    finals = lessons.batch(together, tokenizer.pad_token_id).final
    place = int(together[0].branch.max()) + 1
    assert torch.allclose(both[name][0][finals][place], one[name][0][-1], atol=1e-4)


def test_questions_lie_at_layers_of_their_own(policy):
    pupil = Pupil(policy.base_model)
    assert set(pupil.heads) >= {"words of the request 1", f"texts {pupil.layers}"}
    assert all(int(name.rsplit(" ", 1)[1]) <= pupil.layers for name in pupil.heads)


def test_what_is_not_asked_counts_nothing(rows, policy, tokenizer):
    pad = tokenizer.pad_token_id
    stakes, pupil = Stakes(rows, pad), Pupil(policy.base_model)
    lesson = lessons.batch(rows[:2], pad)
    subject = next(s for s in SUBJECTS if s.name == "sentences")
    logits, truth = pupil(lesson)["sentences 2"]
    changed = torch.where(truth == by_word.UNASKED, logits + 3.0, logits)
    assert (truth == by_word.UNASKED).any()
    assert stakes.loss(subject, logits, truth, lesson) == stakes.loss(
        subject, changed, truth, lesson
    )


def test_a_term_is_learned_from_and_goes_on_where_it_was(monkeypatch, policy, tokenizer, tmp_path):
    monkeypatch.setattr(texts, "passer_by", lambda base, tokenizer, folder: policy)
    base, term = base_folder("small"), learn.Term(pages=1, passes=2, requests=16, batch=4)
    seen = []
    folder = tmp_path / "a"
    whole, found = learn.go_to_school(base, tokenizer, folder, term, callback=seen.append)
    assert [event.step for event in seen] == [1, 2]
    assert exam.report(found).count("\n") == len(found) + 2
    name = f"texts {whole.layers}"
    assert seen[1].metrics[name] < seen[0].metrics[name]

    class Killed(Exception):
        pass

    def kill(event):
        raise Killed

    with pytest.raises(Killed):
        learn.go_to_school(base, tokenizer, tmp_path / "b", term, callback=kill)
    rest, _ = learn.go_to_school(base, tokenizer, tmp_path / "b", term)
    for one, other in zip(whole.parameters(), rest.parameters(), strict=True):
        assert torch.equal(one, other)

    whole.save(tmp_path / "pupil.safetensors")
    again = Pupil(load_policy(base, tokenizer).base_model)
    again.load(tmp_path / "pupil.safetensors")
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        assert torch.allclose(one, other, atol=2e-3)

    model = learn.start(whole, base, tokenizer)
    assert not model.head.weight.any()
    backbone = dict(whole.backbone.named_parameters())
    for key, value in model.classifier.base_model.named_parameters():
        assert torch.equal(value, backbone[key])


def test_marks(policy, tokenizer, rows):
    pupil = Pupil(policy.base_model)
    marks = exam.marks(pupil, rows, tokenizer.pad_token_id)
    assert len(marks) == len(set(marks))
    for name, mark in marks.items():
        assert mark["asked"] == 0 or 0 <= mark["right"] <= 1, name


def test_told_apart_counts_pairs_within_a_request():
    said = [np.array([[2.0, 0.0], [1.0, 1.0], [3.0, 2.0]]), np.array([[0.0, 0.0]])]
    true = [np.array([[1, 0], [0, 0], [1, 0]]), np.array([[1, 1]])]
    shares = exam.told_apart(said, true)
    assert shares[0] == 1.0 and np.isnan(shares[1])
    assert exam.told_apart([-said[0], said[1]], true)[0] == 0.0
