//! Field by field what receivers read.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::alert::sample::{sample, socket_sample};

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
