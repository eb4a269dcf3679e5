import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Folder of real public data; tests that use it carry the mark `realdata` and skip where the folder is absent."""
    default = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("SEMIOLOGY_TESTDATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real test data at {folder}; set SEMIOLOGY_TESTDATA")
    return folder
