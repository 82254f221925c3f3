"""What other agents may ask of the history, and write into it: the same functions as the commands, within bounds.

No tool acts on anything but the store. The catalogue of actions, approvals and backends are out of reach here.
"""
