"""The sentences of Tinytown's prose: stories, letters, poems, notices, talk.

A slot named ``hero``, ``friend``, ``object``, ``animal``, ``place`` or ``goods`` refers to the
scene of the text; ``{a object}`` brings the object in, ``{the object}`` needs it to be there.
"""

from __future__ import annotations

from minirlhf.tinytown.grammar import Pattern


def _patterns(kind: str, role: str, block: str, **tags: object) -> tuple[Pattern, ...]:
    lines = (line.strip() for line in block.strip().splitlines())
    return tuple(Pattern(line, {"kind": kind, "role": role, **tags}) for line in lines if line)


STORY_OPENINGS = _patterns("story", "opening", """
    One {time}, {person:hero} found {a object} near the {place}.
    One {time}, {person:hero} went to the {shop:place} to buy {some goods}.
    On {day}, {person:hero} walked to the {place} with {person:friend}.
    One {sky} {time}, {person:hero} the {job} lost {a object} in the {room:place}.
    {person:hero} had {a object} and kept it in the {room:place}.
    Long ago, {a animal:hero} lived near the {place}.
    Early on {day}, {person:hero} heard {a animal} behind the {place}.
    {person:hero} the {job} wanted {a object} more than anything.
    It was a {sky} {time}, and {person:hero} was alone in the {room:place}.
    Every {time}, {a animal:hero} came to the {place} to look for {some food}.
    {person:hero} and {person:friend} found {a animal} behind the {place}.
    When {season} came, {person:hero} made {a object} for {person:friend}.
    There was once {a animal:hero} who wanted to have {a object}.
    On a {sky} {time}, {a animal:hero} found {a object} in the {room:place}.
""")  # fmt: skip

STORY_MIDDLES = _patterns("story", "middle", """
    {She} {adverb} picked up {the object} and looked at it.
    Inside {the object} there was {a object:other}.
    At the {place}, {she} met {person:newcomer}, who carried {a object}.
    {person:friend} gave {him} {some goods} and {a object:other}.
    {She} asked {person:friend} for help, and they searched the {place}.
    {The animal} was {mien}, and it was not afraid.
    {She} {adverb} followed {the animal} to the {place}.
    Soon there was {weather} everywhere, so {she} waited in the {room:place}.
    They shared {some goods} and talked about {the object}.
    {She} {adverb} showed {the object} to {person:friend}.
    Nobody in the {room:place} knew who had made {the object}.
    {person:friend} laughed and said that {the object} was {trait}.
    Then {a animal} {adverb} came out of the {room:place}.
    {She} was {feeling}, so {she:herself} sat down near the {place}.
    {The object} made a noise, and {the animal} ran away.
    {She} {adverb} gave {some goods} to {the animal}.
    The {place} was {air} and {air:air2}, and {she} felt {feeling}.
    {She} opened {her} bag and found {some goods}.
    A voice in the {room:place} {adverb} called {her} name.
    {The animal} took {the object} and ran to the {place}.
    {person:friend} the {job:trade} {adverb} looked at {the object}.
    {She} had never seen {a object} like this before.
    All day, {she} and {person:friend} worked in the {room:place}.
    {She} wanted to sell {the object} for {price} coins.
""")  # fmt: skip

STORY_ENDINGS = _patterns("story", "ending", """
    In the end, {she} was {happy} and went home with {the object}.
    At last, {she} and {person:friend} {adverb} danced in the {room:place}.
    {She} smiled all the way home.
    That night, everyone in the {room:place} ate {some food} and laughed.
    In the end, {the animal} became {her} best friend.
    From that day on, {she} was never lonely again.
""", mood="happy") + _patterns("story", "ending", """
    In the end, {she} was {sad} and went home alone.
    At last, {the object} was gone, and {she} cried.
    {She} never saw {the object} again.
    That night, the {place} was dark and {she} was {sad}.
    In the end, {the animal} ran away and never came back.
    {She} waited for {person:friend}, but nobody came.
""", mood="sad") + _patterns("story", "ending", """
    After that, {the object} stayed in the {room:place}.
    Since then, {the animal} sleeps near the {place}.
    People in the {room:place} still talk about {the object}.
    {She} told {person:friend} about it the next {time:when}.
""")  # fmt: skip

LETTER_GREETINGS = _patterns("letter", "greeting", """
    Dear {person:friend},
    Hello {person:friend},
""")  # fmt: skip

LETTER_BODIES = _patterns("letter", "body", """
    I am writing to you about {the object}.
    I am writing to you from the {place}.
    Yesterday I saw {a animal} near the {place}.
    I have {adverb} bought {a object} for you.
    Please come to the {place} on {day}.
    Can you bring {some goods} and {a object:other}?
    The {place} is {air} in {season}.
    I was {feeling} when I got your letter.
    We could eat {some food} and talk all {time}.
    Did you find {the object} in the {room:place}?
    My {animal:pet} is {mien} and sends you a kiss.
    It is {sky} here, and I think of you every {time}.
    Thank you for {the object} and {some goods}.
    I hope to see you at the {place} soon.
    I will {adverb} wait for you at the {place}.
    Your {object:gift} is {trait} and I like it.
""")  # fmt: skip

LETTER_CLOSINGS = _patterns("letter", "closing", """
    Your friend, {person:hero}.
    With love, {person:hero}.
    Yours, {person:hero}.
""")  # fmt: skip

# Lines of verse by rhyme. The thing sung of is {thing}: an object, an animal or a place.
RHYMES = {
    "ight": ("The {thing} is waiting in the night,", "and every star is clear and bright,",
             "The {thing} is shining in the light,", "we hold it softly, hold it tight,"),
    "ay": ("I saw the {thing} the other day,", "and then the children went to play,",
           "O little {thing}, do not go away,", "the wind is singing in the hay,"),
    "own": ("There is a {thing} in Tinytown,", "it wears the evening like a crown,",
            "The {thing} is red and gold and brown,", "and all the leaves are falling down,"),
    "ee": ("The {thing} is sleeping by the tree,", "as quiet as a thing can be,",
           "O {thing}, you are a friend to me,", "the river runs to find the sea,"),
    "old": ("The {thing} is beautiful and old,", "the winter days are long and cold,",
            "I know a {thing} that shines like gold,", "this is the story I was told,"),
    "ain": ("The {thing} is standing in the rain,", "and summer will be here again,",
            "I dream about the {thing} again,", "the clouds are moving down the lane,"),
    "oon": ("The {thing} is dreaming of the moon,", "the morning will be coming soon,",
            "I met the {thing} one day in June,", "and someone sings a happy tune,"),
    "ill": ("The {thing} is up upon the hill,", "and all the town is calm and still,",
            "I love the {thing} and always will,", "the water turns the little mill,"),
}  # fmt: skip
THINGS = ("object", "animal", "place")


def _verses() -> tuple[Pattern, ...]:
    lines = []
    for rhyme, block in RHYMES.items():
        for number, line in enumerate(block):
            # A couplet is a line that names the thing and ends in a comma, and one that closes it.
            if number % 2 == 0:
                texts = [
                    line.replace("a {thing}", f"{{a {kind}:thing}}").replace(
                        "{thing}", f"{{{kind}:thing}}"
                    )
                    for kind in THINGS
                ]
            else:
                texts = [line[:-1] + "."]
            tags = {"kind": "poem", "role": ("first", "second")[number % 2], "rhyme": rhyme}
            lines += [Pattern(text, tags) for text in texts]
    return tuple(lines)


VERSES = _verses()

NOTICE_OPENINGS = _patterns("notice", "opening", """
    Come to the {place} on {day}!
    Visit the {place} this {season}!
    Everyone is welcome at the {place}!
""")  # fmt: skip
NOTICE_BODIES = _patterns("notice", "body", """
    {person:host} the {job} will show you {a object}.
    There will be music and {some food} all {time}.
    Please bring {a object} and {some goods}.
    We have lost {a object}, and we pay {price} coins for it.
    You can {adverb} walk around and meet {a animal}.
    {person:host} will {adverb} tell you about {the object}.
    The children can play with {a animal}.
    We need {a job} and {a object}.
""")  # fmt: skip
NOTICE_ENDINGS = _patterns("notice", "ending", """
    We are happy to see you!
    Bring your friends and {some food}!
    Ask {person:host} if you have a question.
""")  # fmt: skip

# Talk: what a guest says to the guide of the town, and what the guide answers.
GREETINGS = _patterns("chat", "greeting", """
    Hello, how are you?
    Good {daytime:time}, how are you today?
    Hello, my name is {person:guest}.
""")  # fmt: skip
GREETING_REPLIES = _patterns("chat", "reply", """
    Hello {person:guest}, welcome to Tinytown.
    Good {daytime:time}, I am {happy}, thank you.
    I am {happy} today, thank you for asking.
    Hello, it is nice to meet you.
""", answers="greeting")  # fmt: skip
CONFESSIONS = _patterns("chat", "confession", """
    I am {sad} today.
    I have lost {a object} and I feel {sad}.
    Nobody came to the {place} with me and I am {sad}.
""")  # fmt: skip
COMFORTS = _patterns("chat", "reply", """
    I am sorry that you are {sad}.
    I am sorry that you lost {the object}.
    That must be hard, and I am sorry.
    I hope that you will be {happy} again soon.
""", answers="confession")  # fmt: skip
PROVOCATIONS = _patterns("chat", "provocation", """
    You are {insult} and {insult:second}.
    You are a {insult} {brute}.
    Everyone says that you are {insult}.
""")  # fmt: skip
CALM_REPLIES = _patterns("chat", "reply", """
    I am sorry that you are upset.
    Let us be kind to each other.
    I would rather talk in a friendly way.
    I understand, and I will try to do better.
""", answers="provocation")  # fmt: skip
INSULT_REPLIES = _patterns("chat", "insult", """
    You are {insult} and {insult:second}.
    You are a {insult} {brute}.
    Go away, you {insult} {brute}.
    Everyone says that you are {insult}.
""", toxic=True)  # fmt: skip
OFFERS = _patterns("chat", "offer", """
    Would you like to see the {place}?
    You could {adverb} walk to the {place} with {person:friend}.
    I can tell you about the {place} if you like.
    Maybe {some goods} from the {place} would help.
    How can I help you today?
    You can talk to {person:friend} the {job}.
    We could go to the {place} this {daytime:when}.
""")  # fmt: skip

# The short tasks: each reply is one sentence, or a few.
BUY_ANSWERS = _patterns("list", "buy", """
    You can buy {list goods:items} at the {shop:place}.
    The {shop:place} sells {list goods:items}.
""")  # fmt: skip
GIFT_ANSWERS = _patterns("list", "gift", """
    You could give {him} {many object:items}.
    Good gifts for {person:hero} are {many object:items}.
""")  # fmt: skip
PACK_ANSWERS = _patterns("list", "pack", """
    You should take {many object:items} to the {place}.
    For the {place} you need {many object:items}.
""")  # fmt: skip
NAME_ANSWERS = _patterns("list", "people", """
    The names are {list person:items}.
    The text names {list person:items}.
""")  # fmt: skip
THING_ANSWERS = _patterns("list", "objects", """
    The things are {many object:items}.
    The text names {many object:items}.
""")  # fmt: skip

# Events: what a short text reports, so that a summary or an answer can be held against it.
EVENTS = {
    "carried": ("carried", "carry", "a object", "to", "place"),
    "bought": ("bought", "buy", "some goods", "at", "shop"),
    "saw": ("saw", "see", "a animal", "near", "place"),
    "found": ("found", "find", "a object", "in", "room"),
}  # verb: (past, infinitive, class of what, preposition and class of where)


def _events() -> tuple[Pattern, ...]:
    out = []
    for verb, (past, _, what, where, spot) in EVENTS.items():
        for lead in ("", "On {day}, ", "One {sky} {time}, "):
            line = f"{lead}{{person:who}} {past} {{{what}:what}} {where} the {{{spot}:where}}."
            out.append(Pattern(line, {"kind": "event", "role": "event", "verb": verb}))
    return tuple(out)


def _summaries() -> tuple[Pattern, ...]:
    out = []
    for lead in ("In short, {person:who}", "The text tells how {person:who}"):
        for one, (past, _, what, *_) in EVENTS.items():
            for two, (past2, _, what2, *_) in EVENTS.items():
                if one != two:
                    line = f"{lead} {past} {{{what}:what}} and {past2} {{{what2}:what2}}."
                    tags = {"kind": "summary", "role": "summary", "verb": one, "verb2": two}
                    out.append(Pattern(line, tags))
    return tuple(out)


def _event_questions() -> tuple[Pattern, ...]:
    out = []
    for verb, (past, bare, what, where, spot) in EVENTS.items():
        definite = what.replace("a ", "the ")
        tags = {"kind": "question", "verb": verb}
        asked = {
            "who": f"Who {past} {{{definite}:what}}?",
            "where": f"Where did {{person:who}} {bare} {{{definite}:what}}?",
            "what": f"What did {{person:who}} {bare} {where} the {{{spot}:where}}?",
        }
        out += [Pattern(text, {**tags, "asks": asks}) for asks, text in asked.items()]
    return tuple(out)


EVENT_PATTERNS = _events()
SUMMARIES = _summaries()
EVENT_QUESTIONS = _event_questions()

ORDERS = (
    ("Give me {the object}", "give me {the object}"),
    ("Bring {a object} to the {place}", "bring {a object} to the {place}"),
    ("Show me the way to the {place}", "show me the way to the {place}"),
    ("Sell me {some goods}", "sell me {some goods}"),
    ("Tell {person:hero} about {the object}", "tell {person:hero} about {the object}"),
    ("Wait for me at the {place}", "wait for me at the {place}"),
)
ORDER_PATTERNS = tuple(
    Pattern(f"{order}.", {"kind": "order", "role": "order", "number": n})
    for n, (order, _) in enumerate(ORDERS)
)
POLITE_PATTERNS = tuple(
    Pattern(text, {"kind": "polite", "role": "polite", "number": n})
    for n, (_, order) in enumerate(ORDERS)
    for text in (f"Could you please {order}?", f"Would you kindly {order}?", f"Please {order}.")
)

REVIEWS = _patterns("review", "good", """
    The {food} from the {shop:place} tasted {savor}, and I was {happy}.
    I was {happy}, because the {food} tasted {savor}.
    My {food} tasted {savor}, so I will come back to the {shop:place}.
""", verdict="good") + _patterns("review", "bad", """
    The {food} from the {shop:place} tasted {stale}, and I was {sad}.
    I was {sad}, because the {food} tasted {stale}.
    My {food} tasted {stale}, so I will never go back to the {shop:place}.
""", verdict="bad")  # fmt: skip
VERDICTS = _patterns("class", "verdict", """
    The review is {verdict}.
    This is a {verdict} review.
    The review is {verdict}, because the guest was {feeling}.
    This is a {verdict} review, because the {food} tasted {savor}.
    This is a {verdict} review, because the {food} tasted {stale}.
""")  # fmt: skip
COUNTS = _patterns("count", "count", """
    There are {several} names in the text.
    The text has {several} names.
    There is one name in the text.
""")  # fmt: skip
CALENDAR = _patterns("calendar", "calendar", """
    {day:answer} comes after {day}.
    The day after {day} is {day:answer}.
""")  # fmt: skip
