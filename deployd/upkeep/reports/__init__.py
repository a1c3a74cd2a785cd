"""Forges are told what becomes of pushes."""
