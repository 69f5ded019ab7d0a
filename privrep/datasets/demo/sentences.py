"""Sentences of the demo corpus, from templates whose content words carry valence.

Gender has a small effect on the words, because the corpus needs a weak cue in the text: of each
pair of synonyms, one gender prefers the first and the other the second. Which gender got which word
is arbitrary and is no statement on how women or men speak.
"""

import re

import numpy as np

# Negative, neutral and positive words of one kind.
VALENCED = {
    "adjective": (
        "awful terrible horrible miserable boring useless dreadful nasty ugly broken painful "
        "gloomy unfair cruel rotten hopeless lonely bitter annoying tragic shabby filthy",
        "usual ordinary different separate common regular typical average similar plain simple "
        "long short early round local recent official public technical narrow formal",
        "wonderful lovely great beautiful brilliant delightful amazing perfect happy sweet "
        "charming excellent fantastic pleasant gentle generous splendid superb cheerful magical "
        "kind lucky",
    ),
    "event": (
        "accident funeral fight robbery failure fever disaster flood quarrel insult theft scandal "
        "injury divorce crash nightmare",
        "meeting lecture survey election lesson delivery interview journey visit briefing "
        "conference inspection rehearsal appointment session tour",
        "party wedding holiday victory prize birthday festival reunion promotion miracle concert "
        "celebration picnic triumph present success",
    ),
    "feels": (
        "hates dreads regrets despises resents fears loathes curses",
        "notices mentions remembers describes expects considers studies discusses",
        "loves enjoys adores admires treasures praises welcomes cherishes",
    ),
    "did": (
        "ruined lost broke damaged wasted spoiled smashed wrecked",
        "moved changed measured checked opened carried turned counted",
        "saved won fixed rescued improved restored finished decorated",
    ),
    "mood": (
        "sad angry upset worried ashamed jealous scared disappointed furious exhausted",
        "awake seated busy dressed alone outside waiting downstairs silent abroad",
        "glad proud thankful delighted hopeful relaxed thrilled pleased excited content",
    ),
}
NEUTRAL = {
    "person": "my sister/my brother/the doctor/our teacher/the neighbour/her cousin/his uncle/"
    "the driver/that student/the manager/my friend/the baker/our captain/the lawyer/her aunt/"
    "the gardener/my boss/the singer/a stranger/the farmer/their daughter/his son/the nurse/"
    "the painter",
    "thing": "the kitchen/the report/the garden/the engine/the window/the piano/the letter/"
    "the table/the camera/the bicycle/the carpet/the computer/the ticket/the basket/the jacket/"
    "the bottle/the clock/the mirror/the ladder/the notebook/the blanket/the radio/the fence/"
    "the boat/the tent/the lamp",
    "place": "at the office/in the village/near the river/by the station/at school/in the city/"
    "on the island/at the market/in the library/behind the church/at the airport/in the valley/"
    "on the farm/at the museum/in the theatre/by the lake/at home/in the hotel",
    "time": "yesterday/today/last week/this morning/on Monday/in April/again/after lunch/"
    "before dinner/at noon/on Friday/last summer/this month/two days ago/in the end/on Sunday",
}
# Pairs of synonyms: one gender prefers the first, the other the second.
SYNONYMS = {
    "hedge": ("maybe", "perhaps"),
    "very": ("really", "truly"),
    "opener": ("well", "okay"),
    "often": ("often", "frequently"),
    "big": ("big", "large"),
    "began": ("started", "began"),
    "evening": ("in the evening", "at night"),
    "sofa": ("the sofa", "the couch"),
    "street": ("the street", "the road"),
    "almost": ("almost", "nearly"),
}
TEMPLATES = (
    "that was {adjective}",
    "what a {adjective} {event}",
    "I am {very} {mood} {time}",
    "{opener}, {person} was {mood}",
    "{opener}, it was {very} {adjective}",
    "{person} {did} {thing}",
    "{person} {feels} the {adjective} {event}",
    "{hedge} {person} {did} {sofa} {time}",
    "the {event} {place} was {adjective}",
    "{person} {often} {feels} {thing} {place}",
    "{evening} {person} is {almost} always {mood}",
    "{opener}, {person} {began} a {big} {adjective} {event} {time}",
    "{hedge} the {adjective} {event} was {place}",
    "{person} {did} {thing} and was {very} {mood}",
    "{person} found something {adjective} on {street} {time}",
    "{time} {person} said the {event} was {very} {adjective}",
    "{opener}, {hedge} {person} {did} {thing} {place}",
    "we heard that {person} {often} {feels} a {big} {adjective} {event}",
    "{person} and {person} {began} the {adjective} {event} {place}",
    "it was a {adjective} {event} and {person} was {mood}",
)

# P(first synonym). A weak cue: a sentence has about one pair, so that words alone predict gender at
# a UAR near 0.6.
FIRST = {"female": 0.66, "male": 0.34}
# Log-odds of a positive word per unit of valence, and of a negative one per unit of minus valence.
# Words then predict low, mid and high valence at a UAR near 0.6: better than the voice does, and
# larger odds would not help, since sparse words and noisy ratings are the limit.
VALENCE_ODDS = 3.0
# Log-odds of a neutral word over either at valence 0: neutral sentences are mostly neutral.
NEUTRAL_ODDS = 0.9
# Shape of the gamma weights of a speaker's words and templates: small ones differ more by speaker.
HABIT = 3.0


def vocabulary() -> dict[str, tuple[str, ...]]:
    """{slot: its possible fillers}; a valenced kind has the slots `kind-`, `kind=` and `kind+`."""
    slots = {kind: tuple(words.split("/")) for kind, words in NEUTRAL.items()}
    for kind, sides in VALENCED.items():
        slots |= {kind + side: tuple(words.split()) for side, words in zip("-=+", sides)}
    return slots


def draw_habits(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draws one speaker's probabilities of the templates and of the words of each slot."""
    sizes = {"template": len(TEMPLATES)} | {k: len(words) for k, words in vocabulary().items()}
    weights = {slot: rng.gamma(HABIT, size=size) for slot, size in sizes.items()}
    return {slot: w / w.sum() for slot, w in weights.items()}


def sentence(
    rng: np.random.Generator, habits: dict[str, np.ndarray], gender: str, valence: float
) -> str:
    """Draws a sentence of a speaker.

    Args:
      rng: source of randomness.
      habits: of the speaker, see `draw_habits`.
      gender: "female" or "male".
      valence: 0 is neutral, unit variance.
    """
    logits = np.array([-VALENCE_ODDS * valence, NEUTRAL_ODDS, VALENCE_ODDS * valence])
    sides = np.exp(logits) / np.exp(logits).sum()
    slots = vocabulary()

    def fill(slot: re.Match) -> str:
        kind = slot[1]
        if kind in SYNONYMS:
            return SYNONYMS[kind][0 if rng.random() < FIRST[gender] else 1]
        if kind in VALENCED:
            kind += "-=+"[rng.choice(3, p=sides)]
        return slots[kind][rng.choice(len(slots[kind]), p=habits[kind])]

    text = re.sub(r"\{(\w+)\}", fill, TEMPLATES[rng.choice(len(TEMPLATES), p=habits["template"])])
    text = re.sub(r"\ba (?=[aeio]|ug|un)", "an ", text)  # but: a usual, a useless
    return text[0].upper() + text[1:] + "."
