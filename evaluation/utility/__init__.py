"""Do synthetic images help a classifier of a rare class?"""
