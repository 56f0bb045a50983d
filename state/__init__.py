"""Pulumi's state as a journal beside the files of its file backend: an update costs the same for each resource.

The file backend writes the whole state before and after each operation. The engine can send a journal instead, with one
entry for each, but only to the hosted service. This is a service with the same protocol, for one machine.
"""
