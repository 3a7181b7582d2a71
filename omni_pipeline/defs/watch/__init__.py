"""What looks at the instance between runs: schedule, sensors, alerts, the health page, retention.

Shells over `steps.monitoring` and `steps.checks`.
"""
