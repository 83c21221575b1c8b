"""Are groups of patients treated alike?"""
