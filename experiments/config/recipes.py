"""Recipes: named ways to protect h, each a set of values for the settings that are left to it."""

from collections.abc import Mapping

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
DEFAULT = ("posterior", "paper")  # those that are run unless others are named
# Where the posterior cannot be, which needs classes and a linear head. `keep` needs ten utterances
# of each speaker and is to be named.
DEFAULT_WITHOUT_POSTERIOR = ("strong",)
TRANSDUCTIVE = "transductive"  # behind a recipe's name: a person's state is of scored utterances
UNPROTECTED = {"defence": "none", "release": "none", "relative": "none"}
LEFT = "recipe"  # a flag's value: as the recipe says
GOVERNED = tuple(dict.fromkeys(name for recipe in RECIPES.values() for name in recipe))


def filled(recipe: Mapping[str, object], defaults: Mapping[str, object]) -> dict[str, object]:
    """{GOVERNED: value}, what a recipe does not name as in `defaults`."""
    return {name: recipe.get(name, defaults[name]) for name in GOVERNED}


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
