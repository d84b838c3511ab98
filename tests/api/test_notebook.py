"""vmsbench in a real Jupyter kernel: lines of progress, a result that can be shown, and a stop button that saves."""

import os
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import KernelManager

import vmsbench

ROOT = Path(vmsbench.__file__).parents[1]
PATIENCE = 300.0  # seconds for a message of the kernel
SETTINGS = (
    *("data=standin", "data.count=40", "data.size=32", "preset=quick", "tracker=none", "model.network.width=8"),
    *("pruner=none", "finals.top=0", "space.parameters=[{param:trainer.batch_size,values:[8,16]}]"),
)


class Notebook:
    """A kernel; `run` is a cell."""

    def __init__(self, folder: Path) -> None:
        self.kernel = KernelManager(kernel_name="python3")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.kernel.start_kernel(cwd=str(folder), env=environment)
        self.client = self.kernel.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)

    def run(self, code: str, stop_at: str = "") -> list[dict[str, Any]]:
        """What the cell says, as the front end gets it; once a text has `stop_at` in it, the stop button is pressed."""
        cell, said = self.client.execute(code), []
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != cell:
                continue
            content = message["content"]
            if content.get("execution_state") == "idle":
                return said
            said.append(content)
            if stop_at and stop_at in content.get("text", ""):
                stop_at = ""
                self.kernel.interrupt_kernel()

    def close(self) -> None:
        self.client.stop_channels()
        self.kernel.shutdown_kernel(now=True)


def text(said: list[dict[str, Any]]) -> str:
    """Streams, values and errors of a cell, as text."""
    values = (one.get("text") or one.get("data", {}).get("text/plain") or one.get("evalue", "") for one in said)
    return "".join(values)


@pytest.mark.slow
@pytest.mark.nightly
def test_the_stop_button_of_a_notebook_saves_and_the_same_cell_continues(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    try:
        notebook.run(f"import vmsbench; settings = {SETTINGS!r}")
        cell = "sweep = vmsbench.tune('unet', *settings, epochs=40, cpus=1)\n(sweep.finished, sweep.status().state)"
        first = text(notebook.run(cell, stop_at=" started "))
        assert "(False, 'interrupted')" in first
        assert "\x1b[" not in first, "a notebook shows lines, not a table that is redrawn"
        state = text(notebook.run("[trial.state for trial in vmsbench.status('unet').status.running]"))
        assert "Error" not in state
        again = text(notebook.run("sweep = vmsbench.resume('unet', cpus=1); (sweep.finished, len(sweep.best))"))
        assert "(True, 3)" in again
    finally:
        notebook.close()


@pytest.mark.slow
@pytest.mark.nightly
def test_the_stop_button_saves_a_single_training_and_the_same_cell_continues(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    try:
        notebook.run(f"import vmsbench; settings = {SETTINGS[:6]!r}")
        cell = "run = vmsbench.train('unet', *settings, epochs=60)\n(run.finished, len(run.history))"
        first = text(notebook.run(cell, stop_at=" epoch 2/60 "))
        assert "(False, " in first
        assert "(True, 60)" in text(notebook.run(cell))
    finally:
        notebook.close()


def test_an_error_of_the_user_is_one_line_and_a_report_and_a_map_show_themselves(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path)
    try:
        wrong = text(notebook.run("import vmsbench\nvmsbench.status('unet')"))
        assert "no sweep unet" in wrong
        notebook.run("from vmsbench.api.reports import ReportResult\nfrom pathlib import Path")
        shown = notebook.run("ReportResult(Path('reports/unet/index.html'))")
        assert any("<a href=" in one.get("data", {}).get("text/html", "") for one in shown)
        known = text(notebook.run("vmsbench.status"))
        assert "states.status" in known
    finally:
        notebook.close()
