"""coigan-aug studio."""

from __future__ import annotations

import json

from coigan_aug.cli.options import Here, command
from coigan_aug.studio.ask import StudioAsk


def studio(ask: StudioAsk, here: Here) -> None:
    """Paint defects and see them at once, in a browser on this machine; look at runs and data.

    Needs the extra: pip install "coigan-aug[studio]". It listens on 127.0.0.1 alone, under an address with a random token.

    Example: coigan-aug studio coigan-demo/coigan --port 8123 --no-browser
    """
    from coigan_aug.studio.loading import load_studio

    serve = load_studio()

    def opened(made: object) -> None:
        if here.as_json:
            print(json.dumps(vars(made)), flush=True)

    serve(here.workspace, ask, talk=here.talk, opened=opened)


studio_command = command(StudioAsk, studio)
