"""Checks deploy/kubernetes: the chart by Helm's own library, what it renders by the schemas
of Kubernetes, the base by comparison with the chart.

Usage: chart_check.py DEPLOY [--update]
With --update the base is written instead of compared. Prints what libtest prints.
"""

import re
import sys
import tarfile
import tempfile
import traceback
from pathlib import Path

import helm_python as helm
import kubernetes_validate
import yaml

# The oldest version the chart takes, and the newest that has schemas here.
VERSIONS = ["1.30", "1.37"]
# Kinds of the Prometheus Operator, for which Kubernetes has no schema.
FOREIGN = "monitoring.coreos.com/v1"
INFO = 1

DEPLOY = Path(sys.argv[1])
CHART = DEPLOY / "kubernetes/lineage-sensor"
BASE = DEPLOY / "kubernetes/base"
RULES = DEPLOY / "prometheus/lineage-sensor.rules.yaml"
CONFIGURATION = DEPLOY.parent / "docs/configuration.md"


def values(name):
    return yaml.safe_load((CHART / "ci" / name).read_text()) if name else {}


def texts(name=None, **more):
    """Rendered files by name, without those that are empty."""
    with helm.Chart.load(str(CHART)) as chart:
        rendered = chart.render(
            {**values(name), **more}, name="lineage-sensor", namespace="lineage-sensor"
        )
    named = {Path(path).name: text for path, text in rendered.items()}
    return {name: text.strip() for name, text in sorted(named.items()) if text.strip()}


def objects(name=None, **more):
    found = {}
    for file, text in texts(name, **more).items():
        if file.endswith(".yaml"):
            found[file] = yaml.safe_load(text)
    return found


def refused(**wrong):
    try:
        texts(**wrong)
    except helm.HelmValuesError:
        return True
    except helm.HelmError as error:
        return "schema" in str(error)
    return False


def base():
    """What the chart renders by default, without what only Helm needs."""
    parts = []
    for file, text in texts().items():
        if not file.endswith(".yaml"):
            continue
        text = re.sub(r"\n *(app\.kubernetes\.io/managed-by|helm\.sh/chart): .*", "", text)
        text = re.sub(r"\n *annotations:\n *# Settings.*\n *#.*\n *checksum/config: .*", "", text)
        parts.append(text + "\n")
    return "# Written by `cargo xtask chart --update` from the chart.\n" + "---\n".join(parts)


def test_helm_lint_has_nothing_to_say():
    for name in [None, "everything.yaml"]:
        report = helm.lint(str(CHART), values(name), strict=True, namespace="lineage-sensor")
        serious = [it for it in report["messages"] if it["severity"] > INFO]
        assert not serious and not report["errors"], report


def test_objects_are_valid_for_the_oldest_and_newest_kubernetes():
    seen = set()
    for name in [None, "everything.yaml"]:
        for body in objects(name).values():
            seen.add(body["kind"])
            if body["apiVersion"] != FOREIGN:
                for version in VERSIONS:
                    kubernetes_validate.validate(body, version, strict=True)
    expected = "ClusterRole ClusterRoleBinding ConfigMap DaemonSet NetworkPolicy PodMonitor PriorityClass PrometheusRule ServiceAccount"
    assert seen == set(expected.split()), seen


def test_validation_refuses_what_is_wrong():
    body = objects()["daemonset.yaml"]
    body["spec"]["template"]["spec"]["hostPid"] = True
    try:
        kubernetes_validate.validate(body, VERSIONS[0], strict=True)
    except kubernetes_validate.ValidationError:
        return
    raise AssertionError("an unknown field was not refused")


def test_the_prometheus_rule_is_the_file_of_deploy_prometheus():
    rule = objects("everything.yaml")["prometheusrule.yaml"]
    assert rule["spec"] == yaml.safe_load(RULES.read_text())
    with tempfile.TemporaryDirectory() as directory:
        package = helm.package(str(CHART), destination=directory)
        with tarfile.open(package) as archive:
            member = archive.getmember("lineage-sensor/files/lineage-sensor.rules.yaml")
            assert member.isreg()
            assert archive.extractfile(member).read() == RULES.read_bytes()


def test_the_pod_monitor_finds_the_pods_and_names_the_job():
    rendered = objects("everything.yaml")
    spec = rendered["podmonitor.yaml"]["spec"]
    template = rendered["daemonset.yaml"]["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert labels.items() >= spec["selector"]["matchLabels"].items()
    assert labels[spec["jobLabel"]] == "lineage-sensor"
    ports = [port["name"] for port in template["spec"]["containers"][0]["ports"]]
    assert [it["port"] for it in spec["podMetricsEndpoints"]] == ports


def test_every_volume_is_mounted_and_every_mount_has_a_reason():
    text = texts()["daemonset.yaml"]
    pod = yaml.safe_load(text)["spec"]["template"]["spec"]
    mounts = pod["containers"][0]["volumeMounts"]
    assert sorted(it["name"] for it in mounts) == sorted(it["name"] for it in pod["volumes"])
    lines = text.splitlines()
    for mount in mounts:
        place = lines.index(f"            - name: {mount['name']}")
        assert lines[place - 1].strip().startswith("#"), mount
    writable = {it["name"] for it in mounts if not it.get("readOnly")}
    assert writable == {"run", "history"}, writable


def test_files_of_the_configuration_come_where_they_are_read():
    pod = objects("everything.yaml")["daemonset.yaml"]["spec"]["template"]["spec"]
    volume = next(it for it in pod["volumes"] if it["name"] == "config")["configMap"]
    data = objects("everything.yaml")["configmap.yaml"]["data"]
    paths = {item["key"]: item["path"] for item in volume["items"]}
    assert set(paths) == set(data), (paths, data)
    assert sorted(paths.values()) == ["config.yaml", "lineage.lock", "rules.d/shop.yml"]


def checksum(**more):
    template = objects(**more)["daemonset.yaml"]["spec"]["template"]
    return template["metadata"]["annotations"]["checksum/config"]


def test_settings_that_need_a_restart_make_other_pods_and_no_others_do():
    row = re.compile(r"^\| `([a-z_.]+)` \| .* \| (yes|no) \| `LINEAGE_SENSOR__", re.MULTILINE)
    keys = dict(row.findall(CONFIGURATION.read_text()))
    assert {"scope": "no", "output.level": "yes"}.items() <= keys.items(), keys
    # The chart sets it; values must not.
    del keys["http.listen"]
    before = checksum()
    for key, reloaded in keys.items():
        config = True
        for name in reversed(key.split(".")):
            config = {name: config}
        assert (checksum(config=config) == before) == (reloaded == "yes"), key


def test_what_the_sensor_reads_again_leaves_the_pods():
    def pods(**more):
        return objects(**more)["daemonset.yaml"]["spec"]["template"]

    assert pods(rules={"a.yml": "x"}) == pods(rules={"a.yml": "y"})
    assert pods(profile="x") == pods(profile="y")
    assert pods(config={"sinks": []}) == pods()
    # The volume names its files.
    assert pods(rules={"a.yml": "x"}) != pods(rules={"b.yml": "x"})


def test_the_network_policy_lets_out_what_the_values_say():
    def egress(**more):
        return objects(networkPolicy={"enabled": True, **more})["networkpolicy.yaml"]["spec"]["egress"]

    receiver = [{"to": [{"ipBlock": {"cidr": "192.0.2.7/32"}}], "ports": [{"port": 443}]}]
    assert egress() == []
    assert egress(egress=receiver) == receiver
    assert refused(networkPolicy={"egress": "192.0.2.7"})


def test_rights_in_the_cluster_are_for_who_asks_for_labels():
    plain, watching = objects(), objects(kubernetes={"watch": True})
    assert not [file for file in plain if "role" in file], plain.keys()
    role, binding = watching["clusterrole.yaml"], watching["clusterrolebinding.yaml"]
    rule = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    assert role["rules"] == [rule]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    spec = watching["daemonset.yaml"]["spec"]["template"]["spec"]
    subject = {
        "kind": "ServiceAccount",
        "name": spec["serviceAccountName"],
        "namespace": "lineage-sensor",
    }
    assert binding["subjects"] == [subject]
    assert spec["automountServiceAccountToken"] is True
    env = {it["name"]: it for it in spec["containers"][0]["env"]}
    assert env["LINEAGE_SENSOR__KUBERNETES__WATCH"]["value"] == "true"
    node = env["LINEAGE_SENSOR__KUBERNETES__NODE"]["valueFrom"]["fieldRef"]["fieldPath"]
    assert node == "spec.nodeName"
    spec = plain["daemonset.yaml"]["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert not [it for it in spec["containers"][0]["env"] if "KUBERNETES" in it["name"]]
    assert refused(kubernetes={"watch": "yes"})


def test_wrong_values_are_refused():
    assert not refused()
    assert refused(imagee={"tag": "x"})
    assert refused(image={"tagg": "x"})
    assert refused(http={"port": 80})
    assert refused(config={"http": {"enabled": False}})
    assert refused(config={"http": {"listen": "0.0.0.0:1"}})
    assert refused(seccompProfile={"type": "Localhost"})
    assert refused(rules={"../x.yml": "x"})
    assert refused(rules={"x.txt": "x"})


def test_the_base_is_what_the_chart_renders():
    file = BASE / "lineage-sensor.yaml"
    if "--update" in sys.argv:
        file.write_text(base())
    assert file.read_text() == base(), "run: cargo xtask chart --update"
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    assert {path.name for path in BASE.iterdir()} == {
        "kustomization.yaml",
        *kustomization["resources"],
    }
    for name in kustomization["resources"]:
        for body in yaml.safe_load_all((BASE / name).read_text()):
            kubernetes_validate.validate(body, VERSIONS[0], strict=True)


def main():
    tests = [(name, it) for name, it in globals().items() if name.startswith("test_")]
    print(f"\nrunning {len(tests)} tests")
    failed = 0
    for name, run in tests:
        try:
            run()
            result = "ok"
        except Exception:
            traceback.print_exc()
            failed += 1
            result = "FAILED"
        print(f"test {name.removeprefix('test_')} ... {result}")
    result = "FAILED" if failed else "ok"
    print(f"\ntest result: {result}. {len(tests) - failed} passed; {failed} failed; 0 ignored;")
    sys.exit(1 if failed else 0)


main()
