"""YAML as people write it: plain values, and brackets a few levels deep."""

from __future__ import annotations

from typing import Any

import yaml

DEEPEST = 50  # brackets in brackets; PyYAML itself spends seconds until it gives up at a few hundred


class PlainLoader(yaml.SafeLoader):
    """Loads plain values; brackets in brackets over DEEPEST levels deep are refused where they begin."""

    def fetch_flow_collection_start(self, TokenClass: Any) -> None:
        """Read `[` or `{`; raises yaml.MarkedYAMLError, as other mistakes do."""
        if self.flow_level >= DEEPEST:
            raise yaml.scanner.ScannerError(None, None, "it is nested too deeply", self.get_mark())
        super().fetch_flow_collection_start(TokenClass)
