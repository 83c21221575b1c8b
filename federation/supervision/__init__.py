"""Processes that must keep running: started, watched, started again, and stopped."""
