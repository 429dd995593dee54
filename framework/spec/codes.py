"""Which faults are there, how grave is each, and what do a bad and a good contract look like?

`docs/errors/` and `lakepact explain` are made from this; a test puts every example to the test.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """One kind of fault; `bad` and `good` replace keys of the contract named by `base`, or are whole files without one."""

    title: str
    why: str
    bad: str
    good: str
    base: str | None = "silver"
    is_warning: bool = False


BASES = {
    "bronze": """\
table: bronze_visits
layer: bronze
description: One row per delivered visit, untouched.
files: {pattern: ["visits_*.csv"]}
columns:
  - {name: visitor}
  - {name: came_at}
  - {name: mail, pii: contact}
  - {name: state}
""",
    "silver": """\
table: silver_visits
layer: silver
description: One row per visitor and day.
source: bronze_visits
columns:
  - {name: visitor, type: bigint, required: true}
  - {name: came_on, type: date, expr: came_at, formats: [iso8601], required: true}
  - {name: minutes, type: int, expr: "try_cast(state as int)"}
  - {name: pages, type: int, expr: "try_cast(state as int)"}
dedupe: {key: [visitor, came_on], tie_break: [_load_timestamp desc, _source_file desc, _row_number desc]}
""",
    "gold": """\
table: gold_visits
layer: gold
description: Visits on one day.
source: silver_visits
group_by: [came_on]
columns:
  - {name: came_on, type: date}
  - {name: visits, type: bigint, measure: count(*)}
  - {name: minutes, type: bigint, measure: sum(minutes)}
""",
    "query": """\
table: gold_days
layer: gold
description: Days with visits.
sql: select came_on, count(*) as visits from silver_visits group by came_on
key: [came_on]
columns:
  - {name: came_on, type: date}
  - {name: visits, type: bigint}
""",
}
"""Contracts that the examples change; all four make a project."""

CODES: dict[str, Code] = {
    # Reading a file
    "unreadable-file": Code(
        "The file cannot be read as UTF-8 text.",
        "Contracts and metadata are UTF-8, with or without a byte order mark; reference data is CSV with one number of fields.",
        "description: caf\ufffd    # saved as Latin-1",
        "description: café    # saved as UTF-8",
        base=None,
    ),
    "file-too-large": Code(
        "The file is larger than a contract can be.",
        "A contract is read by people; a megabyte of YAML is data in the wrong place.",
        "# a file of ten megabytes",
        "# a file per table, and data in metadata/reference/",
        base=None,
    ),
    "wrong-extension": Code(
        "A file among the contracts has a name that is not read.",
        "Only `.yml` and `.yaml` are read; a contract named otherwise would be missing without a word.",
        "# contracts/silver/visits.yml.txt",
        "# contracts/silver/visits.yml",
        base=None,
    ),
    "empty-file": Code(
        "The file holds nothing.",
        "A contract was meant to be here, or the file was cut off.",
        "# to be written",
        BASES["bronze"],
        base=None,
    ),
    "several-documents": Code(
        "The file holds several YAML documents.",
        "One file describes one table, so that its history is the table's history.",
        "table: silver_visits\n---\ntable: silver_visitors",
        "table: silver_visits    # and silver_visitors in a file of its own",
        base=None,
    ),
    "invalid-yaml": Code(
        "The file is not YAML.",
        "Nothing of it can be understood until it is; most often a colon, a quote or the indentation is wrong.",
        "description: Visits: one row per day.",
        'description: "Visits: one row per day."',
    ),
    "unsupported-yaml": Code(
        "Anchors, aliases, merge keys and tags are refused.",
        "What a contract says stands where it is read. `like:` and a layer's defaults share what is the same.",
        "columns: &columns\n  - {name: visitor, type: bigint, required: true}",
        "columns:\n  - {name: visitor, type: bigint, required: true}\ndedupe: {exact_repeats: true}",
    ),
    "duplicate-key": Code(
        "A key is written twice in one mapping.",
        "YAML keeps the last one and forgets the first without a word.",
        "source: bronze_visits\nsource: bronze_calls",
        "source: bronze_visits",
    ),
    # The grammar
    "unknown-key": Code(
        "The grammar has no such key here.",
        "A misspelled key would be forgotten without a word.",
        "retenton: {days: 90, by: came_on}",
        "retention: {days: 90, by: came_on}",
    ),
    "missing-key": Code(
        "A key that must be there is missing.",
        "The engine cannot do without it, and no default of the layer fills it in.",
        "columns:\n  - {name: visitor}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: visitor, type: bigint}\ndedupe: {exact_repeats: true}",
    ),
    "invalid-value": Code(
        "A value is not of the kind that the key takes.",
        "The grammar is closed: each key says what may stand there.",
        "retention: {days: ninety, by: came_on}",
        "retention: {days: 90, by: came_on}",
    ),
    "repeated-item": Code(
        "A list holds the same thing twice.",
        "The second says nothing; most often another was meant.",
        "dedupe: {key: [visitor, visitor], tie_break: [_load_timestamp desc, _source_file desc, _row_number desc]}",
        "dedupe: {key: [visitor, came_on], tie_break: [_load_timestamp desc, _source_file desc, _row_number desc]}",
    ),
    "contradiction": Code(
        "Two things that are said exclude each other.",
        "One of them would win, and the reader of the contract cannot know which.",
        "columns:\n  - {name: visitor, type: bigint, required: true, default: 0}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: visitor, type: bigint, default: 0}\ndedupe: {exact_repeats: true}",
    ),
    "no-effect": Code(
        "Something is said that changes nothing.",
        "Whoever wrote it expects that it does.",
        "columns:\n  - {name: state, type: string, formats: [yyyy-MM-dd]}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: came_at, type: date, formats: [yyyy-MM-dd]}\ndedupe: {exact_repeats: true}",
    ),
    "invalid-type": Code(
        "A column's type is not one that a Delta table can hold.",
        "Types are Spark SQL's: string, int, bigint, decimal(12,2), date, timestamp, boolean, array<…>, struct<…>.",
        "columns:\n  - {name: visitor, type: integr}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: visitor, type: int}\ndedupe: {exact_repeats: true}",
    ),
    "invalid-expression": Code(
        "An expression is not SQL.",
        "Spark has to understand it; it is parsed before Spark starts.",
        "columns:\n  - {name: state, type: string, expr: upper(state}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string, expr: upper(state)}\ndedupe: {exact_repeats: true}",
    ),
    "invalid-pattern": Code(
        "A regular expression cannot be compiled.",
        "The check could not be asked of a single row.",
        "columns:\n  - {name: state, type: string, checks: [{matches: '[A-Z'}]}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string, checks: [{matches: '^[A-Z]{2}$'}]}\ndedupe: {exact_repeats: true}",
    ),
    "invalid-format": Code(
        "A date or time format is none.",
        "A format is `unix_seconds`, `iso8601` or a pattern of Spark's letters, such as `yyyy-MM-dd HH:mm:ss`.",
        "columns:\n  - {name: came_at, type: date, formats: [YYYY-MM-DD]}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: came_at, type: date, formats: [yyyy-MM-dd]}\ndedupe: {exact_repeats: true}",
    ),
    "invalid-quality": Code(
        "A check on the whole table cannot be understood.",
        "It would never be asked, and nobody would notice.",
        "quality: [row_count]",
        "quality: [row_count > 0]",
    ),
    # Names
    "duplicate-table": Code(
        "Two contracts describe the same table.",
        "One contract describes one table; two would overwrite each other's rows.",
        "table: bronze_visits",
        "table: silver_visits",
    ),
    "duplicate-column": Code(
        "A table declares the same column twice.",
        "Column names differ by more than their case.",
        "columns:\n  - {name: visitor, type: bigint}\n  - {name: Visitor, type: string, expr: state}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: visitor, type: bigint}\n  - {name: state, type: string}\ndedupe: {exact_repeats: true}",
    ),
    "unknown-table": Code(
        "A contract names a table or reference data that does not exist.",
        "The name leads nowhere: no contract describes such a table, and no file in metadata/reference is named so.",
        "source: bronze_visit",
        "source: bronze_visits",
    ),
    "unknown-column": Code(
        "A contract names a column that is not there.",
        "The name leads nowhere: an expression sees the source's columns and the table's own that are declared above it.",
        "columns:\n  - {name: state, type: string, expr: upper(stat)}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string, expr: upper(state)}\ndedupe: {exact_repeats: true}",
    ),
    "unknown-rule": Code(
        "A limit names a rule that the table does not have.",
        "It would limit nothing. Rules are named by their check, or by their column: `visitor_required`, `minutes_readable`.",
        "quarantine: {by_rule: {visitor_requird: {share: 0.1}}}",
        "quarantine: {by_rule: {visitor_required: {share: 0.1}}}",
    ),
    "unknown-layer": Code(
        "A contract names a layer that metadata does not list.",
        "Layers and their order stand in metadata/layers.yml.",
        "layer: sliver",
        "layer: silver",
    ),
    "unknown-principal": Code(
        "A principal is named that metadata does not list.",
        "Who may see what is decided in metadata/principals.yml; nobody else can be granted to.",
        "grants: {analist: [select]}",
        "grants: {analysts: [select]}",
    ),
    "unknown-pii-class": Code(
        "A PII class is named that metadata does not list.",
        "Classes of personal data stand in metadata/pii.yml; clearances speak of them.",
        "columns:\n  - {name: state, type: string, pii: adress}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string, pii: address}\ndedupe: {exact_repeats: true}",
    ),
    "ambiguous-column": Code(
        "A query names a column that two of its tables have.",
        "Spark refuses to choose.",
        "sql: select came_on, count(*) as visits from silver_visits a join silver_visits b on a.visitor = b.visitor group by came_on",
        "sql: select a.came_on, count(*) as visits from silver_visits a join silver_visits b on a.visitor = b.visitor group by a.came_on",
        base="query",
    ),
    "ambiguous-join": Code(
        "A join or lookup could match several rows.",
        "Each row would come back once for every match, and sums would be too high.",
        "joins:\n  - {table: silver_visits, on: [visitor], take: {last_pages: pages}}",
        "joins:\n  - {table: silver_visits, on: [visitor, came_on], take: {last_pages: pages}}",
        base="gold",
    ),
    "overlapping-patterns": Code(
        "A file could be claimed by two tables.",
        "Its rows would be loaded twice, once as something that they are not.",
        'files: {pattern: ["visits_*.csv"]}',
        'files: {pattern: ["calls_*.csv"]}',
        base=None,
    ),
    "multiplying-join": Code(
        "A join in a query can match several rows on both sides.",
        "Each row comes back once for every match, and sums over either side are too high.",
        "sql: select a.came_on, count(*) as visits from silver_visits a join silver_visits b on a.visitor = b.visitor group by a.came_on",
        "sql: select a.came_on, count(*) as visits from silver_visits a "
        "join silver_visits b on a.visitor = b.visitor and a.came_on = b.came_on group by a.came_on",
        base="query",
        is_warning=True,
    ),
    "cycle": Code(
        "Tables feed each other in a circle.",
        "No order of running them would be right.",
        "source: silver_visits",
        "source: bronze_visits",
    ),
    "wrong-layer": Code(
        "A table reads from a later layer.",
        "One job runs a layer, in the order of metadata/layers.yml: the table would always be one run behind.",
        "source: gold_days\ncolumns: [{name: came_on, type: date}]\ndedupe: {key: [came_on], latest_by: [came_on]}",
        "source: bronze_visits\ncolumns: [{name: came_on, type: date, expr: came_at, formats: [iso8601]}]\ndedupe: {exact_repeats: true}",
    ),
    # Expressions
    "unknown-function": Code(
        "An expression calls a function that Spark does not have.",
        "The table would stop in the middle of a run.",
        "columns:\n  - {name: state, type: string, expr: uper(state)}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string, expr: upper(state)}\ndedupe: {exact_repeats: true}",
    ),
    "wrong-argument-count": Code(
        "A function is called with too few or too many arguments.",
        "The table would stop in the middle of a run.",
        "columns:\n  - {name: state, type: string, expr: 'lpad(state)'}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string, expr: \"lpad(state, 2, '0')\"}\ndedupe: {exact_repeats: true}",
    ),
    "misplaced-function": Code(
        "A function looks at other rows where one row is worked out, or makes several rows of one.",
        "An `expr` sees one row; aggregates belong in a `measure`, windows and generators in `dedupe`, `explode` or `sql`.",
        "columns:\n  - {name: state, type: string, expr: max(state)}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string, expr: upper(state)}\ndedupe: {exact_repeats: true}",
    ),
    "misplaced-query": Code(
        "An expression holds a query.",
        "Which tables a contract reads is said by `source`, `joins` and `lookup`, where a reader looks for it.",
        "columns:\n  - {name: state, type: string, expr: (select max(state) from bronze_visits)}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string}\ndedupe: {exact_repeats: true}",
    ),
    "not-grouped": Code(
        "A column is neither part of the group nor gathered into one value.",
        "A group has many values for it, and Spark refuses to choose.",
        "columns:\n  - {name: came_on, type: date}\n  - {name: minutes, type: int, measure: minutes + 1}",
        "columns:\n  - {name: came_on, type: date}\n  - {name: minutes, type: int, measure: max(minutes) + 1}",
        base="gold",
    ),
    "type-mismatch": Code(
        "Types do not go together.",
        "Spark stops at it, or the comparison is never true.",
        "checks:\n  - {sql: came_on > 2024, otherwise: warn}",
        "checks:\n  - {sql: year(came_on) > 2024, otherwise: warn}",
    ),
    "unsafe-cast": Code(
        "Text is cast in a way that stops the run at the first value that cannot be read.",
        "One bad value of one row would keep all other rows out. A `try_` form gives null, which rules can catch.",
        "columns:\n  - {name: pages, type: int, expr: cast(state as int)}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: pages, type: int, expr: try_cast(state as int)}\ndedupe: {exact_repeats: true}",
    ),
    "division-by-zero": Code(
        "A divisor may be zero.",
        "Spark stops the table at the first zero.",
        'columns:\n  - {name: came_on, type: date}\n  - {name: each, type: double, measure: "sum(pages) / sum(minutes)"}',
        'columns:\n  - {name: came_on, type: date}\n  - {name: each, type: double, measure: "try_divide(sum(pages), sum(minutes))"}',
        base="gold",
    ),
    "unstable-key": Code(
        "A key or an order depends on when it is asked.",
        "A run that is killed and started again would choose other rows: some would be lost, some doubled.",
        "columns:\n  - {name: visitor, type: bigint}\n  - {name: came_on, type: date, expr: current_date()}",
        "columns:\n  - {name: visitor, type: bigint, required: true}\n"
        "  - {name: came_on, type: date, expr: to_date(_load_timestamp), required: true}",
    ),
    "unstable-value": Code(
        "A value depends on when it is asked, or on the order in which rows come.",
        "Running again on the same rows gives another table.",
        "columns:\n  - {name: id, type: string, expr: uuid()}\ndedupe: {exact_repeats: true}",
        'columns:\n  - {name: id, type: string, expr: "sha2(concat(visitor, came_at), 256)"}\ndedupe: {exact_repeats: true}',
        is_warning=True,
    ),
    "lossy-cast": Code(
        "A value loses something on its way into the column's type.",
        "Digits after the point, the time of day or the greatest values go without a word.",
        "columns:\n  - {name: came_on, type: date}\n  - {name: minutes, type: smallint, measure: max(minutes)}",
        "columns:\n  - {name: came_on, type: date}\n  - {name: minutes, type: int, measure: max(minutes)}",
        base="gold",
        is_warning=True,
    ),
    "unstated-format": Code(
        "Text is read as a date or a time, and nothing says how it is written.",
        "ISO 8601 is assumed; anything else becomes null, or a refused row.",
        "columns:\n  - {name: came_at, type: date}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: came_at, type: date, formats: [iso8601, dd.MM.yyyy]}\ndedupe: {exact_repeats: true}",
        is_warning=True,
    ),
    "retyped-column": Code(
        "A column is taken over as it is, and declared as another kind of type.",
        "One of the two contracts is wrong about what the column holds; where it is meant, an `expr` says so.",
        "columns:\n  - {name: came_on, type: string}\n  - {name: visits, type: bigint, measure: count(*)}",
        "columns:\n  - {name: came_on, type: string, expr: \"date_format(came_on, 'yyyy-MM-dd')\"}\n"
        "  - {name: visits, type: bigint, measure: count(*)}",
        base="gold",
        is_warning=True,
    ),
    "read-before-declared": Code(
        "An expression reads the source's column, and the table declares its own of the same name below.",
        "An expression sees the table's own columns only where they are declared above it; the raw value is read here.",
        "columns:\n  - {name: region, type: string, expr: lower(state)}\n  - {name: state, type: string, expr: trim(state)}\n"
        "dedupe: {exact_repeats: true}",
        "columns:\n  - {name: state, type: string, expr: trim(state)}\n  - {name: region, type: string, expr: lower(state)}\n"
        "dedupe: {exact_repeats: true}",
        is_warning=True,
    ),
    # Rules, keys and orders
    "rule-always-fails": Code(
        "No row can pass a rule.",
        "All rows would be refused.",
        "columns:\n  - {name: pages, type: int, expr: state, checks: [{between: [5, 0]}]}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: pages, type: int, expr: state, checks: [{between: [0, 5]}]}\ndedupe: {exact_repeats: true}",
    ),
    "rule-never-fails": Code(
        "No row can break a rule.",
        "It looks like protection and is none.",
        "checks:\n  - {sql: visitor is not null, otherwise: warn}",
        "checks:\n  - {sql: minutes is not null, otherwise: warn}",
        is_warning=True,
    ),
    "order-can-tie": Code(
        "The order of `dedupe` can leave two rows equal.",
        "Which of them wins is decided by their content, which is the same in every run but means nothing.",
        "dedupe: {key: [visitor, came_on], latest_by: [minutes desc], tie_break: []}",
        "dedupe:\n  key: [visitor, came_on]\n  latest_by: [minutes desc]\n"
        "  tie_break: [_load_timestamp desc, _source_file desc, _row_number desc]",
        is_warning=True,
    ),
    "nullable-key": Code(
        "A column of a key may be null.",
        "All rows without the value would count as one.",
        "dedupe: {key: [visitor, pages], tie_break: [_load_timestamp desc, _source_file desc, _row_number desc]}",
        "dedupe: {key: [visitor, came_on], tie_break: [_load_timestamp desc, _source_file desc, _row_number desc]}",
        is_warning=True,
    ),
    "nullable-join": Code(
        "Rows are joined by a column that may be null, and rows without a match are left out.",
        "A null matches nothing: those rows leave the result.",
        "sql: select a.came_on, count(*) as visits from silver_visits a join silver_visits b on a.pages = b.visitor group by a.came_on",
        "sql: select a.came_on, count(*) as visits from silver_visits a join silver_visits b on a.visitor = b.visitor group by a.came_on",
        base="query",
        is_warning=True,
    ),
    "unused-column": Code(
        "A column is read nowhere.",
        "No contract reads it, and nobody but the table's owner may: it is worked out for nothing, or was forgotten.",
        "source: {table: bronze_visits, parse_json: {mail: {type: 'struct<a: string, b: string>'}}}\n"
        "columns:\n  - {name: a, type: string, expr: mail.a, pii: contact}\ndedupe: {exact_repeats: true}",
        "source: {table: bronze_visits, parse_json: {mail: {type: 'struct<a: string>'}}}\n"
        "columns:\n  - {name: a, type: string, expr: mail.a, pii: contact}\ndedupe: {exact_repeats: true}",
        is_warning=True,
    ),
    "needless-acceptance": Code(
        "A warning is accepted that is not given.",
        "What was accepted has been mended, or never was: the reason misleads.",
        "accepted:\n  - {warning: lossy-cast, reason: Minutes are whole.}",
        "accepted: []",
        is_warning=True,
    ),
    "unknown-row-filter": Code(
        "A row filter is not known.",
        "Row filters stand in metadata/row_filters.yml; without it everybody who may read the table would see all of it.",
        "columns:\n  - {name: state, type: string}\ndedupe: {exact_repeats: true}\nrow_filter: own_stat",
        "columns:\n  - {name: state, type: string}\ndedupe: {exact_repeats: true}\nrow_filter: own_state",
    ),
    "filtered-owner": Code(
        "A row filter keeps rows from the table's owner.",
        "A run writes as the owner: rows that it cannot see it would take for missing, and write again.",
        "columns:\n  - {name: state, type: string}\ndedupe: {exact_repeats: true}\nrow_filter: closed",
        "columns:\n  - {name: state, type: string}\ndedupe: {exact_repeats: true}\nrow_filter: own_state",
    ),
    # Personal data
    "undeclared-pii": Code(
        "A column is made of personal data, and does not say so.",
        "It would be neither tagged nor masked. A column derived from personal data is personal data, unless the contract "
        "says by which method it ceases to be, and why.",
        "columns:\n  - {name: mail, type: string}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: mail, type: string, pii: contact}\ndedupe: {exact_repeats: true}",
    ),
    "pii-elsewhere": Code(
        "A delivered column has the name of one that holds personal data in another delivery.",
        "Nothing but its contract says what a delivered column holds; a class that was forgotten is missing in every table that follows.",
        BASES["bronze"].replace("bronze_visits", "bronze_calls").replace("visits_", "calls_").replace(", pii: contact", ""),
        BASES["bronze"].replace("bronze_visits", "bronze_calls").replace("visits_", "calls_"),
        base=None,
        is_warning=True,
    ),
    "pii-from-nowhere": Code(
        "A column is said to hold personal data, and the only column that it is made of is not.",
        "One of the two is wrong: either this column is protected for nothing, or the other one is not protected.",
        "columns:\n  - {name: state, type: string, pii: contact}\ndedupe: {exact_repeats: true}",
        "columns:\n  - {name: mail, type: string, pii: contact}\ndedupe: {exact_repeats: true}",
        is_warning=True,
    ),
    "false-declassification": Code(
        "A column is declassified by a method that its expression does not use.",
        "The proof that no personal data leaks rests on the method.",
        "columns:\n  - {name: mail, type: string, declassified: {from: contact, method: hash, reason: Nobody can turn it back.}}\n"
        "dedupe: {exact_repeats: true}",
        "columns:\n  - {name: mail, type: string, expr: \"sha2(concat('a long salt', mail), 256)\", "
        "declassified: {from: contact, method: hash, reason: Nobody can turn it back.}}\ndedupe: {exact_repeats: true}",
    ),
    "pii-leak": Code(
        "A principal without clearance could read personal data.",
        "Who may see which class of personal data stands in metadata/principals.yml.",
        "columns:\n  - {name: mail, type: string, pii: contact}\ndedupe: {exact_repeats: true}\ngrants: {analysts: [select]}",
        "columns:\n  - {name: visitor, type: bigint}\ndedupe: {exact_repeats: true}\ngrants: {analysts: [select]}",
    ),
}
