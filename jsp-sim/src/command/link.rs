//! Links in files of their own, or in scenarios.

use super::failure::Failure;
use jsp_sim::link::Link;
use jsp_sim::scenario::Mistake;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// A file with one link.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct One {
    link: Link,
}

/// A file with links by name, and whatever else a scenario has.
#[derive(Deserialize)]
struct Several {
    #[serde(rename = "link")]
    links: BTreeMap<String, Link>,
}

/// Reads `FILE`, or the link `NAME` of `FILE:NAME`.
pub(super) fn read(place: &str) -> Result<Link, Failure> {
    // A file may have a colon in its name, and on Windows has one behind its drive.
    let (file, name) = match place.rsplit_once(':') {
        Some((file, name)) if !Path::new(place).exists() && !name.contains(['/', '\\']) => {
            (file, Some(name))
        }
        _ => (place, None),
    };
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::io(format!("cannot read {file}"), &error))?;
    parse(file, &text, name)
}

fn parse(file: &str, text: &str, name: Option<&str>) -> Result<Link, Failure> {
    let wrong = |error| Failure::mistake(&Mistake::of(file, text, &error));
    let table: toml::Table = text.parse().map_err(wrong)?;
    let Some(toml::Value::Table(_)) = table.get("link") else {
        return match name {
            Some(name) => {
                Err(Failure::usage(format!("{file} has no links by name, so none is {name}")))
            }
            None => toml::from_str::<One>(text).map(|one| one.link).map_err(wrong),
        };
    };
    let mut links = toml::from_str::<Several>(text).map_err(wrong)?.links;
    let names = links.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    let Some(name) = name else {
        return Err(Failure::usage(format!("{file} has links by name; which one is not said"))
            .with_hint(format!("Write {file}:NAME, where NAME is one of: {names}")));
    };
    links.remove(name).ok_or_else(|| {
        Failure::usage(format!("{file} has no link {name}")).with_hint(format!("It has: {names}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsp_sim::ms;

    #[test]
    fn a_link_is_a_file_or_one_of_several_in_it() {
        let one = "link = [{ delay = { base = \"25ms\" } }]";
        assert_eq!(parse("f", one, None).unwrap(), Link::new().delay(ms(25)));
        let several = "name = \"x\"\n[link]\nfar = [{ delay = { base = \"25ms\" } }]\nnear = []";
        assert_eq!(parse("f", several, Some("far")).unwrap(), Link::new().delay(ms(25)));
        assert_eq!(parse("f", several, Some("near")).unwrap(), Link::new());
        let hint = parse("f", several, None).unwrap_err().hint.unwrap();
        assert!(hint.contains("far, near"), "{hint}");
        assert!(parse("f", several, Some("nearer")).is_err());
        assert!(parse("f", one, Some("far")).is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let text =
            "link = [\n    { loss = { share = 0.01 } },\n    { dealy = { base = \"5ms\" } },\n]";
        let message = parse("slow.toml", text, None).unwrap_err().message;
        assert!(message.contains("slow.toml:3:7"), "{message}");
        assert!(message.contains("did you mean `delay`?"), "{message}");
    }
}
