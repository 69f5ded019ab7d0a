"""Named ways to protect h: what a recipe says of the settings that are left to it."""

from collections.abc import Mapping

RECIPES: Mapping[str, Mapping[str, object]] = {
    "posterior": {"defence": "none", "release": "posterior"},
    "paper": {"defence": "grl", "release": "none"},
    "subspace": {"defence": "none", "release": "subspace"},
}
DEFAULT = ("posterior", "paper")
UNPROTECTED = {"defence": "none", "release": "none"}
LEFT = "recipe"  # a flag's value: as the recipe says
GOVERNED = tuple(dict.fromkeys(name for recipe in RECIPES.values() for name in recipe))


def name_of(settings: Mapping[str, object]) -> str:
    """The recipe whose settings these are, {GOVERNED: value}; else these, such as grl+leace."""
    recipes = {"none": UNPROTECTED, **RECIPES}
    own = "+".join(str(value) for value in settings.values() if value != "none")
    return next((name for name, recipe in recipes.items() if recipe == settings), own)
