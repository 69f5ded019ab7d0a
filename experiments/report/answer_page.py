"""The answer at the top of the report, beside its picture: what is read, and what emotion is kept.

The picture has a line per network on strips of zones, as that of a privacy card; it takes the
colours of the page, light or dark.
"""

import math
import re
from collections.abc import Sequence
from html import escape

from experiments.report.answer import Answer, NetworkAnswer, networks_in_words
from experiments.report.answer_sentences import NOT_TESTED
from privrep.auditing.card_svg import ORANGE, Mark, Zone, leak_zones, strips
from privrep.leakage.headline import ANSWERS
from privrep.types import LIMIT

STYLE = """
.answer{margin:1.2em 0 2em}.short{font-size:1.15em;font-weight:600;margin:.3em 0 .8em}
.both{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(24em,100%),1fr));gap:0 2em}
.both ul{list-style:none;margin:0;padding:0}.both li{margin:0 0 .6em;padding-left:1.6em}
.sign{float:left;margin-left:-1.6em;width:1.2em;text-align:center;font-weight:700}
.word{font-weight:700}.both dt{font-weight:600;margin-top:.5em}.both dd{margin:0}
code{white-space:nowrap}.command,code{font-family:ui-monospace,monospace;font-size:.9em}
.command code{font-size:1em}.command{display:block;padding:.3em 0 .3em 2em;text-indent:-2em}
.glance h2{margin-top:.6em}.glance ul{margin:.4em 0 1em}
.glance a{color:inherit}.glance li{margin:0 0 .2em}
.both figure{margin:0}.both svg{display:block;overflow:visible;font-family:system-ui,sans-serif}
"""


_HOW_TO_READ = (
    "How to read this: scores are on all test speakers together, with 95 % bounds over speakers. "
    "UAR is how often the class is named rightly, averaged over the classes: 0.70 is 70 times in "
    "100. Above: the strongest attacker; further left is more private. It leaks where the attacker "
    "does better than chance can explain, even if below the limit. No leak is shown where it does "
    "not, and the right end of the line lies below the limit. In all other cases we cannot tell. "
    "Below: emotion; further right is better."
)


def answers_page(given: Sequence[Answer]) -> str:
    """HTML of all answers; "" where there is none. Several begin with a list of them all."""
    first = f"{_HOW_TO_READ} {networks_in_words(given)}"
    notes = [first, *[""] * (len(given) - 1)]
    return "\n".join([*_in_short(given), *map(_answer, range(len(given)), given, notes)])


def _in_short(given: Sequence[Answer]) -> list[str]:
    if len(given) < 2:
        return []
    lines = "".join(
        f'<li><a href="#answer{i}">{escape(answer.question.partition(":")[0])}</a>: '
        f"{_text(answer.short)}</li>"
        for i, answer in enumerate(given)
    )
    return [f'<section class="glance"><h2>In short</h2><ul>{lines}</ul></section>']


def _answer(number: int, answer: Answer, note: str) -> str:
    networks = "\n".join(map(_network, answer.networks))
    parts = "".join(f"<dt>{escape(t)}</dt><dd>{_with_code(text)}</dd>" for t, text in answer.parts)
    return (
        f'<section class="answer"><h2 id="answer{number}">{escape(answer.question)}</h2>\n'
        f'<p class="short">{_text(answer.short)}</p>\n<div class="both">\n'
        f"<div><ul>{networks}</ul><dl>{parts}</dl></div>\n"
        f"{_picture(answer, note)}</div></section>"
    )


def _text(sentence: str) -> str:
    """HTML of a sentence, in which no line ends between λ and its number."""
    return escape(sentence).replace("λ ", "λ\N{NO-BREAK SPACE}")


def _with_code(text: str) -> str:
    """HTML of a sentence: a command has a line of its own, which breaks between its words."""
    flags = re.sub(r"--\w+(?:=[\w,=]*\w)?", r"<code>\g<0></code>", _text(text))
    return re.sub(
        r"python -m \S+(?: DIR)?(?: <code>[^<]*</code>)*",
        r'<span class="command">\g<0></span>',
        flags,
    )


def _network(network: NetworkAnswer) -> str:
    # Grey marks would be faint on a dark page.
    colour = "currentColor"
    if network.verdict in ("leaks", "no_leak_shown"):
        colour = ANSWERS[network.verdict].colour
    # The sentence begins with the word, which the list shows in bold.
    rest = network.sentence.removeprefix(network.word.lower())
    return (
        f'<li><span class="sign" style="color:{colour}">{network.sign}</span>'
        f'{_text(network.network)}: <span class="word">{escape(network.word.lower())}</span>'
        f"{_text(rest)}</li>"
    )


def _picture(answer: Answer, note: str) -> str:
    tested = [network for network in answer.networks if network.verdict != NOT_TESTED]
    known = [network for network in answer.networks if not math.isnan(network.emotion[0])]
    drawn = []
    if tested:
        marks = [_mark(network, (network.uar, network.lower, network.upper)) for network in tested]
        marks[0] = marks[0]._replace(heading=f"What an attacker reads: {answer.attribute}")
        left = max(min([answer.chance - 0.1, *_ends(marks)]), 0.0)
        limit = answer.chance + LIMIT
        zones = leak_zones(left, answer.chance, limit)
        # Not "leak": a small one may lie below the limit.
        zones[-1] = zones[-1]._replace(name=f"above the limit of {limit:.2f}")
        drawn.append(strips(_in_words("attacker", marks), zones, marks, high=1.0))
    if known:
        marks = [_mark(network, network.emotion) for network in known]
        marks[0] = marks[0]._replace(heading=f"What is kept: {answer.score_of_emotion}")
        left = min(answer.chance_of_emotion, *(m.value for m in marks), *(_ends(marks)))
        zones = [
            Zone(f"guessing, up to {answer.chance_of_emotion:.2f}", left - 0.05, ORANGE, 0.3),
            Zone("better than guessing", answer.chance_of_emotion, "currentColor", 0.05),
        ]
        drawn.append(strips(_in_words("emotion", marks), zones, marks, high=1.0))
    if not drawn:
        return ""
    caption = f"<figcaption>{_text(note)}</figcaption>" if note else ""
    return f"<figure>{''.join(drawn)}{caption}</figure>"


def _mark(network: NetworkAnswer, scores: tuple[float, float, float]) -> Mark:
    value, low, high = scores
    bounds = f", bounds {low:.3f} to {high:.3f}" if math.isfinite(low) else ""
    return Mark("", f"{network.network}: {value:.3f}{bounds}", value, low, min(high, 1.0), "dot")


def _ends(marks: Sequence[Mark]) -> list[float]:
    return [mark.low for mark in marks if math.isfinite(mark.low)]


def _in_words(what: str, marks: Sequence[Mark]) -> str:
    """The picture for those who do not see it: every number in it."""
    return f"Score of {what}. {'; '.join(mark.label for mark in marks)}."
