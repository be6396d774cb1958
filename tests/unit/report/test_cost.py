"""Time and memory by rule, from Snakemake's benchmark files."""

import os

import pytest

from workflow_scripts.common.package_files import package_file
from workflow_scripts.report import cost
from workflow_scripts.report.pages import render

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


@pytest.fixture
def job(tmp_path):
    """A function that writes a job's benchmark file, as Snakemake does when the job ends."""

    def write(name, seconds, peak="100.5", cpu="1.5", ended=1000.0):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{HEAD}{seconds}\t0:00:01\t{peak}\t-\t-\t-\t0\t0\t0\t{cpu}\n")
        os.utime(path, (ended, ended))
        return tmp_path

    return write


def test_jobs_are_summed_by_rule(job):
    job("evaluate_task/base/a.tsv", 10, peak=300, ended=1000)
    job("evaluate_task/capybara/a.tsv", 5, peak=200, ended=1005)
    found = cost.read(job("split_dataset.tsv", 2, ended=2000))
    assert [(rule.name, rule.jobs, rule.seconds, rule.peak) for rule in found.rules] == [
        ("evaluate_task", 2, 15.0, 300.0), ("split_dataset", 1, 2.0, 100.5),
    ]  # fmt: skip
    assert (found.seconds, found.jobs) == (17.0, 3)
    assert found.busy == pytest.approx(10 + 5 + 2)


def test_simultaneous_jobs_count_once_as_busy_time(job):
    job("a.tsv", 10, ended=1000)
    assert cost.read(job("b.tsv", 4, ended=998)).busy == pytest.approx(10)


def test_missing_measurements_count_as_zero(job):
    found = cost.read(job("a.tsv", 0.1, peak="-", cpu="NA"))
    assert (found.rules[0].peak, found.rules[0].cpu) == (0.0, 0.0)


def test_the_rule_that_renders_the_report_is_excluded(job):
    job("a.tsv", 1)
    assert [rule.name for rule in cost.read(job("render_report.tsv", 9)).rules] == ["a"]


def test_a_run_without_benchmark_files_says_so(tmp_path):
    shown = cost.section(cost.read(tmp_path / "none"))
    assert "this run has no benchmark files" in render(package_file("report/templates/cost.html.jinja"), cost=shown)


@pytest.mark.parametrize(
    ("seconds", "words"), [(7.42, "7.4 s"), (139, "2 min 19 s"), (11520, "3 h 12 min"), (3600_000, "1,000 h 0 min")]
)
def test_durations(seconds, words):
    assert cost.format_duration(seconds) == words
