"""The templates in deploy/, held against the schedulers' own schemas, and against our command."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from invdn.archive.shard_choice import SCHEDULERS
from invdn.archive.shard_run import PERMANENT, TRY_AGAIN
from invdn.cli import denoise, plan, status

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes" / "job.yaml"
BATCH = DEPLOY / "aws-batch" / "job-definition.json"
SLURM = DEPLOY / "slurm" / "archive.sbatch"
SKYPILOT = DEPLOY / "skypilot" / "archive.yaml"
ARGO = DEPLOY / "argo" / "workflow.yaml"


def _commands() -> list[list[str]]:
    """Every call of the command in the templates, as words."""
    job = yaml.safe_load(KUBERNETES.read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    calls = [container["args"]]
    calls.append(json.loads(BATCH.read_text())["containerProperties"]["command"])
    texts = [path.read_text() for path in (SLURM, SKYPILOT, DEPLOY / "aws-batch" / "submit.sh")]
    for template in yaml.safe_load(ARGO.read_text())["spec"]["templates"]:
        container = template.get("container", {"args": []})
        if container.get("command") == ["sh", "-c"]:
            texts += container["args"]
        elif container["args"]:
            calls.append(container["args"])
    for text in texts:
        joined = text.replace("\\\n", " ")
        for found in re.findall(r"\binvdn ((?:denoise|plan|status)\b[^\n&;|]*)", joined):
            words = shlex.split(found.replace('"$@"', ""), comments=True)
            calls.append(words[: words.index("(the")] if "(the" in words else words)
    return [[word for word in words if not word.startswith("(")] for words in calls]


@pytest.mark.parametrize("words", _commands(), ids=" ".join)
def test_the_command_knows_every_option(words: list[str]) -> None:
    command: click.Command = {"denoise": denoise, "plan": plan, "status": status}[words[0]].command
    arguments = [re.sub(r"\{\{.*shard.*?\}\}", "500", word) for word in words[1:]]
    arguments = [word for word in arguments if word not in ("some", "shards", "again)")]
    command.make_context(words[0], arguments)


def test_there_are_commands_of_every_template() -> None:
    assert len(_commands()) >= 10


def test_kubernetes() -> None:
    validator = pytest.importorskip("kubernetes_validate")
    job = yaml.safe_load(KUBERNETES.read_text())
    validator.validate(job, validator.latest_version(), strict=True)
    (rule, _) = job["spec"]["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailIndex" and rule["onExitCodes"]["values"] == [2, PERMANENT]


def test_aws_batch() -> None:
    botocore = pytest.importorskip("botocore.session")
    from botocore.validate import ParamValidator

    definition = json.loads(BATCH.read_text())
    model = botocore.get_session().get_service_model("batch")
    shape = model.operation_model("RegisterJobDefinition").input_shape
    report = ParamValidator().validate(definition, shape)
    assert not report.has_errors(), report.generate_report()
    rules = {rule.get("onExitCode"): rule for rule in definition["retryStrategy"]["evaluateOnExit"]}
    assert rules[str(TRY_AGAIN)]["action"] == "RETRY"
    assert rules[str(PERMANENT)]["action"] == "EXIT"


def test_argo() -> None:
    models = pytest.importorskip("hera.workflows.models")
    text = yaml.safe_load(ARGO.read_text())
    workflow = (
        models.Workflow.model_validate(text)
        if hasattr(models.Workflow, "model_validate")
        else models.Workflow.parse_obj(text)
    )
    (shard,) = [each for each in workflow.spec.templates if each.name == "shard"]
    assert f'"{TRY_AGAIN}"' in shard.retry_strategy.expression
    assert _unknown_keys(text["spec"], workflow.spec) == []


def _unknown_keys(given: Any, model: Any, place: str = "") -> list[str]:
    """Keys of a text that its model does not know, and would pass over in silence."""
    if isinstance(given, list) and isinstance(model, list):
        return [
            key for pair in zip(given, model, strict=True) for key in _unknown_keys(*pair, place)
        ]
    if not isinstance(given, dict) or not hasattr(type(model), "model_fields"):
        return []
    fields = {info.alias or name: name for name, info in type(model).model_fields.items()}
    wrong = [f"{place}.{key}" for key in given if key not in fields]
    for key, value in given.items():
        if key in fields:
            wrong += _unknown_keys(value, getattr(model, fields[key]), f"{place}.{key}")
    return wrong


def test_skypilot() -> None:
    task = yaml.safe_load(SKYPILOT.read_text())
    assert task["resources"]["job_recovery"]["recover_on_exit_codes"] == [TRY_AGAIN]
    schemas = pytest.importorskip("sky.utils.schemas")
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.validate(task, schemas.get_task_schema())
    jsonschema.validate(task["resources"], schemas.get_resources_schema())


def _slurm(tmp_path: Path, ending: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the script with a command that ends so, and a scheduler that repeats its orders."""
    for name, text in {"invdn": ending, "scontrol": 'echo "scontrol $*"'}.items():
        program = tmp_path / name
        program.write_text(f"#!/usr/bin/env bash\n{text}\n")
        program.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", **variables}
    return subprocess.run(
        ["bash", str(SLURM), "/plan"], env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("code", "again"), [(0, False), (PERMANENT, False), (TRY_AGAIN, True)])
def test_slurm_script(tmp_path: Path, code: int, again: bool) -> None:
    ids = {"SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "3"}
    done = _slurm(tmp_path, f'echo "$@"; exit {code}', **ids)
    assert done.returncode == code
    assert "denoise --manifest /plan --shard auto" in done.stdout
    assert ("scontrol requeue 7_3" in done.stdout) == again
    often = _slurm(tmp_path, f"exit {code}", SLURM_RESTART_COUNT="10", **ids)
    assert "scontrol" not in often.stdout


def test_slurm_script_passes_the_signal_on(tmp_path: Path) -> None:
    ending = "trap 'exit 75' TERM; sleep 0.5; kill -TERM $PPID; sleep 20 >&- 2>&- & wait; exit 1"
    done = _slurm(tmp_path, ending, SLURM_ARRAY_JOB_ID="7", SLURM_ARRAY_TASK_ID="3")
    assert done.returncode == TRY_AGAIN, done.stderr
    assert "scontrol requeue 7_3" in done.stdout


def test_the_documents_name_every_variable() -> None:
    text = (DEPLOY.parent / "docs" / "archives.md").read_text()
    for _, variable, *_ in SCHEDULERS:
        assert variable in text
