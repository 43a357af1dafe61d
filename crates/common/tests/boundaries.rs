//! The rules of dependency that `docs/ARCHITECTURE.md` states, held against
//! the sources.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::fs;
use std::path::{Path, PathBuf};

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

const AWS: &str = "aws_";
const REDIS: &str = "redis::";
const TOKIO: &str = "tokio";

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
fn redis_is_named_in_the_ledger_alone() {
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
        assert_never_named(folder, &[REDIS]);
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
    for of in [
        "crates/boleto",
        "crates/common",
        "crates/contract",
        "crates/testkit",
        "crates/devstack",
        "crates/emulators",
        "crates/operator",
        "crates/slip",
        "importer-api",
        "billing-worker",
        "send-mail-worker",
    ] {
        let manifest = manifest(of);
        let shipped = shipped_dependencies(&manifest);
        for service in ["importer-api", "billing-worker", "send-mail-worker"] {
            assert!(!shipped.contains(service), "{of} depends on {service}");
        }
    }
}
