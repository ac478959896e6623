"""The test command counts what its stages report, and never reports success for what did not run."""
import importlib.machinery
import importlib.util
import pathlib
import types

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def runner(tmp_path, monkeypatch):
    loader = importlib.machinery.SourceFileLoader("run_tests", str(ROOT / "scripts/lib/run_tests"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", loader))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    monkeypatch.setitem(__import__("sys").modules, "run_tests", module)
    loader.exec_module(module)
    module.LOGS = tmp_path / "logs"
    module.ROOT = tmp_path
    return module


def run_main(runner, monkeypatch, stages, *arguments):
    runner.STAGES = stages
    monkeypatch.setattr("sys.argv", ["test", *arguments])
    return runner.main()


def stage(runner, name, result, group="normal", is_filtered=True, needs=""):
    def action(log, options):
        if isinstance(result, Exception):
            raise result
        return result
    return runner.Stage(name, group, is_filtered, needs, action)


def test_counts_of_a_ctest_report(runner, tmp_path):
    report = tmp_path / "ctest.xml"
    report.write_text(
        '<testsuite tests="4"><testcase name="a.A" classname="a.A" status="run"/>'
        '<testcase name="a.B" classname="a.B" status="fail"><failure message=""/></testcase>'
        '<testcase name="a.C" classname="a.C" status="notrun"><skipped message=""/></testcase>'
        '<testcase name="a.D" classname="a.D" status="disabled"/></testsuite>')
    result = runner.read_junit(report)
    assert (result.passed, result.failed, result.skipped) == (1, 1, 2)
    assert result.failures == ["a.B"]


def test_counts_of_a_pytest_report(runner, tmp_path):
    report = tmp_path / "pytest.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="m" name="one"/>'
        '<testcase classname="m" name="two"><error message="setup"/></testcase>'
        '<testcase classname="m" name="three"><skipped/></testcase></testsuite></testsuites>')
    result = runner.read_junit(report)
    assert (result.passed, result.failed, result.skipped) == (1, 1, 1)
    assert result.failures == ["m.two"]


def test_last_line_adds_up_the_stages(runner, monkeypatch, capsys):
    code = run_main(runner, monkeypatch, [
        stage(runner, "one", runner.Result(passed=3, skipped=1)),
        stage(runner, "two", runner.Result(passed=4)),
    ])
    assert code == 0
    assert capsys.readouterr().out.splitlines()[-1] == "7 passed, 0 failed, 1 skipped"


def test_a_failed_build_fails_the_run_and_skips_what_needs_it(runner, monkeypatch, capsys):
    code = run_main(runner, monkeypatch, [
        stage(runner, "build", runner.StageFailed("no compiler")),
        stage(runner, "unit", runner.Result(passed=9), needs="build"),
    ])
    assert code == 1
    output = capsys.readouterr().out
    assert output.splitlines()[-1] == "0 passed, 1 failed, 1 skipped"
    assert "build: no compiler" in output


def test_a_run_without_tests_is_not_a_success(runner, monkeypatch):
    assert run_main(runner, monkeypatch, [stage(runner, "unit", runner.Result())], "--filter", "nothing") == 1


def test_sanitize_selects_one_build_and_filter_the_normal_one(runner):
    def names(**options):
        return [s.name for s in runner.STAGES
                if runner.selected(s, types.SimpleNamespace(**{"sanitize": None, "filter": None, **options}))]

    assert names(sanitize="address") == ["asan build", "asan tests"]
    assert names(sanitize="thread") == ["tsan build", "tsan tests"]
    assert names(filter="x") == ["build", "unit", "kernels", "integration", "conformance"]
    assert names() == [s.name for s in runner.STAGES]
    assert {s.needs for s in runner.STAGES} - {""} <= {s.name for s in runner.STAGES}


def test_a_command_that_fails_without_a_report_is_a_failure(runner, monkeypatch, tmp_path):
    runner.LOGS.mkdir()
    with open(tmp_path / "log", "wb") as log, pytest.raises(runner.StageFailed):
        runner.ctest(log, tmp_path / "no-such-tree", "x")
