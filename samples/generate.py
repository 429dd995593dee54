"""Makes deliveries of the Sales & Marketing product, with all the mess that real ones hold.

`python -m samples.generate FOLDER --orders 2000 --seed 1` writes FOLDER/delivery_1 and FOLDER/delivery_2: the second
replaces customers.csv and sales_orders.csv, adds a dated sales file, brings late customers and corrected orders.
The same seed and size give the same bytes. Every value is invented.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

MAX_ORDERS = 500_000
FIRST_DAY = datetime(2019, 8, 1, tzinfo=timezone.utc)
STATES = ["CA", "NY", "TX", "WA", "IL", "FL", "CO", "AZ", "PR", "ca", "Ny", "XX", ""]
CITIES = ["SPRINGFIELD", "RIVERTON", "LAKE  VIEW", "Fairview", "GREENVILLE", "PORT ANNA"]
STREETS = ["MAIN ST", "OAK AVE", "2ND  ST", "HILL RD", "LAKE DR"]
LAST = ["ARLOW", "BENNET", "CASTELL", "DORSEY", "ELLERY", "FENWICK", "GARROW", "HOLT", "IVERSEN", "JUNO"]
FIRST = ["ADA", "BRAM", "CLEO", "DEAN", "EDDA", "FINN", "GRETA", "HUGO", "INES", "JOEL"]
CATEGORIES = ["televisions", "tablets", "hand-held computers", "AUDIO", "home  cinema", "cameras"]
BRANDS = ["Nakbook", "Oplitz", "Ramsung", "Fony", "Conway", "Elpine"]
CUSTOMER_COLUMNS = [
    "customer_id",
    "tax_id",
    "tax_code",
    "customer_name",
    "state",
    "city",
    "postcode",
    "street",
    "number",
    "unit",
    "region",
    "district",
    "lon",
    "lat",
    "ship_to_address",
    "valid_from",
    "valid_to",
    "units_purchased",
    "loyalty_segment",
]
SALES_COLUMNS = ["customer_id", "customer_name", "product_name", "order_date", "product_category", "product", "total_price"]
ORDER_COLUMNS = [
    "clicked_items",
    "customer_id",
    "customer_name",
    "number_of_line_items",
    "order_datetime",
    "order_number",
    "ordered_products",
    "promo_info",
]


@dataclass
class Product:
    """One product; its price moves from sale to sale."""

    id: str
    name: str
    category: str
    cents: int
    only_ordered: bool


@dataclass
class Shop:
    """Everything that the two deliveries have in common."""

    rng: random.Random
    orders: int
    products: list[Product] = field(default_factory=list)
    names: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Invent products and customers."""
        for i in range(min(10_000, max(12, self.orders // 50))):
            inch = ' 22"' if i % 5 == 0 else ""
            name = f"{self.rng.choice(BRANDS)} {self.rng.choice('ABCDEF')}{i}{inch}" + ("\\" if i % 11 == 0 else "")
            only_ordered = i % 7 == 3
            self.products.append(Product(f"AVp{i:05d}", name, self.rng.choice(CATEGORIES), self.rng.randint(99, 250_000), only_ordered))
        for i in range(min(100_000, max(20, self.orders // 5))):
            blanks = "  " if i % 4 == 0 else " "
            self.names[10_000 + i] = f"{self.rng.choice(LAST)},{blanks}{self.rng.choice(FIRST)}"

    def price(self, product: Product) -> int | float | str:
        """Return a price as one of the spellings: whole, with cents, as text."""
        cents = max(1, int(product.cents * self.rng.choice((1, 1, 1, 0.9, 1.1))))
        roll = self.rng.random()
        return cents // 100 + 1 if roll < 0.5 else f"{cents / 100:.2f}" if roll < 0.7 else cents / 100

    def line(self, product: Product) -> dict[str, Any]:
        """Return one item of an order as the shop writes it."""
        quantity: Any = self.rng.randint(1, 5)
        if self.rng.random() < 0.1:
            quantity = str(quantity)
        if self.rng.random() < 0.01:
            quantity = self.rng.choice([0, -1, "many"])
        item: dict[str, Any] = {
            "name": product.name,
            "curr": "USD",
            "price": self.price(product),
            "id": product.id,
            "qty": quantity,
            "unit": "pcs",
        }
        if self.rng.random() < 0.8:
            item["promotion_info"] = None
            if self.rng.random() < 0.15:
                item["promotion_info"] = {
                    "promo_disc": self.rng.choice([0.03, 0.05, "0.125", 0.1]),
                    "promo_id": self.rng.randint(1, 9),
                    "promo_item": product.id,
                    "promo_qty": 1,
                }
        return item


def customers(shop: Shop, delivery: int) -> tuple[list[str], list[list[Any]]]:
    """Return header and rows; the second delivery has e-mail and telephone, newer versions, and who was late."""
    rng = shop.rng
    columns = list(CUSTOMER_COLUMNS)
    if delivery == 2:
        columns += ["email", "phone"]
        rng.shuffle(columns)
    rows = []
    for number, name in shop.names.items():
        late = number % 10 == 9
        if (delivery == 1 and late) or (delivery == 2 and not late and number % 3):
            continue
        for version in range(rng.choice((1, 1, 1, 2))):
            row = _customer(shop, number, name, delivery, version)
            rows.append([row[column] for column in columns])
    nothing = [["" if i % 2 else "NULL" for i, _ in enumerate(columns)] for _ in range(2)]
    unreadable = dict(zip(columns, rows[0], strict=True)) | {"customer_id": "A-17"}
    rows += [*nothing, [unreadable[column] for column in columns], list(rows[1])]
    rng.shuffle(rows)
    return columns, rows


def _customer(shop: Shop, number: int, name: str, delivery: int, version: int) -> dict[str, Any]:
    rng = shop.rng
    postcode = rng.choice(["93311", "93311.0", "1852", "1852.0", "", "NULL", "60601"])
    email = f"{name.split(',', maxsplit=1)[0].title()}.{number}@Example.org"
    phone = f"{rng.randint(200, 999)}-{rng.randint(200, 999)}-{rng.randint(1000, 9999)}"
    return {
        "customer_id": number,
        "tax_id": rng.choice(["", "NULL", f"T{number}"]),
        "tax_code": rng.choice(["", "A", "B"]),
        "customer_name": name if rng.random() > 0.005 else "",
        "state": rng.choice(STATES),
        "city": rng.choice(CITIES),
        "postcode": postcode,
        "street": rng.choice(STREETS),
        "number": rng.choice(["12", "7.0", "103", ""]),
        "unit": rng.choice(["", "APT 4", "null"]),
        "region": rng.choice(["", "West", "East"]),
        "district": "",
        "lon": f"{rng.uniform(-124, -70):.7f}",
        "lat": f"{rng.uniform(25, 48):.7f}",
        "ship_to_address": f"{rng.choice(STATES[:9])}, {rng.choice(CITIES)}\n{postcode}, {rng.choice(STREETS)}",
        "valid_from": 1_532_824_233 + 86_400 * (10 * delivery + 3 * version) if rng.random() > 0.01 else "",
        "valid_to": rng.choice(["", "", "", "NULL", 1_700_000_000]),
        "units_purchased": rng.choice(["34", "34.0", "", "n/a"]),
        "loyalty_segment": rng.choice([0, 1, 2, 3, 4, 5, 5, 9, ""]),
        "email": rng.choice([email, email, f" {email} ", "", "not an address", "a@b"]),
        "phone": rng.choice([phone, f"+1 ({phone[:3]}) {phone[4:]}", f"1{phone}", "", "12345", "n/a"]),
    }


def sales(shop: Shop, delivery: int) -> tuple[list[str], list[list[Any]]]:
    """Return header and rows of the sales report."""
    rng = shop.rng
    sold = [product for product in shop.products if not product.only_ordered]
    rows: list[list[Any]] = []
    for _ in range(max(10, shop.orders // (4 * delivery))):
        product = rng.choice(sold)
        item = shop.line(product)
        day = FIRST_DAY + timedelta(days=rng.randint(0, 60) + 45 * (delivery - 1))
        customer = _buyer(shop)
        total = f"{rng.randint(1, 500_000) / 100:.2f}" if rng.random() > 0.01 else rng.choice(["-1", "free"])
        date = f"{day:%Y-%m-%d}" if rng.random() > 0.01 else rng.choice(["", "2019-13-45", "2999-01-01"])
        text = json.dumps(item) if rng.random() > 0.005 else rng.choice(["", "{not json", "null"])
        rows.append([customer, shop.names.get(customer, "NOBODY"), product.name, date, product.category, text, total])
        if rng.random() < 0.02:
            rows.append(list(rows[-1]))
    rows.append([""] * len(SALES_COLUMNS))
    return SALES_COLUMNS, rows


def orders(shop: Shop, delivery: int) -> tuple[list[str], list[list[Any]]]:
    """Return header and rows of the order export; the second delivery corrects some orders of the first."""
    rng = shop.rng
    first = 1 if delivery == 1 else shop.orders - shop.orders // 20
    rows: list[list[Any]] = []
    for number in range(first, first + (shop.orders if delivery == 1 else shop.orders // 5)):
        row = _order(shop, 1_000_000 + number, FIRST_DAY + timedelta(days=45 * (delivery - 1)))
        rows.append(row)
        if rng.random() < 0.02:
            rows.append(list(row))
    nulls = len(rows) // 200 + 1
    rows += [["NULL" if i % 2 else "" for i in range(len(ORDER_COLUMNS))] for _ in range(nulls)]
    return ORDER_COLUMNS, rows


def _order(shop: Shop, number: int, since: datetime) -> list[Any]:
    rng = shop.rng
    items: Any = [shop.line(rng.choice(shop.products)) for _ in range(rng.choice((1, 2, 2, 3, 4, 5)))]
    count = len(items)
    roll = rng.random()
    if roll < 0.05:
        items = [[item["id"], item["qty"]] for item in items]
    elif roll < 0.08:
        items, count = items[0], 1
    if rng.random() < 0.03:
        count += 1
    text = json.dumps(items) if rng.random() > 0.005 else rng.choice(['[{"id": "AVp', "", "oops"])
    at = since + timedelta(seconds=rng.randint(0, 60 * 86_400))
    written = rng.choice([int(at.timestamp()), f"{at:%Y-%m-%d %H:%M:%S}", f"{at:%Y-%m-%dT%H:%M:%SZ}", f"{at:%Y-%m-%dT%H:%M:%S}+02:00"])
    if rng.random() < 0.01:
        written = rng.choice(["", "soon", "32503680000"])
    customer = _buyer(shop)
    clicked = json.dumps([[rng.choice(shop.products).id, str(rng.randint(1, 99))] for _ in range(rng.randint(0, 3))])
    order_number: Any = number if rng.random() > 0.003 else rng.choice(["", f"N{number}"])
    return [clicked, customer, shop.names.get(customer, "NOBODY"), count, written, order_number, text, "[]"]


def _buyer(shop: Shop) -> int:
    """Return a customer's number; one in a hundred is never delivered."""
    return shop.rng.randint(10_000, 10_000 + len(shop.names) - 1) if shop.rng.random() > 0.01 else 99_999_999


def write(path: Path, header: list[str], rows: list[list[Any]], *, crlf: bool = False, bom: bool = False) -> None:
    """Write a CSV file as the shop does: quotes doubled, line breaks inside fields left as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n" if crlf else "\n")
        writer.writerow(header)
        writer.writerows(rows)


def generate(folder: Path, order_count: int, seed: int) -> list[Path]:
    """Write both deliveries under `folder` and return their folders."""
    shop = Shop(random.Random(seed), order_count)
    first, second = folder / "delivery_1", folder / "delivery_2"
    write(first / "customers.csv", *customers(shop, 1))
    write(first / "sales.csv", *sales(shop, 1), crlf=True)
    write(first / "sales_orders.csv", *orders(shop, 1), bom=True)
    write(second / "customers.csv", *customers(shop, 2), crlf=True, bom=True)
    write(second / "sales_2019-10-01.csv", *sales(shop, 2))
    write(second / "sales_orders.csv", *orders(shop, 2), crlf=True)
    return [first, second]


def generate_small(folder: Path, order_count: int, seed: int, share: float = 0.01) -> Path:
    """Write one more delivery, after the first one of `generate`, and return its folder.

    It holds `share` as many orders, a tenth of them corrections of earlier ones, as many sales, and newer versions of as
    many customers.
    """
    shop = Shop(random.Random(seed), order_count)
    shop.rng.seed(f"{seed} small")
    rng, since = shop.rng, FIRST_DAY + timedelta(days=60)
    numbers = rng.sample(sorted(shop.names), max(1, int(len(shop.names) * share)))
    columns = [*CUSTOMER_COLUMNS, "email", "phone"]
    rows = [_customer(shop, number, shop.names[number], 3, 0) for number in numbers]
    write(folder / "customers_2019-10-02.csv", columns, [[row[column] for column in columns] for row in rows])
    count = max(40, int(order_count * share))
    shop.orders = count
    _, sold = sales(shop, 1)
    write(folder / "sales_2019-10-02.csv", SALES_COLUMNS, sold)
    corrected = [rng.randint(1, order_count) for _ in range(count // 10)]
    new = range(2 * order_count, 2 * order_count + count - len(corrected))
    ordered = [_order(shop, 1_000_000 + number, since) for number in (*corrected, *new)]
    write(folder / "sales_orders_2019-10-02.csv", ORDER_COLUMNS, ordered)
    return folder


def arguments(doc: str) -> argparse.Namespace:
    """Return what the command line says: `folder`, `orders` and `seed`."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--orders", type=int, default=2_000, help=f"orders in the first delivery, up to {MAX_ORDERS:,}")
    parser.add_argument("--seed", type=int, default=1)
    found = parser.parse_args()
    if not 1 <= found.orders <= MAX_ORDERS:
        parser.error(f"--orders is between 1 and {MAX_ORDERS}")
    return found


def main() -> None:
    """Write the deliveries that the command line asks for."""
    wanted = arguments(__doc__)
    for delivery in generate(wanted.folder, wanted.orders, wanted.seed):
        print(f"{delivery}: " + ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f} MB" for path in sorted(delivery.iterdir())))


if __name__ == "__main__":
    main()
