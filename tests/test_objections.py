"""What a judge objects to, found in the reply; held to Tinytown's judge, which says what is met."""

from collections import Counter

from minirlhf import shipped
from minirlhf.data.records import read_jsonl
from minirlhf.tinytown.grammar import sentences
from minirlhf.tinytown.judge import judge
from minirlhf.widgets.objections import criterion, missed, objections

GIFT = "Write a story about a bell. Do not use the word bridge.\n"


def test_pieces_are_the_reply_and_criteria_are_the_judges():
    """On the last replies of a run without a leash, which are wrong in many ways."""
    seen = Counter()
    for row in read_jsonl(shipped.run("beta-0") / "samples.jsonl")[-200:]:
        prompt, reply = row["prompt"], row["response"]
        found = objections(judge, prompt, reply)
        assert "".join(piece for piece, _ in found.pieces) == reply
        named = [name for _, names in found.pieces for name in names]
        assert set(named) | set(found.whole) == set(missed(judge(prompt, reply)))
        assert not set(named) & set(found.whole)
        marked = [piece for piece, names in found.pieces if names]
        assert all(len(sentences(piece)) == 1 for piece in marked)
        seen.update({"found": bool(marked), "none": not named and not found.whole})
    assert seen["found"] > 20 and seen["none"] > 20


def test_the_sentence_with_the_word_to_leave_out_is_blamed():
    reply = (
        "There was once a thin turtle who wanted to have a bell. It slept under the bridge. "
        "At last, the red bell was gone, and it cried."
    )
    pieces, whole = objections(judge, GIFT, reply)
    assert [piece for piece, names in pieces if "constraint: avoid" in names] == [
        "It slept under the bridge."
    ]
    assert "constraint: avoid" not in whole


def test_what_is_missing_has_no_place():
    prompt = "Write a story about a bell. Use the word rabbit.\n"
    reply = "There was once a thin turtle who wanted to have a bell."
    assert "constraint: include" in objections(judge, prompt, reply).whole


def test_a_judge_without_criteria_objects_to_nothing():
    assert objections(lambda prompt, reply: 2.5, "p", "One. Two.") == ([("One. Two.", [])], [])


def test_too_many_sentences_are_nobodys_fault():
    class Verdict:
        def __init__(self, reply):
            self.criteria = {"length": min(1.0, 1 / max(len(sentences(reply)), 1))}

    pieces, whole = objections(lambda prompt, reply: Verdict(reply), "p", "One. Two. Three.")
    assert pieces == [("One. Two. Three.", [])] and whole == ["length"]


def test_criteria_have_names_of_their_own():
    assert criterion("constraint: avoid") == "word to leave out" and criterion("taste") == "taste"


def test_of_what_is_said_three_times_each_is_marked():
    again = "It opened its bag and found sweet cheese."
    reply = f"There was once a happy hare who wanted to have a pretty boat. {again} {again} {again}"
    pieces, whole = objections(judge, "Write a story about a hare and a boat.\n", reply)
    marked = [piece for piece, names in pieces if "coherence" in names]
    assert marked == [again] * 3 and "coherence" not in whole
