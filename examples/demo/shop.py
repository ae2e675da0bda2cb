"""The shop: products, and a cart. All it knows of a visitor is in the session.

The cart is a list of dicts inside the session, and is changed where it stands. Nowhere is the
session told that it was modified: Holdfast notices.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for

from holdfast.flask import session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Response

shop = Blueprint("shop", __name__)

LONGEST_NOTE = 280
LARGEST_QUANTITY = 99


@dataclass(frozen=True, slots=True)
class Product:
    """Something to buy; ``price`` is in cents."""

    sku: str
    name: str
    about: str
    price: int


class Line(TypedDict):
    """A line of the cart, as the session keeps it."""

    sku: str
    qty: int


PRODUCTS = {
    product.sku: product
    for product in (
        Product("holdfast", "Bench holdfast", "Forged. One knock and the work stays.", 4200),
        Product("cleat", "Horn cleat", "Ash, oiled. Two turns and a hitch.", 1850),
        Product("shackle", "Bow shackle", "Galvanised, with a captive pin.", 1290),
        Product("carabiner", "Carabiner", "Twenty kilonewtons, eighty grams.", 1575),
        Product("eyebolt", "Eye bolt", "Stainless, with its nut.", 640),
        Product("line", "Three-strand line", "Ten metres of hemp, whipped at both ends.", 2300),
    )
}


@shop.get("/")
def index() -> str:
    """Show what there is to buy."""
    quantities = {line["sku"]: line["qty"] for line in session.get("cart", [])}
    return render_template("shop.html", products=PRODUCTS.values(), quantities=quantities)


@shop.get("/cart")
def cart() -> str:
    """Show the cart."""
    lines = list(lines_with_products())
    total = sum(product.price * line["qty"] for product, line in lines)
    return render_template(
        "cart.html",
        lines=lines,
        total=total,
        longest_note=LONGEST_NOTE,
        source="\n\n".join(inspect.getsource(view).rstrip() for view in (add, change)),
    )


@shop.post("/cart/add")
def add() -> Response:
    """Put one more of a product into the cart."""
    sku = known_sku()
    cart: list[Line] = session.setdefault("cart", [])
    for line in cart:
        if line["sku"] == sku:
            line["qty"] = min(line["qty"] + 1, LARGEST_QUANTITY)
            break
    else:
        cart.append({"sku": sku, "qty": 1})
    return redirect(url_for(".index", _anchor=sku), 303)


@shop.post("/cart/change")
def change() -> Response:
    """Change a line of the cart, or take it out."""
    sku = known_sku()
    cart: list[Line] = session.get("cart", [])
    for line in cart:
        if line["sku"] == sku:
            match request.form.get("by"):
                case "more" if line["qty"] < LARGEST_QUANTITY:
                    line["qty"] += 1
                case "less" if line["qty"] > 1:
                    line["qty"] -= 1
                case "less" | "all":
                    cart.remove(line)
            break
    return redirect(url_for(".cart"), 303)


@shop.post("/cart/empty")
def empty() -> Response:
    """Empty the cart."""
    session.pop("cart", None)
    session.pop("note", None)
    flash("The cart is empty again.", "done")
    return redirect(url_for(".cart"), 303)


@shop.post("/cart/note")
def note() -> Response:
    """Keep the words for the gift card."""
    words = request.form.get("note", "").strip()
    if len(words) > LONGEST_NOTE:
        flash(f"The card has room for {LONGEST_NOTE} characters.", "problem")
    elif words:
        session["note"] = words
        flash("The card is written.", "done")
    else:
        session.pop("note", None)
        flash("No card, then.", "done")
    return redirect(url_for(".cart"), 303)


def known_sku() -> str:
    """Return the product that a form names; answers 404 if there is none such."""
    sku = request.form.get("sku", "")
    if sku not in PRODUCTS:
        abort(404, "There is no such product.")
    return sku


def lines_with_products() -> Iterator[tuple[Product, Line]]:
    """Yield the lines of the cart, without what is no longer sold."""
    lines: list[Line] = session.get("cart", [])
    for line in lines:
        if product := PRODUCTS.get(line["sku"]):
            yield product, line


def count() -> int:
    """Return how many things are in the cart."""
    return sum(line["qty"] for _, line in lines_with_products())


def money(cents: int) -> str:
    """Return a price as it is written."""
    return f"€ {cents // 100}.{cents % 100:02}"
