"""What a template's functions amount to once it is deployed: names, ARNs and URLs without an account to ask."""

import re

# The ARN of a resource by its type: from its name, its id, or the ids of its parents.
_ARNS = {
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:{region}:{account}:table/{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::Events::EventBus": "arn:aws:events:{region}:{account}:event-bus/{name}",
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{bus}{name}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
}
# The property that names a resource; without it the logical id stands for the name that AWS makes up.
_NAMES = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::Events::EventBus": "Name",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::ApiGateway::RestApi": "Name",
    "AWS::ApiGateway::Stage": "StageName",
}


class Values:
    """The values of one template."""

    def __init__(self, template: dict, stack: str, region: str, account: str):
        self.resources = template["Resources"]
        self._pseudo = {
            "AWS::Partition": "aws",
            "AWS::Region": region,
            "AWS::AccountId": account,
            "AWS::StackName": stack,
            "AWS::URLSuffix": "amazonaws.com",
        }

    def name(self, logical: str) -> str:
        """The name of a resource."""
        resource = self.resources[logical]
        given = resource.get("Properties", {}).get(_NAMES.get(resource["Type"], ""))
        return str(self.of(given)) if given is not None else logical

    def arn(self, logical: str) -> str:
        """The ARN of a resource."""
        resource = self.resources[logical]
        pattern = _ARNS[resource["Type"]]
        bus = resource.get("Properties", {}).get("EventBusName")
        return pattern.format(
            region=self._pseudo["AWS::Region"],
            account=self._pseudo["AWS::AccountId"],
            name=self.name(logical),
            bus=f"{self.of(bus)}/" if bus else "",
        )

    def of(self, value: object) -> object:
        """A value with its functions replaced by what they give."""
        if isinstance(value, list):
            return [self.of(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            key, operand = next(iter(value.items()))
            match key:
                case "Ref":
                    return self._ref(operand)
                case "Fn::GetAtt":
                    return self._attribute(*operand)
                case "Fn::Sub":
                    return self._sub(operand)
                case "Fn::Join":
                    return operand[0].join(str(self.of(item)) for item in operand[1])
                case "Fn::ImportValue":
                    return f"import:{self.of(operand)}"
        return {key: self.of(item) for key, item in value.items()}

    def _ref(self, logical: str) -> str:
        if logical in self._pseudo:
            return self._pseudo[logical]
        if self.resources[logical]["Type"] == "AWS::SNS::Topic":
            return self.arn(logical)
        return self.name(logical)

    def _attribute(self, logical: str, attribute: str) -> str:
        if attribute == "Arn":
            return self.arn(logical)
        if attribute == "StreamArn":
            return f"{self.arn(logical)}/stream/label"
        if attribute in ("QueueName", "TopicName"):
            return self.name(logical)
        return f"{logical}.{attribute}"

    def _sub(self, operand: object) -> str:
        text, local = operand if isinstance(operand, list) else (operand, {})

        def replace(match: re.Match) -> str:
            name = match[1]
            if name in local:
                return str(self.of(local[name]))
            logical, _, attribute = name.partition(".")
            return self._attribute(logical, attribute) if attribute else self._ref(name)

        return re.sub(r"\$\{([^!}][^}]*)\}", replace, text)
