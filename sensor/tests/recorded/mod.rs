//! Golden recordings as inputs for other tests.

use std::{fs::File, path::Path};

use sensor::{
    config::Config,
    detect::RuleSet,
    engine::Input,
    record::{Header, Reader},
};

/// Header and inputs of a golden recording, as if it had been recorded by this version.
pub(crate) fn golden(name: &str) -> (Header, Vec<Input>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.rec"));
    let reader = Reader::new(File::open(path).expect("a golden file")).expect("it was made here");
    let mut header = reader.header().clone();
    let config = Config::from_core_yaml(&header.config).expect("it was made here");
    rules().hash().clone_into(&mut header.rules);
    header.config_hash = config.core_hash();
    header.profile = String::new();
    let inputs = reader.map(|input| input.expect("a golden input"));
    (header, inputs.collect())
}

/// The rules that come with the sensor.
pub(crate) fn rules() -> RuleSet {
    RuleSet::load(&[]).expect("the built-in rules load")
}
