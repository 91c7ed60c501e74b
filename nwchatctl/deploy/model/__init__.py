"""The resources of a chat on AWS, as frozen data: the same types describe the desired and the live state.

Names are the tool's (`throttle_rate`); AWS's spelling is only in `nwchatctl.aws`. A resource is identified by
its `state.Key`, a kind and a name. Each module has the resources of one part of a chat; `state` combines
them.
"""
