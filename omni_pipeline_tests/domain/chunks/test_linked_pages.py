"""Pages between which text goes to and fro are one group."""

import random

from omni_pipeline.domain.chunks.linked_pages import join_linked


def test_what_is_linked_by_way_of_others_is_one_group() -> None:
    assert join_linked([(1, 2), (5, 6), (2, 3), (7, 5)]) == [[1, 2, 3], [5, 6, 7]]
    assert join_linked([]) == []


def test_the_order_and_direction_of_links_do_not_matter() -> None:
    chance = random.Random(3)
    links = [(chance.randrange(60), chance.randrange(60)) for _ in range(40)]
    groups = join_linked(links)
    for _ in range(20):
        chance.shuffle(links)
        assert (
            join_linked([(b, a) if chance.random() < 0.5 else (a, b) for a, b in links]) == groups
        )


def test_a_chain_of_many_is_joined_in_no_time() -> None:
    many = 100_000
    assert join_linked((n, n + 1) for n in range(many)) == [list(range(many + 1))]
