"""The rules, without I/O. Read the modules in the order of the product's sentence:

alert, evidence, memory, findings, diagnosis, runbook, action, plan, gate, verification, incident.
"""
