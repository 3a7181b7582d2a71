"""One refresh from claim to close: its lease, its heartbeat, its pace, and the reaper of lost ones.

What a refresh does is in the other packages.
"""
