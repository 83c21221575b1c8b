"""The examination of a generator: does it help, invent, remember, and treat groups alike?"""
