"""The scripts say what is missing and what to do, do things in order, and are clean."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import roots
from emulator import SECRETS, package
from validation.services import ROOT, SERVERLESS, STAGES, services

SCRIPTS = SERVERLESS / "scripts"
BASICS = """bash basename cat chmod cp cut date dirname env find grep head id ls mkdir mktemp mv readlink rm rmdir
sed sort stat strip tail tr uname base64 sleep""".split()


class Machine:
    """A machine with the commands that a test puts on it, and no others."""

    def __init__(self, directory):
        self.bin, self.log = directory / "bin", directory / "log"
        self.bin.mkdir()
        self.log.write_text("")
        for name in BASICS:
            if found := shutil.which(name):
                (self.bin / name).symlink_to(found)
        (self.bin / "python3").symlink_to(os.path.realpath(sys.executable))
        # The checkers have tests of their own; here it counts that they are asked first.
        self.put("python", 'echo "validate $(basename "$1") $2 $3"')
        self.environment = {"PATH": str(self.bin), "HOME": str(directory), "TMPDIR": str(directory)}
        self.environment["VALIDATION_PYTHON"] = str(self.bin / "python")

    def put(self, name, script):
        """A command that writes down how it was called, and then does what the script says."""
        path = self.bin / name
        path.write_text(f'#!{shutil.which("bash")}\necho "{name} $*" >>"{self.log}"\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def run(self, script, *arguments, text=""):
        return subprocess.run(
            [str(SCRIPTS / script), *arguments], env=self.environment, input=text, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    def called(self, word):
        lines = self.log.read_text().splitlines()
        return [line for line in lines if word in line and not line.endswith(" --version")]


# A stack has a file with its status. Without one it is as STACKS says.
AWS = """
mkdir -p "$HOME/stacks"
case "$1 $2" in
"sts get-caller-identity") echo 123456789012 ;;
"cloudformation describe-stacks")
    status="$(cat "$HOME/stacks/$4" 2>/dev/null || echo "${STACKS:-CREATE_COMPLETE}")"
    [[ "$status" != absent ]] || exit 255
    case "$*" in
    *QualifiedArn*) echo arn:aws:lambda:us-east-1:123456789012:function:any:3 ;;
    *) echo "$status" ;;
    esac ;;
"cloudformation create-change-set")
    case "$*" in
    *"--change-set-type CREATE"*) echo REVIEW_IN_PROGRESS >"$HOME/stacks/$4" ;;
    esac
    exit "${CHANGE_SET:-0}" ;;
"cloudformation delete-stack") echo absent >"$HOME/stacks/$4" ;;
"lambda update-function-code") echo 7 ;;
"lambda get-alias") echo "${ALIAS:-3}" ;;
"ssm get-parameter") exit 1 ;;
*) exit 0 ;;
esac"""


@pytest.fixture
def bare(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def machine(bare):
    # It leaves the template of the service that it is asked to package.
    bare.put(
        "osls",
        """case "$1" in
        --version) echo "osls 3.63.2" ;;
        package) mkdir -p .serverless && echo {} >".serverless/$TEMPLATE" ;;
        esac""",
    )
    bare.environment["TEMPLATE"] = "cloudformation-template-update-stack.json"
    packages = bare.log.parent / "packages"
    packages.mkdir()
    for variable, name in (("BOOTSTRAP_PACKAGE", "bootstrap.zip"), ("HOOKS_PACKAGE", "hooks.zip")):
        package(packages / name, dict.fromkeys(("bootstrap", "rds-ca.pem", "aws-ca.pem"), "packed"))
        bare.environment[variable] = str(packages / name)
    bare.put("aws", AWS)
    plugin = SERVERLESS / "node_modules/serverless-plugin-canary-deployments"
    if not plugin.exists():
        plugin.mkdir(parents=True)
        yield bare
        shutil.rmtree(SERVERLESS / "node_modules")
    else:
        yield bare


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="there is no shellcheck here")
def test_shellcheck_has_nothing_to_say():
    scripts = sorted(SCRIPTS.glob("*.sh"))
    assert len(scripts) == 5
    command = ["shellcheck", "--external-sources", "--source-path=SCRIPTDIR", *map(str, scripts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("script", "arguments", "complaint"),
    [
        ("deploy.sh", (), "usage: deploy.sh STAGE REGION"),
        ("deploy.sh", ("production", "us-east-1"), "'production' is no stage: it is dev, staging or prod"),
        ("deploy.sh", ("dev", "virginia"), "'virginia' is no region"),
        ("deploy.sh", ("dev", "us-east-1", "--quickly"), "'--quickly' is not known"),
        ("deploy.sh", ("dev", "us-east-1", "--function"), "--function needs a value"),
        ("deploy.sh", ("dev", "us-east-1", "--function", "api"), "'api' is no function: appointment appointment-pe"),
        ("deploy.sh", ("prod", "us-east-1", "--function", "appointment"), "so it is for dev alone"),
        ("infrastructure.sh", ("plan", "dev"), "usage: infrastructure.sh validate|plan|deploy"),
        ("infrastructure.sh", ("destroy", "dev", "us-east-1"), "'destroy' is not known"),
        ("infrastructure.sh", ("logs", "dev", "us-east-1", "--since", "yesterday"), "'yesterday' is no time"),
        ("infrastructure.sh", ("logs", "dev", "us-east-1", "--follow"), "--follow follows one function"),
        ("infrastructure.sh", ("remove", "dev", "us-east-1", "--yes"), "'--yes' is not known"),
        ("package.sh", ("--architecture", "mips"), "'mips' is no architecture of Lambda"),
        ("key.sh", ("dev", "us-east-1", "--name", "x"), "usage: key.sh STAGE REGION --name NAME --role"),
        ("package.sh", ("--fast",), "usage: package.sh"),
    ],
)
def test_wrong_usage_is_told(bare, script, arguments, complaint):
    done = bare.run(script, *arguments)
    assert done.returncode == 1 and complaint in done.stderr
    assert bare.log.read_text() == ""


@pytest.mark.parametrize("script", ["deploy.sh", "infrastructure.sh", "package.sh", "key.sh"])
def test_a_machine_with_another_stat_is_told_so_once(bare, script):
    (bare.bin / "stat").unlink()
    bare.put("stat", "exit 1")
    done = bare.run(script, "info", "dev", "us-east-1")
    assert done.returncode == 1 and done.stderr.startswith(f"{script}: stat is not GNU's")


def test_a_machine_without_docker_is_told_how_to_get_it(bare):
    done = bare.run("package.sh")
    assert done.returncode == 1
    assert "there is no docker command" in done.stderr and "https://docs.docker.com" in done.stderr


def test_a_docker_that_does_not_run_is_told_how_to_start(bare):
    bare.put("docker", "exit 1")
    done = bare.run("package.sh")
    assert done.returncode == 1 and "its daemon does not answer" in done.stderr


def test_a_native_build_for_another_architecture_is_refused(bare):
    other = "x86_64" if os.uname().machine in ("aarch64", "arm64") else "arm64"
    done = bare.run("package.sh", "--native", "--architecture", other)
    assert done.returncode == 1 and f"builds nothing for {other}" in done.stderr


@pytest.mark.parametrize(("script", "arguments"), [("deploy.sh", ()), ("infrastructure.sh", ("plan",))])
def test_a_machine_without_the_framework_is_told_how_to_get_it(bare, script, arguments):
    done = bare.run(script, *arguments, "dev", "us-east-1")
    assert done.returncode == 1
    assert "there is neither osls nor serverless 3" in done.stderr and "npm install" in done.stderr


@pytest.mark.parametrize("name", ["serverless", "osls"])
@pytest.mark.parametrize(
    ("version", "taken"),
    [
        ("Serverless ϟ Framework 4.9.1", False),
        ("osls 4.3.1", False),
        ("Framework Core: 4.3.0 Plugin: 7.2.3 SDK: 4.3.0", False),
        ("Framework Core: 3.38.0 (local) Plugin: 7.2.3 SDK: 4.4.0", True),
        ("3.63.2", True),
    ],
)
def test_version_3_of_the_framework_is_taken_under_either_name(bare, name, version, taken):
    bare.put(name, f"echo '{version}'")
    done = bare.run("deploy.sh", "dev", "us-east-1")
    assert done.returncode == 1
    assert ("neither osls nor serverless 3" not in done.stderr) is taken, done.stderr


def test_what_the_plugin_asks_for_by_name_is_the_framework_without_a_licence():
    wanted = json.loads((SERVERLESS / "package.json").read_text())["devDependencies"]
    # An exact version of each: nobody deploys with one that was not looked at.
    assert re.fullmatch(r"npm:osls@3\.\d+\.\d+", wanted["serverless"])
    assert set(wanted) == {"serverless", "serverless-plugin-canary-deployments"}


def test_a_machine_without_credentials_is_told_how_to_log_in(machine):
    machine.put("aws", "exit 255")
    for script, arguments in (("deploy.sh", ()), ("infrastructure.sh", ("info",))):
        done = machine.run(script, *arguments, "dev", "us-east-1")
        assert done.returncode == 1
        assert "AWS does not accept the credentials" in done.stderr and "aws sso login" in done.stderr


def test_a_machine_without_the_aws_command_is_told_how_to_get_it(bare):
    done = bare.run("infrastructure.sh", "info", "dev", "us-east-1")
    assert done.returncode == 1 and "there is no aws command" in done.stderr


def test_the_application_waits_for_its_infrastructure(machine):
    machine.environment["STACKS"] = "absent"
    done = machine.run("deploy.sh", "dev", "us-east-1")
    assert done.returncode == 1 and "infrastructure.sh deploy dev us-east-1" in done.stderr
    assert not machine.called("osls")


def test_a_dry_run_checks_and_packages_and_deploys_nothing(machine):
    done = machine.run("deploy.sh", "staging", "us-east-1", "--dry-run", "--verbose")
    assert done.returncode == 0, done.stderr
    assert "validate validate.py staging us-east-1" in done.stdout
    assert machine.called("osls") == ["osls package --stage staging --region us-east-1 --verbose"]


def test_the_hooks_are_packed_beside_a_program_that_is_there_already(machine):
    del machine.environment["HOOKS_PACKAGE"]
    hooks = ROOT / ".build/lambda/hooks.zip"
    hooks.unlink(missing_ok=True)
    done = machine.run("deploy.sh", "staging", "us-east-1", "--dry-run")
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(hooks) as archive:
        assert archive.namelist() == ["traffic.py"]


def test_one_functions_new_code_is_a_version_that_its_alias_points_at(machine):
    done = machine.run("deploy.sh", "dev", "us-east-1", "--function", "appointment-pe")
    assert done.returncode == 0, done.stderr
    assert "Live is version 7" in done.stderr
    name = "--function-name medical-appointment-scheduling-dev-appointment-pe"
    update, wait, move = machine.called("aws lambda")
    assert f"update-function-code {name} --zip-file fileb:///" in update and "--publish" in update
    assert f"published-version-active {name} --qualifier 7" in wait
    assert f"update-alias {name} --name Live --function-version 7" in move
    assert machine.called("osls") == []


@pytest.mark.parametrize(("stage", "alias", "moved"), [("dev", "3", 0), ("dev", "7", 4), ("prod", "7", 0)])
def test_a_deployment_finds_aliases_where_the_stack_left_them(machine, stage, alias, moved):
    machine.environment["ALIAS"] = alias
    machine.run("deploy.sh", stage, "us-east-1")
    assert machine.called("osls") == [f"osls deploy --stage {stage} --region us-east-1"]
    # In production somebody who moved an alias did so to get rid of what the stack made.
    back = [line for line in machine.called("update-alias") if "--function-version 3" in line]
    assert len(back) == moved


@pytest.mark.parametrize(("region", "checked"), [((), "us-east-1"), (("sa-east-1",), "sa-east-1")])
def test_a_stage_is_checked_without_aws_and_without_a_region(bare, region, checked):
    done = bare.run("infrastructure.sh", "validate", "prod", *region)
    assert (done.returncode, done.stdout) == (0, f"validate validate.py prod {checked}\n"), done.stderr


def test_nothing_is_deployed_that_does_not_validate(machine):
    machine.put("python", "echo 'validate: an alarm names nothing' >&2; exit 1")
    done = machine.run("deploy.sh", "dev", "us-east-1")
    assert done.returncode == 1 and "an alarm names nothing" in done.stderr
    assert not machine.called("osls")


@pytest.mark.parametrize(
    ("arguments", "verb"),
    [(("--name", "x", "--role", "intake"), "create --engine aws --name x --role intake"),
     (("--rotate", "x"), "rotate --engine aws x")],
)  # fmt: skip
def test_a_key_is_one_secret_for_plan_and_ledger_and_on_no_command_line(machine, arguments, verb):
    secret = "ldg_" + "a-_Z" * 10
    machine.put("ledger", f"""[[ "$KMS_KEY_ID $PROJECTIONS_TABLE_NAME" == "key projections" ]] || exit 1
        echo '[{{"name":"x","secret":"{secret}"}}]'""")  # fmt: skip
    machine.environment["LEDGER"] = str(machine.bin / "ledger")
    extra = """"lambda get-function-configuration") echo "key events appointments subjects projections" ;;
"apigateway create-api-key") cp "${4#file://}" "$HOME/key"; echo k1 ;;
*) exit 0"""
    machine.put(
        "aws", AWS.replace("*) exit 0", extra).replace("*QualifiedArn*)", "*FrontDeskPlanId*) echo p1 ;;\n*x*)")
    )
    done = machine.run("key.sh", "dev", "us-east-1", *arguments)
    assert done.returncode == 0 and done.stdout == f"{secret}\n", done.stderr
    made = json.loads((machine.log.parent / "key").read_text())
    assert made == {"name": "medical-appointment-scheduling-dev-x", "enabled": True, "value": secret}
    assert machine.called("--usage-plan-id p1 --key-type API_KEY --key-id k1")
    assert machine.called(f"ledger keys {verb} --format json")
    assert secret not in machine.log.read_text()


@pytest.mark.parametrize("change_set", ["0", "255"])
def test_a_plan_of_what_is_not_there_leaves_nothing_in_a_deployments_way(machine, change_set):
    machine.environment |= {"STACKS": "absent", "CHANGE_SET": change_set}
    done = machine.run("infrastructure.sh", "plan", "dev", "us-east-1")
    assert done.returncode == int(change_set), done.stderr
    (made,) = machine.called("create-change-set")
    assert "--stack-name medical-appointment-infrastructure-dev" in made and "--change-set-type CREATE" in made
    assert (machine.log.parent / "stacks/medical-appointment-infrastructure-dev").read_text() == "absent\n"
    assert machine.called("wait stack-delete-complete")
    if change_set == "0":
        assert "the application is planned once the infrastructure is there" in done.stderr


def test_a_plan_of_what_is_there_takes_its_change_sets_away_and_nothing_else(machine):
    done = machine.run("infrastructure.sh", "plan", "dev", "us-east-1")
    assert done.returncode == 0, done.stderr
    assert len(machine.called("--change-set-type UPDATE")) == len(machine.called("delete-change-set")) == 2
    assert machine.called("delete-stack") == []


@pytest.mark.parametrize("script", [("infrastructure.sh", "deploy"), ("deploy.sh",)])
def test_what_an_older_plan_left_is_taken_away_before_a_deployment(machine, script):
    name = "infrastructure" if len(script) == 2 else "scheduling"
    stacks = machine.log.parent / "stacks"
    stacks.mkdir()
    (stacks / f"medical-appointment-{name}-dev").write_text("REVIEW_IN_PROGRESS\n")
    machine.run(*script, "dev", "us-east-1")
    calls = machine.log.read_text().splitlines()
    assert f"aws cloudformation delete-stack --stack-name medical-appointment-{name}-dev" in calls
    assert calls.index(machine.called("delete-stack")[0]) < calls.index("osls deploy --stage dev --region us-east-1")


def test_a_plan_says_that_packages_are_missing(machine):
    machine.environment["BOOTSTRAP_PACKAGE"] = str(machine.log.parent / "nowhere.zip")
    done = machine.run("infrastructure.sh", "plan", "dev", "us-east-1")
    assert done.returncode == 1
    assert "nowhere.zip is not there" in done.stderr and "scripts/package.sh" in done.stderr


def test_secrets_are_made_once_and_shown_nowhere(machine):
    machine.put(
        "aws",
        AWS.replace(
            "*) exit 0",
            '"ssm put-parameter") cat "${4#file://}" >>"$HOME/secrets"; echo >>"$HOME/secrets" ;;\n*) exit 0',
        ),
    )
    done = machine.run("infrastructure.sh", "deploy", "dev", "us-east-1")
    assert done.returncode == 0, done.stderr
    secrets = (machine.log.parent / "secrets").read_text().splitlines()
    assert [json.loads(secret)["Name"] for secret in secrets] == [
        f"/medical-appointment/dev/{name}" for name in SECRETS
    ]
    assert len({json.loads(secret)["Value"] for secret in secrets}) == len(SECRETS)
    for secret in secrets:
        value = secret.split('"Value": "')[1].split('"')[0]
        assert len(value) >= 40
        # RDS takes none of these in a password.
        assert not set(value) & set('/@" ')
        assert value not in done.stdout + done.stderr + machine.log.read_text()
    assert machine.called("osls") == ["osls deploy --stage dev --region us-east-1"]


@pytest.mark.parametrize("answer", ["", "prod\n", "DEV\n", "yes\n"])
def test_removal_wants_the_name_of_the_stage(machine, answer):
    done = machine.run("infrastructure.sh", "remove", "dev", "us-east-1", text=answer)
    assert done.returncode == 1 and "nothing was removed" in done.stderr
    assert not machine.called("delete")


@pytest.mark.parametrize(("arguments", "text"), [((), "dev\n"), (("--force",), "")])
def test_removal_takes_the_application_first(machine, arguments, text):
    done = machine.run("infrastructure.sh", "remove", "dev", "us-east-1", *arguments, text=text)
    assert done.returncode == 0, done.stderr
    assert [line.split("--stack-name ")[1] for line in machine.called("delete-stack")] == [
        "medical-appointment-scheduling-dev",
        "medical-appointment-infrastructure-dev",
    ]


ARCHITECTURE = os.uname().machine.replace("aarch64", "arm64")
EMULATED = ("--native", "--emulator", "--architecture", ARCHITECTURE)


@pytest.fixture
def source(machine, tmp_path):
    """A folder in which the fake swift has built a program."""
    source = tmp_path / "built"
    source.mkdir()
    shutil.copy(shutil.which("true"), source / "bootstrap")
    machine.put("swift", f'case "$*" in *--show-bin-path*) echo "{source}" ;; esac')
    (source / "libstdc++.a").touch()
    machine.put("clang", f'echo "{source}/libstdc++.a"')
    machine.environment["SCRATCH"] = str(tmp_path / "scratch")
    for name in ("ldd", "ln", "objdump", "awk", "nm"):
        if not (machine.bin / name).exists() and shutil.which(name):
            (machine.bin / name).symlink_to(shutil.which(name))
    return source


@pytest.mark.parametrize(
    ("command", "says", "complaint"),
    [
        ("objdump", "echo '  NEEDED               libsqlite3.so.0'", "the program needs libsqlite3.so.0"),
        ("nm", "echo '0000000000401000 T $s7NIOCore9EventLoopP'", "the program holds 7NIOCore"),
        ("nm", "echo '0000000000401000 t $s11Hummingbird6RouterCMa'", "the program holds 1Hummingbird"),
        ("nm", "echo '0000000000401000 T sqlite3_open_v2'", "the program holds sqlite3_open_v"),
        ("strip", 'truncate -s 31457281 "$2"', "has 31457281 bytes, more than the 31457280 it may have"),
    ],
)
def test_a_program_with_what_does_not_belong_in_lambda_is_refused(machine, source, tmp_path, command, says, complaint):
    (machine.bin / "truncate").symlink_to(shutil.which("truncate"))
    (machine.bin / command).unlink(missing_ok=True)
    machine.put(command, says)
    output = str(tmp_path / "out")
    done = machine.run("package.sh", *EMULATED, "--output", output)
    assert done.returncode == 1 and complaint in done.stderr
    assert not (tmp_path / "out/bootstrap.zip").exists()


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
def test_a_build_in_a_container_leaves_nothing_of_roots_and_has_a_folder_of_its_own(machine, tmp_path, architecture):
    machine.put(
        "docker",
        """[[ "$*" != *"uname -m"* ]] || { echo "$MACHINE" && exit; }
        case "$1" in run) for word in "$@"; do case "$word" in
            *:/out) mkdir "${word%:/out}/package" && echo packed >"${word%:/out}/package/bootstrap.zip" ;;
            *) : ;; esac; done ;; esac""",
    )
    machine.environment["MACHINE"] = architecture.replace("arm64", "aarch64")
    certificates = tmp_path / "ca.pem"
    certificates.write_text("-----BEGIN CERTIFICATE-----\n")
    output = tmp_path / "out"
    done = machine.run(
        "package.sh", "--architecture", architecture, "--certificates", str(certificates), "--output", str(output)
    )
    assert done.returncode == 0, done.stderr
    assert (output / "bootstrap.zip").read_text() == "packed\n"
    called = machine.log.read_text()
    assert f"SCRATCH=/src/.build/lambda-{architecture} serverless/scripts/package.sh --native" in called
    assert f"chown -R {os.getuid()}:{os.getgid()} /out /src/.build/lambda-{architecture}" in called


def test_a_machine_without_the_library_that_is_linked_in_is_told_where_it_is(machine, source, tmp_path):
    machine.put("clang", "echo libstdc++.a")
    done = machine.run("package.sh", *EMULATED, "--output", str(tmp_path / "out"))
    assert done.returncode == 1 and "apt-get install libstdc++-12-dev" in done.stderr


def test_the_same_program_makes_the_same_package(machine, source, tmp_path):
    packages = []
    for attempt in ("first", "second"):
        output = tmp_path / attempt
        done = machine.run("package.sh", *EMULATED, "--output", str(output))
        assert done.returncode == 0, done.stderr
        packages.append({path.name: path.read_bytes() for path in output.iterdir()})
        os.utime(source / "bootstrap", (1, 1))
    assert set(packages[0]) == {"bootstrap.zip", "hooks.zip"}
    assert packages[0] == packages[1]
    with zipfile.ZipFile(tmp_path / "first/bootstrap.zip") as archive:
        assert archive.namelist() == ["aws-ca.pem", "bootstrap"]
        assert (archive.getinfo("bootstrap").external_attr >> 16) & 0o777 == 0o755
    with zipfile.ZipFile(tmp_path / "first/hooks.zip") as archive:
        assert archive.namelist() == ["traffic.py"]


def test_a_package_holds_the_roots_of_aws_where_every_function_looks_for_them(machine, source, tmp_path):
    assert machine.run("package.sh", *EMULATED, "--output", str(tmp_path)).returncode == 0
    with zipfile.ZipFile(tmp_path / "bootstrap.zip") as archive:
        packed = archive.read("aws-ca.pem").decode()
    # What is not Amazon's is not there, and of Amazon's all.
    assert packed.count("BEGIN CERTIFICATE") == 5 and set(roots.roots(packed)) == set(roots.ROOTS)
    for stage in STAGES:
        for name, function in services(stage)[1].service["functions"].items():
            named = function.get("environment", {}).get("AWS_CA_BUNDLE")
            assert named == (None if name.endswith("Validation") else "/var/task/aws-ca.pem")


@pytest.mark.parametrize("bundle", ["", "one"])
def test_a_system_without_amazons_roots_is_told_so(tmp_path, bundle):
    system = next(path for path in map(Path, roots.SYSTEMS) if path.exists())
    only = roots.roots(system.read_text(encoding="utf-8"))["Amazon Root CA 1"]
    (tmp_path / "bundle").write_text(only if bundle else "")
    command = [sys.executable, SCRIPTS / "roots.py", tmp_path / "out", "--from", tmp_path / "bundle"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "lacks" in done.stderr and "Amazon Root CA 3" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_package_without_the_certificates_of_the_database_is_for_the_emulator_alone(machine, source, tmp_path):
    native = ("package.sh", "--native", "--architecture", ARCHITECTURE, "--output", str(tmp_path / "out"))
    done = machine.run(*native)
    assert done.returncode == 1 and "would have no certificates of RDS" in done.stderr
    certificates = tmp_path / "ca.pem"
    certificates.write_text("<html>")
    done = machine.run(*native, "--certificates", str(certificates))
    assert done.returncode == 1 and "there is no certificate in" in done.stderr
    certificates.write_text("-----BEGIN CERTIFICATE-----")
    assert machine.run(*native, "--certificates", str(certificates)).returncode == 0
    with zipfile.ZipFile(tmp_path / "out/bootstrap.zip") as archive:
        assert archive.namelist() == ["aws-ca.pem", "bootstrap", "rds-ca.pem"]


@pytest.mark.parametrize("script", [("deploy.sh",), ("infrastructure.sh", "plan")])
@pytest.mark.parametrize("file", ["rds-ca.pem", "aws-ca.pem"])
def test_a_package_of_the_emulator_is_not_deployed(machine, script, file):
    held = {"bootstrap", "rds-ca.pem", "aws-ca.pem"} - {file}
    package(machine.log.parent / "packages/bootstrap.zip", dict.fromkeys(held, "packed"))
    done = machine.run(*script, "staging", "us-east-1")
    assert done.returncode == 1 and f"bootstrap.zip does not hold {file}" in done.stderr
    assert not machine.called("osls deploy")


def test_a_docker_that_runs_no_container_of_the_architecture_is_found_before_the_build(machine, tmp_path):
    machine.put("docker", """[[ "$*" != *"uname -m"* ]] || { echo "exec format error" >&2; exit 255; }""")
    done = machine.run("package.sh", "--architecture", "arm64", "--output", str(tmp_path / "out"))
    assert done.returncode == 1 and "docker runs no container for linux/arm64 here" in done.stderr
    assert "LAMBDA_ARCHITECTURE=x86_64" in done.stderr


def test_what_is_built_is_not_committed():
    ignored = (ROOT / ".gitignore").read_text().split()
    assert {".build/", "node_modules/", ".serverless/"} <= set(ignored)
