"""What the panel remembers between sessions."""

from __future__ import annotations

import json
from typing import Any, Dict, Tuple

import qt

KEY = "SpineFx/settings"
TextFields = Dict[str, Tuple[Any, str]]


class Settings:
    """Text fields, model and options; the token only when that is ticked."""

    def __init__(self, fields: TextFields, remember_token: Any) -> None:
        self.fields = fields
        self.remember_token = remember_token
        self.model = ""
        self.options: Dict[str, Any] = {}

    def load(self) -> None:
        """Fills the fields with the last values. What cannot be read is left as it is."""
        try:
            stored = json.loads(str(qt.QSettings().value(KEY) or "{}"))
        except ValueError:
            return
        for name, (widget, attribute) in self.fields.items():
            if isinstance(stored.get(name), str) and stored[name]:
                setattr(widget, attribute, stored[name])
        self.remember_token.checked = bool(stored.get("token"))
        self.model = str(stored.get("model", ""))
        self.options = dict(stored.get("options") or {})

    def save(self) -> None:
        """Keeps what is in the fields."""
        stored: Dict[str, Any] = {name: str(getattr(w, attribute)) for name, (w, attribute) in self.fields.items()}
        if not self.remember_token.checked:
            del stored["token"]
        stored.update(model=self.model, options=self.options)
        qt.QSettings().setValue(KEY, json.dumps(stored))
