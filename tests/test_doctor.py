"""The doctor finds what was made wrong here, on any machine, and hurts nothing."""

import os
import socket
import threading
import time
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement

from minirlhf.cli import checks, doctor
from minirlhf.cli.checks import Finding
from minirlhf.data import hub
from minirlhf.training import machine


def test_examine_covers_every_topic(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    findings = list(doctor.examine(tmp_path / "runs"))
    topics = {finding.topic for finding in findings}
    assert topics >= {"python", "cores", "memory", "gpu", "disk", "model hub", "base models"}
    assert all(f.advice for f in findings if f.status == "problem")
    assert not (tmp_path / "runs").exists()


def test_table_and_exit_code():
    fine = Finding("python", "ok", "3.12.1")
    worth_knowing = Finding("model hub", "note", "out of reach", "Tinytown needs none")
    wrong = Finding("disk", "problem", "full " * 40, "make room")
    assert doctor.exit_code([fine, worth_knowing]) == 0
    assert doctor.exit_code([fine, wrong]) == 1
    text = doctor.table([fine, worth_knowing, wrong])
    assert "→ Tinytown needs none" in text
    assert text.endswith("1 to put right before a run (✗).")
    assert [line[0] for line in text.splitlines() if line[:1].strip()][:3] == ["✓", "!", "✗"]
    assert max(map(len, text.splitlines())) <= 100
    assert doctor.table([fine]).endswith("\n\nNo problem found.")
    assert doctor.table([worth_knowing]).endswith("No problem found. 1 worth knowing (!).")


@pytest.mark.parametrize(
    ("version", "status"),
    [((3, 10, 9), "problem"), ((3, 11, 0), "ok"), ((3, 13, 5), "ok"), ((3, 14, 0), "problem")],
)
def test_python(version, status):
    assert checks.check_python(version).status == status


def test_package_that_is_missing_old_untested_or_fine():
    found = checks.metadata.version("numpy")
    check = checks.check_package
    assert check(Requirement("no-such-package>=1"), None).status == "problem"
    assert check(Requirement("numpy>=99"), None).status == "problem"
    assert check(Requirement("numpy>=1"), "1.0.0").status == "note"
    assert check(Requirement("numpy>=1"), found) == Finding("numpy", "ok", found)


def test_package_that_breaks_on_import(monkeypatch):
    def broken(name):
        raise OSError("libcudart.so: cannot open shared object file")

    monkeypatch.setattr(checks, "importlib", SimpleNamespace(import_module=broken))
    finding = checks.check_package(Requirement("numpy>=1"), None)
    assert finding.status == "problem"
    assert "libcudart" in finding.found


def test_local_build_of_a_tested_version_is_as_tested(monkeypatch):
    monkeypatch.setattr(checks.metadata, "version", lambda name: "2.13.0+cpu")
    assert checks.check_package(Requirement("numpy>=2"), "2.13.0").status == "ok"


def test_widgets_that_do_not_fit_the_lab(monkeypatch):
    versions = {"jupyterlab": "4.6.6", "ipykernel": "7.4.0", "jupyterlab_widgets": "1.1.11"}
    monkeypatch.setattr(checks.metadata, "version", versions.__getitem__)
    assert [f.status for f in checks.check_notebooks()] == ["problem"]
    versions["jupyterlab_widgets"] = "3.0.17"
    assert [f.status for f in checks.check_notebooks()] == ["ok"]


@pytest.mark.parametrize(
    ("gib", "status"), [(0.5, "problem"), (2.0, "note"), (8.0, "ok"), (None, "ok")]
)
def test_memory(gib, status, monkeypatch):
    if gib is None:
        assert checks.check_memory().found
    else:
        assert checks.check_memory(int(gib * checks.GIB)).status == status


def test_more_threads_than_cores(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1_000)
    finding = checks.check_cores()
    assert finding.status == "note"
    assert "OMP_NUM_THREADS" in finding.advice


@pytest.mark.parametrize(("capability", "precision"), [((7, 5), "fp16"), ((9, 0), "bf16")])
def test_precision_follows_the_compute_capability(capability, precision, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (14 * checks.GIB, 15 * checks.GIB))
    finding = checks.check_gpu()
    assert finding.status == "ok"
    assert finding.found.endswith(f"forward passes in {precision}")


def test_disk(tmp_path, monkeypatch):
    assert checks.check_disk(tmp_path / "a" / "b").status == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert checks.check_disk(tmp_path / "file" / "run").status == "problem"
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda place: SimpleNamespace(free=10))
    assert checks.check_disk(tmp_path).status == "problem"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_disk_without_leave_to_write(tmp_path):
    tmp_path.chmod(0o500)
    assert checks.check_disk(tmp_path / "run").status == "problem"


def test_bases_missing(tmp_path):
    finding = checks.check_bases(tmp_path)
    assert finding.status == "problem"
    assert "small, medium, large" in finding.found


def test_bases_damaged(tmp_path):
    for size in checks.SIZES:
        (tmp_path / size).mkdir()
        (tmp_path / size / "config.json").write_text("{")
    assert checks.check_bases(tmp_path).status == "problem"


def test_hub_switched_off(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in hub.obstacle()
    assert checks.check_hub().status == "note"


@pytest.fixture
def silent_server(monkeypatch):
    """A hub that takes the connection and never says a word."""
    for name in ("HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield server


def test_hub_that_does_not_answer_costs_the_limit(silent_server):
    start = time.monotonic()
    assert hub.obstacle(limit=0.3) is not None
    assert time.monotonic() - start < 1


def test_hub_that_answers(silent_server):
    def answer():
        connection, _ = silent_server.accept()
        with connection:
            connection.recv(999)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    assert hub.obstacle(limit=20) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (403, "refused (403), by a proxy or firewall"),
        (407, "proxy asks for a password (407)"),
        (502, "answers 502"),
        (404, None),
    ],
)
@pytest.mark.parametrize("way", ["plain", "tunnel"])
def test_hub_behind_a_proxy(code, words, way, silent_server, monkeypatch):
    """Answers that come from a proxy, to a request or to the wish for a tunnel (https)."""

    def answer():
        connection, _ = silent_server.accept()
        with connection:
            connection.recv(999)
            connection.sendall(f"HTTP/1.0 {code} No\r\n\r\n".encode())

    if way == "tunnel":
        monkeypatch.setenv("https_proxy", os.environ["HF_ENDPOINT"])
        monkeypatch.setenv("no_proxy", "")
        monkeypatch.setenv("HF_ENDPOINT", "https://example.invalid")
        words = words or "Tunnel connection failed: 404"
    threading.Thread(target=answer, daemon=True).start()
    found = hub.obstacle(limit=20)
    assert found is None if words is None else words in found, found


def test_hub_that_refuses(silent_server):
    silent_server.close()
    assert "refused" in hub.obstacle().lower()


def test_a_containers_limit_counts_and_files_that_were_read_do_not(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "GROUP", tmp_path)
    free = machine.available_memory()  # no limit is set there
    for name, content in {
        "max": "1000",
        "current": "900",
        "stat": "anon 5\ninactive_file 300",
    }.items():
        (tmp_path / f"memory.{name}").write_text(content + "\n")
    assert machine.available_memory() == 400 < free
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.available_memory() > 400


@pytest.mark.parametrize(
    ("gigabytes", "found"),
    [
        (2, "Tinytown's models; GPT-2 (124M) needs 3 GB for sft and rm"),
        (4, "of GPT-2's sizes, sft: gpt2, rm: gpt2, ppo: none"),
        (16, "of GPT-2's sizes, sft: gpt2-medium, rm: gpt2-medium, ppo: gpt2"),
        (80, "of GPT-2's sizes, sft: gpt2-xl, rm: gpt2-xl, ppo: gpt2-large"),
    ],
)
def test_fit(gigabytes, found):
    assert checks.check_fit(int(gigabytes * 1e9)).found == found
