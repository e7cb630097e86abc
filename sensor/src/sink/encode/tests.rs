//! Field by field what receivers read.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::alert::sample::{CONTAINER, POD, pod_sample, sample, socket_sample};

fn encoded(encoding: Encoding, alert: crate::alert::Alert) -> Value {
    let text = encoding.encode(&Document::Alert(Arc::new(alert))).unwrap();
    assert!(!text.contains('\n'));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn falco_has_what_falcosidekick_reads() {
    let alert = sample().alert();
    let value = encoded(Encoding::Falco, alert.clone());
    let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    assert_eq!(text("output"), alert.message);
    let words = [
        "Emergency",
        "Alert",
        "Critical",
        "Error",
        "Warning",
        "Notice",
        "Informational",
        "Debug",
    ];
    assert!(words.contains(&text("priority").as_str()), "{value}");
    assert_eq!(text("rule"), alert.rule.name);
    assert_eq!(text("source"), "lineage_sensor");
    assert_eq!(text("hostname"), alert.host.name);
    // Go's time.Time reads RFC 3339.
    assert!(text("time").parse::<jiff::Timestamp>().is_ok() && text("time").ends_with('Z'));
    assert!(
        value["tags"]
            .as_array()
            .unwrap()
            .iter()
            .all(Value::is_string)
    );
    let digits: Vec<_> = text("uuid").split('-').map(str::len).collect();
    assert_eq!(digits, [8, 4, 4, 4, 12]);
    let fields = value["output_fields"].as_object().unwrap();
    assert!(
        fields.values().all(|it| it.is_string() || it.is_number()),
        "{fields:?}"
    );
    assert_eq!(fields["event.id"], json!(alert.event.id));
    assert_eq!(fields["proc.pid"], json!(alert.process.pid));
    assert_eq!(fields["proc.cmdline"], json!(alert.process.command_line));
    assert_eq!(fields["incident.id"], json!(alert.incident.unwrap().id));
    assert!(fields["lineage"].as_str().unwrap().contains(" > "));
    let socket = encoded(Encoding::Falco, socket_sample().alert());
    assert_eq!(socket["output_fields"]["fd.rip"], "203.0.113.7");
    assert_eq!(socket["output_fields"]["fd.rport"], 4444);
}

/// The names that falcosidekick looks for.
#[test]
fn a_pod_is_named_in_each_encoding() {
    let falco = encoded(Encoding::Falco, pod_sample().alert());
    let fields = &falco["output_fields"];
    for (field, expected) in [
        ("container.id", CONTAINER),
        ("container.name", "php"),
        ("container.image", "registry.example/shop/php:8.2"),
        ("k8s.ns.name", "shop"),
        ("k8s.pod.name", "web-5d9c7b8f6-x2x7q"),
        ("k8s.pod.uid", POD),
    ] {
        assert_eq!(fields[field], expected, "{field}");
    }
    let ocsf = encoded(Encoding::Ocsf, pod_sample().alert());
    assert_eq!(
        ocsf["evidences"][0]["process"]["container"],
        json!({
            "uid": CONTAINER, "name": "php", "runtime": "cri-o", "orchestrator": "kubernetes",
            "pod_uuid": POD,
        })
    );
    assert_eq!(
        ocsf["resources"],
        json!([{
            "type": "pod", "uid": POD, "name": "web-5d9c7b8f6-x2x7q", "namespace": "shop",
            "labels": ["app=shop"],
        }])
    );
    let plain = encoded(Encoding::Ocsf, sample().alert());
    assert!(plain["resources"].is_null(), "{plain}");
}

#[test]
fn ocsf_has_what_a_detection_finding_requires() {
    let alert = sample().alert();
    let value = encoded(Encoding::Ocsf, alert.clone());
    let required = [
        "activity_id",
        "category_uid",
        "class_uid",
        "finding_info",
        "metadata",
        "severity_id",
        "time",
        "type_uid",
    ];
    assert!(
        required.iter().all(|name| !value[name].is_null()),
        "{value}"
    );
    assert_eq!(
        (&value["class_uid"], &value["type_uid"]),
        (&json!(2004), &json!(200_401))
    );
    assert_eq!(value["finding_info"]["uid"], json!(alert.event.id));
    assert_eq!(value["metadata"]["uid"], json!(alert.event.id));
    assert_eq!(
        value["evidences"][0]["process"]["pid"],
        json!(alert.process.pid)
    );
    let time = alert.timestamp.parse::<jiff::Timestamp>().unwrap();
    assert_eq!(value["time"], json!(time.as_millisecond()));
}

#[test]
fn notices_are_for_the_own_form_only() {
    let notice = Document::Notice(crate::alert::sample::closed());
    assert!(Encoding::Ecs.encode(&notice).is_some());
    assert!(Encoding::Falco.encode(&notice).is_none() && Encoding::Ocsf.encode(&notice).is_none());
}
