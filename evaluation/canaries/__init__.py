"""Do planted patients show more than the accounted privacy?"""
