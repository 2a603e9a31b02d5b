//! docker-compose.yml, Dockerfile and nginx.conf, as far as reading them tells: the contest's
//! limits, what is published, and that the three agree with each other and with `cargo xtask`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step is a failed test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crebito::limits;
use yaml_rust2::{Yaml, YamlLoader};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A mapping with its merge keys (`<<`) followed; its own keys win.
fn merged(node: &Yaml) -> BTreeMap<String, Yaml> {
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

fn compose() -> BTreeMap<String, Yaml> {
    let documents = YamlLoader::load_from_str(&file("docker-compose.yml")).unwrap();
    assert_eq!(documents.len(), 1);
    merged(&documents[0])
}

fn services() -> BTreeMap<String, BTreeMap<String, Yaml>> {
    merged(&compose()["services"])
        .iter()
        .map(|(name, node)| (name.clone(), merged(node)))
        .collect()
}

fn strings(node: Option<&Yaml>) -> Vec<String> {
    let list = node.and_then(Yaml::as_vec).into_iter().flatten();
    list.map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// Hundredths of a CPU, and MB.
fn limits(service: &BTreeMap<String, Yaml>) -> (u32, u32) {
    let limits = &service["deploy"]["resources"]["limits"];
    let (cpus, memory) = (
        limits["cpus"].as_str().unwrap(),
        limits["memory"].as_str().unwrap(),
    );
    let (whole, hundredths) = cpus.split_once('.').unwrap();
    assert_eq!(
        hundredths.len(),
        2,
        "{cpus}: two digits, to be summed exactly"
    );
    let memory = memory
        .strip_suffix("MB")
        .unwrap_or_else(|| panic!("{memory}: in MB"));
    let cpus = whole.parse::<u32>().unwrap() * 100 + hundredths.parse::<u32>().unwrap();
    (cpus, memory.parse().unwrap())
}

#[test]
fn the_limits_are_the_contests() {
    let limits: Vec<(u32, u32)> = services().values().map(limits).collect();
    assert_eq!(limits.len(), 4);
    assert_eq!(
        limits.iter().map(|limit| limit.0).sum::<u32>(),
        150,
        "1.5 CPU: {limits:?}"
    );
    assert_eq!(
        limits.iter().map(|limit| limit.1).sum::<u32>(),
        550,
        "550 MB: {limits:?}"
    );
}

#[test]
fn old_and_new_compose_both_take_it() {
    let top: Vec<String> = compose()
        .into_keys()
        .filter(|key| !key.starts_with("x-"))
        .collect();
    assert_eq!(
        top,
        ["networks", "services", "volumes"],
        "no version, no name"
    );
}

#[test]
fn only_nginx_is_published_and_nobody_is_privileged() {
    for (name, service) in services() {
        let published = strings(service.get("ports"));
        let expected: &[&str] = if name == "nginx" {
            &["${CREBITO_PORT:-9999}:9999"]
        } else {
            &[]
        };
        assert_eq!(published, expected, "{name}");
        assert!(!service.contains_key("privileged") && !service.contains_key("network_mode"));
        assert_eq!(strings(service.get("cap_drop")), ["ALL"], "{name}");
        let security: &[&str] = match name.starts_with("api") {
            true => &["no-new-privileges:true", "seccomp:./seccomp.json"],
            false => &["no-new-privileges:true"],
        };
        assert_eq!(strings(service.get("security_opt")), security, "{name}");
        assert_eq!(service["read_only"].as_bool(), Some(true), "{name}");
        assert!(service.contains_key("healthcheck"), "{name}");
        let image = service["image"].as_str().unwrap();
        assert!(
            image.contains(':') && !image.ends_with("nginx:latest"),
            "{name}: {image}"
        );
    }
}

#[test]
fn each_waits_for_the_one_behind_it() {
    let services = services();
    for (name, behind) in [
        ("nginx", &["api1", "api2"][..]),
        ("api1", &["db"]),
        ("api2", &["db"]),
    ] {
        let waits = merged(&services[name]["depends_on"]);
        assert_eq!(waits.keys().collect::<Vec<_>>(), behind, "{name}");
        for (other, how) in waits {
            assert_eq!(
                how["condition"].as_str(),
                Some("service_healthy"),
                "{name}: {other}"
            );
        }
    }
}

#[test]
fn nginx_and_the_replicas_meet_at_the_same_sockets() {
    let mut listens: Vec<String> = services()
        .iter()
        .filter(|(name, _)| name.starts_with("api"))
        .map(|(_, service)| {
            merged(&service["environment"])["LISTEN"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    listens.sort();
    let conf = file("nginx.conf");
    let servers: Vec<&str> = conf
        .lines()
        .filter_map(|line| line.trim().strip_prefix("server unix:"))
        .filter_map(|rest| rest.split(' ').next())
        .collect();
    let servers: Vec<String> = servers.iter().map(|path| format!("unix:{path}")).collect();
    assert_eq!(listens, servers);
    let mounted = |name: &str, at: &str| {
        let volumes = strings(services()[name].get("volumes"));
        assert!(
            volumes.iter().any(|volume| volume == at),
            "{name}: {volumes:?}"
        );
    };
    for name in ["nginx", "api1", "api2"] {
        mounted(name, "api-sockets:/run/crebito");
    }
    for name in ["db", "api1", "api2"] {
        mounted(name, "db-socket:/var/run/postgresql");
    }
    mounted("nginx", "./nginx.conf:/etc/nginx/nginx.conf:ro");
    mounted("db", "./sql:/docker-entrypoint-initdb.d:ro");
}

#[test]
fn postgres_is_set_as_xtask_sets_it() {
    let command = strings(services()["db"].get("command"));
    let mut settings: Vec<&str> = command
        .iter()
        .filter_map(|argument| argument.strip_prefix("-c"))
        .collect();
    settings.retain(|setting| *setting != "listen_addresses=");
    let expected: Vec<String> = xtask::stack::SETTINGS
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(settings, expected);
    let data = merged(&services()["db"]["environment"])["PGDATA"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        data.starts_with("/var/lib/postgresql/"),
        "{data} is not in the volume"
    );
}

#[test]
fn a_replica_s_connections_fit_its_memory_when_each_is_at_its_worst() {
    for (name, service) in services() {
        if !name.starts_with("api") {
            continue;
        }
        let environment = merged(&service["environment"]);
        let connections = environment["MAX_CONNECTIONS"].as_str().unwrap();
        let connections: usize = connections.parse().unwrap();
        let worst = connections * limits::CONNECTION_BYTES_MAX + limits::QUEUE_MAX * 200;
        // What is left is the program's own: 3 MB were measured, the rest is the session's.
        let memory = self::limits(&service).1 as usize * 1_000_000;
        assert!(worst + 6_000_000 < memory, "{name}: {worst} of {memory}");
    }
}

/// The names that a rule allows, with whether it asks for arguments.
fn allowed(profile: &Yaml) -> BTreeMap<String, bool> {
    let mut all = BTreeMap::new();
    for rule in profile["syscalls"].as_vec().unwrap() {
        let action = rule["action"].as_str().unwrap();
        let names = strings(Some(&rule["names"]));
        assert!(!names.is_empty() && rule["comment"].as_str().is_some());
        if action == "SCMP_ACT_ALLOW" {
            let narrowed = rule["args"].as_vec().is_some();
            all.extend(names.into_iter().map(|name| (name, narrowed)));
        } else {
            assert_eq!((action, names), ("SCMP_ACT_ERRNO", vec!["clone3".into()]));
        }
    }
    all
}

#[test]
fn the_seccomp_profile_allows_what_is_named_and_nothing_else() {
    let text = file("seccomp.json");
    // As an engine reads it, then as the rest of this file reads.
    serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let profile = &YamlLoader::load_from_str(&text).unwrap()[0];
    assert_eq!(profile["defaultAction"].as_str(), Some("SCMP_ACT_ERRNO"));
    let machines: Vec<_> = profile["archMap"].as_vec().unwrap().iter().collect();
    let machines: Vec<_> = machines
        .iter()
        .map(|machine| machine["architecture"].as_str().unwrap())
        .collect();
    assert_eq!(machines, ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]);
    let allowed = allowed(profile);
    for (name, narrowed) in [
        ("io_uring_setup", false),
        ("io_uring_enter", false),
        ("io_uring_register", false),
        ("epoll_create1", false),
        ("execve", false),
        ("clone", true),
        ("socket", true),
        ("ioctl", true),
    ] {
        assert_eq!(allowed.get(name), Some(&narrowed), "{name}");
    }
    // A few of those that Docker's own profile allows, at least to some.
    for name in [
        "ptrace", "mount", "unshare", "setns", "bpf", "keyctl", "kill", "mknod", "fork",
    ] {
        assert!(!allowed.contains_key(name), "{name}");
    }
}

#[test]
fn credentials_come_from_the_environment_and_the_example_has_them_all() {
    let text = file("docker-compose.yml");
    let example = file(".env.example");
    let names: Vec<&str> = text
        .split("${")
        .skip(1)
        .filter_map(|rest| rest.split(":-").next())
        .collect();
    assert!(names.contains(&"POSTGRES_PASSWORD"));
    for name in names {
        let line = example
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        let default = line.unwrap_or_else(|| panic!(".env.example lacks {name}"));
        assert!(
            text.contains(&format!("${{{name}:-{default}}}")),
            "{name}: two defaults"
        );
    }
}

#[test]
fn the_image_is_empty_but_for_the_server() {
    let dockerfile = file("Dockerfile");
    let last = dockerfile.rsplit_once("\nFROM ").unwrap().1;
    assert!(last.starts_with("scratch\n"), "{last}");
    for line in [
        "USER 65532:65532",
        "STOPSIGNAL SIGTERM",
        "ENTRYPOINT [\"/crebito\"]",
    ] {
        assert!(last.lines().any(|found| found == line), "{line} is missing");
    }
    assert_eq!(last.matches("COPY").count(), 1);
    let ignored = file(".dockerignore");
    assert!(
        ignored.lines().any(|line| line == "*"),
        "only what is named enters the build"
    );
}
