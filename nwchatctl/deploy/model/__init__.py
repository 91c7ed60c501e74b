"""What a chat on AWS is made of, as frozen data: the same types describe what is wanted and what is there.

Names are ours (`throttle_rate`), AWS's spelling stays in `nwchatctl.aws`. A resource is known by its
`state.Key`, a kind and a name. A file here for each part of a chat; `state` has them all.
"""
