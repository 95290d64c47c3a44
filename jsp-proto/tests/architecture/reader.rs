//! What a source file declares, imports and uses, as the compiler would resolve it.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree, Visibility};

/// A path from the crate's root: `["wire", "frame", "ack"]`.
pub(crate) type Module = Vec<String>;

/// What one file says.
#[derive(Default)]
pub(crate) struct Source {
    /// Names that it declares or imports, and where an import leads.
    pub(crate) names: BTreeMap<String, Option<Module>>,
    /// Modules whose names it takes all.
    pub(crate) globs: Vec<Module>,
    /// Absolute paths that it uses.
    pub(crate) uses: BTreeSet<Module>,
    /// Paths as written in code whose first segment may be a name or a child.
    pub(crate) relative: BTreeSet<(Module, Module)>,
    /// Modules that exist in tests only.
    pub(crate) tests: Vec<Module>,
}

impl Source {
    /// Reads the file that holds `module`.
    pub(crate) fn read(module: &[String], text: &str) -> Self {
        let file = syn::parse_file(text).unwrap_or_else(|e| panic!("{module:?}: {e}"));
        let mut reader = Reader { module: module.to_vec(), found: Self::default() };
        reader.visit_file(&file);
        reader.found
    }
}

/// Collects a [`Source`].
struct Reader {
    /// The module that is being read: the file's, or one written inside it.
    module: Module,
    found: Source,
}

fn is_test_only(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        let condition =
            attribute.parse_args::<TokenStream>().map_or(String::new(), |t| t.to_string());
        condition == "test" || condition.starts_with("all (test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

fn declared(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(i) => &i.ident,
        Item::Enum(i) => &i.ident,
        Item::Fn(i) => &i.sig.ident,
        Item::Macro(i) => i.ident.as_ref()?,
        Item::Static(i) => &i.ident,
        Item::Struct(i) => &i.ident,
        Item::Trait(i) => &i.ident,
        Item::Type(i) => &i.ident,
        _ => return None,
    };
    Some(ident.unraw().to_string())
}

/// The paths of a `use` tree with the names that they are bound to; `*` for all.
fn flatten(tree: &UseTree, before: &[String], out: &mut Vec<(Module, String)>) {
    let with = |name: String| [before, &[name]].concat();
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &with(path.ident.unraw().to_string()), out),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, before, out)),
        UseTree::Glob(_) => out.push((before.to_vec(), "*".into())),
        UseTree::Name(name) if name.ident == "self" => {
            out.push((before.to_vec(), before.last().cloned().unwrap_or_default()));
        }
        UseTree::Name(name) => {
            let name = name.ident.unraw().to_string();
            out.push((with(name.clone()), name));
        }
        UseTree::Rename(rename) => {
            let path = with(rename.ident.unraw().to_string());
            out.push((path, rename.rename.unraw().to_string()));
        }
    }
}

impl Reader {
    /// `path` from the root, if it says where it begins.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let mut rest = path;
        let mut module = match path.first()?.as_str() {
            "crate" => Module::new(),
            "self" | "super" => self.module.clone(),
            _ => return None,
        };
        rest = rest.get(usize::from(path[0] != "super")..)?;
        while rest.first().is_some_and(|segment| segment == "super") {
            module.pop();
            rest = &rest[1..];
        }
        module.extend_from_slice(rest);
        Some(module)
    }

    fn path(&mut self, path: Module) {
        match self.absolute(&path) {
            Some(absolute) => self.found.uses.insert(absolute),
            None => self.found.relative.insert((self.module.clone(), path)),
        };
    }

    /// Paths among the tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Module::new();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if colons != 2 && !path.is_empty() {
                        self.path(std::mem::take(&mut path));
                    }
                    path.push(ident.unraw().to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    if !path.is_empty() {
                        self.path(std::mem::take(&mut path));
                    }
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        if !path.is_empty() {
            self.path(path);
        }
    }
}

impl Visit<'_> for Reader {
    fn visit_item(&mut self, item: &Item) {
        let test_only = is_test_only(attributes(item));
        match item {
            Item::Mod(module) => {
                self.module.push(module.ident.unraw().to_string());
                if test_only {
                    self.found.tests.push(self.module.clone());
                } else {
                    visit::visit_item(self, item);
                }
                self.module.pop();
            }
            _ if test_only => {}
            _ => {
                self.found.names.extend(declared(item).map(|name| (name, None)));
                visit::visit_item(self, item);
            }
        }
    }

    fn visit_item_use(&mut self, item: &syn::ItemUse) {
        let mut paths = Vec::new();
        flatten(&item.tree, &[], &mut paths);
        for (path, name) in paths {
            // Without `crate`, `self` or `super`: a child of this module, or another crate.
            let child = || [&self.module[..], &path].concat();
            let target = self.absolute(&path).unwrap_or_else(child);
            if name == "*" {
                self.found.globs.push(target.clone());
            } else {
                self.found.names.insert(name.clone(), Some(target.clone()));
            }
            if matches!(item.vis, Visibility::Inherited) || name == "*" {
                self.found.uses.insert(target);
            }
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        if path.leading_colon.is_none() {
            self.path(path.segments.iter().map(|s| s.ident.unraw().to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &syn::Macro) {
        self.tokens(mac.tokens.clone());
        visit::visit_macro(self, mac);
    }

    /// `pub(super)` is no use of `super`.
    fn visit_visibility(&mut self, _: &Visibility) {}

    fn visit_attribute(&mut self, _: &Attribute) {}
}
