"""Which pages have to be published together, as text goes from one to another."""

from collections.abc import Iterable


def join_linked(links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The groups that these links make: all that are linked, by way of others too, are in one."""
    leader: dict[int, int] = {}

    def find(member: int) -> int:
        while (above := leader.setdefault(member, member)) != member:
            leader[member] = leader[above]
            member = above
        return member

    for one, other in links:
        leader[find(one)] = find(other)
    groups: dict[int, list[int]] = {}
    for member in sorted(leader):
        groups.setdefault(find(member), []).append(member)
    return sorted(groups.values())
