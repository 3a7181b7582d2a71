"""Chooses among what the sources say of a product, field by field, and can say why.

Every source only nominates: the order in which they are asked decides nothing but ties.
"""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from omni_pipeline.domain.products.model import TRUST, Evidence, Source


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One value that one source of a page has for a field.

    Attributes:
        votes: How much speaks for it beside other candidates of its field.
        share: Of the trust in its source, between 0 and 1.5; what else confirms it may lift it.
        found: Where it stands, in words.
        side: What is voted on, where several values agree on it: "in stock" and "few left" both
            say that the product can be bought. None is the value itself.
    """

    field: str
    value: Any
    source: Source
    votes: float
    share: float = 1.0
    found: str = ""
    side: Hashable = None

    @property
    def stands_for(self) -> Hashable:
        return self.value if self.side is None else self.side


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The candidate that won a field, and those that it won against.

    Attributes:
        votes: Of all candidates that agree with the winner.
        of_votes: Of all candidates of the field.
    """

    winner: Candidate
    candidates: tuple[Candidate, ...]
    votes: float
    of_votes: float

    @property
    def evidence(self) -> Evidence:
        contested = self.votes / self.of_votes
        trust = min(1.0, TRUST[self.winner.source] * self.winner.share)
        return Evidence(source=self.winner.source, confidence=round(trust * contested, 2))

    @property
    def reason(self) -> str:
        """Why the winner won, in a few words."""
        if len(self.candidates) == 1:
            return "nothing else was found"
        agreed = sum(one.stands_for == self.winner.stands_for for one in self.candidates)
        if agreed == len(self.candidates):
            return f"all {agreed} sources agree"
        found = len(self.candidates)
        return f"{self.votes:.2f} of {self.of_votes:.2f} votes, from {agreed} of {found}"


def choose(candidates: Iterable[Candidate]) -> dict[str, Choice]:
    """The choice for each field that has a candidate.

    The side with the most votes wins, and on it the value with the most; of equals the first.
    """
    by_field: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        if candidate.value is not None and candidate.votes > 0:
            by_field.setdefault(candidate.field, []).append(candidate)
    return {field: _choose(found) for field, found in by_field.items()}


def explain(choices: Mapping[str, Choice]) -> list[dict[str, object]]:
    """For each candidate of each field: value, source, votes, place, and whether and why it won."""
    return [
        {
            "field": field,
            "value": candidate.value,
            "source": candidate.source.value,
            "votes": round(candidate.votes, 2),
            "found": candidate.found,
            "won": candidate is choice.winner,
            "reason": choice.reason if candidate is choice.winner else "",
        }
        for field, choice in choices.items()
        for candidate in choice.candidates
    ]


def _choose(candidates: list[Candidate]) -> Choice:
    sides = _tally((one.stands_for, one.votes) for one in candidates)
    side = max(sides, key=lambda key: sides[key])
    agreed = [one for one in candidates if one.stands_for == side]
    values = _tally((one.value, one.votes) for one in agreed)
    value = max(values, key=lambda key: values[key])
    return Choice(
        winner=max((one for one in agreed if one.value == value), key=lambda one: one.votes),
        candidates=tuple(candidates),
        votes=sides[side],
        of_votes=sum(sides.values()),
    )


def _tally(votes: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    total: dict[Hashable, float] = {}
    for key, vote in votes:
        total[key] = total.get(key, 0.0) + vote
    return total
