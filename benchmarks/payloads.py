"""What the sessions of the benchmarks contain."""

from __future__ import annotations

import secrets
from typing import Any


def small() -> dict[str, Any]:
    """Return a session of two keys: who is logged in, and a token against forged forms."""
    return {"csrf_token": secrets.token_hex(20), "user_id": 4711}


def medium() -> dict[str, Any]:
    """Return the small session and a shopping cart of eight lines."""
    cart = [
        {
            "price": 1295 + 310 * line,
            "qty": 1 + line % 3,
            "sku": f"HF-{secrets.token_hex(3)}",
            "title": title,
        }
        for line, title in enumerate(_TITLES)
    ]
    return {"cart": cart, **small()}


_TITLES = (
    "Cast iron kettle",
    "Linen tablecloth, natural",
    "Bread knife",
    "Stoneware mug",
    "Olive wood chopping board",
    "Enamel roasting tin",
    "Copper measuring spoons",
    "Tea towel, striped",
)

SIZES = {"small": small, "medium": medium}
