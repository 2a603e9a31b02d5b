//! Both READMEs' tables of the stack, held against the files that decide it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each README with its heading of the stack and what stands before the crates' versions.
const READMES: [(&str, &str, &str); 2] = [
    ("README.md", "## The stack", "From `Cargo.lock`: "),
    ("README.pt-BR.md", "## A pilha", "De `Cargo.lock`: "),
];

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// From the heading to the next.
fn section(text: &str, heading: &str) -> String {
    let (_, after) = text.split_once(&format!("\n{heading}\n")).unwrap();
    after.split("\n## ").next().unwrap().to_owned()
}

/// The images that are run or built on, but for our own.
fn images() -> BTreeSet<String> {
    let (compose, dockerfile) = (file("docker-compose.yml"), file("Dockerfile"));
    let run = compose
        .lines()
        .filter_map(|line| line.trim().strip_prefix("image: "));
    let built_on = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("FROM "))
        .filter_map(|line| line.split(' ').next());
    run.filter(|image| !image.starts_with('$'))
        .chain(built_on.filter(|image| *image != "scratch"))
        .map(str::to_owned)
        .collect()
}

/// The version before each image of the table: ``18 (`postgres:18-alpine`)``.
fn stack(section: &str) -> BTreeMap<String, String> {
    let cells = section.split('|').map(str::trim);
    let image = |cell: &str| {
        let (version, rest) = cell.split_once(" (`")?;
        let image = rest.strip_suffix("`)")?;
        image
            .contains(':')
            .then(|| (image.to_owned(), version.to_owned()))
    };
    cells.filter_map(image).collect()
}

#[test]
fn the_stack_s_images_are_the_files() {
    let images = images();
    assert_eq!(images.len(), 3, "{images:?}");
    for (name, heading, _) in READMES {
        let stack = stack(&section(&file(name), heading));
        assert_eq!(
            stack.keys().cloned().collect::<BTreeSet<_>>(),
            images,
            "{name}"
        );
        for (image, version) in stack {
            let (_, tag) = image.split_once(':').unwrap();
            assert_eq!(
                tag.split('-').next(),
                Some(version.as_str()),
                "{name}: {image}"
            );
        }
    }
}

#[test]
fn production_runs_the_same_images() {
    let prod = file("prod/docker-compose.yml");
    for image in images().iter().filter(|image| !image.starts_with("rust:")) {
        assert!(prod.contains(&format!("image: {image}\n")), "{image}");
    }
}

#[test]
fn the_crates_versions_are_cargo_lock_s() {
    let lock = file("Cargo.lock");
    for (name, heading, before) in READMES {
        let section = section(&file(name), heading);
        let (_, list) = section.split_once(before).unwrap();
        let list = list.split_once(": [docs/dependencies.md]").unwrap().0;
        // A name and then a version; what each is for stands in parentheses.
        let words: Vec<&str> = list
            .split_whitespace()
            .map(|word| word.trim_end_matches([',', '.']))
            .collect();
        let is_version = |word: &str| word.starts_with(|sign: char| sign.is_ascii_digit());
        let named = words.windows(2).filter(|pair| is_version(pair[1]));
        let mut count = 0;
        for pair in named {
            let entry = format!("name = \"{}\"\nversion = \"{}\"\n", pair[0], pair[1]);
            assert!(lock.contains(&entry), "{name}: {} {}", pair[0], pair[1]);
            count += 1;
        }
        assert_eq!(count, 7, "{name}: {list}");
    }
}

#[test]
fn the_oldest_rust_is_cargo_toml_s() {
    let manifest = file("Cargo.toml");
    let oldest = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
        .unwrap();
    let newest = images();
    let newest = newest
        .iter()
        .find_map(|image| image.strip_prefix("rust:"))
        .unwrap();
    let newest = newest.split('-').next().unwrap();
    for (name, heading, _) in READMES {
        let text = file(name);
        let row = section(&text, heading);
        let row = row
            .lines()
            .find(|line| line.starts_with("| Rust |"))
            .unwrap();
        assert!(row.contains(&format!(", {oldest} ")), "{name}: {row}");
        for line in text
            .lines()
            .filter(|line| line.contains("Rust**") || line.contains("**Rust"))
        {
            assert!(line.contains(&format!("Rust {oldest}")), "{name}: {line}");
        }
        // The job of CI that runs on Debian is of the image's Rust.
        let container = format!("image: rust:{newest}-bookworm\n");
        assert!(file(".github/workflows/ci.yml").contains(&container));
    }
}
