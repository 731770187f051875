"""The one error of the expander."""


class ExpansionError(Exception):
    """What is wrong with a serverless.yml, where, and what to do, in one sentence."""
