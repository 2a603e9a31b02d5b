//! A composition's file, read.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use xtask::compose::Limits;
use yaml_rust2::{Yaml, YamlLoader};

pub const CONTEST: &str = "docker-compose.yml";
pub const PROD: &str = "prod/docker-compose.yml";
/// On top of the contest's.
pub const STREAM: &str = "docker-compose.stream.yml";

/// A service's keys.
pub type Service = BTreeMap<String, Yaml>;

pub fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A mapping with its merge keys (`<<`) followed; its own keys win.
pub fn merged(node: &Yaml) -> BTreeMap<String, Yaml> {
    let mut all = BTreeMap::new();
    for (key, value) in node.as_hash().unwrap() {
        if key.as_str() == Some("<<") {
            for (key, value) in merged(value) {
                all.entry(key).or_insert(value);
            }
        } else {
            all.insert(key.as_str().unwrap().to_owned(), value.clone());
        }
    }
    all
}

/// The file's top level.
pub fn composition(name: &str) -> BTreeMap<String, Yaml> {
    let documents = YamlLoader::load_from_str(&file(name)).unwrap();
    assert_eq!(documents.len(), 1);
    merged(&documents[0])
}

/// The services that `up` starts: those of no profile.
pub fn services(name: &str) -> BTreeMap<String, Service> {
    let mut services = all_services(name);
    services.retain(|_, service| !service.contains_key("profiles"));
    services
}

pub fn all_services(name: &str) -> BTreeMap<String, Service> {
    merged(&composition(name)["services"])
        .iter()
        .map(|(name, node)| (name.clone(), merged(node)))
        .collect()
}

pub fn strings(node: Option<&Yaml>) -> Vec<String> {
    let list = node.and_then(Yaml::as_vec).into_iter().flatten();
    list.map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// One value of a service's environment.
pub fn environment(service: &Service, name: &str) -> Option<String> {
    let all = merged(service.get("environment")?);
    all.get(name)?.as_str().map(str::to_owned)
}

/// PostgreSQL's settings in a service's command, each `name=value`.
pub fn settings(service: &Service) -> Vec<String> {
    let command = strings(service.get("command"));
    let settings = command
        .iter()
        .filter_map(|argument| argument.strip_prefix("-c"));
    settings.map(str::to_owned).collect()
}

/// The lines of postgresql.conf, names and values.
pub fn postgres_conf() -> Vec<(String, String)> {
    let text = file("postgresql.conf");
    let lines = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let pair = |line: &str| {
        let (name, value) = line.split_once(" = ").unwrap();
        (name.to_owned(), value.trim_matches('\'').to_owned())
    };
    lines.map(pair).collect()
}

/// As the containers then have them.
pub fn limits(service: &Service) -> Limits {
    let memory = service["deploy"]["resources"]["limits"]["memory"].as_str();
    assert!(
        memory.is_some_and(|memory| memory.ends_with("MB")),
        "{memory:?}: in MB"
    );
    Limits::read(&service["deploy"]).unwrap()
}
