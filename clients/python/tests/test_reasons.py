"""Every reason that the server can send has a sentence, and no sentence is for a reason that it cannot."""

import re
from pathlib import Path
from string import Formatter

from spinefx_client.errors import SpinefxError
from spinefx_client.reasons import CLIENT, SERVER, sentence

ROOT = Path(__file__).resolve().parents[3]
SOURCES = ("src/pipeline/error.rs", "src/service/status.rs")
REASON = re.compile(r'"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)"')
# Names of environment variables and settings, not reasons.
ELSEWHERE = re.compile(r'PipelineError::new\([^"]*"([A-Z_]+)"', re.S)


def sent() -> set:
    """All reasons in the server's code: in the two tables, and wherever else an error is made."""
    found = set()
    for name in SOURCES:
        found |= set(REASON.findall((ROOT / name).read_text()))
    for path in (ROOT / "src").rglob("*.rs"):
        found |= set(ELSEWHERE.findall(path.read_text()))
    return found


def test_every_reason_has_a_sentence() -> None:
    assert len(sent()) > 40, "the pattern finds the reasons no more"
    assert sent() == set(SERVER)
    assert not set(SERVER) & set(CLIENT)


def test_every_variable_of_a_sentence_is_sent() -> None:
    code = "".join((ROOT / name).read_text() for name in SOURCES)
    for reason, text in SERVER.items():
        for _, name, _, _ in Formatter().parse(text):
            assert name is None or f'"{name}"' in code, (reason, name)


def test_sentences_are_for_people() -> None:
    for reason, text in {**SERVER, **CLIENT}.items():
        assert text.endswith((".", "?", "}")), reason
        assert "_" not in re.sub(r"\{\w+\}|'resample_uneven'", "", text), reason


def test_a_newer_servers_reason_gets_its_own_words() -> None:
    assert str(SpinefxError("MOON_PHASE", detail="the moon is wrong")) == "the moon is wrong"


def test_variables_fill_in_and_may_be_missing() -> None:
    assert "8 others" in sentence("QUEUE_FULL", {"limit": 8})
    assert "? others" in sentence("QUEUE_FULL", {})
    assert "wait 12 s" in str(SpinefxError("QUEUE_FULL", {"limit": 8}, retry_after_s=12))
