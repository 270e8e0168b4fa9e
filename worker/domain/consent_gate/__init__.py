"""The consent and notice gate: which charges may not be made without a recent consent or a message. Pure.

`rules` is what is asked for, as data; `facts` is what is known of one charge, and what it lacks by the rules.
"""
