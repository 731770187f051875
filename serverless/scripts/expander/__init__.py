"""Expands a serverless.yml into the CloudFormation template that the Serverless Framework v3 would deploy.

Only what this deployment uses is known here; anything else is refused rather than guessed (`schema.yml`).
"""

from .template import Expansion, expand
from .variables import Sources

__all__ = ["Expansion", "Sources", "expand"]
