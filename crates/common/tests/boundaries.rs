//! The rules of dependency that `docs/ARCHITECTURE.md` states, held against
//! the sources.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod imports;

use std::fs;
use std::path::{Path, PathBuf};

use imports::Files;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every Rust file below a folder, with its text.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}

#[track_caller]
fn assert_never_named(folder: &str, words: &[&str]) {
    let sources = sources(&workspace().join(folder));
    assert!(!sources.is_empty(), "no sources below {folder}");
    for (path, text) in sources {
        for word in words {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

fn manifest(of: &str) -> String {
    fs::read_to_string(workspace().join(of).join("Cargo.toml")).unwrap()
}

/// What a crate's tests depend on is not among it: end-to-end tests may name
/// the services.
fn shipped_dependencies(manifest: &str) -> &str {
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap();
    dependencies.split("[dev-dependencies]").next().unwrap()
}

const CRATES: [&str; 12] = [
    "crates/boleto",
    "crates/common",
    "crates/contract",
    "crates/debts-file",
    "crates/testkit",
    "crates/devstack",
    "crates/emulators",
    "crates/operator",
    "crates/slip",
    "importer-api",
    "billing-worker",
    "send-mail-worker",
];

const AWS: &str = "aws_";
const REDIS: &str = "redis::";
const POSTGRES: &str = "postgres::";
const TOKIO: &str = "tokio";
const TRACES: [&str; 2] = ["opentelemetry::", "opentelemetry_"];

#[test]
fn the_contract_the_boleto_and_its_slip_know_no_runtime_no_aws_and_no_redis() {
    assert_never_named("crates/contract/src", &[TOKIO, AWS, REDIS]);
    assert_never_named("crates/boleto/src", &[TOKIO, AWS, REDIS]);
    assert_never_named("crates/slip/src", &[TOKIO, AWS, REDIS]);
}

#[test]
fn aws_is_named_in_messaging_alone() {
    for folder in [
        "crates/contract/src",
        "crates/common/src/ledger",
        "crates/common/src/runtime",
        "crates/common/src/service",
        "crates/operator/src",
        "importer-api/src",
        "billing-worker/src",
        "send-mail-worker/src",
    ] {
        assert_never_named(folder, &[AWS]);
    }
}

#[test]
fn the_stores_are_named_in_the_ledger_alone() {
    for folder in [
        "crates/contract/src",
        "crates/common/src/messaging",
        "crates/common/src/runtime",
        "crates/common/src/service",
        "crates/operator/src",
        "importer-api/src",
        "billing-worker/src",
        "send-mail-worker/src",
    ] {
        assert_never_named(folder, &[REDIS, POSTGRES]);
    }
}

#[test]
fn opentelemetry_is_named_where_spans_are_made_and_exported_alone() {
    for folder in [
        "crates/contract/src",
        "crates/common/src/ledger",
        "crates/common/src/messaging",
        "crates/operator/src",
        "importer-api/src",
        "billing-worker/src",
        "send-mail-worker/src",
    ] {
        assert_never_named(folder, &TRACES);
    }
}

/// `runtime` < `messaging`, `ledger` < `service`.
#[test]
fn each_part_of_common_knows_only_what_stands_before_it() {
    for (part, later) in [
        ("runtime", &["messaging", "ledger", "service"][..]),
        ("messaging", &["ledger", "service"]),
        ("ledger", &["messaging", "service"]),
    ] {
        let words: Vec<_> = later
            .iter()
            .map(|later| format!("crate::{later}"))
            .collect();
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        assert_never_named(&format!("crates/common/src/{part}"), &words);
    }
}

/// `boleto` < `contract` < `slip`, `common`.
#[test]
fn the_contract_knows_the_boleto_alone() {
    for (of, later) in [
        ("crates/boleto", &["contract", "slip", "common"][..]),
        ("crates/contract", &["slip", "common"]),
        ("crates/slip", &["common"]),
        ("crates/common", &["slip"]),
        (
            "crates/debts-file",
            &["contract", "slip", "common", "devstack"],
        ),
        ("crates/emulators", &["common", "devstack", "testkit"]),
        ("crates/testkit", &["devstack"]),
    ] {
        let manifest = manifest(of);
        let shipped = shipped_dependencies(&manifest);
        for later in later {
            assert!(
                !shipped.contains(&format!("\n{later}.")),
                "{of} depends on {later}"
            );
        }
    }
}

#[test]
fn no_crate_depends_on_a_service() {
    for of in CRATES {
        let manifest = manifest(of);
        let shipped = shipped_dependencies(&manifest);
        for service in ["importer-api", "billing-worker", "send-mail-worker"] {
            assert!(!shipped.contains(service), "{of} depends on {service}");
        }
    }
}

/// A file and its submodules are one: they share what is private to it.
#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    for of in CRATES {
        let src = workspace().join(of).join("src");
        let sources = sources(&src);
        let files = Files::of(sources.iter().filter_map(|(path, text)| {
            let path = path.strip_prefix(&src).unwrap();
            let is_program_of_a_library = path == "main.rs" && src.join("lib.rs").exists();
            (!is_program_of_a_library).then_some((path, &**text))
        }));
        let circles = files.circles();
        assert!(circles.is_empty(), "{of}: {circles:#?}");
    }
}

#[test]
fn a_circle_is_seen_through_what_hands_names_on() {
    let circles = |b: &str| {
        let lib =
            "mod a;\nmod b;\nmod c;\npub use a::{A, Other as Alias};\npub use c::{deep::C};\n";
        let texts = [
            ("lib.rs", lib),
            (
                "a.rs",
                "use crate::{\n    Alias,\n    C,\n};\nstruct A(C);\n",
            ),
            ("b.rs", b),
            ("c/mod.rs", "pub mod deep;\nstruct Private;\n"),
            (
                "c/deep.rs",
                "use super::Private;\nuse std::fmt::{self, Debug};\nstruct C(crate::b::B);\n",
            ),
        ];
        Files::of(texts.map(|(path, text)| (Path::new(path), text))).circles()
    };
    let circle = ["a -> c::deep", "b -> a", "c::deep -> b"];
    for b in [
        "use super::A;",
        "pub(crate) use super::Alias as Named;",
        "struct B(crate::Alias);",
        "use crate::{c as other, a::{self, A}};",
    ] {
        assert_eq!(circles(b), circle, "{b}");
    }
    for b in [
        "struct B;",
        "/// See [`crate::A`].\nstruct B;",
        "struct B;\n\n#[cfg(test)]\nmod tests {\n    use crate::A;\n}",
    ] {
        assert!(circles(b).is_empty(), "{b}");
    }
}

#[test]
fn nothing_that_ships_depends_on_what_development_needs() {
    for of in [
        "crates/boleto",
        "crates/common",
        "crates/contract",
        "crates/operator",
        "crates/slip",
        "importer-api",
        "billing-worker",
        "send-mail-worker",
    ] {
        let manifest = manifest(of);
        let shipped = shipped_dependencies(&manifest);
        for other in ["anyhow", "debts-file", "devstack", "emulators", "testkit"] {
            assert!(
                !shipped.contains(&format!("\n{other}.")),
                "{of} depends on {other}"
            );
        }
    }
}
