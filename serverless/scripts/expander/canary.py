"""What serverless-plugin-canary-deployments adds: an alias a function, and CodeDeploy that shifts traffic to it."""

from . import names


def add_canaries(service: dict, stage: str, resources: dict) -> None:
    """Adds the application, a group and an alias for each function, and points its events at the alias."""
    common = service.get("custom", {}).get("deploymentSettings", {})
    functions = {name: f for name, f in service["functions"].items() if "deploymentSettings" in f}
    stages = common.get("stages", [])
    if not functions or (stages and stage not in stages):
        return
    stack = f"{service['service']}-{stage}"
    application = f"{names.alphanumeric(stack)}DeploymentApplication"
    resources[application] = {"Type": "AWS::CodeDeploy::Application", "Properties": {"ComputePlatform": "Lambda"}}
    for name, function in functions.items():
        settings = {**common, **function["deploymentSettings"]}
        logical = names.lambda_function(name)
        group, alias = f"{logical}DeploymentGroup", f"{logical}Alias{settings['alias']}"
        resources[group] = _group(settings, application, f"{stack}-{group}"[:100])
        resources[alias] = _alias(settings, logical, application, group, resources)
        for resource in resources.values():
            _point_at(alias, logical, resource)


def _group(settings: dict, application: str, name: str) -> dict:
    return {
        "Type": "AWS::CodeDeploy::DeploymentGroup",
        "Properties": {
            "ApplicationName": {"Ref": application},
            "AutoRollbackConfiguration": {
                "Enabled": True,
                "Events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"],
            },
            "DeploymentGroupName": name,
            "DeploymentConfigName": {
                "Fn::Sub": ["CodeDeployDefault.Lambda${ConfigName}", {"ConfigName": settings["type"]}]
            },
            "DeploymentStyle": {"DeploymentType": "BLUE_GREEN", "DeploymentOption": "WITH_TRAFFIC_CONTROL"},
            "ServiceRoleArn": settings["codeDeployRole"],
            "AlarmConfiguration": {
                "Alarms": [{"Name": {"Ref": alarm}} for alarm in settings.get("alarms", [])],
                "Enabled": True,
            },
        },
    }


def _alias(settings: dict, logical: str, application: str, group: str, resources: dict) -> dict:
    version = next(
        key
        for key, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Version" and resource["Properties"]["FunctionName"] == {"Ref": logical}
    )
    update = {"ApplicationName": {"Ref": application}, "DeploymentGroupName": {"Ref": group}}
    for hook, key in (("preTrafficHook", "BeforeAllowTrafficHook"), ("postTrafficHook", "AfterAllowTrafficHook")):
        if hook in settings:
            update[key] = {"Ref": names.lambda_function(settings[hook])}
    return {
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
            "FunctionName": {"Ref": logical},
            "Name": settings["alias"],
        },
        "UpdatePolicy": {"CodeDeployLambdaAliasUpdate": update},
    }


def _point_at(alias: str, logical: str, resource: dict) -> None:
    arn, properties = {"Fn::GetAtt": [logical, "Arn"]}, resource.get("Properties", {})
    match resource["Type"]:
        case "AWS::Lambda::EventSourceMapping" | "AWS::Lambda::Permission":
            if properties["FunctionName"] == arn:
                properties["FunctionName"] = {"Ref": alias}
        case "AWS::Events::Rule":
            for target in properties["Targets"]:
                if target["Arn"] == arn:
                    target["Arn"] = {"Ref": alias}
        case "AWS::ApiGateway::Method":
            uri = properties["Integration"].get("Uri")
            if uri and arn in uri["Fn::Join"][1]:
                start = ["arn:aws:apigateway:", {"Ref": "AWS::Region"}, ":lambda:path/2015-03-31/functions/"]
                uri["Fn::Join"][1] = [*start, {"Ref": alias}, "/invocations"]
