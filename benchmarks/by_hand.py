"""The first product written by hand: the PySpark script that an expert would write in place of contracts and engine.

`python benchmarks/by_hand.py LANDING WAREHOUSE` reads every file and makes every table anew, quarantine and reasons
included. No ledger, no plan, no counts, no run log. It is what `compare.py` measures the engine against; both must end
with the same gold.
"""

from __future__ import annotations

import csv
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from framework.lakehouse.session import start_session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame, SparkSession

ROOT = Path(__file__).parents[1]
ITEM = (
    "struct<id: string, name: string, price: string, curr: string, qty: string, unit: string, promotion_info: struct<promo_disc: string>>"
)
OPTIONAL = ("email", "phone")
TECHNICAL = ("_load_id", "_load_timestamp", "_source_modified", "_source_file", "_row_number")


def main() -> None:
    """Make all tables."""
    landing, warehouse = Path(sys.argv[1]), Path(sys.argv[2])
    size = sum(path.stat().st_size for path in landing.iterdir())
    spark = start_session({}, input_bytes=size)
    Script(spark, landing, warehouse).run()
    spark.stop()


class Script:
    """All tables, layer by layer; what does not depend on each other side by side."""

    def __init__(self, spark: SparkSession, landing: Path, warehouse: Path) -> None:
        """Remember the places."""
        self.spark, self.landing, self.warehouse = spark, landing, warehouse
        self.started = datetime.now(timezone.utc)

    def run(self) -> None:
        """Make all tables."""
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda work: work(), (self.bronze_customers, self.bronze_sales, self.bronze_orders)))
            first = [pool.submit(work) for work in (self.customers, self.customers_history, self.products)]
            first[0].result()
            second = [pool.submit(work) for work in (self.orders, self.sales)]
            for one in (*first, *second):
                one.result()
            self.order_lines()
            list(pool.map(lambda work: work(), (self.marketing, self.by_product, self.by_category)))
            self.customer_categories()

    def read(self, table: str) -> DataFrame:
        """Return a table."""
        return self.spark.read.format("delta").load(str(self.warehouse / table))

    def write(self, table: str, rows: DataFrame) -> None:
        """Put a table in place."""
        rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(str(self.warehouse / table))

    def split(self, table: str, rows: DataFrame, columns: Sequence[str], raw: Sequence[str]) -> None:
        """Write the rows that pass, the first of each key, and beside them those that do not, with their reasons."""
        waiting = str(self.warehouse / "_waiting" / table)
        rows.where("size(reasons) > 0 or place = 1").write.mode("overwrite").parquet(waiting)
        there = self.spark.read.parquet(waiting)
        self.write(f"{table}_quarantine", there.where("size(reasons) > 0").select(*(F.col(f"raw.{name}") for name in raw), "reasons"))
        self.write(table, there.where("size(reasons) = 0").select(*columns))

    # Bronze: every row as text, with where it came from.

    def _bronze(self, table: str, patterns: Sequence[str], columns: Sequence[str]) -> None:
        parts = []
        for path in sorted(path for pattern in patterns for path in self.landing.glob(pattern)):
            with path.open(encoding="utf-8-sig", newline="") as stream:
                header = next(csv.reader(stream))
            read = self.spark.read.schema(", ".join(f"{name} string" for name in header)).csv(
                str(path), header=True, multiLine=True, quote='"', escape='"', enforceSchema=True
            )
            parts.append(
                read.select(
                    *(F.col(name) if name in header else F.lit(None).cast("string").alias(name) for name in columns),
                    F.lit("1").alias("_load_id"),
                    F.lit(self.started).alias("_load_timestamp"),
                    F.lit(path.name).alias("_source_file"),
                    F.timestamp_micros(F.lit(path.stat().st_mtime_ns // 1000)).alias("_source_modified"),
                    (F.monotonically_increasing_id() + 1).alias("_row_number"),
                )
            )
        self.write(table, reduce(lambda one, other: one.unionByName(other), parts))

    def bronze_customers(self) -> None:
        """Load customers."""
        columns = [
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
        self._bronze("bronze_customers", ["customers.csv", "customers_*.csv"], [*columns, *OPTIONAL])

    def bronze_sales(self) -> None:
        """Load sales."""
        columns = ["customer_id", "customer_name", "product_name", "order_date", "product_category", "product", "total_price"]
        self._bronze("bronze_sales", ["sales.csv", "sales_[0-9]*.csv"], columns)

    def bronze_orders(self) -> None:
        """Load orders."""
        columns = [
            "clicked_items",
            "customer_id",
            "customer_name",
            "number_of_line_items",
            "order_datetime",
            "order_number",
            "ordered_products",
            "promo_info",
        ]
        self._bronze("bronze_orders", ["sales_orders.csv", "sales_orders_*.csv"], columns)

    def cleansed(self, table: str) -> tuple[DataFrame, list[str]]:
        """Return a bronze table with its text trimmed, squeezed and emptied where it spells null, and its columns."""
        rows = self.read(table)
        names = rows.columns
        text = {name: clean(name) for name in names if not name.startswith("_")}
        return rows.withColumns({"raw": F.struct(*names)} | text), names

    # Silver.

    def _customers(self) -> tuple[DataFrame, list[str], list[str]]:
        rows, raw = self.cleansed("bronze_customers")
        with (ROOT / "metadata/reference/us_states.csv").open(encoding="utf-8") as stream:
            zones = {row["state"]: row["timezone"] for row in csv.DictReader(stream)}
        zone = F.create_map(*(F.lit(one) for pair in zones.items() for one in pair))
        postcode = F.regexp_replace("postcode", r"\.0$", "")
        phone = F.regexp_replace(F.regexp_replace("phone", "[^0-9]", ""), "^1(?=[0-9]{10}$)", "")
        segment = whole("loyalty_segment", "int")
        values = {
            "customer_id": whole("customer_id", "bigint"),
            "state": F.when(F.upper("state").isin(list(zones)), F.upper("state")),
            "postcode": F.when(postcode.rlike("^[0-9]{1,4}$"), F.lpad(postcode, 5, "0")).otherwise(postcode),
            "lon": F.col("lon").try_cast("decimal(9,6)"),
            "lat": F.col("lat").try_cast("decimal(9,6)"),
            "email": F.when(F.lower("email").rlike(r"^[^\s@]+@[^\s@]+\.[^\s@]+$"), F.lower("email")),
            "phone": F.when(phone.rlike("^[0-9]{10}$"), phone),
            "valid_from": moment("valid_from", iso=False),
            "valid_to": moment("valid_to", iso=False),
            "units_purchased": whole("units_purchased", "int"),
            "loyalty_segment": F.when(segment.between(0, 5), segment),
        }
        columns = [name for name in raw if not name.startswith("_")]
        rows = rows.withColumns(values).withColumn("timezone", zone[F.col("state")])
        rows = with_reasons(
            rows, {"customer_id_required": F.col("customer_id").isNull(), "customer_name_required": F.col("customer_name").isNull()}
        )
        return rows, [*columns, "timezone", "_load_id", "_load_timestamp"], raw

    def customers(self) -> None:
        """One row per customer."""
        rows, columns, raw = self._customers()
        self.split("silver_customers", placed(rows, ["customer_id"], [F.desc_nulls_last("valid_from"), *newest()]), columns, raw)

    def customers_history(self) -> None:
        """Every version of a customer."""
        rows, columns, raw = self._customers()
        rows = placed(rows, ["customer_id", "valid_from"], newest())
        kept = (F.size("reasons") == 0) & (F.col("place") == 1)
        content = F.struct(*(name for name in columns if name not in {"customer_id", "valid_from", "valid_to"} and name[0] != "_"))
        versions = Window.partitionBy("customer_id", kept).orderBy(F.asc_nulls_first("valid_from"))
        rows = rows.withColumns({"before": F.lag(content).over(versions), "ordinal": F.row_number().over(versions)})
        repeats = kept & (F.col("ordinal") > 1) & F.col("before").eqNullSafe(content)
        rows = rows.withColumn("place", F.when(repeats, 2).otherwise(F.col("place")))
        stays = (F.size("reasons") == 0) & (F.col("place") == 1)
        versions = Window.partitionBy("customer_id", stays).orderBy(F.asc_nulls_first("valid_from"))
        rows = rows.withColumns({"valid_to": F.lead("valid_from").over(versions), "is_current": F.lead(F.lit(1)).over(versions).isNull()})
        self.split("silver_customers_history", rows, [*columns, "is_current"], raw)

    def products(self) -> None:
        """One row per product, from both files."""
        sales, _ = self.cleansed("bronze_sales")
        orders, _ = self.cleansed("bronze_orders")
        item = F.from_json("product", "struct<id: string, name: string, price: string, curr: string, unit: string>")
        lines = F.posexplode(items("ordered_products")).alias("pos", "item")
        sold = sales.withColumn("item", item).select(
            "raw",
            F.lit(0).alias("pos"),
            "item",
            F.initcap("product_category").alias("category"),
            moment("order_date", iso=True).alias("at"),
            *TECHNICAL,
        )
        ordered = orders.select(
            "raw",
            lines,
            F.lit(None).cast("string").alias("category"),
            moment("order_datetime", iso=True).alias("at"),
            *TECHNICAL,
        )
        parts = []
        for number, found in enumerate((sold, ordered)):
            values = {
                "product_id": clean("item.id"),
                "product_name": clean("item.name"),
                "unit_price": clean("item.price").try_cast("decimal(12,2)"),
                "currency": clean("item.curr"),
                "unit": clean("item.unit"),
                "order_date": F.to_date("at"),
            }
            rows = found.withColumns(values | {"source": F.lit(number)}).where("product_id is not null and order_date is not null")
            reasons = {"unit_price_required": F.col("unit_price").isNull(), "unit_price_greater_than": F.col("unit_price") <= 0}
            labelled = with_reasons(rows, reasons).withColumn("raw", F.when(F.size("reasons") > 0, F.to_json("raw")))
            parts.append(labelled.drop("item", "at"))
        rows = placed(
            parts[0].unionByName(parts[1]), ["product_id"], [F.desc_nulls_last("order_date"), *newest(), F.desc("source"), F.desc("pos")]
        )
        known = Window.partitionBy("product_id", F.size("reasons") == 0).orderBy("place").rowsBetween(0, Window.unboundedFollowing)
        rows = rows.withColumn("category", F.coalesce(F.first("category", ignorenulls=True).over(known), F.lit("Unknown")))
        rows = rows.withColumn("raw", F.struct(F.col("raw").alias("row")))
        self.split(
            "silver_products", rows, ["product_id", "order_date", "product_name", "category", "unit_price", "currency", "unit"], ["row"]
        )

    def sales(self) -> None:
        """Sales without exact repeats."""
        rows, raw = self.cleansed("bronze_sales")
        same = [name for name in raw if not name.startswith("_")]
        item = F.from_json("product", "struct<id: string, qty: string>")
        rows = rows.withColumn("same", F.struct(*same)).withColumn("item", item)
        rows = rows.withColumns(
            {
                "customer_id": whole("customer_id", "bigint"),
                "product_id": clean("item.id"),
                "order_date": F.to_date(moment("order_date", iso=True)),
                "quantity": whole("item.qty", "int"),
                "total_price": F.col("total_price").try_cast("decimal(12,2)"),
            }
        )
        rows = with_known(rows, self.read("silver_customers"))
        reasons = {
            "customer_id_required": F.col("customer_id").isNull(),
            "known_customer": F.col("customer_id").isNotNull() & F.col("known").isNull(),
            "product_id_required": F.col("product_id").isNull(),
            "order_date_required": F.col("order_date").isNull(),
            "not_in_the_future": F.col("order_date") > F.to_date("_load_timestamp"),
            "quantity_required": F.col("quantity").isNull(),
            "quantity_greater_than": F.col("quantity") <= 0,
            "total_price_required": F.col("total_price").isNull(),
            "total_price_at_least": F.col("total_price") < 0,
        }
        rows = placed(with_reasons(rows, reasons), ["same"], newest())
        self.split(
            "silver_sales", rows, ["customer_id", "product_id", "order_date", "quantity", "total_price", "_load_id", "_load_timestamp"], raw
        )

    def orders(self) -> None:
        """One row per order."""
        rows, raw = self.cleansed("bronze_orders")
        rows = rows.withColumns(
            {
                "order_number": whole("order_number", "bigint"),
                "customer_id": whole("customer_id", "bigint"),
                "order_timestamp": moment("order_datetime", iso=True),
                "lines": items("ordered_products"),
                "line_count": whole("number_of_line_items", "int"),
            }
        )
        rows = rows.withColumns(
            {"order_date": F.to_date("order_timestamp"), "line_count_matches": F.col("line_count").eqNullSafe(F.size("lines"))}
        )
        rows = with_known(rows, self.read("silver_customers"))
        reasons = {
            "order_number_required": F.col("order_number").isNull(),
            "customer_id_required": F.col("customer_id").isNull(),
            "known_customer": F.col("customer_id").isNotNull() & F.col("known").isNull(),
            "order_timestamp_required": F.col("order_timestamp").isNull(),
            "not_in_the_future": F.col("order_timestamp") > F.col("_load_timestamp"),
            "lines_required": F.col("lines").isNull(),
        }
        order = [F.desc_nulls_last("_load_timestamp"), F.desc_nulls_last("order_timestamp"), *newest()[1:]]
        columns = ["order_number", "customer_id", "order_timestamp", "order_date", "lines", "line_count", "line_count_matches"]
        rows = placed(with_reasons(rows, reasons), ["order_number"], order)
        self.split("silver_orders", rows, [*columns, "_load_id", "_load_timestamp"], raw)

    def order_lines(self) -> None:
        """One row per line of an order."""
        rows = self.read("silver_orders")
        raw = rows.columns
        prices = self.read("silver_products").select("product_id", F.col("unit_price").alias("listed"))
        rows = rows.select("*", F.struct(*raw).alias("raw"), F.posexplode("lines").alias("at", "line"))
        rows = rows.withColumns({"product_id": clean("line.id"), "quantity": whole("line.qty", "int"), "line_number": F.col("at") + 1})
        rows = rows.join(prices, "product_id", "left")
        rows = rows.withColumn("unit_price", F.coalesce(clean("line.price").try_cast("decimal(12,2)"), "listed"))
        discount = F.coalesce(F.col("line.promotion_info.promo_disc").try_cast("decimal(5,4)"), F.lit(0).cast("decimal(5,4)"))
        rows = rows.withColumns({"discount_rate": discount, "currency": clean("line.curr")})
        exact = F.expr("round(quantity * unit_price * (1 - discount_rate), 2)")
        rows = rows.withColumns({"exact": exact, "amount": exact.try_cast("decimal(14,2)"), "place": F.lit(1)})
        reasons = {
            "product_id_required": F.col("product_id").isNull(),
            "quantity_required": F.col("quantity").isNull(),
            "quantity_greater_than": F.col("quantity") <= 0,
            "unit_price_required": F.col("unit_price").isNull(),
            "amount_readable": F.col("amount").isNull() & F.col("exact").isNotNull(),
        }
        rows = with_reasons(rows, reasons).withColumn("raw", F.when(F.size("reasons") > 0, F.col("raw")))
        columns = [
            "order_number",
            "line_number",
            "customer_id",
            "order_date",
            "product_id",
            "quantity",
            "unit_price",
            "discount_rate",
            "amount",
            "currency",
        ]
        self.split("silver_order_lines", rows, [*columns, "_load_id", "_load_timestamp"], raw)

    # Gold.

    def _bought(self) -> DataFrame:
        categories = self.read("silver_products").select("product_id", "category", "product_name")
        lines = self.read("silver_order_lines").join(categories, "product_id", "left")
        return lines.withColumn("category", F.coalesce("category", F.lit("Unknown")))

    def _by_period(self, table: str, keys: Sequence[str]) -> None:
        kinds = ("day", "week", "month", "year")
        starts = [
            F.struct(F.lit(kind).alias("period_type"), F.date_trunc(kind, "order_date").cast("date").alias("period_start"))
            for kind in kinds
        ]
        groups = self._bought().select("*", F.inline(F.array(*starts))).groupBy("period_type", "period_start", *keys)
        measures = groups.agg(
            F.sum("amount").cast("decimal(18,2)").alias("revenue"),
            F.countDistinct("order_number").alias("order_count"),
            F.sum("quantity").alias("quantity"),
        )
        self.write(table, measures.withColumn("avg_order_value", F.expr("try_divide(revenue, order_count)").cast("decimal(18,2)")))

    def by_product(self) -> None:
        """Sales by period and product."""
        self._by_period("gold_sales_by_product", ["category", "product_id", "product_name"])

    def by_category(self) -> None:
        """Sales by period and category."""
        self._by_period("gold_sales_by_category", ["category"])

    def marketing(self) -> None:
        """Gather who can be reached, and what they bought."""
        bought = self._bought()
        spent = bought.groupBy("customer_id", "category").agg(F.sum("amount").alias("spend"))
        categories = spent.groupBy("customer_id").agg(
            F.min_by("category", F.expr("struct(-spend, category)")).alias("favourite_category"),
            F.array_sort(F.collect_list("category")).alias("categories"),
        )
        orders = bought.groupBy("customer_id").agg(
            F.countDistinct("order_number").alias("order_count"),
            F.sum("amount").alias("total_spend"),
            F.max("order_date").alias("last_purchase_date"),
        )
        reached = self.read("silver_customers").where("(email is not null or phone is not null) and timezone is not null")
        columns = [
            "customer_id",
            "customer_name",
            "email",
            "phone",
            "street",
            "number",
            "unit",
            "city",
            "state",
            "postcode",
            "timezone",
            "loyalty_segment",
        ]
        rows = reached.select(*columns).join(orders, "customer_id", "left").join(categories, "customer_id", "left")
        zero = {
            "order_count": F.coalesce("order_count", F.lit(0)),
            "total_spend": F.coalesce("total_spend", F.lit(0)).cast("decimal(18,2)"),
        }
        self.write("gold_marketing_customers", rows.withColumns(zero))

    def customer_categories(self) -> None:
        """Gather what a customer who can be reached bought, by category."""
        bought = self._bought().join(self.read("gold_marketing_customers").select("customer_id"), "customer_id", "left_semi")
        groups = bought.groupBy("customer_id", "category").agg(
            F.countDistinct("order_number").alias("order_count"),
            F.sum("amount").cast("decimal(18,2)").alias("total_spend"),
            F.max("order_date").alias("last_purchase_date"),
        )
        self.write("gold_customer_categories", groups)


def newest() -> list[Column]:
    """Return the order in which later deliveries come first."""
    return [F.desc_nulls_last(name) for name in TECHNICAL[1:]]


def clean(name: str) -> Column:
    """Return text trimmed and squeezed, null where it spells null."""
    text = F.col(name)
    text = F.trim(F.when(text.rlike(r"\s\s|[\t\n\r\u00a0]"), F.regexp_replace(text, r"(?U)\s+", " ")).otherwise(text))
    return F.when(~text.isin("", "NULL", "null"), text)


def whole(name: str, kind: str) -> Column:
    """Return a whole number, which may be written `34.0`; null where it is none."""
    return F.regexp_replace(clean(name), r"^([+-]?[0-9]+)\.0*$", "$1").try_cast(kind)


def moment(name: str, *, iso: bool) -> Column:
    """Return the moment that Unix seconds or ISO 8601 say."""
    text = F.trim(name)
    seconds = F.when(text.rlike(r"^[0-9]{1,11}(\.[0-9]+)?$"), F.timestamp_seconds(text.try_cast("decimal(20,6)")))
    written = F.when(text.rlike(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}.*)?$"), text.try_cast("timestamp"))
    return F.coalesce(seconds, written) if iso else seconds


def items(name: str) -> Column:
    """Return the items of an order, which may be written as objects, as pairs, or as one bare object."""
    pairs = F.transform(
        F.from_json(name, "array<array<string>>"),
        lambda pair: F.named_struct(
            F.lit("id"),
            F.get(pair, F.lit(0)),
            F.lit("name"),
            F.lit(None).cast("string"),
            F.lit("price"),
            F.lit(None).cast("string"),
            F.lit("curr"),
            F.lit(None).cast("string"),
            F.lit("qty"),
            F.get(pair, F.lit(1)),
            F.lit("unit"),
            F.lit(None).cast("string"),
            F.lit("promotion_info"),
            F.lit(None).cast("struct<promo_disc: string>"),
        ),
    )
    return F.when(F.col(name).rlike(r"^\s*\[\s*\["), pairs).otherwise(F.from_json(name, f"array<{ITEM}>"))


def with_reasons(rows: DataFrame, broken: dict[str, Column]) -> DataFrame:
    """Return the rows with the names of the rules that they break."""
    return rows.withColumn("reasons", F.array_compact(F.array(*(F.when(flag, F.lit(name)) for name, flag in broken.items()))))


def with_known(rows: DataFrame, customers: DataFrame) -> DataFrame:
    """Return the rows with a flag where the customer is known."""
    return rows.join(customers.select("customer_id", F.lit(1).alias("known")), "customer_id", "left")


def placed(rows: DataFrame, key: Sequence[str], order: Sequence[Column]) -> DataFrame:
    """Return the rows with their place among those of one key that pass."""
    return rows.withColumn("place", F.row_number().over(Window.partitionBy(*key, F.size("reasons") == 0).orderBy(*order)))


if __name__ == "__main__":
    main()
