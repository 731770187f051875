"""The two services of this deployment, expanded for a stage."""

from functools import cache
from pathlib import Path

from expander import Expansion, Sources, expand

SERVERLESS = Path(__file__).resolve().parents[2]
ROOT = SERVERLESS.parent
STAGES = ("dev", "staging", "prod")
ACCOUNT = "123456789012"


@cache
def services(stage: str, region: str = "us-east-1") -> tuple[Expansion, Expansion]:
    """The infrastructure and the application, as they would be deployed to an account that has neither."""
    sources = Sources(stage, region, ACCOUNT, environment={})
    infrastructure = expand(SERVERLESS / "infrastructure", sources)
    # A name as CloudFormation makes it up.
    sources.stacks = {f"{infrastructure.stack}.DeploymentBucketName": f"{infrastructure.stack}-deploymentbucket-x"}
    return infrastructure, expand(SERVERLESS, sources)
