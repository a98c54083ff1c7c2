"""The words of Tinytown, by class. Everything that is written or judged is made of these."""

from __future__ import annotations

WOMEN = tuple("Ada Cora Elsa Gita Ines Kira Mara Olga Pia Rosa Tess Vera".split())
MEN = tuple("Ben Dan Finn Hugo Jon Leo Nils Otto Paul Sam Tom Wim".split())
PEOPLE = WOMEN + MEN

JOBS = tuple(
    "baker teacher doctor nurse farmer miller sailor fisher painter singer actor gardener "
    "librarian carpenter potter cook waiter smith clerk guard driver hunter merchant weaver".split()
)
PLACES = tuple(
    "bakery bank bridge clinic farm forest forge garden harbor inn lake library market mill "
    "museum park school station theater tower workshop".split()
)
# Where one can be *in*, where there is a door, and where there is something to buy.
ROOMS = tuple(p for p in PLACES if p not in ("bridge", "farm", "lake"))
HOUSES = tuple(p for p in ROOMS if p not in ("forest", "garden", "harbor", "market", "park"))
SHOPS = tuple("bakery farm forge inn library market mill museum station workshop".split())
STREETS = tuple(
    f"{name} {kind}"
    for name, kind in (
        ("Oak", "Street"),
        ("Bell", "Street"),
        ("Rose", "Street"),
        ("Lime", "Street"),
        ("River", "Lane"),
        ("Apple", "Lane"),
        ("Mill", "Lane"),
        ("Hill", "Road"),
        ("King", "Road"),
        ("Stone", "Road"),
    )
)
ANIMALS = tuple(
    "badger bear cat cow crow dog duck fox frog goat goose hare hedgehog heron horse mouse otter "
    "owl rabbit squirrel swan turtle".split()
)
OBJECTS = tuple(
    "ball basket bell blanket boat book bottle box chair clock coat coin cup drum flute hat key "
    "kite ladder lamp letter map mirror ring rope scarf stone umbrella wheel whistle".split()
)
FOODS = tuple(
    "apples bread butter cake carrots cheese eggs fish honey jam milk nuts onions pears plums rice "
    "soup tea".split()
)
WARES = tuple("candles flowers paper ribbons soap wool".split())
GOODS = FOODS + WARES

COLORS = tuple("black blue brown gray green orange purple red white yellow".split())
_LOOKS = tuple(
    "beautiful big broken dusty empty heavy little new odd old plain pretty shiny small strange "
    "tiny useful wonderful wooden".split()
)
OBJECT_ADJECTIVES = _LOOKS + COLORS
ANIMAL_ADJECTIVES = tuple(
    "angry big brave clever friendly gentle happy hungry lazy little lonely noisy old quiet shy "
    "sleepy small tame thin young".split()
)
PERSON_ADJECTIVES = tuple("brave busy clever friendly kind old patient tired wise young".split())
FOOD_ADJECTIVES = tuple("cheap delicious fresh good sweet tasty warm".split())
WARE_ADJECTIVES = tuple("cheap fine good lovely new soft".split())
PLACE_ADJECTIVES = tuple("busy cold dark empty noisy old peaceful quiet sunny warm".split())

TIMES = tuple("morning afternoon evening day night".split())
DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
SEASONS = tuple("spring summer autumn winter".split())
HOURS = tuple("six seven eight nine ten eleven".split())
NUMBERS = tuple("one two three four five six seven eight nine ten".split())
PRICES = NUMBERS[1:]
ADVERBS = tuple(
    "bravely carefully gently gladly happily loudly proudly quickly quietly slowly softly".split()
)
HAPPY = tuple("cheerful glad happy merry proud".split())
SAD = tuple("gloomy lonely sad unhappy worried".split())
FEELINGS = HAPPY + SAD + ("afraid", "curious", "surprised", "tired")
SAVORS = tuple("delicious fresh good sweet warm wonderful".split())
STALES = tuple("awful bad old sour stale strange".split())
WEATHERS = tuple("rain snow".split())
SKIES = tuple("cloudy cold foggy rainy snowy sunny warm windy".split())
HOBBIES = tuple(
    "cooking dancing drawing fishing painting reading running singing swimming walking".split()
)
DIETS = tuple(
    "berries bread cheese eggs fish grass honey insects leaves mice nuts roots seeds snails".split()
)
HABITATS = tuple(
    "by the bridge,by the lake,in the forest,in the park,in the garden,near the mill,"
    "near the harbor,on the farm,on the hill,under the tower".split(",")
)
RESTS = ("at night", "by day", "in winter", "in the afternoon")
MATERIALS = tuple("clay glass gold iron leather paper silver stone wood wool".split())
INSULTS = tuple("boring dirty lazy nasty rude silly stupid useless".split())
INSULT_NOUNS = tuple("donkey fool goat liar pig rat".split())

# Words that a request may ask for, and words that it may forbid (each common enough to slip in).
KEYWORDS = OBJECTS + ANIMALS + FOODS + ADVERBS
AVOIDED = PLACES + tuple("day evening friend home morning night you".split())


def article(phrase: str) -> str:
    """``a`` or ``an`` for the sound that ``phrase`` begins with ("a useful box", "an old hat")."""
    return "an" if phrase[0] in "aeiouAEIOU" and not phrase.startswith("use") else "a"


def join(items: list[str] | tuple[str, ...]) -> str:
    """``bread, milk, and honey``; two items take no comma."""
    items = list(items)
    if len(items) < 3:
        return " and ".join(items)
    return ", ".join(items[:-1]) + ", and " + items[-1]
