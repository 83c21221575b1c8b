"""Does a generator remember patients?"""
