//! Which file of a crate imports which other, read from the `use` lines and
//! the paths in their text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The names of a path, from the crate's root on where it is a module.
type Names = Vec<String>;

/// What a file takes from elsewhere.
struct Import {
    path: Names,
    /// What it is called in the file, where it is called anything.
    name: Option<String>,
}

/// The files of a crate, each as the module that it is, without their tests.
pub(crate) struct Files(BTreeMap<Names, Vec<Import>>);

impl Files {
    /// Of these paths below `src`, each with its text.
    pub(crate) fn of<'t>(sources: impl IntoIterator<Item = (&'t Path, &'t str)>) -> Self {
        let texts: BTreeMap<_, _> = sources
            .into_iter()
            .filter_map(|(path, text)| Some((module(path)?, text)))
            .collect();
        let imports = |(module, text): (&Names, &&str)| {
            let is_child = |name: &str| texts.contains_key(&joined(module, &[name.to_owned()]));
            (module.clone(), imports(text, is_child))
        };
        Self(texts.iter().map(imports).collect())
    }

    /// The arrows of all circles, and those from one circle to the next, as
    /// `from -> to`. What a submodule takes from the file that it is a part of
    /// makes no circle.
    pub(crate) fn circles(&self) -> Vec<String> {
        let mut arrows: BTreeSet<(&Names, &Names)> = BTreeSet::new();
        for (from, imports) in &self.0 {
            let targets = imports.iter().filter_map(|import| {
                let path = self.absolute(from, &import.path)?;
                self.defining(&path, 0)
            });
            arrows.extend(
                targets
                    .filter(|to| !from.starts_with(to))
                    .map(|to| (from, to)),
            );
        }
        // What begins or ends nowhere else is in no circle.
        loop {
            let froms: BTreeSet<_> = arrows.iter().map(|(from, _)| *from).collect();
            let tos: BTreeSet<_> = arrows.iter().map(|(_, to)| *to).collect();
            let before = arrows.len();
            arrows.retain(|(from, to)| tos.contains(from) && froms.contains(to));
            if arrows.len() == before {
                break;
            }
        }
        let name = |names: &Names| names.join("::");
        let named = arrows.iter().map(|(from, to)| (name(from), name(to)));
        named.map(|(from, to)| format!("{from} -> {to}")).collect()
    }

    /// A path from the crate's root on; `None` where it leads to another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Names> {
        let (first, rest) = path.split_first()?;
        match &**first {
            "crate" => Some(rest.to_vec()),
            "self" => Some(joined(module, rest)),
            "super" => {
                let (_, parent) = module.split_last()?;
                match rest.first().map(String::as_str) {
                    Some("super") => self.absolute(parent, rest),
                    _ => Some(joined(parent, rest)),
                }
            }
            _ => {
                let child = joined(module, path);
                self.0
                    .contains_key(&child[..=module.len()])
                    .then_some(child)
            }
        }
    }

    /// The file that defines what is found under a path, behind those that
    /// only hand it on.
    fn defining(&self, path: &[String], handed_on: usize) -> Option<&Names> {
        let ends = (0..=path.len()).rev();
        let (module, imports) = { ends }.find_map(|end| self.0.get_key_value(&path[..end]))?;
        let behind = path.get(module.len()).and_then(|name| {
            let import = imports
                .iter()
                .find(|import| import.name.as_ref() == Some(name))?;
            let target = self.absolute(module, &import.path)?;
            let rest = &path[module.len() + 1..];
            // A file may take a name from where it hands it on.
            (handed_on < 10).then(|| self.defining(&joined(&target, rest), handed_on + 1))?
        });
        behind.or(Some(module))
    }
}

fn joined(one: &[String], other: &[String]) -> Names {
    [one, other].concat()
}

fn names(path: &str) -> Names {
    path.split("::")
        .map(|name| name.trim().to_owned())
        .collect()
}

/// The module that a file is; `None` for one of tests.
fn module(path: &Path) -> Option<Names> {
    let path = path.with_extension("");
    let mut names: Names = path
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    if names.iter().any(|name| name == "tests") {
        return None;
    }
    names.pop_if(|last| matches!(&**last, "mod" | "lib" | "main"));
    Some(names)
}

/// What a text imports. A path in it that is none of its crate is left out.
fn imports(text: &str, is_child: impl Fn(&str) -> bool) -> Vec<Import> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or(line))
        .collect();
    let mut found = Vec::new();
    let mut statement: Option<String> = None;
    for line in code {
        let tree = line.trim_start();
        let tree = tree.strip_prefix("pub").map_or(tree, |rest| {
            rest.trim_start_matches("(crate)")
                .trim_start_matches("(super)")
                .trim_start()
        });
        if statement.is_none()
            && let Some(begun) = tree.strip_prefix("use ")
        {
            statement = Some(begun.to_owned());
        } else if let Some(statement) = &mut statement {
            statement.push_str(line);
        } else {
            let paths = line.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':')));
            for path in paths.filter(|path| path.contains("::")).map(names) {
                if matches!(&*path[0], "crate" | "super" | "self") || is_child(&path[0]) {
                    found.push(Import { path, name: None });
                }
            }
        }
        if let Some(whole) = statement.take_if(|statement| statement.ends_with(';')) {
            found.extend(
                leaves(whole.trim_end_matches(';'))
                    .iter()
                    .map(|leaf| import(leaf)),
            );
        }
    }
    found
}

/// `a::{b, c::d as e}` is `a::b` and `a::c::d as e`.
fn leaves(tree: &str) -> Vec<String> {
    let Some((before, inside)) = tree.split_once('{') else {
        return vec![tree.trim().to_owned()];
    };
    let inside = inside.trim_end().trim_end_matches(' ');
    let inside = inside.strip_suffix('}').unwrap_or(inside);
    let mut depth = 0;
    let parts = inside.split(|c| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    let parts = parts.filter(|part| !part.trim().is_empty());
    let leaves = parts.flat_map(leaves);
    leaves
        .map(|leaf| format!("{}{leaf}", before.trim()))
        .collect()
}

fn import(leaf: &str) -> Import {
    let (path, alias) = leaf.split_once(" as ").unwrap_or((leaf, ""));
    let path = names(path.strip_suffix("::self").unwrap_or(path));
    let name = if alias.is_empty() {
        path.last().cloned()
    } else {
        Some(alias.trim().to_owned())
    };
    Import { path, name }
}
