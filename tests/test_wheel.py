"""What is installed is complete without the checkout."""

import os
import subprocess
import sys

import pytest

from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with privrep from its wheel and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", f"--wheel-dir={folder}", str(ROOT)],
        check=True,
        cwd=folder,
    )
    (wheel,) = folder.glob("privrep-*.whl")
    site = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", f"--target={site}", str(wheel)], check=True)
    return site


@pytest.mark.long
def test_the_wheel_judges_its_own_worlds_outside_the_checkout(installed, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(installed)}

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            env=environment,
        )

    where = python("-c", "import privrep; print(privrep.__file__)")
    assert where.stdout.startswith(str(installed)), where.stderr
    done = python("-m", "privrep", "selftest")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_the_wheel_holds_types_schema_and_the_folders_readmes(installed):
    package = installed / "privrep"
    for name in ("py.typed", "__init__.pyi", "auditing/audit.schema.json"):
        assert (package / name).is_file(), name
    folders = [path.parent for path in (ROOT / "privrep").rglob("__init__.py")]
    readmes = [f.relative_to(ROOT) / "README.md" for f in folders if f.name != "privrep"]
    assert len(readmes) >= 12
    for readme in readmes:
        assert (installed / readme).is_file(), readme
    assert not (installed / "experiments").exists() and not (installed / "tests").exists()
