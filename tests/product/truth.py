"""What the product's gold tables must hold, worked out from the CSV text and the product's rules alone.

Plain Python over dictionaries; nothing of the framework is used here, so that a mistake there cannot hide here.
A `Truth` takes deliveries one after the other, as the landing folder got them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

NULLS = {"", "NULL", "null"}
CENT, RATE = Decimal("0.01"), Decimal("0.0001")
Row = dict[str, Any]


@dataclass
class Truth:
    """The rows that were delivered so far, and what follows from them."""

    zones: dict[str, str]
    customers: list[Row] = field(default_factory=list)
    sales: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    loads: int = 0

    def deliver(self, folder: Path, names: list[str] | None = None) -> None:
        """Take every file of a folder in the order of their modification."""
        self.loads += 1
        for path in sorted(folder.glob("*.csv"), key=lambda p: (p.stat().st_mtime_ns, p.name)):
            if names is not None and path.name not in names:
                continue
            into = self.orders if path.name.startswith("sales_orders") else self.sales if path.name.startswith("sales") else self.customers
            text = path.read_bytes().decode("utf-8-sig")
            for number, row in enumerate(csv.DictReader(io.StringIO(text, newline="")), 1):
                into.append(row | {"#order": (self.loads, path.stat().st_mtime_ns // 1000, path.name, number)})

    def silver_customers(self) -> dict[int, Row]:
        """Return the current customers by number."""
        best: dict[int, tuple[Any, Row]] = {}
        for row in self.customers:
            number, name = whole(row["customer_id"]), text(row["customer_name"])
            if number is None or name is None:
                continue
            since = whole(row["valid_from"])
            rank = (since is not None, since or 0, row["#order"])
            if number not in best or rank > best[number][0]:
                best[number] = (rank, self._customer(row, number, name))
        return {number: row for number, (_, row) in best.items()}

    def _customer(self, row: Row, number: int, name: str) -> Row:
        code = (text(row["state"]) or "").upper()
        state = code if code in self.zones else None
        postcode = text(row["postcode"])
        if postcode:
            postcode = re.sub(r"\.0$", "", postcode)
            postcode = postcode.zfill(5) if re.fullmatch(r"[0-9]{1,4}", postcode) else postcode
        email = (text(row.get("email")) or "").lower()
        phone = re.sub(r"[^0-9]", "", text(row.get("phone")) or "")
        phone = phone[1:] if len(phone) == 11 and phone[0] == "1" else phone
        loyalty = whole(row["loyalty_segment"])
        return {
            "customer_id": number,
            "customer_name": name,
            "email": email if re.fullmatch(r"[^\s@]+@[^\s@]+\.[^\s@]+", email) else None,
            "phone": phone if len(phone) == 10 else None,
            **{column: text(row[column]) for column in ("street", "number", "unit", "city")},
            "state": state,
            "postcode": postcode,
            "timezone": self.zones.get(state) if state else None,
            "loyalty_segment": loyalty if loyalty is not None and 0 <= loyalty <= 5 else None,
        }

    def silver_orders(self, now: datetime) -> dict[int, Row]:
        """Return the winning orders by number, with their items."""
        known = self.silver_customers()
        best: dict[int, tuple[Any, Row]] = {}
        for row in self.orders:
            number, customer, at = whole(row["order_number"]), whole(row["customer_id"]), moment(row["order_datetime"])
            items = lines(row["ordered_products"])
            if number is None or customer not in known or at is None or at > now or items is None:
                continue
            rank = (row["#order"][0], at, row["#order"])
            if number not in best or rank > best[number][0]:
                best[number] = (rank, {"order_number": number, "customer_id": customer, "date": at.date(), "items": items})
        return {number: row for number, (_, row) in best.items()}

    def silver_products(self) -> dict[str, Row]:
        """Return the products by id."""
        seen: list[tuple[Any, Row]] = []
        for row in self.sales:
            item, day = one(row["product"]), moment(row["order_date"])
            if item and day:
                seen.append((((day.date(), *row["#order"]), 0, 0), self._product(item, text(row["product_category"]))))
        for row in self.orders:
            day = moment(row["order_datetime"])
            for place, item in enumerate(lines(row["ordered_products"]) or []):
                if day and item:
                    seen.append((((day.date(), *row["#order"]), 1, place), self._product(item, None)))
        products: dict[str, Row] = {}
        for _, product in sorted((s for s in seen if s[1]["id"] and s[1]["price"] and s[1]["price"] > 0), key=lambda s: s[0]):
            category = product["category"] or products.get(product["id"], {}).get("category")
            products[product["id"]] = product | {"category": category}
        return products

    @staticmethod
    def _product(item: Row, category: str | None) -> Row:
        title = " ".join(word[:1].upper() + word[1:].lower() for word in category.split(" ")) if category else None
        return {"id": text(item.get("id")), "name": text(item.get("name")), "price": decimal(item.get("price"), CENT), "category": title}

    def silver_order_lines(self, now: datetime) -> list[Row]:
        """Return the order lines that can be counted."""
        products, found = self.silver_products(), []
        for order in self.silver_orders(now).values():
            for place, item in enumerate((one or {} for one in order["items"]), 1):
                product, quantity = text(item.get("id")), whole(item.get("qty"))
                price = decimal(item.get("price"), CENT)
                if price is None and product in products:
                    price = products[product]["price"]
                discount = decimal((item.get("promotion_info") or {}).get("promo_disc"), RATE) or Decimal(0)
                if product is None or quantity is None or quantity <= 0 or price is None:
                    continue
                amount = (quantity * price * (1 - discount)).quantize(CENT, ROUND_HALF_UP)
                known = products.get(product, {})
                found.append(
                    {
                        "order_number": order["order_number"],
                        "line_number": place,
                        "customer_id": order["customer_id"],
                        "date": order["date"],
                        "product_id": product,
                        "product_name": known.get("name"),
                        "category": known.get("category") or "Unknown",
                        "quantity": quantity,
                        "unit_price": price,
                        "discount_rate": discount.quantize(RATE),
                        "amount": amount,
                    }
                )
        return found

    def gold(self, now: datetime) -> dict[str, set[tuple[Any, ...]]]:
        """Return each gold table's rows as tuples in the order of its columns."""
        lines_ = self.silver_order_lines(now)
        spent: dict[int, list[Row]] = defaultdict(list)
        for line in lines_:
            spent[line["customer_id"]].append(line)
        customers = {n: c for n, c in self.silver_customers().items() if (c["email"] or c["phone"]) and c["timezone"]}
        return {
            "gold_sales_by_product": _by_period(lines_, ("category", "product_id", "product_name")),
            "gold_sales_by_category": _by_period(lines_, ("category",)),
            "gold_marketing_customers": {(*c.values(), *_spending(spent[n])) for n, c in customers.items()},
            "gold_customer_categories": {
                (n, category, *_measures(rows)[:1], sum(r["amount"] for r in rows), max(r["date"] for r in rows))
                for n in customers
                for category, rows in _grouped(spent[n], lambda r: r["category"]).items()
            },
        }


def _measures(rows: list[Row]) -> tuple[Any, ...]:
    return (len({row["order_number"] for row in rows}), sum(row["quantity"] for row in rows))


def _grouped(rows: list[Row], key: Any) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def _by_period(rows: list[Row], keys: tuple[str, ...]) -> set[tuple[Any, ...]]:
    found = set()
    for kind in ("day", "week", "month", "year"):
        for group, members in _grouped(rows, lambda r, kind=kind: (kind, start(r["date"], kind), *(r[k] for k in keys))).items():
            revenue = sum(row["amount"] for row in members)
            orders, quantity = _measures(members)
            found.add((*group, revenue, orders, quantity, (revenue / orders).quantize(CENT, ROUND_HALF_UP)))
    return found


def _spending(rows: list[Row]) -> tuple[Any, ...]:
    if not rows:
        return (0, Decimal(0), None, None, None)
    by_category = {category: sum(r["amount"] for r in members) for category, members in _grouped(rows, lambda r: r["category"]).items()}
    favourite = min(by_category, key=lambda category: (-by_category[category], category))
    return (
        _measures(rows)[0],
        sum(row["amount"] for row in rows),
        max(row["date"] for row in rows),
        favourite,
        tuple(sorted(by_category)),
    )


def start(day: date, kind: str) -> date:
    """Return the first day of a period."""
    if kind == "week":
        return day - timedelta(days=day.weekday())
    return {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}[kind]


def text(value: Any) -> str | None:
    """Return text trimmed and squeezed, None where it spells null."""
    if value is None:
        return None
    squeezed = " ".join(str(value).split())
    return None if squeezed in NULLS else squeezed


def whole(value: Any) -> int | None:
    """Return a whole number, None where it is none."""
    found = text(value)
    return int(found.split(".")[0]) if found and re.fullmatch(r"[+-]?[0-9]+(\.0*)?", found) else None


def decimal(value: Any, step: Decimal) -> Decimal | None:
    """Return a number rounded half up, None where it is none."""
    found = text(value)
    try:
        return Decimal(found).quantize(step, ROUND_HALF_UP) if found else None
    except InvalidOperation:
        return None


def moment(value: Any) -> datetime | None:
    """Return a moment in UTC from unix seconds, a date with time, or ISO 8601."""
    found = text(value)
    if found is None:
        return None
    if re.fullmatch(r"[0-9]{1,11}(\.[0-9]+)?", found):
        return datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=float(found))
    try:
        at = datetime.fromisoformat(found.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def one(value: Any) -> Row | None:
    """Return a JSON object, None where there is none."""
    try:
        found = json.loads(value)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def lines(value: Any) -> list[Row] | None:
    """Return an order's items from an array of objects, an array of pairs, or one object."""
    try:
        found = json.loads(value)
    except (TypeError, ValueError):
        return None
    if isinstance(found, dict):
        return [found]
    if not isinstance(found, list):
        return None
    if found and isinstance(found[0], list):
        return [{"id": pair[0], "qty": pair[1]} for pair in found]
    return found
