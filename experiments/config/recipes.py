"""Recipes: named ways to protect h, each a set of values for the settings that are left to it."""

from collections.abc import Mapping

from privrep.unlearning.person_release import PERSON_RELEASES

RECIPES: Mapping[str, Mapping[str, object]] = {
    "posterior": {"defence": "none", "release": "posterior"},
    "paper": {"defence": "grl", "release": "none"},
    "subspace": {"defence": "none", "release": "subspace"},
    "keep": {
        "defence": "mmd",
        "release": "whitened",
        "relative": "speaker",
        "defence_weight": 10.0,
        "lambda_schedule": "ganin",
    },
    "leads": {
        "defence": "grl",
        "release": "whitened",
        "relative": "speaker",
        "defence_weight": 0.5,
        "lambda_schedule": "ganin",
        "adversary_steps": 5,
        "adversary_input": "standardised",
        "adversary_width": 128,
        "adversary_learning_rate": 3e-3,
    },
    "whitened": {"defence": "none", "release": "whitened"},
    "relative": {"defence": "none", "release": "none", "relative": "speaker"},
    "strong": {
        "defence": "grl",
        "release": "none",
        "defence_weight": 0.5,
        "lambda_schedule": "ganin",
        "adversary_steps": 5,
        "adversary_input": "standardised",
        "adversary_width": 128,
        "adversary_learning_rate": 3e-3,
    },
}
# What each does, for readers of results.
MEANINGS: Mapping[str, str] = {
    "posterior": "of h only what the predicted probabilities of the emotions say is sent",
    "paper": "in training an adversary predicts the attribute, and its gradient is reversed",
    "subspace": "of h only what the emotion is predicted from is sent",
    "keep": "training makes the attribute's classes alike, and the speaker's own mean and spread "
    "are taken off h",
    "leads": "as strong, and the speaker's own mean and spread are taken off h",
    "whitened": "the speaker's own mean and spread are taken off h",
    "relative": "the speaker's own mean is taken off h",
    "strong": "as paper, with an adversary that learns faster than the network",
}
DEFAULT = ("posterior", "paper")  # those that are run unless others are named
# Where the posterior cannot be, which needs classes and a linear head.
DEFAULT_WITHOUT_POSTERIOR = ("strong",)
# A flag's value: the default where speakers have too few utterances for the state of a person.
STATELESS = "stateless"
TRANSDUCTIVE = "transductive"  # behind a recipe's name: a person's state is of scored utterances
UNPROTECTED = {"defence": "none", "release": "none", "relative": "none"}
LEFT = "recipe"  # a flag's value: as the recipe says
GOVERNED = tuple(dict.fromkeys(name for recipe in RECIPES.values() for name in recipe))


def filled(recipe: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """{GOVERNED: value}, what a recipe does not name as in `defaults`."""
    return {name: recipe.get(name, defaults[name]) for name in GOVERNED}


def default_recipes(has_posterior: bool, has_states: bool = True) -> tuple[str, ...]:
    """The recipes that are run unless others are named.

    Args:
      has_posterior: whether there are classes and a linear head.
      has_states: whether speakers have utterances enough for the state of a person; else
        `posterior`, or `strong` where it cannot be, takes the place of what needs one.

    >>> default_recipes(has_posterior=True)
    ('posterior', 'paper')
    """
    names: tuple[str, ...] = DEFAULT if has_posterior else DEFAULT_WITHOUT_POSTERIOR
    stand_in = "posterior" if has_posterior else "strong"
    if not has_states:
        names = tuple(stand_in if keeps_state(name) else name for name in names)
    return tuple(dict.fromkeys(names))


def keeps_state(name: str) -> bool:
    """Whether what a recipe sends of an utterance depends on others of the same person."""
    recipe = RECIPES[name]
    return recipe.get("relative") == "speaker" or recipe["release"] in PERSON_RELEASES


def name_of(settings: Mapping[str, object], defaults: Mapping[str, object]) -> str:
    """The recipe whose settings these are, {GOVERNED: value}; else the nearest and what differs.

    Such as grl+leace, strong+subspace, strong+lambda_schedule=constant.
    """
    recipes = {"none": UNPROTECTED, **RECIPES}
    # A defence and nothing else goes by its own name.
    plain = {str(settings["defence"]): {"defence": settings["defence"], "release": "none"}}
    differing: dict[str, list[str]] = {}
    for name, recipe in [*recipes.items(), *plain.items()]:
        expected = filled(recipe, defaults)
        differing[name] = [n for n in GOVERNED if settings[n] != expected[n]]
    exact = [name for name in recipes if not differing[name]]
    if exact:
        return exact[0]
    same = [name for name in recipes if filled(recipes[name], defaults)["defence"] in plain]
    nearest = min([*plain, *same], key=lambda name: len(differing[name]))
    parts = [nearest] if nearest != "none" else []
    for name in differing[nearest]:
        value = str(settings[name])
        parts.append(value if name == "release" else f"{name}={value}")
    return "+".join(parts)
