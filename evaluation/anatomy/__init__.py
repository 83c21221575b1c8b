"""Does a generator invent anatomy?"""
