import importlib.util
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_page_of_settings_lists_every_setting_as_it_is() -> None:
    spec = importlib.util.spec_from_file_location("gen_docs", ROOT / "tools" / "gen_docs.py")
    assert spec is not None
    assert spec.loader is not None
    gen_docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(gen_docs)
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == gen_docs.current(page), "run: python tools/gen_docs.py"
