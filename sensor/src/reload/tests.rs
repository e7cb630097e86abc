//! A reload that was recorded makes the same parts, and never half of them.

use super::*;

const RULE: &str = "title: t\nid: 5f1f0c6e-5b3c-4a3a-9d2f-2f5a1f2b7a01\nname: my_rule\n\
    logsource: {category: process_creation, product: linux}\n\
    detection: {s: {Image: /x}, condition: s}\nlevel: low\n";

fn config() -> Config {
    let text = "rules: {adjust: [{rule: my_rule, level: high}]}\n\
        profiles: {mode: shadow}\nservices: {declare: [{name: shop, exe: /opt/shopd}]}";
    Config::from_core_yaml(text).unwrap()
}

fn made() -> Reload {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("my.yml"), RULE).unwrap();
    let rules = RuleSet::load_with_text(&[dir.path().to_owned()]).unwrap();
    Reload::new(&config(), rules, &Lock::default()).unwrap()
}

/// As a recording gives it back.
fn recorded(reload: &Reload) -> Reload {
    postcard::from_bytes(&postcard::to_allocvec(reload).unwrap()).unwrap()
}

#[test]
fn the_texts_make_the_same_parts() {
    let live = made();
    let mut back = recorded(&live);
    assert_eq!(format!("{live:?}"), format!("{back:?}"));
    back.unpack().unwrap();
    let (live, back) = (live.into_parts().unwrap(), back.into_parts().unwrap());
    assert_eq!(live.rules.hash(), back.rules.hash());
    assert_eq!(live.rules.to_string(), back.rules.to_string());
    let own = |parts: &Parts| {
        parts
            .rules
            .list()
            .iter()
            .find(|rule| rule.name == "my_rule")
            .cloned()
    };
    assert_eq!(own(&back).unwrap().level, crate::detect::Level::High);
    assert_eq!(
        format!("{:?}", live.profiles),
        format!("{:?}", back.profiles)
    );
    assert_eq!(live.catalogue.names(), back.catalogue.names());
}

#[test]
fn what_was_never_written_so_is_refused() {
    let mut cut = recorded(&made());
    cut.packed.truncate(cut.packed.len() / 2);
    assert!(matches!(cut.unpack(), Err(ReloadError::Corrupt(_))));
    assert!(cut.into_parts().is_none());
    let bomb = zstd::encode_all(std::io::repeat(0).take(TEXT_MAX + 1), ZSTD).unwrap();
    let mut bomb = Reload {
        packed: bomb,
        parts: None,
    };
    assert!(bomb.unpack().is_err());
}
