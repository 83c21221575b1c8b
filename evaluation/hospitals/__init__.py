"""Can the hospital be told, from a generated image or from the weights?"""
