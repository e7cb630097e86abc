//! `docs/configuration.md`: keys, defaults, the annotated file.

use std::{fmt::Write as _, fs};

use sensor::config::{
    Config,
    key::{KEYS, PREFIX},
};

use crate::page::{code, generated, head, page, root, table};

#[test]
fn schema() {
    generated(
        "deploy/etc/config.schema.json",
        &sensor::config::schema::text(),
    );
}

#[test]
fn configuration() {
    let default = Config::default();
    let mut text = head(
        "Configuration",
        &format!(
            "Defaults, then the file, then the environment, then the command line: the later wins. \
             The file is `{}` or what `--config` names; it may be missing, every key is optional, \
             an unknown key is an error. `lineage-sensor config check \
             FILE` checks a file, `lineage-sensor config show` prints what is in force and where \
             each value came from, `lineage-sensor config schema` a JSON Schema for editors, \
             [deploy/etc/config.schema.json](../deploy/etc/config.schema.json).",
            sensor::config::DEFAULT_FILE
        ),
    );
    text += &table(
        ["Key", "Default", "Must be", "Reload", "Variable"],
        KEYS.iter().map(|key| {
            [
                code(key.path),
                code(&(key.get)(&default).yaml()),
                (key.expected)(),
                if key.is_live() { "yes" } else { "no" }.to_owned(),
                code(&key.variable()),
            ]
        }),
    );
    put!(
        text,
        "\nOn SIGHUP (but on a terminal), and within two seconds of a change of the file, of the profile \
         or of a rule file, everything is read again. What is marked *Reload* takes effect, all of \
         it or, where anything is refused, nothing: the old set stays in force, an error is logged, \
         and `lineage_sensor_config_last_reload_successful` is 0. \
         `lineage_sensor_config_info{{hash}}` and the log name the set in force. Other keys need a \
         restart; a warning names those that have changed.\n\nIn variables, elements of a list are separated by commas. A variable that begins with \
         `{PREFIX}` and names no key is an error. `NO_COLOR` turns colours off. Options of `run` \
         that set keys: `--output` (`output.format`), `--scope` (`scope`), `--rules DIR` (adds to \
         `rules.directories`).\n\n## The annotated default file\n\nAs in \
         [deploy/etc/config.yaml](../deploy/etc/config.yaml).\n\n```yaml\n{}```\n",
        fs::read_to_string(root().join("deploy/etc/config.yaml")).unwrap()
    );
    page("configuration.md", &text);
}
