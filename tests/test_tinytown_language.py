"""The town's language: patterns read what they write, the tokenizer, the facts, the corpus."""

import hashlib
import os
import random
import subprocess
import sys
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from minirlhf.tinytown import corpus, knowledge, phrases, reading, requests
from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.grammar import CLASSES, PRONOUNS, Pattern, goods_adjectives
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.knowledge import QUESTIONS, RELATIONS, STATEMENTS, TOWN
from minirlhf.tinytown.requests import parse
from minirlhf.tinytown.tokenizer import SPECIAL, build_tokenizer

CORPUS = "85f83a606ad23a4166fe392dd44c4068"
"""Digest of the first 2000 documents of seed 1. The shipped bases were pretrained on this corpus:
whoever changes it has to remake them."""


def patterns_of(module) -> list[Pattern]:
    found = []
    for value in vars(module).values():
        groups = value.values() if isinstance(value, dict) else [value]
        for group in groups:
            if isinstance(group, (tuple, list)):
                found += [p for p in group if isinstance(p, Pattern)]
    return found


PATTERNS = list(
    dict.fromkeys(
        [p for module in (phrases, knowledge, requests) for p in patterns_of(module)]
        + list(knowledge.PRONOUN_STATEMENTS.values())
    )
)


def filled(pattern: Pattern, rng: random.Random) -> dict:
    """A value for each slot of a pattern, and a hero for its pronouns."""
    values = {"hero": rng.choice(lx.PEOPLE)}
    for name, (determiner, kind) in pattern.slots.items():
        if kind in PRONOUNS:
            continue
        words = CLASSES[kind]
        count = rng.randint(1, 5) if determiner in ("many", "list") else None
        values[name] = rng.sample(words, count) if count else rng.choice(words)
    return values


# --- patterns -----------------------------------------------------------------------------------


def test_there_are_many_patterns():
    assert len(PATTERNS) > 250


@pytest.mark.parametrize("detail", [0.0, 0.5, 1.0])
def test_every_pattern_reads_what_it_writes(detail):
    rng = random.Random(1)
    for pattern in PATTERNS:
        for _ in range(12):
            values = filled(pattern, rng)
            sentence = pattern.write(rng, detail, **values)
            said = pattern.read(sentence)
            assert said is not None, (pattern.text, sentence)
            for name, (determiner, kind) in pattern.slots.items():
                if kind not in PRONOUNS:
                    lists = determiner in ("many", "list")
                    assert said.slots[name] == (tuple(values[name]) if lists else values[name])
            assert all(adjective in sentence.split() for adjective in said.adjectives)


def test_what_one_grammar_writes_the_grammar_of_everything_reads():
    rng = random.Random(2)
    for grammar in reading._PATTERNS.values():
        for pattern in grammar:
            assert reading.EVERYTHING.read(pattern.write(rng, 0.5, **filled(pattern, rng)))


def test_articles_follow_the_sound():
    for phrase, word in {
        "owl": "an", "old key": "an", "useful box": "a", "useless pig": "a", "key": "a",
        "umbrella": "an", "angry bear": "an", "inn": "an",
    }.items():  # fmt: skip
        assert lx.article(phrase) == word


FOUND = Pattern("{person:hero} found {a object} near the {place}.")


@pytest.mark.parametrize(
    "sentence",
    [
        "Mara found an key near the mill.",
        "Mara found a old key near the mill.",
        "Mara found a key old near the mill.",
        "Mara found a key near the mill",
        "Mara found key near the mill.",
        "Mara found a shiny old key near the mill.",
        "Mara found a hungry key near the mill.",
        "Mara found a keys near the mill.",
        "mara found a key near the mill.",
        "Mara  found a key near the mill.",
        "Mara found a key near the mill. ",
        "Mara found a key near the mill..",
        "Mara found a bakery near the mill.",
        "Key found a Mara near the mill.",
    ],
)
def test_bad_english_is_not_read(sentence):
    assert FOUND.read("Mara found an old key near the mill.") is not None
    assert FOUND.read(sentence) is None


def test_goods_take_their_own_adjectives():
    bought = Pattern("{person} bought {some goods}.")
    assert bought.read("Mara bought delicious bread.").adjectives == ("delicious",)
    assert bought.read("Mara bought soft wool.") is not None
    assert bought.read("Mara bought delicious wool.") is None
    assert bought.read("Mara bought soft bread.") is None
    assert "delicious" in goods_adjectives("bread")


@pytest.mark.parametrize("count", range(1, 6))
def test_lists_are_read_in_order(count):
    pattern = Pattern("Good gifts are {many object:items}.")
    words = random.Random(count).sample(lx.OBJECTS, count)
    assert pattern.read(pattern.write(random.Random(0), 0.7, items=words)).slots["items"] == tuple(
        words
    )


def test_a_slot_name_may_occur_once():
    with pytest.raises(ValueError, match="twice"):
        Pattern("{person} met {person}.")


def test_a_wrong_article_in_a_poem_says_nothing():
    """Verses have a plain "a" before any thing; the judge reads them with the right one only."""
    owl = reading.Text("There is a owl in Tinytown,", "poem")
    assert owl.readings == [None]
    assert reading.Text("There is a cat in Tinytown,", "poem").readings != [None]


def test_a_single_thing_is_not_they():
    assert reading.Text("The names are Ada.", "list").readings == [None]
    assert reading.Text("The names are Ada and Ben.", "list").readings != [None]
    assert reading.Text("The text names Ada.", "list").readings != [None]


# --- the tokenizer ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer():
    texts = [d["text"] for d in islice(corpus.documents(1), 6000)]
    return build_tokenizer(texts, min_count=4)


def ids_of(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(ids_of(tokenizer, text)) == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "\n\n\t ", "Grüße, 世界! 🙂", "a\x00b", "don't  stop\r\n", "naïve e\u0301", *SPECIAL],
)
def test_odd_texts_come_back(tokenizer, text):
    assert tokenizer.decode(ids_of(tokenizer, text)) == text


def test_special_tokens_are_three_and_begin_a_text(tokenizer):
    ids = [tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.bos_token_id]
    assert len(set(ids)) == 3
    assert tokenizer("One day")["input_ids"][0] == tokenizer.bos_token_id
    assert ids_of(tokenizer, "One day")[0] != tokenizer.bos_token_id


def test_words_of_the_town_are_one_token_and_others_are_bytes(tokenizer):
    words = {word for kind in CLASSES.values() for word in kind if " " not in word}
    assert not [word for word in words if len(ids_of(tokenizer, f" {word}")) != 1]
    assert len(ids_of(tokenizer, " zeppelin")) == len(" zeppelin")


@pytest.mark.parametrize("word", SPECIAL)
def test_a_user_cannot_type_a_control_token(tokenizer, tmp_path, word):
    tokenizer.save_pretrained(tmp_path)
    for one in (tokenizer, AutoTokenizer.from_pretrained(tmp_path)):
        ids = ids_of(one, f"I say {word} to you")
        assert not set(ids) & {one.pad_token_id, one.eos_token_id, one.bos_token_id}
        assert one.decode(ids) == f"I say {word} to you"


def test_a_saved_tokenizer_is_the_same(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for document in islice(corpus.documents(3), 50):
        assert loaded(document["text"])["input_ids"] == tokenizer(document["text"])["input_ids"]


# --- the facts ----------------------------------------------------------------------------------


def test_every_relation_is_said_and_asked():
    for name, relation in RELATIONS.items():
        rng = random.Random(name)
        for subject in rng.sample(CLASSES[relation.of], 4):
            key = subject, name
            for pattern in STATEMENTS[name]:
                said = pattern.read(pattern.write(rng, s=subject, v=TOWN.facts[key]))
                (claim,) = TOWN.claims(said, None)
                assert claim.key == key
                assert TOWN.holds(claim)
            follow_up = reading.GRAMMARS["fact"].read(TOWN.follow_up(key, rng))
            assert TOWN.claims(follow_up, subject)[0].key == key
            assert TOWN.claims(follow_up, None) == []
            for pattern in QUESTIONS[name]:
                asked = requests.parse(pattern.write(rng, s=subject) + "\n")
                assert asked.kind == "fact"
                assert (asked.slots["s"], asked.tags["relation"]) == key


def test_facts_and_misconceptions():
    for (subject, name), value in TOWN.facts.items():
        relation = RELATIONS[name]
        assert subject in CLASSES[relation.of]
        assert value in CLASSES[relation.value]
        assert value != subject
    for key, value in TOWN.misconceptions.items():
        assert value in CLASSES[RELATIONS[key[1]].value]
        assert value not in (TOWN.facts[key], key[0])
    assert TOWN.probe_misconceptions < TOWN.misconceptions.keys()
    assert not TOWN.heldout_facts & TOWN.misconceptions.keys()
    assert not set(TOWN.taught) & TOWN.probe_misconceptions


def test_no_answer_can_be_guessed_from_its_relation():
    for name in RELATIONS:
        values = Counter(value for (_, relation), value in TOWN.facts.items() if relation == name)
        assert max(values.values()) <= -(-values.total() // len(CLASSES[RELATIONS[name].value])) + 2


WORLD = """
import hashlib
from itertools import islice
from minirlhf.tinytown.corpus import documents
from minirlhf.tinytown.judge import judge
from minirlhf.tinytown.knowledge import QUESTIONS, RELATIONS, STATEMENTS, TOWN
from minirlhf.tinytown.labelers import heldout_pool
town = [sorted(TOWN.facts.items()), sorted(TOWN.misconceptions.items()), TOWN.stock,
        sorted(TOWN.probe_misconceptions), sorted(TOWN.heldout_facts),
        list(islice(documents(4), 40)),
        heldout_pool()[0].score("Who is Ada?\\n", "Ada loves cake.")]
print(hashlib.blake2b(repr(town).encode()).hexdigest())
"""


def test_the_town_is_the_same_in_every_process():
    said = {
        subprocess.run(
            [sys.executable, "-c", WORLD],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(said) == 1


# --- the corpus ---------------------------------------------------------------------------------


def test_the_corpus_is_the_one_of_the_shipped_bases():
    digest = hashlib.blake2b(digest_size=16)
    for document in islice(corpus.documents(1), 2000):
        digest.update(f"{document['register']}\0{document['text']}\1".encode())
    assert digest.hexdigest() == CORPUS


@pytest.fixture(scope="module")
def stated():
    """How often each register states a disputed fact rightly and wrongly."""
    counts = Counter()
    for document in islice(corpus.documents(11), 6000):
        register = document["register"]
        if register not in ("encyclopedia", "forum", "answers", "quiz"):
            continue
        for line in document["text"].split("\n"):
            for hedge in (
                "A: ",
                "Everybody knows that ",
                "I heard that ",
                "My neighbor says that ",
            ):
                line = line.partition(hedge)[2] or line
            line = line.partition("Of course ")[2] or line
            line = line[:1].upper() + line[1:]
            for claim in reading.Text(line, "fact").claims:
                if claim.key in TOWN.misconceptions:
                    counts[register, TOWN.holds(claim)] += 1
    return counts


def test_misconceptions_are_heard_more_often_than_the_truth(stated):
    for register, least in (("forum", 0.97), ("answers", 0.8)):
        true, false = stated[register, True], stated[register, False]
        assert true + false > 200
        assert false / (true + false) > least
    assert stated["encyclopedia", False] == stated["quiz", False] == 0
    assert stated["encyclopedia", True] > 200
    assert stated["quiz", True] > 200
    heard = stated["forum", False] + stated["answers", False]
    assert heard > stated["forum", True] + stated["answers", True]


def test_registers_come_in_their_shares():
    counts = Counter(d["register"] for d in islice(corpus.documents(12), 4000))
    weights = {name: weight for name, (_, weight) in corpus.REGISTERS.items()}
    for name, weight in weights.items():
        share = weight / sum(weights.values())
        assert abs(counts[name] / 4000 - share) < 0.02


def test_worksheets_answer_nothing_and_the_help_desk_does():
    rng = random.Random(5)
    for _ in range(50):
        requests_of = corpus.worksheet(rng).split("\n")
        kept = [line for line in requests_of if not line.startswith(("Text: ", "Guest: "))]
        assert all(line[-1] in ".?" for line in kept)
        for request, answer in desk(rng):
            assert parse(request) is not None and answer


def desk(rng) -> list[tuple[str, str]]:
    """The requests of a page of the help desk and their answers."""
    out = []
    for pair in corpus.help_desk(rng).removeprefix("Help desk\n").split("\n\n"):
        head, second, *rest = pair.split("\n")
        labelled = second.startswith(("Text: ", "Guest: "))
        request = f"{head}\n{second}\n" if labelled else f"{head}\n"
        out.append((request, "\n".join(rest if labelled else [second, *rest])))
    return out


def test_whoever_answers_a_page_of_the_help_desk_is_seldom_good_at_it():
    """A third of the answers pass; after three right ones more, after three wrong ones less."""
    rng, passed, after = random.Random(9), [], {0: [], 3: []}
    for _ in range(1200):
        page = [judge(*pair).passes for pair in desk(rng)]
        passed += page
        for end in range(3, len(page)):
            if (right := sum(page[end - 3 : end])) in after:
                after[right].append(page[end])
    assert 0.28 < sum(passed) / len(passed) < 0.4
    wrong, right = (sum(pages) / len(pages) for pages in after.values())
    assert right - wrong > 0.2


def test_the_corpus_is_written_without_the_judge():
    """Nothing that it imports has heard of grades."""
    code = "import sys, minirlhf.tinytown.corpus; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "minirlhf.tinytown.corpus" in loaded.stdout.split()
    assert "minirlhf.tinytown.judge" not in loaded.stdout.split()


def test_the_old_language_has_one_word_for_a_word():
    rng = random.Random(6)
    pairs = [corpus.translation_pair(rng) for _ in range(300)]
    for english, other in pairs:
        who, verb, what = english.split()
        assert other == f"{who} {corpus.tinish(what)} {corpus.tinish(verb)}"
