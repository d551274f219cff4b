"""Mutation operators: one file each, whose `replacements(node)` yields what may stand in the place of `node`.

A node that the operator does not know has none. A replacement is a new node that shares the untouched parts.
"""
