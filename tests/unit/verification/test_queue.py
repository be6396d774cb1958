"""The queue: selected items and their reasons, growth without changes, and the cost plan."""

from workflow_scripts.verification.queue import cost_plan, select_items


def with_queue(settings, **queue):
    return settings | {"queue": settings["queue"] | queue}


def gold(count):
    return [
        {
            "instruction": f"Known {n}?",
            "response": "Yes.",
            "field": "physics" if n % 2 else "history",
            "verdict": "correct",
        }
        for n in range(count)
    ]


def test_problems_with_an_answer_are_selected(problem, make_seed, settings):
    seeds = [problem(1), problem(2, answer=""), make_seed("Write a joke.", response="Knock.")]
    assert [item["id"] for item in select_items(seeds, [], [], settings)] == [seeds[0]["id"]]


def test_a_larger_sample_contains_the_smaller_one(problem, settings):
    seeds = [problem(n, topic=f"topic {n % 4}") for n in range(40)]
    few, many = (select_items(seeds, [], [], with_queue(settings, problems=n)) for n in (10, 25))
    assert len(few) == 10 and {item["id"] for item in few} < {item["id"] for item in many}
    assert select_items(seeds[::-1], [], [], with_queue(settings, problems=10)) == few


def test_technical_conversations_and_flagged_answers(problem, make_seed, grow, settings):
    seeds = [problem(1, answer="It is 4."), problem(2, meta={"reference": "7"}), make_seed("Who?", domain="History")]
    talks = [
        grow(seeds[0], first_answer="teacher", answer="It is 5."),
        grow(seeds[2], first_answer="teacher", answer="I."),
    ]
    queue = select_items(seeds, talks, [], with_queue(settings, problems=0, conversations=None))
    assert {item["id"]: item["why"] for item in queue} == {
        talks[0]["id"]: ["conversation", "second_answer"],
        seeds[1]["id"]: ["reference"],
    }
    assert select_items(seeds, talks, [], with_queue(settings, problems=0, conversations=None, auto_flagged=False))[0][
        "why"
    ] == ["conversation"]


def test_gold_items_are_a_share_of_the_queue_in_its_fields(problem, settings):
    seeds = [problem(n) for n in range(16)]
    queue = select_items(seeds, [], gold(40), settings)
    known = [item for item in queue if item["kind"] == "gold"]
    assert len(queue) == 20 and len(known) == 4 and {item["field"] for item in known} == {"physics"}
    assert [item["id"] for item in queue] == sorted(item["id"] for item in queue)


def test_the_plan_counts_answers_of_all_reviewers(problem, grow, settings):
    seeds = [problem(1), problem(2, dataset="camel-ai/math")]
    queue = select_items(seeds, [grow(seeds[0])], [], with_queue(settings, conversations=None))
    spending = cost_plan(queue, 0, settings | {"reviewers_per_item": 3, "minutes_per_answer": 4})
    assert (spending["items"], spending["answers"], spending["decisions"], spending["hours"]) == (3, 5, 9, 1.0)
    assert spending["by_field"]["physics"] == {"items": 2, "answers": 4, "hours": 0.8}
