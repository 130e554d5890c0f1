"""Readings of this machine: GPUs, processors, memory, and their history."""
