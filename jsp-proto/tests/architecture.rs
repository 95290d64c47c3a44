//! The house stands as `src/lib.rs` says: rooms on floors, imports only downwards, no circle.
//!
//! Every path of the engine's code is read (`use` trees, paths in expressions and types, tokens of
//! macros; what is `#[cfg(test)]` is left out) and followed to the file that declares what it names,
//! through re-exports. The rules:
//!
//! - A room imports only from rooms on lower floors. The rooms of floor 0 are one ground floor.
//! - Between files, inside a room too, there is no circle. What counts is who *uses* whom:
//!   `mod child;` and `pub use child::Thing;` alone connect nobody, so a `mod.rs` may show what its
//!   files declare; but if its own code uses `Thing` as well, or imports it with a plain `use`, then
//!   `child` must not use what that `mod.rs` declares. A trait in `mod.rs` that its children
//!   implement is therefore fine, and so is a `mod.rs` that is made of its children; not both.
//! - A `pub use x::*` is use, since it hides what it takes.

// A file that cannot be read is a failed test.
#![allow(clippy::unwrap_used)]

#[path = "architecture/reader.rs"]
mod reader;

use reader::{Module, Source};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Rooms by floor, the ground floor first: keep in step with `src/lib.rs`.
const FLOORS: [&[&str]; 6] = [
    &["time", "rng", "ids", "rtt", "error", "record", "planted"],
    &["crypto", "wire"],
    &["protection", "recovery", "congestion", "flow", "cid", "token"],
    &["handshake", "path", "stream"],
    &["connection"],
    &["endpoint"],
];

fn floor(module: &[String]) -> Option<usize> {
    let room = module.first()?;
    FLOORS.iter().position(|rooms| rooms.contains(&room.as_str()))
}

/// The engine's files by the module that each holds.
struct House(BTreeMap<Module, Source>);

impl House {
    fn new(files: &[(&str, &str)]) -> Self {
        let mut house = BTreeMap::new();
        for (path, source) in files {
            let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
            let module: Module = match path {
                "lib" => Module::new(),
                _ => path.split('/').map(String::from).collect(),
            };
            house.insert(module.clone(), Source::read(&module, source));
        }
        let tests: Vec<Module> = house.values().flat_map(|source| source.tests.clone()).collect();
        house.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        Self(house)
    }

    /// The file that declares what `path` names.
    fn declaring(&self, path: &[String], depth: usize) -> Option<&Module> {
        let prefix = (0..=path.len()).rev().find(|&n| self.0.contains_key(&path[..n]))?;
        let (module, source) = self.0.get_key_value(&path[..prefix])?;
        let Some(name) = path.get(prefix) else { return Some(module) };
        if depth == 0 {
            return Some(module);
        }
        match source.names.get(name) {
            Some(Some(target)) => self.declaring(target, depth - 1),
            Some(None) => Some(module),
            None => {
                let mut through = source.globs.iter().filter(|glob| self.0.contains_key(*glob));
                let from = through.find(|glob| self.0[*glob].names.contains_key(name));
                Some(from.unwrap_or(module))
            }
        }
    }

    /// The files that `module`'s file uses.
    fn used_by(&self, module: &Module) -> BTreeSet<&Module> {
        const DEPTH: usize = 8;
        let source = &self.0[module];
        let mut used = BTreeSet::new();
        for path in &source.uses {
            used.extend(self.declaring(path, DEPTH));
        }
        for (at, path) in &source.relative {
            let first = &path[0];
            let child = [&at[..], &path[..1]].concat();
            if let Some(Some(target)) = source.names.get(first) {
                let path = [&target[..], &path[1..]].concat();
                used.extend(self.declaring(&path, DEPTH));
            } else if self.0.contains_key(&child) {
                used.extend(self.declaring(&[&at[..], path].concat(), DEPTH));
            }
        }
        // Another crate's path looks like one that leads to this file, or to the root.
        used.remove(module);
        used
    }

    /// What is wrong with the house, one sentence each.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for module in self.0.keys().filter(|module| !module.is_empty()) {
            let here = module.join("/");
            let Some(from) = floor(module) else {
                faults.push(format!("{here} is on no floor"));
                continue;
            };
            for used in self.used_by(module) {
                let there = used.join("/");
                match floor(used) {
                    None if used.is_empty() => faults.push(format!("{here} imports from the root")),
                    None => faults.push(format!("{here} imports {there}, which is on no floor")),
                    Some(to) if to > from => {
                        faults.push(format!("{here} imports upwards: {there}"));
                    }
                    Some(to) if to == from && to > 0 && module[0] != used[0] => {
                        faults.push(format!("{here} imports sideways: {there}"));
                    }
                    Some(_) => {}
                }
            }
        }
        faults.extend(self.circles());
        faults
    }

    /// One circle for each file where one closes.
    fn circles(&self) -> Vec<String> {
        let mut done = BTreeSet::new();
        let mut circles = Vec::new();
        for module in self.0.keys() {
            self.walk(module, &mut Vec::new(), &mut done, &mut circles);
        }
        circles
    }

    fn walk<'a>(
        &'a self,
        module: &'a Module,
        trail: &mut Vec<&'a Module>,
        done: &mut BTreeSet<&'a Module>,
        circles: &mut Vec<String>,
    ) {
        if let Some(start) = trail.iter().position(|seen| *seen == module) {
            let round: Vec<_> = trail[start..].iter().map(|module| module.join("/")).collect();
            circles.push(format!("circle: {} -> {}", round.join(" -> "), round[0]));
        } else if !done.contains(module) {
            trail.push(module);
            for used in self.used_by(module) {
                self.walk(used, trail, done, circles);
            }
            trail.pop();
            done.insert(module);
        }
    }
}

fn read_sources(folder: &Path, root: &Path, out: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read_sources(&path, root, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            out.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn the_engine_imports_only_downwards_and_in_no_circle() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read_sources(&root, &root, &mut sources);
    let files: Vec<_> = sources.iter().map(|(path, text)| (&path[..], &text[..])).collect();
    let house = House::new(&files);
    // The reader sees what there is: a file of each floor, and that wire/ uses the ground floor.
    for rooms in FLOORS {
        assert!(house.0.keys().any(|m| rooms.contains(&m.first().map_or("", |room| room))));
    }
    let wire = ["wire", "frame", "ack"].map(String::from).to_vec();
    assert!(house.used_by(&wire).contains(&vec!["ids".to_string()]));
    let faults = house.faults();
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The faults of a house with these files, besides what the others lack.
fn faults(files: &[(&str, &str)]) -> Vec<String> {
    House::new(files).faults()
}

#[test]
fn an_import_upwards_is_a_fault_however_it_is_written() {
    let above = ("stream/mod.rs", "pub mod send; pub struct Streams;");
    let send = ("stream/send.rs", "pub struct Send; pub fn send() {}");
    for planted in [
        "use crate::stream::send::Send;",
        "pub use crate::stream::send::Send as Sender; fn f(_: Sender) {}",
        "use crate::{ids::{self, Side}, stream::{send::{Send}}};",
        "use crate::stream\n    ::send\n    ::*;",
        "use super::stream::send;",
        "use super::super::crypto::kem::super_is_not_the_way; use crate::stream::send as s;",
        "fn f() { crate::stream::send::send() }",
        "fn f(_: &super::stream::send::Send) {}",
        "fn f() -> Vec<Option<crate::stream::send::Send>> { vec![] }",
        "fn f() { debug_assert!(g(&[crate::stream::send::send()])); }",
        "macro_rules! m { () => { $crate::stream::send::send() } }",
        "mod inner { mod deeper { use super::super::super::stream::send::Send; } }",
        "fn f() { use crate::stream::send::Send; }",
        "impl crate::stream::send::Send {}",
    ] {
        let found = faults(&[("flow.rs", planted), above, send]);
        assert_eq!(found, ["flow imports upwards: stream/send"], "{planted}");
    }
}

#[test]
fn an_import_that_a_re_export_hides_is_followed() {
    let files = [
        ("wire/mod.rs", "mod buf; pub use buf::Reader; pub use crate::endpoint::Endpoint;"),
        ("wire/buf.rs", "pub struct Reader;"),
        ("endpoint.rs", "pub struct Endpoint;"),
        ("cid.rs", "use crate::wire::{Endpoint, Reader};"),
    ];
    assert_eq!(faults(&files), ["cid imports upwards: endpoint"]);
}

#[test]
fn a_neighbour_on_the_same_floor_is_a_fault_except_on_the_ground() {
    let files =
        [("wire/mod.rs", "use crate::crypto::TAG;"), ("crypto/mod.rs", "pub const TAG: u8 = 1;")];
    assert_eq!(faults(&files), ["wire imports sideways: crypto"]);
    let ground = [("ids.rs", "use crate::time::Time;"), ("time.rs", "pub struct Time;")];
    assert!(faults(&ground).is_empty());
}

#[test]
fn a_circle_between_files_is_a_fault_on_the_ground_and_in_a_room() {
    let ground =
        [("ids.rs", "use crate::time::A;"), ("time.rs", "pub struct A; use crate::ids::B;")];
    assert_eq!(faults(&ground), ["circle: ids -> time -> ids"]);
    let room = [
        ("wire/mod.rs", "mod a; mod b; mod c;"),
        ("wire/a.rs", "use super::b::B; pub struct A;"),
        ("wire/b.rs", "use crate::wire::c; pub struct B;"),
        ("wire/c.rs", "pub fn f(_: super::a::A) {}"),
    ];
    assert_eq!(faults(&room), ["circle: wire/a -> wire/b -> wire/c -> wire/a"]);
}

#[test]
fn a_parent_and_its_child_may_not_use_each_other() {
    let child = ("wire/a.rs", "use super::Shared; pub struct A(Shared);");
    for parent in [
        "mod a; use a::A; pub struct Shared; fn f(_: A) {}",
        "mod a; pub use a::A; pub struct Shared; fn f(_: A) {}",
        "mod a; pub struct Shared; fn f(_: a::A) {}",
        "mod a; pub struct Shared; macro_rules! m { () => { a::A } }",
        "mod a; pub use a::*; pub struct Shared;",
    ] {
        let found = faults(&[("wire/mod.rs", parent), child]);
        assert_eq!(found, ["circle: wire -> wire/a -> wire"], "{parent}");
    }
    for parent in ["mod a; pub use a::A; pub struct Shared;", "pub mod a; pub struct Shared;"] {
        assert!(faults(&[("wire/mod.rs", parent), child]).is_empty(), "{parent}");
    }
    let apart = [
        ("wire/mod.rs", "mod a; mod b; pub use a::A; pub use b::Shared; fn f(_: A) {}"),
        ("wire/b.rs", "pub struct Shared;"),
        child,
    ];
    assert!(faults(&apart).is_empty(), "a name that the parent passes on is its declarer's");
}

#[test]
fn tests_may_look_anywhere() {
    let files = [
        ("wire/mod.rs", "#[cfg(test)] mod tests; #[cfg(test)] mod near { use crate::path::P; }"),
        ("wire/tests.rs", "use crate::path::P;"),
        (
            "wire/buf.rs",
            "#[cfg(test)] use crate::path::P; #[cfg(all(test, unix))] fn f(_: crate::path::P) {}",
        ),
        ("path.rs", "pub struct P;"),
    ];
    assert!(faults(&files).is_empty());
    let not_only = [
        ("wire/mod.rs", "#[cfg(any(test, unix))] use crate::path::P;"),
        ("path.rs", "pub struct P;"),
    ];
    assert_eq!(faults(&not_only), ["wire imports upwards: path"]);
}

#[test]
fn a_room_without_a_floor_and_a_use_of_the_root_are_faults() {
    let files = [
        ("lib.rs", "pub mod attic; pub mod wire; pub fn anything() {}"),
        ("attic.rs", ""),
        ("wire.rs", "use crate::anything; use crate::attic::X;"),
    ];
    let expected = [
        "attic is on no floor",
        "wire imports from the root",
        "wire imports attic, which is on no floor",
    ];
    assert_eq!(faults(&files), expected);
}
