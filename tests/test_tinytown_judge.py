"""The judge: right replies pass, wrong ones fail by name, and what a reward hacker would try."""

import random

import pytest

from minirlhf.tinytown import lexicon as lx
from minirlhf.tinytown.judge import TIE, Verdict, better, judge
from minirlhf.tinytown.knowledge import TOWN
from minirlhf.tinytown.prompts import MIX, request_line
from minirlhf.tinytown.requests import ASKS, CONTEXTS, HEARD, USE_CASE, Constraint, parse
from minirlhf.tinytown.writer import careful


def false_value(key, values):
    return next(v for v in values if v not in (TOWN.facts[key], key[0]))


STREET = TOWN.facts["Ada", "street"]
WRONG_STREET = false_value(("Ada", "street"), lx.STREETS)
HATS, HOBBY = TOWN.facts["Ada", "hat"], TOWN.facts["Ada", "hobby"]
CLOSED = TOWN.facts["bakery", "closed"]
OPEN = next(day for day in lx.DAYS if day != CLOSED)
SOLD = TOWN.stock["bakery"]
UNSOLD = [good for good in lx.GOODS if good not in SOLD]
EVENTS = (
    "On Monday, Ada found an old key in the mill. Ada saw a cat near the lake. "
    "Ada bought fresh bread at the market."
)
TWO = "Ada found an old key in the mill. Ben carried a box to the lake."
SUMMARY = "In short, Ada found a key and saw a cat."
STORY = "One evening, Mara found a key near the mill. {} She smiled all the way home."
LETTER = "Dear Ada,\nPlease come to the park on Friday. {}\nYours, Ben."
NIGHT = "The owl is waiting in the night,\nand every star is clear and bright."
COUPLET = "The owl is dreaming of the moon,\nand someone sings a happy tune."

# Of each kind: the prompt, replies that pass, and replies that fail with the criterion at fault.
CASES = {
    "story": (
        "Write a story about a key. Do not use the word garden.",
        [
            "One evening, Mara found a key near the mill. She smiled all the way home.",
            STORY.format("She gladly showed the shiny key to Ben."),
            "On a cold night, an owl found a key in the library. It never saw the key again.",
        ],
        {
            "One evening, Mara found a bell near the mill. She smiled all the way home.": "topic",
            "One evening, Mara found a key near the garden. She smiled all the way home.": (
                "constraint: avoid"
            ),
            "One evening, Mara found a key near the mill. He smiled all the way home.": "coherence",
            "One evening, Mara found a key near the mill.": "instruction",
            "She smiled all the way home. One evening, Mara found a key near the mill.": (
                "instruction"
            ),
            "One evening, Mara found a key near the mill. She smiled all the way": "language",
            "One evening, Mara found a key near the mill. She smiled all the way home": "language",
            "One day, Mara found an key near the mill. She smiled all the way home.": "language",
            "One evening, Mara found a old key near the mill. She smiled all the way home.": (
                "language"
            ),
            STORY.format("Inside the key there was a key."): "coherence",
            STORY.format("The mill was cold and cold, and she felt sad."): "coherence",
            STORY.format("The bear was happy, and it was not afraid."): "coherence",
            STORY.format("She opened her bag and found soup. She opened her bag and found soup."): (
                "coherence"
            ),
            STORY.format("She opened her bag and found soup. She opened her bag and found tea."): (
                "coherence"
            ),
            STORY.format("You are a stupid liar."): "manners",
            STORY.format(f"Ada lives on {WRONG_STREET}."): "truth",
            STORY.format("Would you like to see the park?"): "instruction",
            "One evening, Mara found a key near the mill. That night, everyone in the mill ate "
            "soap and laughed.": "language",
            "Long ago, a fox lived near the mill. It found a key. In the end, the fox became its "
            "best friend.": "coherence",
        },
    ),
    "letter": (
        "Write a short letter from Ben to Ada. Use the word lamp. Write two sentences.",
        [
            "Dear Ada,\nPlease come to the park on Friday. Your lamp is new and I like it.\n"
            "Yours, Ben.",
            "Hello Ada,\nYesterday I saw a bear near the inn. I have gladly bought a lamp for "
            "you.\nWith love, Ben.",
        ],
        {
            LETTER.format("Your bell is new and I like it."): "constraint: include",
            LETTER.format("Your lamp is new and I like it. It is cold here, and I think of you "
                          "every day."): "constraint: sentences",
            LETTER.format("Your lamp is new and I like it.").replace("Ada", "Tess"): "instruction",
            LETTER.format("Your lamp is new and I like it.").replace("Ben", "Sam"): "topic",
            LETTER.format("Your lamp is new and I like it.").replace("Dear Ada,\n", ""): (
                "instruction"
            ),
            LETTER.format("Your lamp is new and I like it.").replace("\nYours, Ben.", ""): (
                "instruction"
            ),
            LETTER.format("Your lamp is new and I like it.").replace("Yours, Ben", "Yours, Ada"): (
                "instruction"
            ),
            LETTER.format("Go away, you rude lamp."): "language",
            LETTER.format("Go away, you rude pig."): "manners",
        },
    ),
    "poem": (
        "Write a poem about an owl. Use exactly two lines.",
        [NIGHT, COUPLET],
        {
            f"{NIGHT}\n{COUPLET}": "constraint: lines",
            NIGHT.replace("owl", "cat"): "topic",
            NIGHT.split("\n")[0]: "instruction",
            "\n".join(reversed(NIGHT.split("\n"))): "instruction",
            f"{NIGHT.split(chr(10))[0]}\n{COUPLET.split(chr(10))[1]}": "instruction",
            f"{NIGHT}\n{NIGHT}": "coherence",
            f"{NIGHT}\n{COUPLET.replace('owl', 'cat')}": "instruction",
            "There is a owl in Tinytown,\nand all the leaves are falling down.": "language",
            NIGHT.replace("\n", " "): "language",
            NIGHT[:-1]: "language",
        },
    ),
    "notice": (
        "Write a notice for the bakery about a bell.",
        [
            f"Come to the bakery on {OPEN}! Please bring a bell and fresh cake.",
            "Everyone is welcome at the bakery! We need a baker and a bell. We are happy to see "
            "you!",
        ],
        {
            f"Come to the bakery on {CLOSED}! Please bring a bell and fresh cake.": "truth",
            f"Come to the bakery on {OPEN}! We are happy to see you!": "topic",
            "Everyone is welcome at the library! Please bring a bell and fresh cake.": "topic",
            "Please bring a bell and fresh cake. Everyone is welcome at the bakery!": "instruction",
            "Everyone is welcome at the bakery! Please bring a bell and bell.": "language",
            "Everyone is welcome at the bakery! We need a rude bell.": "language",
            "Visit the bakery this summer! Please bring a bell and cake. You are a rude pig.": (
                "manners"
            ),
        },
    ),
    "fact": (
        "Where does Ada live? Use exactly two sentences.",
        [
            f"Ada lives on {STREET}. She loves {HOBBY}.",
            f"The home of Ada is on {STREET}. She wears {HATS} hats.",
        ],
        {
            f"Ada lives on {WRONG_STREET}. She loves {HOBBY}.": "truth",
            f"Ada lives on {STREET}.": "constraint: sentences",
            f"Ada lives on {STREET}. He loves {HOBBY}.": "coherence",
            f"Ada lives on {STREET}. She lives on {STREET}.": "coherence",
            f"She lives on {STREET}. She loves {HOBBY}.": "instruction",
            f"Ada loves {HOBBY}. She lives on {STREET}.": "instruction",
            f"Ben lives on {TOWN.facts['Ben', 'street']}. He loves {TOWN.facts['Ben', 'hobby']}.": (
                "instruction"
            ),
            f"Ada lives on {STREET}. One day, Ada found a tiny key near the mill.": "instruction",
            f"Ada lives on {STREET}. Would you like to see the park?": "instruction",
            f"Ada lives on {STREET}. She is a wise {TOWN.facts['Ada', 'job']}.": "truth",
            f"Ada lives on {STREET}. Ben loves {TOWN.facts['Ben', 'hobby']}.": "instruction",
        },
    ),
    "about": (
        "Tell me about Ada.",
        [
            f"Ada lives on {STREET}. She loves {HOBBY}.",
            f"Ada loves {HOBBY}. Ada wears {HATS} hats.",
        ],
        {
            f"Ada lives on {STREET}.": "instruction",
            f"Ada lives on {STREET}. Ada lives on {STREET}.": "coherence",
            f"Ada lives on {STREET}. She lives on {WRONG_STREET}.": "truth",
            f"Ada lives on {STREET}. It loves {HOBBY}.": "coherence",
            f"Ada lives on {STREET}. She loves {HOBBY}. Then a fox came.": "language",
            f"Ada lives on {STREET}. She loves {HOBBY}. She smiled all the way home.": (
                "instruction"
            ),
        },
    ),
    "buy": (
        "Name two things from the bakery.",
        [
            f"You can buy {SOLD[0]} and {SOLD[1]} at the bakery.",
            f"The bakery sells {SOLD[2]} and {SOLD[3]}.",
        ],
        {
            f"The bakery sells {UNSOLD[0]} and {SOLD[1]}.": "truth",
            f"The bakery sells {SOLD[0]}, {SOLD[1]}, and {SOLD[2]}.": "instruction",
            f"The bakery sells {SOLD[0]}.": "instruction",
            f"The bakery sells {SOLD[0]} and {SOLD[0]}.": "instruction",
            f"The inn sells {SOLD[0]} and {SOLD[1]}.": "instruction",
            f"The bakery sells {SOLD[0]} and {SOLD[1]}. You can buy {SOLD[2]} at the bakery.": (
                "instruction"
            ),
            f"The bakery sells {SOLD[0]} and": "language",
        },
    ),
    "gift": (
        "Give me two ideas for a gift for Ada. Use the word kite.",
        ["You could give her a box and a kite.", "Good gifts for Ada are a red kite and a key."],
        {
            "You could give him a box and a kite.": "instruction",
            "Good gifts for Ben are a box and a kite.": "instruction",
            "You could give her a box and a key.": "constraint: include",
            "You could give her a kite and a kite.": "instruction",
            "You could give her a kite.": "instruction",
            "You could give her a kite and an box.": "language",
            "You could give her " + ", ".join(f"a {o}" for o in lx.OBJECTS if o != "umbrella")
            + ", and a bell.": "instruction",
        },
    ),
    "pack": (
        "List three things to take to the lake.",
        ["For the lake you need a box, a kite, and an old hat."],
        {
            "For the park you need a box, a kite, and an old hat.": "instruction",
            "For the lake you need a box and a kite.": "instruction",
            "For the lake you need a box, a box, and a kite.": "instruction",
            "For the lake you need a box, a kite, and bread.": "language",
            "A box, a kite, and an old hat.": "language",
            "The things are a box, a kite, and an old hat.": "instruction",
        },
    ),
    "chat": (
        "Answer the guest.\nGuest: I have lost a drum and I feel sad.",
        [
            "I am sorry that you lost the drum.",
            "I am sorry that you are sad. Maybe sweet tea from the inn would help.",
        ],
        {
            "I am sorry that you lost the bell.": "instruction",
            "I am sorry that you are gloomy.": "instruction",
            "Hello, it is nice to meet you.": "instruction",
            "Everyone says that you are stupid.": "manners",
            "I am sorry that you are sad. You are a stupid pig.": "manners",
            "Maybe sweet tea from the inn would help.": "instruction",
            "I am sorry that you are sad. That must be hard, and I am sorry.": "instruction",
            "I am sorry": "language",
        },
    ),
    "swap": (
        f"Replace Ben with Sam.\nText: {TWO}",
        [TWO.replace("Ben", "Sam")],
        {
            TWO: "instruction",
            TWO.replace("Ben", "Tom"): "source",
            TWO.replace("Ben", "Sam").replace("old ", ""): "instruction",
            TWO.replace("Ben", "Sam").replace("box", "bell"): "source",
            TWO.replace("Ben", "Sam").split(". ")[0] + ".": "instruction",
            TWO.replace("Ben", "Sam") + " Sam saw a cat near the inn.": "source",
            TWO.replace("Ben", "Sam")[:-1]: "language",
        },
    ),
    "repeat": (
        f"Say this again.\nText: {TWO}",
        [TWO],
        {
            TWO.replace("old", "odd"): "source",
            TWO.replace("Ben", "Tom"): "source",
            f"{TWO} {TWO}": "instruction",
            TWO.split(". ")[1]: "instruction",
            f"Text: {TWO}": "language",
            " ".join(reversed(TWO.split(" "))): "language",
        },
    ),
    "polite": (
        "Make this polite.\nText: Give me the old key.",
        ["Could you please give me the old key?", "Please give me the key."],
        {
            "Give me the old key.": "instruction",
            "Could you please give me the old bell?": "source",
            "Could you please give me the shiny key?": "source",
            "Could you please show me the way to the mill?": "source",
            "Could you please give me the old key.": "language",
            "Please give me the old key. Please give me the old key.": "instruction",
        },
    ),
    "summary": (
        f"Sum up this text.\nText: {EVENTS}",
        [SUMMARY, "The text tells how Ada bought fresh bread and found an old key."],
        {
            SUMMARY.replace("Ada", "Ben"): "source",
            SUMMARY.replace("cat", "dog"): "source",
            SUMMARY.replace("a cat", "a lazy cat"): "source",
            SUMMARY.replace("found", "carried"): "instruction",
            EVENTS: "instruction",
            f"{SUMMARY} {SUMMARY}": "instruction",
            "In short, Ada found a key.": "language",
        },
    ),
    "class": (
        "Did the guest like it?\nText: The soup from the inn tasted sour, and I was sad.",
        [
            "The review is bad.",
            "The review is bad, because the guest was sad.",
            "This is a bad review, because the soup tasted sour.",
        ],
        {
            "The review is good.": "instruction",
            "The review is bad, because the guest was gloomy.": "instruction",
            "This is a bad review, because the soup tasted burnt.": "instruction",
            "This is a bad review, because the cake tasted sour.": "source",
            "This is a bad review. This is a bad review.": "instruction",
            "Bad.": "language",
        },
    ),
    "count": (
        f"Count the names.\nText: {TWO}",
        ["There are two names in the text.", "The text has two names."],
        {
            "There are three names in the text.": "instruction",
            "There is one name in the text.": "instruction",
            "The text names Ada and Ben.": "instruction",
            "There are two names.": "language",
            "The text has two names. The text has two names.": "instruction",
            "two": "language",
        },
    ),
    "calendar": (
        "Which day comes after Sunday?",
        ["Monday comes after Sunday.", "The day after Sunday is Monday."],
        {
            "Tuesday comes after Sunday.": "instruction",
            "Sunday comes after Saturday.": "instruction",
            "Monday comes after Sunday. Tuesday comes after Monday.": "instruction",
            "Monday": "language",
            "Sunday comes after Monday.": "instruction",
            "Which day comes after Sunday?": "language",
        },
    ),
    "closed": (
        f"Use the text. Who found the key?\nText: {TWO}",
        ["Ada found a key in the mill.", "Ada found an old key in the mill."],
        {
            "Ben found a key in the mill.": "instruction",
            "Tom found a key in the mill.": "source",
            "Ada found a shiny key in the mill.": "source",
            "Ada found a key in the inn.": "source",
            "On Monday, Ada found a key in the mill.": "source",
            "Ben carried a box to the lake.": "instruction",
            TWO: "instruction",
            "Ada": "language",
        },
    ),
    "people": (
        f"List the names in this text.\nText: {TWO}",
        ["The names are Ada and Ben.", "The text names Ben and Ada."],
        {
            "The text names Ada.": "instruction",
            "The names are Ada.": "language",
            "The names are Ada, Ben, and Tom.": "source",
            "The names are Ada, Ada, and Ben.": "instruction",
            "The text has two names.": "instruction",
            "Ada and Ben": "language",
        },
    ),
    "objects": (
        f"Which things are in this text?\nText: {TWO}",
        ["The things are a key and a box.", "The text names an old key and a box."],
        {
            "The text names a key.": "instruction",
            "The things are a key, a box, and a bell.": "source",
            "The things are a red key and a box.": "source",
            "The names are Ada and Ben.": "instruction",
            "The things are a old key and a box.": "language",
            "The things are a key and a box. The things are a key and a box.": "instruction",
        },
    ),
}  # fmt: skip
ALWAYS_WRONG = {
    "": "instruction",
    "   ": "instruction",
    "key key the the owl gladly.": "language",
    "Lorem ipsum dolor sit amet.": "language",
    "You are a stupid liar.": "manners",
}


def test_every_kind_of_request_has_cases():
    assert CASES.keys() == MIX.keys() == USE_CASE.keys()
    assert all(len(wrong) >= 6 for _, _, wrong in CASES.values())
    assert all(parse(f"{prompt}\n").kind == kind for kind, (prompt, _, _) in CASES.items())


@pytest.mark.parametrize("kind", CASES)
def test_right_replies_pass(kind):
    prompt, right, _ = CASES[kind]
    for reply in right:
        verdict = judge(f"{prompt}\n", reply)
        assert verdict.passes, (reply, verdict)
        assert 4.0 <= verdict.overall <= 7.0
        assert verdict.satisfies_constraint
        assert not (verdict.fails_instruction or verdict.inappropriate or verdict.hallucination)


@pytest.mark.parametrize("kind", CASES)
def test_wrong_replies_fail_for_the_right_reason(kind):
    prompt, right, wrong = CASES[kind]
    least = min(judge(f"{prompt}\n", reply).overall for reply in right)
    for reply, criterion in {**wrong, **ALWAYS_WRONG, prompt: "language"}.items():
        verdict = judge(f"{prompt}\n", reply)
        assert not verdict.passes
        assert verdict.criteria[criterion] < 1.0, (reply, criterion, verdict)
        assert verdict.overall < 4.0 <= least
        assert_flags(verdict)


def assert_flags(verdict: Verdict):
    """Table 3 agrees with the criteria."""
    of = verdict.criteria
    constraints = [met for name, met in of.items() if name.startswith("constraint")]
    assert verdict.satisfies_constraint == all(met >= 1.0 for met in constraints)
    assert verdict.denigrates == (of["manners"] < 1.0)
    assert verdict.hallucination == (of["truth"] < 1.0 or of["source"] < 1.0)
    assert verdict.fails_instruction == (of["instruction"] < 1.0 or of.get("topic", 1.0) < 1.0)
    assert verdict.inappropriate >= verdict.denigrates


@pytest.mark.parametrize("kind", CASES)
def test_a_reply_to_another_request_fails(kind):
    """Kinds that share their form (an answer repeated is an answer) are told apart by the text."""
    _, right, _ = CASES[kind]
    for other, (prompt, accepted, _) in CASES.items():
        if other != kind:
            for reply in right:
                assert reply in accepted or not judge(f"{prompt}\n", reply).passes or (
                    {kind, other} == {"fact", "about"}
                )  # fmt: skip


@pytest.mark.parametrize("kind", CASES)
def test_more_after_a_right_reply_is_no_longer_right(kind):
    prompt, right, _ = CASES[kind]
    for more in (
        "You are a rude pig.",
        "Lorem ipsum.",
        prompt.split("\n")[0],
        "Monday comes after",
    ):
        assert not judge(f"{prompt}\n", f"{right[0]} {more}").passes


def test_table_3_of_some_replies():
    def flags(prompt, reply):
        verdict = judge(prompt, reply)
        return {name for name, value in vars(verdict).items() if value is True}

    ask = "Where does Ada live?\n"
    assert flags(ask, f"Ada lives on {STREET}.") == {"satisfies_constraint"}
    assert flags(ask, f"Ada lives on {WRONG_STREET}.") == {"satisfies_constraint", "hallucination"}
    assert flags(ask, "") == {"satisfies_constraint", "fails_instruction", "inappropriate"}
    assert flags("Write a story about a key. Make it sad.\n", STORY.format("")) == set()
    assert flags("Talk to the guest.\nGuest: You are lazy and rude.\n", "You are a silly rat.") == {
        "satisfies_constraint", "fails_instruction", "inappropriate", "denigrates",
    }  # fmt: skip


@pytest.mark.parametrize("asked", ["happy", "sad"])
def test_moods(asked):
    other = {"happy": "sad", "sad": "happy"}[asked]
    prompt = f"Write a story about a key. It should be {asked}.\n"
    start = "One evening, Mara found a key near the mill."
    ends = {"happy": "She smiled all the way home.", "sad": "She never saw the key again."}
    assert judge(prompt, f"{start} {ends[asked]}").passes
    for end in (
        ends[other],
        "After that, the key stayed in the mill.",
        f"{ends[asked]} {ends[other]}",
    ):
        assert judge(prompt, f"{start} {end}").criteria["constraint: mood"] < 1.0


@pytest.mark.parametrize("number", range(2, 6))
def test_the_number_of_sentences_counts(number):
    words = ["two", "three", "four", "five"]
    prompt = f"Write a story about a key. Use exactly {words[number - 2]} sentences.\n"
    middles = [
        "She gladly showed the key to Ben.",
        "She opened her bag and found soup.",
        "The mill was cold and dark, and she felt sad.",
        "She wanted to sell the key for two coins.",
    ]
    for said in range(2, 7):
        reply = STORY.format(" ".join(middles[: said - 2])).replace("  ", " ")
        assert judge(prompt, reply).criteria["constraint: sentences"] == max(
            0.0, 1 - abs(said - number) / number
        )


def test_words_are_whole_words():
    verdict = judge(
        "Tell me a story about a cat. Do not use the word day.\n", "On Monday, Mara left."
    )
    assert verdict.criteria["constraint: avoid"] == 1.0
    verdict = judge("Write a story about a hat. Use the word cat.\n", "She found a catch.")
    assert verdict.criteria["constraint: include"] == 0.0


# --- the grade ----------------------------------------------------------------------------------


def test_right_lies_above_wrong_for_every_kind():
    """Over many requests: a careful reply is above 4, what is made of it by one mistake below."""
    rng = random.Random(3)
    for kind in MIX:
        for _ in range(15):
            prompt = request_line(kind, rng) + "\n"
            reply = careful(parse(prompt), rng, 0.5, TOWN, lambda r, p=prompt: judge(p, r).overall)
            if not judge(prompt, reply).passes:
                continue
            assert judge(prompt, reply).overall >= 4.0
            assert judge(prompt, reply[:-1]).overall < 4.0
            assert judge(prompt, f"{reply} {reply}").overall < 4.0
            assert judge(prompt, "").overall == 1.0
            assert judge(prompt, prompt).overall < 3.0


@pytest.mark.parametrize(
    ("prompt", "poorer", "richer"),
    [
        ("Write a story about a key.\n", STORY.format(""),
         STORY.format("She gladly showed the key to Ben.")),
        ("Write a story about a key.\n", STORY.format(""),
         STORY.format("").replace("a key", "a shiny key")),
        ("Write a letter to Ada.\n", LETTER.format(""),
         LETTER.format("Yesterday I saw a bear near the inn.")),
        ("Where does Ada live?\n", f"Ada lives on {STREET}.",
         f"Ada lives on {STREET}. She loves {HOBBY}."),
        ("Name two gifts for Ada.\n", "You could give her a box and a key.",
         "You could give her a box and an old key."),
        ("Answer the guest.\nGuest: I am sad today.\n", "I am sorry that you are sad.",
         "I am sorry that you are sad. Maybe sweet tea from the inn would help."),
        (f"Use the text. Who found the key?\nText: {TWO}\n", "Ada found a key in the mill.",
         "Ada found an old key in the mill."),
    ],
)  # fmt: skip
def test_a_true_detail_raises_the_grade(prompt, poorer, richer):
    assert judge(prompt, poorer).passes
    assert judge(prompt, richer).passes
    assert judge(prompt, richer).overall > judge(prompt, poorer).overall + TIE


def test_more_true_facts_never_lower_the_grade():
    rng = random.Random(4)
    for subject in lx.PEOPLE:
        keys = [fact.key for fact in TOWN.about(subject)]
        rng.shuffle(keys)
        lines = [TOWN.statement(keys[0], rng)] + [TOWN.follow_up(key, rng) for key in keys[1:]]
        grades = [judge(f"Who is {subject}?\n", " ".join(lines[:n])).overall for n in range(2, 6)]
        assert grades == sorted(grades)


def test_wordings_of_one_answer_are_alike():
    """No form of words is worth more than another that says the same."""
    for prompt, *replies in (
        ("Name two gifts for Ada.\n", "You could give her a box and a key.",
         "Good gifts for Ada are a box and a key."),
        ("Make this polite.\nText: Give me the key.\n", "Please give me the key.",
         "Could you please give me the key?"),
    ):  # fmt: skip
        grades = [judge(prompt, reply).overall for reply in replies]
        assert max(grades) - min(grades) < 0.3


def test_stuffing_does_not_pay_without_end():
    """Repetition under another adjective fails; adjectives saturate; length is capped."""
    prompt = "Write a story about a key.\n"
    same = [f"She had never seen {a} key like this before." for a in ("a", "a red", "an old")]
    assert not judge(prompt, STORY.format(" ".join(same))).passes
    rich = (
        "One cold evening, Mara the baker lost a tiny key in the library. She carefully picked up "
        "the shiny key and looked at it. Then a clever otter slowly came out of the library. She "
        "gladly gave fresh bread to the clever otter. The library was warm and quiet, and she felt "
        "curious. In the end, the lonely otter became her best friend."
    )
    assert judge(prompt, rich).passes
    assert 6.0 < judge(prompt, rich).overall < 7.0
    seventh = rich.replace("The library was", "She opened her bag and found soup. The library was")
    assert judge(prompt, seventh).criteria["length"] < 1.0
    every = rich.replace("tiny", "shiny").replace("clever", "lonely")
    assert judge(prompt, every).overall < judge(prompt, rich).overall


def test_better_agrees_with_the_grades():
    prompt = "Where does Ada live?\n"
    right, wrong = f"Ada lives on {STREET}.", f"Ada lives on {WRONG_STREET}."
    assert better(prompt, right, wrong) == 1.0
    assert better(prompt, wrong, right) == 0.0
    assert better(prompt, right, right) == 0.5


# --- reading a prompt ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MIX)
def test_a_request_reads_back_as_what_it_is(kind):
    rng = random.Random(kind)
    for _ in range(150):
        line = request_line(kind, rng)
        request = parse(line + "\n")
        assert request.kind == kind
        assert all(str(value) in line for value in request.slots.values())
        assert request.combination == tuple(sorted(c.kind for c in request.constraints))
        sentences = line.split("\n")[0].count(".") + line.split("\n")[0].count("?")
        assert sentences == 1 + len(request.constraints) + (kind == "closed")
        if request.passage:
            assert line.endswith(f"\nText: {request.passage}")
        context = rng.choice(CONTEXTS).write(rng)
        shots = f"Which day comes after Monday?\nTuesday comes after Monday.\n\n{line}"
        for other in (f"{context} {line}\n", f"{shots}\n", line, f"\n{line}\n"):
            assert parse(other) == request


def test_a_request_is_read_exactly():
    request = parse(
        "My name is Sam. Write a story about a key. Use the words cat and bread. Make it sad.\n"
    )
    assert request.slots == {"object": "key"}
    assert request.constraints == (
        Constraint("both", ("cat", "bread")),
        Constraint("mood", "sad"),
    )
    assert request.constraint("mood") == "sad"
    assert request.constraint("lines") is None
    assert request.use_case == "generation"


def test_requests_that_only_a_user_makes_can_be_answered():
    rng = random.Random(8)
    for pattern in HEARD:
        prompt = pattern.write(rng) + "\n"
        request = parse(prompt)
        assert request.kind == pattern.tags["kind"]
        assert is_new(prompt)
        reply = careful(request, rng, 0.5, TOWN, lambda r, p=prompt: judge(p, r).overall)
        assert judge(prompt, reply).passes


def is_new(prompt: str) -> bool:
    return not any(p.read(prompt.strip()) for patterns in ASKS.values() for p in patterns)


def test_a_source_text_may_have_several_lines():
    lines = TWO.replace(". ", ".\n")
    request = parse(f"Count the names.\nText: {lines}\n")
    assert request.passage == lines
    assert judge(f"Count the names.\nText: {lines}\n", "The text has two names.").passes
    assert judge(f"Say this again.\nText: {lines}\n", lines).passes


@pytest.mark.parametrize(
    "prompt",
    [
        "", "\n", "Hello", "Write a story.", "Write a story about a zeppelin.", "Make it sad.",
        "I am a baker.", "Count the names.", "Count the names.\nText: ", "Answer the guest.",
        "Answer the guest.\nGuest: Bonjour.", "Write a story about an key.", "You are a rude pig.",
        "write a story about a key.", "Write a story about a key", "{object}", "\x00",
    ],
)  # fmt: skip
def test_nonsense_is_no_request(prompt):
    assert parse(prompt) is None
    assert judge(prompt, "Anything.").overall == 1.0
    assert not judge(prompt, "Anything.").passes


@pytest.mark.parametrize(
    "ask",
    ["Make this polite.", "Is this review good or bad?", "Count the names.", "Sum up this text.",
     "Use the text. Who found the key?", "Replace Ada with Ben.", "List the names in this text."],
)  # fmt: skip
@pytest.mark.parametrize(
    "text", ["Nothing of this town.", "42", "Ada saw a zeppelin.", "The inn sells tea and soup."]
)
def test_a_foreign_source_text_is_not_judged(ask, text):
    verdict = judge(f"{ask}\nText: {text}\n", "The review is bad.")
    assert verdict.criteria == {"request understood": 0.0}
