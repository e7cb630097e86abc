//! The built-in profiles against their own examples, and against what goes on after them.

use super::*;

#[test]
fn every_built_in_profile_is_as_its_examples_say() {
    let products = check().unwrap();
    assert!(products.iter().all(|product| !product.notes.is_empty()));
    assert_eq!(products[0].name, "base");
}

/// Whatever goes on where a known command ends, or stands in the place of one of its
/// words, makes another command of it.
#[test]
fn no_known_command_is_known_with_a_shell_s_characters_added() {
    const MORE: &[&str] = &[
        "; id",
        "&& id",
        "|| id",
        "| id",
        "& id",
        "&",
        "\nid",
        "$(id)",
        " $(id)",
        "`id`",
        " `id`",
        " > /tmp/x",
        " >> /tmp/x",
        " < /etc/passwd",
        " 2>/tmp/x",
        "; ",
        " ${IFS}",
        " $x",
        " <(id)",
        " # x",
        " x",
        " -x",
        " --x=/tmp/x",
    ];
    let mut tried = 0;
    for &(name, text) in SHIPPED {
        let file = parse(text).unwrap();
        assert!(file.source.len() > 10, "{name}");
        let named = [name.to_owned()];
        let shipped = Shipped::new(&named);
        for entry in &file.chains {
            let kinds = entry.kinds.as_ref().unwrap_or(&file.kinds);
            let scene = Scene {
                kind: super::super::Key::kind(&kinds[0]).unwrap(),
                origin: [Part::Worker, Part::Master][usize::from(entry.master)],
                age_ns: 0,
            };
            for (lines, more) in entry
                .known
                .iter()
                .flat_map(|lines| MORE.iter().map(move |more| (lines, more)))
            {
                // The first program decides: what is below it is never reached.
                let mut line = lines[0].clone();
                let is_shell = SHELLS.contains(&line[0].as_str());
                if is_shell {
                    line.last_mut().unwrap().push_str(more);
                } else {
                    line.push((*more).trim().to_owned());
                }
                let programs = [program(&line)];
                let trail = Trail::of_programs(&programs);
                let known = trail.is_ok_and(|trail| shipped.known(scene, &trail).is_some());
                assert!(!known, "{name}: {}: {line:?}", entry.note);
                tried += 1;
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

#[test]
fn every_file_is_listed() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
    let entries = std::fs::read_dir(directory).unwrap();
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut listed: Vec<_> = SHIPPED
        .iter()
        .map(|(name, _)| format!("{name}.yml"))
        .collect();
    listed.sort();
    assert_eq!(found, listed);
}

#[test]
fn a_product_is_off_until_it_is_named() {
    for name in products() {
        let (base, with) = (Shipped::new(&[]), Shipped::new(&[name.to_owned()]));
        assert!(with.0.len() > base.0.len(), "{name}");
    }
}
