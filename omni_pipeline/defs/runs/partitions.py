"""One partition per domain; the key is the domain's host."""

import dagster as dg

DOMAINS = dg.DynamicPartitionsDefinition(name="domains")
