"""Parameters of rules as Snakemake records and formats them."""

from snakemake.persistence import UNREPRESENTABLE, PersistenceBase
from snakemake.utils import format as format_command

from workflow_scripts.config.parameters import as_json, stage_resources


def test_a_json_parameter_is_recorded_and_quoted():
    """Snakemake drops parameters of other than builtin types, so that their changes would trigger no rerun."""
    recorded = [PersistenceBase._serialize_param_builtin(None, as_json(value)) for value in ({"a": 1}, {"a": 2}, None)]
    assert UNREPRESENTABLE not in recorded and len(set(recorded)) == 3
    value = as_json({"b": "it's", "a": [1, None]})
    assert str(value) == f"{value}" == '{"a": [1, null], "b": "it\'s"}'
    assert format_command("{value:q}", value=value) == """'{"a": [1, null], "b": "it'"'"'s"}'"""


def test_resources_of_several_sections_are_their_maximum():
    low, high = ({"resources": {"gpus": n, "memory_gb": 1.5 * n, "minutes": 10 * n}} for n in (1, 2))
    resources = stage_resources(low, high)
    assert resources == {"gpu": 2, "mem_mb": 3072, "runtime": 20}
