//! What both READMEs and the questions say, held against what decides it: the stack's versions, the
//! settings, the sample of `/health`, the tests that are named as a proof.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use yaml_rust2::YamlLoader;

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

/// Flag and default of each variable; those that are variables alone have neither.
type Settings = BTreeMap<String, (Option<String>, Option<String>)>;

/// What `--help` names: a part for each flag, and the passwords' variables behind them all.
fn helped() -> Settings {
    let mut help = Command::new(env!("CARGO_BIN_EXE_crebito"));
    let output = help.arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let help = String::from_utf8(output.stdout).unwrap();
    let mut settings = Settings::new();
    let (mut flag, mut variable) = ("", "");
    for line in help.lines().map(str::trim) {
        let within = |name: &str| line.strip_prefix(name)?.strip_suffix(']');
        if line.starts_with("--") {
            flag = line.split(' ').next().unwrap();
        } else if let Some(found) = within("[env: ") {
            variable = found.trim_end_matches('=');
            settings.insert(variable.to_owned(), (Some(flag.to_owned()), None));
        } else if let Some(default) = within("[default: ") {
            settings.get_mut(variable).unwrap().1 = Some(default.to_owned());
        }
    }
    let words = help.split(|sign: char| !(sign.is_ascii_uppercase() || sign == '_'));
    for password in words.filter(|word| word.starts_with("PGPASSWORD")) {
        settings.insert(password.to_owned(), (None, None));
    }
    settings
}

/// What a README's table names: `| `NAME` | `--flag` | `default` or a word for none | ...`.
fn tabled(text: &str, heading: &str) -> Settings {
    let section = section(text, heading);
    let code = |cell: &str| {
        let code = cell.trim().strip_prefix('`')?.strip_suffix('`')?;
        Some(code.to_owned())
    };
    let row = |line: &str| {
        let mut cells = line.split('|').skip(1).map(code);
        let (name, flag, default) = (cells.next()??, cells.next()?, cells.next()?);
        Some((name, (flag, default)))
    };
    section.lines().filter_map(row).collect()
}

#[test]
fn the_settings_are_those_of_help() {
    let helped = helped();
    assert!(helped.len() > 10, "{helped:?}");
    assert!(helped.contains_key("PGPASSWORD_FILE"), "{helped:?}");
    for (name, heading) in [
        ("README.md", "## Settings"),
        ("README.pt-BR.md", "## Configurações"),
    ] {
        assert_eq!(tabled(&file(name), heading), helped, "{name}");
    }
}

#[test]
fn the_sample_of_health_has_what_openapi_yaml_requires() {
    let document = YamlLoader::load_from_str(&file("docs/openapi.yaml")).unwrap();
    let required = &document[0]["components"]["schemas"]["Health"]["required"];
    let required = required.as_vec().unwrap().iter();
    let required: BTreeSet<String> = required.map(|key| key.as_str().unwrap().into()).collect();
    for name in ["README.md", "README.pt-BR.md", "docs/api.md"] {
        let text = file(name);
        let samples = text.lines().map(|line| line.trim_start_matches("# "));
        let samples: Vec<&str> = samples
            .filter(|line| line.starts_with("{\"database\":"))
            .collect();
        assert_eq!(samples.len(), 1, "{name}");
        let sample: BTreeMap<String, serde_json::Value> = serde_json::from_str(samples[0]).unwrap();
        assert_eq!(
            sample.into_keys().collect::<BTreeSet<_>>(),
            required,
            "{name}"
        );
    }
}

/// The name of each function in the files below these folders.
fn functions(mut folders: Vec<PathBuf>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                let made = path.ends_with("target");
                folders.extend((!made).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let names = text.lines().filter_map(|line| {
                    let (_, rest) = line.split_once("fn ")?;
                    rest.split(['(', '<']).next()
                });
                found.extend(names.map(str::to_owned));
            }
        }
    }
    found
}

/// Three underscores make a name a test's, since settings have fewer; so do dots at its end, which
/// stand for the rest of several names.
#[test]
fn the_tests_that_prove_something_are_there() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let functions = functions(
        ["src", "tests", "xtask", "fuzz"]
            .map(|name| top.join(name))
            .into(),
    );
    for name in ["docs/questions.md", "docs/perguntas.md"] {
        let text = file(name);
        let mut count = 0;
        for quoted in text.split('`').skip(1).step_by(2) {
            let (word, is_whole) = match quoted.strip_suffix("...") {
                Some(beginning) => (beginning, false),
                None => (quoted, true),
            };
            let is_snake = |sign: char| matches!(sign, 'a'..='z' | '0'..='9' | '_');
            let is_long = !is_whole || word.matches('_').count() >= 3;
            if !is_long || !word.chars().all(is_snake) {
                continue;
            }
            let is_there = match is_whole {
                true => functions.contains(word),
                false => functions.iter().any(|function| function.starts_with(word)),
            };
            assert!(is_there, "{name}: there is no test {quoted}");
            count += 1;
        }
        assert!(count > 15, "{name}: {count} tests are named");
    }
}
