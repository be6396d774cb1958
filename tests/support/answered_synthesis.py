"""A configuration, its seeds, and stored answers of a teacher whose texts are all valid; for the cost model."""

import asyncio

from tests.support.examples import with_examples
from workflow_scripts.common.rows import write_jsonl
from workflow_scripts.synthesis.generator import Generator
from workflow_scripts.synthesis.recipe import generate_conversation
from workflow_scripts.teacher.cache import RequestCache
from workflow_scripts.teacher.client import request_for, stored_form
from workflow_scripts.teacher.runtime_settings import answer_settings
from workflow_scripts.teacher.servers import identity, served_name

SUBJECTS = [
    "Feldspar weathers first",
    "Deserts keep domes",
    "Ice splits boulders",
    "Roots widen cracks",
    "Acid rain eats lime",
]


def with_all_techniques(config, results):
    """The pocket configuration with all techniques and an endpoint; its runs are in the folder `results`."""
    config["results"] = str(results)
    config["synthesis"] |= {
        "exchanges": [{"count": 3, "weight": 3}, {"count": 4, "weight": 1}],
        "moves": {},
        "follow_ups": {"min_chars": 10, "max_chars": 260, "replacements": 0, "judge": False},
        "answers": {"target_chars": None},
        "recipe": [{"path": ["amplify"], "weight": 1}],
        "techniques": {"evol_instruct": {"rounds": 2}, "know_logic": {"attempts": 3}},
        "judge": {"min_mean": None, "references": False},
        "attempts": 3,
    }
    kinds = ("instruction", "follow_up", "answer", "judge")
    config["synthesis"]["sampling"] = {kind: {"temperature": 0.5, "top_p": 1.0, "max_tokens": 500} for kind in kinds}
    config["teacher"] |= {
        "kind": "endpoint",
        "model": "m",
        "base_url": "https://a.b/v1",
        "revision": None,
        "prefill": True,
        "price": {},
        "rate": {},
    }
    return config


def write_seeds(config, results, make_seed):
    """Write ten seeds, nine of them with an answer, and a finished conversation. Returns the ten, sorted by id."""
    rows = [make_seed(f"Why does granite number {n} erode?", response="It is hard." * (n > 0)) for n in range(10)]
    path = results / config["run"] / "seeds" / "data.jsonl"
    write_jsonl(path, [*rows, make_seed("Talk.", kind="conversation")])
    return sorted(rows, key=lambda row: row["id"])


def answer_requests(config, results, seed, seeds, stored=1000):
    """Generate a seed's conversation; store the first `stored` answers in the run's cache. Returns all requests."""
    cache = RequestCache(results / config["run"] / "teacher" / "cache")
    requests = []
    teacher = answer_settings(config["teacher"])  # as in a shard's job
    model, teacher_identity = served_name(teacher), identity(teacher)

    async def ask(messages, sampling, number, response_format=None):
        place = len(requests)
        opening = messages[-1]["content"] if messages[-1]["role"] == "assistant" else None
        subject = SUBJECTS[place // 2]
        text = f"{opening} granite when {subject.lower()}?" if opening else f"{subject}, as granite {place} shows."
        answer = {"text": text, "finish_reason": "stop", "prompt_tokens": 100, "completion_tokens": 10}
        requests.append(request_for(model, messages, sampling, number, response_format))
        if place < stored:
            cache.put(stored_form(requests[-1], teacher_identity), answer)
        return answer

    asyncio.run(generate_conversation(with_examples(seed, seeds), Generator(ask, config["synthesis"], True), {}))
    return requests
