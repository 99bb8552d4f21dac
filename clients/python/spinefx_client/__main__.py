"""`python -m spinefx_client`."""

from .cli import main

raise SystemExit(main())
